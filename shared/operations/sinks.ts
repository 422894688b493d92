import type { ErrorFacts } from '../core/errors.ts';
import { IngestError, InvalidInputError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type EpochMs, epochMs } from '../core/units.ts';
import { latestKey } from '../landing/keys.ts';
import { readLatest } from '../landing/manifest.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import type { Guarantee, StreamSink } from '../sinks/sink.ts';
import { rejectedPrefix } from '../uploads/rejected.ts';
import { NO_SINK_TOTALS, type RefusedPartition, type SinkRecord, type SinkTotals } from '../uploads/store.ts';
import { wakeSinks } from '../uploads/wake.ts';

type SinkDeps = Pick<RefreshDeps, 'sinks' | 'objects' | 'queues' | 'clock'>;

/** How far one sink of a pipeline is. */
export interface SinkView {
  readonly sink: string;
  readonly type: string;
  readonly guarantee: Guarantee;
  /** `waiting`: it lags, and nobody works on it just now; `failing`: the same, and the last try failed. */
  readonly state: 'up to date' | 'uploading' | 'waiting' | 'failing';
  readonly applied?: { readonly run: number; readonly publishedAt: EpochMs };
  readonly published?: { readonly run: number; readonly publishedAt: EpochMs };
  /** Runs published since what it has applied; undefined as long as nothing is published. */
  readonly lagRuns?: number;
  /** By how much what it holds is older than what is published; undefined before its first. */
  readonly lagMs?: number;
  /** What it is being brought to. */
  readonly at?: {
    readonly run: number;
    readonly began?: EpochMs;
    /** So many changes of the transition are in. */
    readonly changes: number;
    /** Rows that are in, of partitions under way. */
    readonly rows: number;
    readonly isRedrive: boolean;
  };
  /** All of it is uploaded again. */
  readonly anew: boolean;
  readonly totals: SinkTotals;
  /** Partitions that were refused. */
  readonly refused: number;
  /** Where rows lie that it refused, if there are any. */
  readonly rejected?: string;
  readonly attempts: number;
  readonly error?: ErrorFacts;
  readonly failedAt?: EpochMs;
}

/** How far the sinks of a pipeline are. */
export async function sinkViews(pipeline: Pipeline, deps: SinkDeps): Promise<SinkView[]> {
  const latest = (await readLatest(deps.objects, latestKey(pipeline.name)))?.latest;
  const now = epochMs(deps.clock());
  const views: SinkView[] = [];
  for (const sink of pipeline.sinks) {
    const record = await deps.sinks.get(pipeline.name, sink.name);
    const published = latest && { run: latest.run, publishedAt: latest.publishedAt };
    views.push(viewOf(pipeline.name, sink, record, published, now, deps));
  }
  return views;
}

function viewOf(
  pipeline: string,
  { name, type, guarantee }: StreamSink,
  record: SinkRecord | undefined,
  published: SinkView['published'],
  now: EpochMs,
  deps: SinkDeps,
): SinkView {
  const { applied, target, error, failedAt, anew = false, redrive, totals = NO_SINK_TOTALS } = record ?? {};
  const isThere = !anew && redrive === undefined && !target && applied?.run === published?.run;
  const isHeld = (record?.leasedUntil ?? 0) > now;
  const state = isHeld && !isThere ? 'uploading' : isThere ? 'up to date' : error ? 'failing' : 'waiting';
  const underWay = Object.values(record?.rows ?? {}).reduce((sum, rows) => sum + rows, 0);
  return {
    sink: name,
    type,
    guarantee,
    state,
    ...(applied ? { applied: { run: applied.run, publishedAt: applied.publishedAt } } : {}),
    ...(published ? { published, lagRuns: published.run - (applied?.run ?? 0) } : {}),
    ...(published && applied ? { lagMs: Math.max(0, published.publishedAt - applied.publishedAt) } : {}),
    ...(target
      ? {
          at: {
            run: target.run,
            ...(target.began === undefined ? {} : { began: target.began }),
            changes: record!.place + record!.ahead.length,
            rows: underWay,
            isRedrive: target.redrive !== undefined,
          },
        }
      : {}),
    anew,
    totals,
    refused: record?.refused ?? 0,
    ...(totals.rejectedRows > 0 ? { rejected: deps.objects.location(rejectedPrefix(pipeline, name)) } : {}),
    attempts: record?.attempts ?? 0,
    ...(error ? { error } : {}),
    ...(failedAt === undefined ? {} : { failedAt }),
  };
}

/** The partitions that a sink has refused and that have not been uploaded since. */
export async function* refusedPartitions(
  pipeline: string,
  sink: string,
  deps: Pick<SinkDeps, 'sinks'>,
): AsyncGenerator<RefusedPartition> {
  for await (const refused of deps.sinks.refused(pipeline, sink)) if (!refused.settled) yield refused;
}

/** @throws {InvalidInputError} the pipeline has no such sink, or has several and none is named */
export function sinkNamed({ name, sinks }: Pipeline, wanted: string | undefined): StreamSink {
  const names = sinks.map((sink) => sink.name).join(', ') || 'none';
  const found =
    wanted === undefined ? (sinks.length === 1 ? sinks[0] : undefined) : sinks.find((sink) => sink.name === wanted);
  if (found) return found;
  throw new InvalidInputError(
    wanted === undefined
      ? `name one of the sinks of ${name}: ${names}`
      : `${name} has no sink ${JSON.stringify(wanted)}; it has ${names}`,
  );
}

/**
 * Has a sink tried again now: at once if its last try failed, and with what it has refused.
 *
 * @throws {SinkBusyError} it is being brought on just now
 */
export async function redriveSink(pipeline: Pipeline, sink: StreamSink, deps: SinkDeps): Promise<void> {
  const record = await deps.sinks.get(pipeline.name, sink.name);
  await operate(pipeline, sink, { ...redriveFields(record, sink), attempts: 0 }, ['error', 'failedAt'], deps);
}

/**
 * Has all that is published uploaded again, whatever the sink has applied, and forgets what it was at.
 *
 * @throws {SinkBusyError} it is being brought on just now
 */
export async function rewindSink(pipeline: Pipeline, sink: StreamSink, deps: SinkDeps): Promise<void> {
  const record = await deps.sinks.get(pipeline.name, sink.name);
  const fields = { ...anewFields(record), place: 0, ahead: [], rows: {}, refused: 0, refusals: [], attempts: 0 };
  await operate(pipeline, sink, fields, ['target', 'kept', 'error', 'failedAt', 'redrive'], deps);
  for await (const { path } of deps.sinks.refused(pipeline.name, sink.name))
    await deps.sinks.forgetRefusal(pipeline.name, sink.name, path);
}

/**
 * Says what came of a transition of which the sink itself cannot tell whether it is in (`SinkUndecided`): somebody has looked.
 *
 * @param isIn true: what it was brought to counts as applied; false: nothing of it is there, and it is uploaded again
 * @throws {InvalidInputError} there is nothing undecided
 * @throws {SinkBusyError} it is being brought on just now
 */
export async function settleSink(pipeline: Pipeline, sink: StreamSink, isIn: boolean, deps: SinkDeps): Promise<void> {
  const record = await deps.sinks.get(pipeline.name, sink.name);
  if (record?.error?.code !== UNDECIDED || !record.target)
    throw new InvalidInputError(`${pipeline.name}: of the sink ${sink.name} nothing is undecided`);
  const { run, manifest, publishedAt, redrive } = record.target;
  const applied: JsonObject = isIn ? { applied: { run, manifest, publishedAt } } : {};
  const asked = isIn ? ([redrive === undefined ? 'anew' : 'redrive'] as const) : [];
  const fields = { ...applied, place: 0, ahead: [], rows: {}, attempts: 0 };
  await operate(pipeline, sink, fields, ['target', 'kept', 'error', 'failedAt', ...asked], deps, record);
}

const UNDECIDED = 'SinkUndecided';

function redriveFields(record: SinkRecord | undefined, { whole }: StreamSink): JsonObject {
  if (!record || record.refused === 0) return {};
  // Such a sink is brought all that is shown, or nothing.
  if (whole) return anewFields(record);
  const redrive = (record.redrives ?? 0) + 1;
  return { redrive, redrives: redrive };
}

const anewFields = (record: SinkRecord | undefined) => ({ anew: true, rewinds: (record?.rewinds ?? 0) + 1 });

async function operate(
  pipeline: Pipeline,
  sink: StreamSink,
  fields: JsonObject,
  clears: readonly (keyof SinkRecord)[],
  deps: SinkDeps,
  seen?: SinkRecord,
): Promise<void> {
  const now = epochMs(deps.clock());
  if (!(await deps.sinks.operate(pipeline.name, sink.name, fields, clears, now, seen)))
    throw new SinkBusyError(pipeline.name, sink.name);
  await wakeSinks({ ...pipeline, sinks: [sink] }, deps);
}

/** Somebody brings the sink on just now. */
export class SinkBusyError extends IngestError {
  override readonly name = 'SinkBusyError';
  readonly code = 'SinkBusy';
  readonly retryable = true;
  constructor(pipeline: string, sink: string) {
    super(`${pipeline}: the sink ${sink} is being brought on just now; try again when it is idle`);
  }
}
