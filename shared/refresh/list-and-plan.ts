import { type ErrorFacts, errorFacts, isRetryable } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { stagingKey } from '../landing/keys.ts';
import { listNode } from '../listing/list-node.ts';
import { FeedListing, Listing, type ListingOptions, type ListingState } from '../listing/listing.ts';
import { planOf } from '../nodes/plan.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import { Completion } from './completion.ts';
import type { Delivery, RefreshDeps } from './deps.ts';
import { countFailure, endRun } from './failure.ts';
import type { NodeTask } from './node-task.ts';
import { planFeed } from './plan-feed.ts';
import { openNode, type PlanProgress, planFolder, planShards } from './plan-folder.ts';
import { stopWithinMs } from './time.ts';

/** A listing, or the planning after it, that goes on in another invocation. */
interface Continuation {
  readonly node: string;
  /** The version of the node's item that was read before the listing. */
  readonly version: number;
  readonly listing: ListingState;
  /** Where the listing goes on; absent once it is complete. */
  readonly cursor?: JsonValue;
  readonly progress?: PlanProgress;
}

/** Lists one node and plans what is due below it; goes on later if this invocation's time is up. */
export async function listAndPlan(
  task: NodeTask,
  message: ListObjectsMessage,
  delivery: Delivery,
  deps: RefreshDeps,
): Promise<void> {
  const saved = message.continues === undefined ? undefined : await loadContinuation(task, message.continues, deps);
  if (message.continues !== undefined && !saved) return;
  const { identity } = task;
  const listing =
    identity.kind === 'feed'
      ? new FeedListing(listingOptions(task, deps))
      : (saved?.listing ?? new Listing(listingOptions(task, deps)));
  try {
    const stopWithin = stopWithinMs(delivery.deadline);
    const outOfTime = () => delivery.deadline.remainingMs() < stopWithin;
    if (!saved?.progress && !(await listed(task, listing, saved?.cursor, stopWithin, message, delivery, deps))) return;
    if (listing instanceof FeedListing) return await planFeed(task, listing, deps);
    const left = saved?.progress
      ? await planShards(task, listing, saved.progress, outOfTime, deps)
      : await planFolder(task, listing, outOfTime, deps);
    if (left) await goOnLater(task, message, listing, { progress: left }, deps);
  } finally {
    await listing.close();
  }
}

/** @returns true if the listing is complete (a feed: as far as it came); else all is said and sent */
async function listed(
  task: NodeTask,
  listing: Listing | FeedListing,
  cursor: JsonValue | undefined,
  stopWithin: number,
  message: ListObjectsMessage,
  delivery: Delivery,
  deps: RefreshDeps,
): Promise<boolean> {
  const { pipeline, run, identity, node } = task;
  const log = deps.log.with({ pipeline: pipeline.name, run, node: task.id, path: identity.path });
  const source = await deps.connectors.open(pipeline, delivery.deadline.signal);
  const resumeFrom = identity.kind === 'feed' ? node?.feed?.position : cursor;
  const end = await listNode(source, listing, {
    pipeline: pipeline.name,
    run,
    path: identity.path,
    metadata: identity.metadata,
    lineage: identity.lineage,
    strict: pipeline.fingerprints === 'strict',
    ...(resumeFrom === undefined ? {} : { resumeFrom }),
    deadline: delivery.deadline,
    stopWithinMs: stopWithin,
    log,
    metric: (name, value) => log.info('metric', { metric: name, value }),
  });
  log.debug('listed', { children: listing.total, complete: end.complete });
  // A feed yields what is new; what it has not yielded yet is new at the next refresh.
  if (end.complete || listing instanceof FeedListing) return true;
  await goOnLater(task, message, listing, { cursor: end.cursor }, deps);
  return false;
}

/**
 * A listing failed: the node stays as it was, nothing found so far below it is processed, and the failure is visible. Its plan
 * opens all the same, else a straggler could complete the node after it has told.
 */
export async function listingFailed(task: NodeTask, error: unknown, deps: RefreshDeps): Promise<void> {
  const { pipeline, run, node, identity, shards } = task;
  const facts: ErrorFacts = errorFacts(error, deps.redactor.redact);
  deps.log.error('a listing failed', {
    pipeline: pipeline.name,
    run,
    node: task.id,
    path: identity.path,
    error: facts,
  });
  const completion = new Completion(pipeline.name, deps);
  const opened = await openFailed();
  const over = await countFailure(pipeline, run, identity.kind, facts, deps);
  // Without its root a run has seen nothing.
  if (!over && !task.place) return endRun(pipeline.name, run, { state: 'FAILED', error: facts }, deps);
  if (!over && opened) await completion.tellParent(opened, run);

  async function openFailed() {
    const plan = planOf(run, (node?.version ?? 0) + 1);
    if (!node?.manifest) {
      return openNode(
        task,
        { state: 'DONE', error: facts, totals: { partitions: 0, bytes: 0, failed: 1 }, changed: run },
        deps,
      );
    }
    const { fields } = await completion.whatItShows({ ...node, error: facts }, [...shards.values()], plan);
    // What it shows stays; only that it failed is new.
    const { totals, ran, changed } = fields;
    const told = node.totals.failed === totals.failed && changed === node.changed;
    return openNode(task, { state: 'DONE', error: facts, totals, ran, changed: told ? node.changed : run }, deps);
  }
}

export const listingIsRetried = (error: unknown, delivery: Delivery, retries: number): boolean =>
  isRetryable(error) && delivery.receiveCount <= retries;

const listingOptions = ({ identity, pipeline }: NodeTask, deps: RefreshDeps): ListingOptions => ({
  spoolFolder: deps.spoolFolder,
  path: identity.path,
  versions: pipeline.versions,
  strict: pipeline.fingerprints === 'strict',
});

/** Saves what there is to staging and sends a message that goes on from it. */
async function goOnLater(
  task: NodeTask,
  message: ListObjectsMessage,
  listing: Listing | FeedListing,
  where: Pick<Continuation, 'cursor' | 'progress'>,
  deps: RefreshDeps,
): Promise<void> {
  if (listing instanceof FeedListing) return;
  const { pipeline } = task;
  const { state, data } = await listing.save();
  const key = stagingKey(pipeline.name, deps.newId());
  const writer = deps.objects.create(`${key}.spool`);
  try {
    for await (const chunk of data) await writer.write(chunk);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const continuation: Continuation = { node: task.id, version: task.node?.version ?? 0, listing: state, ...where };
  await deps.objects.put(key, Buffer.from(JSON.stringify(continuation)));
  await deps.queues.send('list-objects', [
    { body: JSON.stringify({ ...message, continues: key }), group: pipeline.name },
  ]);
  deps.log.info('a listing goes on in another invocation', {
    pipeline: pipeline.name,
    run: task.run,
    node: task.id,
    children: listing.total,
  });
}

/** @returns undefined if what was saved is out of date, or another invocation goes on with it already */
async function loadContinuation(
  task: NodeTask,
  key: string,
  deps: RefreshDeps,
): Promise<(Omit<Continuation, 'listing'> & { listing: Listing }) | undefined> {
  const stored = await deps.objects.get(key);
  if (!stored) return undefined;
  const saved = JSON.parse(Buffer.from(stored.data).toString()) as Continuation;
  if (saved.node !== task.id) return undefined;
  const { progress } = saved;
  if (progress) {
    // Two that plan under one number would send two meanings of one group, so one of them claims the rest.
    const claimed = await deps.nodes.claimStep(task.pipeline.name, task.id, progress.plan, progress.step);
    if (!claimed) return undefined;
  } else if (saved.version !== (task.node?.version ?? 0)) {
    return undefined;
  }
  const listing = await Listing.restore(listingOptions(task, deps), saved.listing, deps.objects.read(`${key}.spool`));
  return { ...saved, listing };
}
