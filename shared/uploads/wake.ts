import { epochMs, hours, minutes } from '../core/units.ts';
import { latestKey } from '../landing/keys.ts';
import { readLatest } from '../landing/manifest.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { StreamUploadMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import type { RunStore } from '../runs/store.ts';
import type { StreamSink } from '../sinks/sink.ts';
import type { UploadDeps } from './deps.ts';
import type { SinkRecord } from './store.ts';

type WakeDeps = Pick<UploadDeps, 'queues' | 'objects' | 'sinks' | 'clock' | 'log'>;

/** Nothing newer is published, and nobody wants any of it uploaded again. */
const isUpToDate = (record: SinkRecord | undefined, run: number): boolean =>
  record?.applied?.run === run && !record.target && !record.anew && record.redrive === undefined;

/** Tells the sinks of a pipeline that there is a new manifest. */
export async function wakeSinks({ name, sinks }: Pipeline, { queues }: Pick<WakeDeps, 'queues'>): Promise<void> {
  await queues.send(
    'stream-upload',
    sinks.map((sink) => {
      const body: StreamUploadMessage = { pipeline: name, sink: sink.name };
      return { body: messageJson(body), group: name };
    }),
  );
}

/** The sinks of a pipeline that have not applied what is published, and have not failed since it was. */
export async function laggingSinks(
  pipeline: Pipeline,
  deps: Pick<WakeDeps, 'objects' | 'sinks'>,
): Promise<StreamSink[]> {
  if (pipeline.sinks.length === 0) return [];
  const latest = (await readLatest(deps.objects, latestKey(pipeline.name)))?.latest;
  if (!latest) return [];
  const lagging: StreamSink[] = [];
  for (const sink of pipeline.sinks) {
    const record = await deps.sinks.get(pipeline.name, sink.name);
    const isThere = isUpToDate(record, latest.run);
    const hasFailed = record?.holder === undefined && (record?.failedAt ?? 0) >= latest.publishedAt;
    if (!isThere && !hasFailed) lagging.push(sink);
  }
  return lagging;
}

/** A sink that nobody has brought on for so long has lost its message. */
const LOST_AFTER_MS = minutes(5);
/** What failed for good is tried again so often: somebody may have mended it. */
const RETRIED_AFTER_MS = hours(1);

/** Sends again what was lost: sinks that lag behind what is published, and that nobody holds. @returns how many */
export async function sweepSinks(pipeline: Pipeline, deps: WakeDeps): Promise<number> {
  if (pipeline.sinks.length === 0) return 0;
  const latest = (await readLatest(deps.objects, latestKey(pipeline.name)))?.latest;
  if (!latest) return 0;
  const now = epochMs(deps.clock());
  let sent = 0;
  for (const sink of pipeline.sinks) {
    const record = await deps.sinks.get(pipeline.name, sink.name);
    if (isUpToDate(record, latest.run)) continue;
    if ((record?.leasedUntil ?? 0) > now) continue;
    const failed = record?.error && !record.error.retryable;
    const since = Math.max(latest.publishedAt, record?.updatedAt ?? 0, record?.failedAt ?? 0);
    if (now - since < (failed ? RETRIED_AFTER_MS : LOST_AFTER_MS)) continue;
    await wakeSinks({ ...pipeline, sinks: [sink] }, deps);
    sent += 1;
  }
  return sent;
}

/** Manifests and objects are kept for a sink that lags; no longer than this, in days. */
export const HELD_DAYS = 30;

/**
 * The newest run whose garbage a pipeline's sinks can do without: what they have applied, or are being brought to first, is where
 * they go on from, and is kept for them for a while. One that lags further is an alarm, and begins anew when it comes back.
 */
export async function heldBySinks(
  { name, sinks }: Pipeline,
  { sinks: store, runs, clock, log }: WakeDeps & { readonly runs: Pick<RunStore, 'record'> },
): Promise<number> {
  let upTo = Number.POSITIVE_INFINITY;
  for (const { name: sink } of sinks) {
    const { applied, target } = (await store.get(name, sink)) ?? {};
    const needed = applied ?? target;
    if (!needed) continue;
    // A pipeline that is idle leaves nobody behind: a sink lags since the run after its own began.
    const since = (await runs.record(name, needed.run + 1))?.startedAt;
    if (since !== undefined && clock().getTime() - since > hours(24 * HELD_DAYS)) {
      log.error('a sink lags so far that nothing is kept for it any more', { pipeline: name, sink, run: needed.run });
      log.error('metric', { metric: 'SinksTooFarBehind', value: 1 });
      continue;
    }
    upTo = Math.min(upTo, needed.run);
  }
  return upTo;
}
