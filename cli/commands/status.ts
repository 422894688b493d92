import { Command } from 'commander';
import { latestKey } from '../../shared/landing/keys.ts';
import { readLatest } from '../../shared/landing/manifest.ts';
import { QUEUE_NAMES, type QueueCounts } from '../../shared/queue/queue.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { chosenPipelines } from '../pipelines.ts';
import { type RunView, runView } from '../run-view.ts';
import type { Session } from '../session.ts';
import { bytesText, countText, oneLine, tableText, timeText } from '../text.ts';

/** As `--json` prints it. */
interface PipelineStatus {
  readonly pipeline: string;
  readonly description?: string;
  readonly schedule: string;
  readonly state: 'idle' | 'running' | 'paused';
  /** Another run begins when this one has ended. */
  readonly pending: boolean;
  readonly lastRun?: RunView;
  /** What readers see. */
  readonly published?: {
    readonly run: number;
    readonly at: string;
    readonly partitions: number;
    readonly bytes: number;
    readonly location: string;
  };
}

export const statusCommand = (act: Act): Command =>
  new Command('status')
    .description('show pipelines: what runs, how the last run ended, what is published')
    .argument('[pipeline...]', 'names of pipelines; default all')
    .addHelpText('after', examples('status', 'status vega-files --json'))
    .action(
      act<[string[]]>(async (session, [names]) => {
        const { deps, backend, broken } = await session.open();
        const chosen = await chosenPipelines(names, names.length === 0, deps);
        const pipelines: PipelineStatus[] = [];
        for (const name of chosen) pipelines.push(await statusOf(name, deps));
        const queues: Record<string, QueueCounts> = {};
        for (const queue of QUEUE_NAMES) queues[queue] = await backend.queues.counts(queue);
        const invalid = names.length === 0 ? broken.map(({ message }) => session.redactor.redact(message)) : [];
        if (session.json) await session.printJson({ pipelines, queues, invalid });
        else await printStatus(pipelines, queues, invalid, session);
        return EXIT.done;
      }),
    );

async function statusOf(name: string, deps: RefreshDeps): Promise<PipelineStatus> {
  const pipeline = await deps.pipelines.get(name);
  const active = await deps.runs.active(name);
  const key = latestKey(name);
  const latest = (await readLatest(deps.objects, key))?.latest;
  let lastRun: RunView | undefined;
  for await (const record of deps.runs.records(name, { limit: 1 })) {
    lastRun = runView(name, record);
    break;
  }
  return {
    pipeline: name,
    ...(pipeline.description ? { description: pipeline.description } : {}),
    schedule: pipeline.schedule,
    state: active?.active !== undefined ? 'running' : pipeline.paused || active?.paused ? 'paused' : 'idle',
    pending: active?.pending !== undefined,
    ...(lastRun ? { lastRun } : {}),
    ...(latest
      ? {
          published: {
            run: latest.run,
            at: new Date(latest.publishedAt).toISOString(),
            partitions: latest.totals.partitions,
            bytes: latest.totals.bytes,
            location: deps.objects.location(key),
          },
        }
      : {}),
  };
}

async function printStatus(
  pipelines: readonly PipelineStatus[],
  queues: Readonly<Record<string, QueueCounts>>,
  invalid: readonly string[],
  session: Session,
): Promise<void> {
  const columns = [
    { title: 'pipeline' },
    { title: 'state' },
    { title: 'run', right: true },
    { title: 'ended as' },
    { title: 'began' },
    { title: 'partitions', right: true },
    { title: 'bytes', right: true },
    { title: 'failed', right: true },
    { title: 'schedule' },
  ];
  const rows = pipelines.map(({ pipeline, state, pending, lastRun, published, schedule }) => [
    pipeline,
    pending ? `${state}, another waits` : state,
    lastRun ? `${lastRun.run}` : '-',
    lastRun?.endedAt ? lastRun.state : '-',
    lastRun ? timeText(Date.parse(lastRun.startedAt)) : '-',
    published ? countText(published.partitions) : '-',
    published ? bytesText(published.bytes) : '-',
    lastRun?.failed === undefined ? '-' : countText(lastRun.failed),
    schedule,
  ]);
  await session.print(tableText(columns, rows));
  for (const { pipeline, lastRun } of pipelines) {
    if (lastRun?.error)
      await session.print(
        `${session.styled('red', lastRun.state)}: ${pipeline}, run ${lastRun.run}: ${lastRun.error.code}: ${oneLine(lastRun.error.message)}\n`,
      );
  }
  for (const [queue, { visible, inFlight, delayed, dead }] of Object.entries(queues)) {
    if (visible + inFlight + delayed + dead === 0) continue;
    const counts = `${countText(visible)} waiting, ${countText(inFlight)} under way, ${countText(delayed)} later`;
    await session.print(`queue ${queue}: ${counts}, ${countText(dead)} dead letters\n`);
  }
  for (const message of invalid) await session.print(`${session.styled('red', 'INVALID')}: ${oneLine(message)}\n`);
}
