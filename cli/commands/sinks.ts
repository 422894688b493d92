import { Command } from 'commander';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { pathText } from '../../shared/landing/flat-manifest.ts';
import {
  redriveSink,
  refusedPartitions,
  rewindSink,
  type SinkView,
  settleSink,
  sinkNamed,
  sinkViews,
} from '../../shared/operations/sinks.ts';
import type { Pipeline } from '../../shared/pipelines/define.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import type { RefusedPartition } from '../../shared/uploads/store.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';
import type { Session } from '../session.ts';
import { bytesText, countText, durationText, oneLine, printable, tableText, timeText } from '../text.ts';

interface SinksOptions {
  readonly redrive?: boolean;
  readonly rewind?: boolean;
  readonly settle?: string;
  readonly yes?: boolean;
}

/** More are counted only. */
const REFUSED_SHOWN = 100;

export const sinksCommand = (act: Act): Command =>
  new Command('sinks')
    .description('show how far the sinks of a pipeline are; have one tried again, or begin anew')
    .argument('<pipeline>', 'name of the pipeline')
    .argument('[sink]', 'name of a sink: also what it has refused, and why')
    .option('--redrive', 'try again now, with the partitions it has refused')
    .option('--rewind', 'upload all that is published again (with --yes)')
    .option('--settle <what>', 'of a transition that nobody can tell whether it is in: `in` or `out`')
    .option('--yes', 'do it')
    .addHelpText('after', examples('sinks canvas', 'sinks canvas sql --redrive', 'sinks canvas sql --rewind --yes'))
    .action(
      act<[string, string | undefined], SinksOptions>(async (session, [name, wanted], options) => {
        const { deps } = await session.open();
        const pipeline = await pipelineNamed(name, deps);
        if (options.settle !== undefined) return settle(pipeline, wanted, options.settle, session, deps);
        if (options.redrive || options.rewind) return operate(pipeline, wanted, options, session, deps);
        if (wanted !== undefined) return showOne(pipeline, sinkNamed(pipeline, wanted).name, session, deps);
        return showAll(pipeline, session, deps);
      }),
    );

async function operate(
  pipeline: Pipeline,
  wanted: string | undefined,
  { redrive, rewind, yes }: SinksOptions,
  session: Session,
  deps: RefreshDeps,
): Promise<number> {
  if (redrive && rewind) throw new InvalidInputError('--redrive and --rewind exclude each other');
  const sink = sinkNamed(pipeline, wanted);
  const label = `${pipeline.name}: the sink ${sink.name}`;
  if (rewind && !yes)
    throw new InvalidInputError(`${label} will be brought all that is published again; if so, say --yes`);
  await (rewind ? rewindSink : redriveSink)(pipeline, sink, deps);
  if (session.json)
    await session.printJson({ pipeline: pipeline.name, sink: sink.name, [rewind ? 'rewind' : 'redrive']: true });
  else
    await session.print(`${label} ${rewind ? 'begins anew' : 'is tried again'}; a worker, or the next run, does it\n`);
  return EXIT.done;
}

async function settle(
  pipeline: Pipeline,
  wanted: string | undefined,
  what: string,
  session: Session,
  deps: RefreshDeps,
): Promise<number> {
  if (what !== 'in' && what !== 'out')
    throw new InvalidInputError(`--settle must be "in" or "out", got ${JSON.stringify(what)}`);
  const sink = sinkNamed(pipeline, wanted);
  await settleSink(pipeline, sink, what === 'in', deps);
  if (session.json) await session.printJson({ pipeline: pipeline.name, sink: sink.name, settled: what });
  else
    await session.print(
      `${pipeline.name}: the sink ${sink.name} ${what === 'in' ? 'goes on from there' : 'uploads it again'}\n`,
    );
  return EXIT.done;
}

async function showAll(pipeline: Pipeline, session: Session, deps: RefreshDeps): Promise<number> {
  const views = await sinkViews(pipeline, deps);
  if (session.json) {
    for (const view of views) await session.printJson(shown(pipeline.name, view));
    return EXIT.done;
  }
  if (views.length === 0) {
    await session.print(`${pipeline.name} has no sinks.\n`);
    return EXIT.done;
  }
  const columns = [
    { title: 'sink' },
    { title: 'type' },
    { title: 'state' },
    { title: 'applied', right: true },
    { title: 'published', right: true },
    { title: 'lags', right: true },
    { title: 'partitions', right: true },
    { title: 'rows', right: true },
    { title: 'bytes', right: true },
    { title: 'refused', right: true },
    { title: 'rejected rows', right: true },
  ];
  const rows = views.map(({ sink, type, state, applied, published, lagRuns, lagMs, totals, refused }) => [
    sink,
    type,
    state,
    runText(applied?.run),
    runText(published?.run),
    lagRuns === undefined || lagRuns === 0 ? '-' : lagText(lagRuns, lagMs),
    countText(totals.partitions),
    countText(totals.rows),
    bytesText(totals.bytes),
    countText(refused),
    countText(totals.rejectedRows),
  ]);
  await session.print(tableText(columns, rows));
  for (const view of views) await remarks(pipeline.name, view, session);
  return EXIT.done;
}

const runText = (run: number | undefined): string => (run === undefined ? '-' : `${run}`);
const lagText = (runs: number, ms: number | undefined): string =>
  `${countText(runs)} ${runs === 1 ? 'run' : 'runs'}${ms === undefined ? '' : `, ${durationText(ms)}`}`;

async function remarks(
  pipeline: string,
  { sink, error, attempts, refused }: SinkView,
  session: Session,
): Promise<void> {
  if (error)
    await session.print(
      `${session.styled('red', 'FAILING')}: ${sink}, ${attempts} in a row: ${error.code}: ${oneLine(error.message)}\n`,
    );
  if (refused > 0)
    await session.print(`${sink} has refused ${countText(refused)}; which: landfall sinks ${pipeline} ${sink}\n`);
}

async function showOne(pipeline: Pipeline, name: string, session: Session, deps: RefreshDeps): Promise<number> {
  const view = (await sinkViews(pipeline, deps)).find(({ sink }) => sink === name)!;
  const refused: RefusedPartition[] = [];
  for await (const one of refusedPartitions(pipeline.name, name, deps)) {
    refused.push(one);
    if (refused.length === REFUSED_SHOWN) break;
  }
  if (session.json) {
    const refusals = refused.map(({ path, error, run, refusedAt }) => ({
      path,
      pathText: pathText(path),
      run,
      refusedAt: iso(refusedAt),
      error,
    }));
    await session.printJson({ ...shown(pipeline.name, view), refusals });
    return EXIT.done;
  }
  const { at, applied, published, totals } = view;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['sink', `${view.sink} (${view.type}, ${view.guarantee})`],
    ['state', view.anew ? `${view.state}, all of it anew` : view.state],
    ['applied', applied && `run ${applied.run}, published ${timeText(applied.publishedAt)}`],
    ['published', published && `run ${published.run}, ${timeText(published.publishedAt)}`],
    ['lags', view.lagRuns ? lagText(view.lagRuns, view.lagMs) : undefined],
    [
      'at',
      at &&
        `run ${at.run}${at.isRedrive ? ' (redrive)' : ''}: ${countText(at.changes)} changes and ${countText(at.rows)} rows are in`,
    ],
    [
      'uploaded',
      `${countText(totals.partitions)} partitions, ${countText(totals.rows)} rows, ${bytesText(totals.bytes)}`,
    ],
    ['removed', countText(totals.removed)],
    ['rejected', totals.rejectedRows === 0 ? undefined : `${countText(totals.rejectedRows)} rows, in ${view.rejected}`],
    ['error', view.error && `${view.error.code}: ${oneLine(view.error.message)}`],
    ['refused', countText(view.refused)],
  ];
  for (const [title, value] of facts) if (value) await session.print(`${title.padEnd(10)}  ${value}\n`);
  for (const { path, error } of refused)
    await session.print(`  ${printable(pathText(path))}  ${error.code}: ${oneLine(error.message)}\n`);
  if (view.refused > refused.length) await session.note(`… the first ${refused.length}`);
  return EXIT.done;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** As `--json` has it. */
function shown(pipeline: string, { applied, published, at, failedAt, lagMs, ...view }: SinkView) {
  const manifest = (one: SinkView['applied']) => one && { run: one.run, publishedAt: iso(one.publishedAt) };
  return {
    pipeline,
    ...view,
    applied: manifest(applied),
    published: manifest(published),
    lagSeconds: lagMs === undefined ? undefined : lagMs / 1000,
    at: at && { ...at, began: at.began === undefined ? undefined : iso(at.began) },
    failedAt: failedAt === undefined ? undefined : iso(failedAt),
  };
}
