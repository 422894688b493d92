import { Command } from 'commander';
import { pathText } from '../../shared/landing/flat-manifest.ts';
import {
  cancelJobOf,
  type FoundJob,
  findJob,
  isOver,
  type JobView,
  listJobs,
  logsOf,
  metricsOf,
} from '../../shared/operations/jobs.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { wholeNumber } from '../options.ts';
import { pipelineNamed } from '../pipelines.ts';
import type { Session } from '../session.ts';
import { durationText, oneLine, printable, tableText, timeText } from '../text.ts';

const DEFAULT_LIMIT = 20;
const LOG_LINES = 50;

export const jobsCommand = (act: Act): Command =>
  new Command('jobs')
    .description('list the external jobs of a pipeline, show one, or stop it')
    .argument('<pipeline>', 'name of the pipeline')
    .argument('[job]', 'its path, or the id of its node')
    .option('--limit <jobs>', `at most so many (default ${DEFAULT_LIMIT})`, wholeNumber(1))
    .option('--logs', 'with a job: its log, as its service tells it')
    .option('--lines <lines>', `of the log, at most so many (default ${LOG_LINES})`, wholeNumber(1, 10_000))
    .option('--cancel', 'with a job: ask its service to stop it')
    .addHelpText(
      'after',
      examples('jobs canvas', 'jobs canvas users/snapshot-1 --logs', 'jobs canvas users/snapshot-1 --cancel'),
    )
    .action(
      act<[string, string | undefined], JobsOptions>(async (session, [name, reference], options) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        if (reference === undefined) return list(name, options.limit ?? DEFAULT_LIMIT, session, deps);
        const found = await findJob(name, reference, deps);
        if (options.cancel) return cancel(found, session, deps);
        return show(found, options, session, deps);
      }),
    );

interface JobsOptions {
  readonly limit?: number;
  readonly logs?: boolean;
  readonly lines?: number;
  readonly cancel?: boolean;
}

async function list(pipeline: string, limit: number, session: Session, deps: RefreshDeps): Promise<number> {
  const jobs: JobView[] = [];
  for await (const job of listJobs(pipeline, deps, { limit })) {
    if (session.json) await session.printJson(shownJob(job));
    else jobs.push(job);
  }
  if (session.json) return EXIT.done;
  if (jobs.length === 0) {
    await session.print(`${pipeline} has no external jobs.\n`);
    return EXIT.done;
  }
  const columns = [
    { title: 'phase' },
    { title: 'attempt', right: true },
    { title: 'began' },
    { title: 'took', right: true },
    { title: 'type' },
    { title: 'job' },
    { title: 'message' },
  ];
  const now = deps.clock().getTime();
  const rows = jobs.map((job) => [
    job.phase,
    `${job.attempt + 1}`,
    timeText(job.createdAt),
    durationText((job.finishedAt ?? now) - job.createdAt),
    job.taskType,
    printable(pathText(job.path)),
    oneLine(job.error?.message ?? job.message ?? ''),
  ]);
  await session.print(tableText(columns, rows));
  return EXIT.done;
}

async function cancel({ job }: FoundJob, session: Session, deps: RefreshDeps): Promise<number> {
  const asked = !isOver(job) && (await cancelJobOf(job, deps));
  const path = pathText(job.path);
  if (session.json) await session.printJson({ pipeline: job.pipeline, path: job.path, cancelling: asked });
  else await session.print(asked ? `${path} is being stopped; a worker does it\n` : `${path} is over: ${job.phase}\n`);
  return EXIT.done;
}

async function show(found: FoundJob, options: JobsOptions, session: Session, deps: RefreshDeps): Promise<number> {
  const { job, attempts } = found;
  const signal = session.stopping.signal('Stopping.');
  const metrics = await metricsOf(found, deps, signal);
  const logs = options.logs ? await logLines(found, options.lines ?? LOG_LINES, deps, signal) : undefined;
  if (session.json) {
    await session.printJson({ ...shownJob(job), attempts: attempts.length, metrics, logs });
    return EXIT.done;
  }
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['job', printable(pathText(job.path))],
    ['type', `${job.taskType}, version ${job.taskTypeVersion}`],
    ['phase', `${job.phase} since ${timeText(job.phaseSince)}`],
    ['attempt', `${job.attempt + 1} of ${attempts.length} so far, for run ${job.notify.run}`],
    ['began', timeText(job.createdAt)],
    ['ended', job.finishedAt === undefined ? undefined : timeText(job.finishedAt)],
    ['next look', job.status === 'DONE' || job.dueAt === undefined ? undefined : timeText(job.dueAt)],
    ['message', job.message && oneLine(job.message)],
    ['error', job.error && `${job.error.code}: ${oneLine(job.error.message)}`],
    ['last error', job.lastError && `${job.lastError.code}: ${oneLine(job.lastError.message)}`],
    ['details', job.customInfo && JSON.stringify(job.customInfo)],
    ...(job.logLinks ?? []).map(({ name, uri }) => ['log', `${name}: ${uri}`] as const),
    ...(metrics?.results ?? []).map(({ metric, data }) => ['metric', `${metric} ${lastValue(data.result)}`] as const),
  ];
  for (const [title, value] of facts) if (value) await session.print(`${title.padEnd(10)}  ${value}\n`);
  if (options.logs) await session.print(logs ? `\n${logs.join('\n')}\n` : '\nIts connector has no logs.\n');
  return EXIT.done;
}

async function logLines(found: FoundJob, lines: number, deps: RefreshDeps, signal: AbortSignal) {
  const parts = await logsOf(found, { lines }, deps, signal);
  if (!parts) return undefined;
  const shown: string[] = [];
  for await (const part of parts) {
    if (!('lines' in part)) continue;
    shown.push(
      ...part.lines.map(({ timestamp, message }) => `${timestamp ? `${timestamp} ` : ''}${message.trimEnd()}`),
    );
    if (shown.length >= lines) break;
  }
  return shown.slice(0, lines);
}

const lastValue = (series: readonly { readonly values: readonly (readonly [number, string])[] }[]): string =>
  series.map(({ values }) => values.at(-1)?.[1] ?? '').join(', ');

/** What a program gets: without what only the executor needs. */
function shownJob({ pipeline, node, path, attempt, taskType, taskTypeVersion, status, phase, ...job }: JobView) {
  const at = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  const { message, error, lastError, customInfo, logLinks, outputs, createdAt, phaseSince, finishedAt, dueAt } = job;
  return {
    ...{ pipeline, path, pathText: pathText(path), node, attempt, taskType, taskTypeVersion, status, phase },
    ...{ message, error, lastError, customInfo, logLinks, outputs, run: job.notify.run },
    ...{ createdAt: at(createdAt), phaseSince: at(phaseSince), finishedAt: at(finishedAt) },
    nextLookAt: status === 'DONE' ? undefined : at(dueAt),
  };
}
