import { type FinishedJob, JOB_GONE } from '../connectors/connector.ts';
import { type ErrorFacts, errorFacts, isRetryable } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { addMs, ms } from '../core/units.ts';
import { stagingKey } from '../landing/keys.ts';
import { listNode } from '../listing/list-node.ts';
import { FeedListing, Listing, type ListingOptions, type ListingState } from '../listing/listing.ts';
import { planOf } from '../nodes/plan.ts';
import type { ListingLease } from '../nodes/store.ts';
import { sameTotals } from '../nodes/totals.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import { claimSource } from './claim-source.ts';
import { Completion } from './completion.ts';
import { type Delivery, nowMs, type RefreshDeps } from './deps.ts';
import { countFailure, endRun } from './failure.ts';
import { feedProgress } from './feed-progress.ts';
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

/**
 * Lists one node and plans what is due below it; goes on later if this invocation's time is up.
 *
 * @param job of a job's node: what the job made
 */
export async function listAndPlan(
  task: NodeTask,
  message: ListObjectsMessage,
  delivery: Delivery,
  deps: RefreshDeps,
  job?: FinishedJob,
): Promise<void> {
  const stopWithin = stopWithinMs(delivery.deadline);
  const lease = listingLease(task.run, delivery, deps);
  const saved =
    message.continues === undefined ? undefined : await loadContinuation(task, message.continues, lease, deps);
  if (message.continues !== undefined && !saved) return;
  const listing = saved?.listing ?? newListing(task, deps);
  const outOfTime = () => delivery.deadline.remainingMs() < stopWithin;
  try {
    const cursor = saved?.progress
      ? undefined
      : await listed(task, listing, saved?.cursor, stopWithin, delivery, deps, job);
    if (listing instanceof FeedListing) return await planFeed(task, listing, lease, deps);
    if (cursor) return await goOnLater(task, message, listing, cursor, lease, deps);
    const left = saved?.progress
      ? await planShards(task, listing, saved.progress, outOfTime, deps)
      : await planFolder(task, listing, lease, outOfTime, deps);
    if (left) await goOnLater(task, message, listing, { progress: left }, lease, deps);
  } finally {
    await listing.close();
  }
  // Whoever is cut off before this leaves it to the clearing of `staging/`.
  if (message.continues !== undefined) await deps.objects.delete([message.continues, spoolKey(message.continues)]);
}

const newListing = (task: NodeTask, deps: RefreshDeps): Listing | FeedListing =>
  task.identity.kind === 'feed' ? new FeedListing(listingOptions(task, deps)) : new Listing(listingOptions(task, deps));

/** Until when the sweep leaves a node alone that is being listed or planned: as long as this invocation may live. */
function listingLease(run: number, { deadline }: Delivery, deps: RefreshDeps): ListingLease {
  return { run, until: addMs(nowMs(deps), ms(Math.min(deadline.remainingMs(), LEASE_MAX_MS) + LEASE_MARGIN_MS)) };
}

const LEASE_MARGIN_MS = 30_000;
const LEASE_MAX_MS = 12 * 3_600_000;
/** Most listings are over before anybody would look after them, so they write no lease. */
const LEASED_AFTER_MS = 20_000;

/** @returns where the listing has to go on, or undefined if it is complete (a feed: as far as it came) */
async function listed(
  task: NodeTask,
  listing: Listing | FeedListing,
  cursor: JsonValue | undefined,
  stopWithin: number,
  delivery: Delivery,
  deps: RefreshDeps,
  job: FinishedJob | undefined,
): Promise<{ readonly cursor: JsonValue } | undefined> {
  const { pipeline, run, identity, node } = task;
  const log = deps.log.with({ pipeline: pipeline.name, run, node: task.id, path: identity.path });
  const source = await deps.connectors.open(pipeline, delivery.deadline.signal);
  const feed = identity.kind === 'feed' ? await feedProgress(task, deps) : undefined;
  const resumeFrom = feed ? node?.feed?.position : cursor;
  const end = await listNode(source, listing, {
    pipeline: pipeline.name,
    run,
    path: identity.path,
    metadata: identity.metadata,
    lineage: identity.lineage,
    strict: pipeline.fingerprints === 'strict',
    ...(resumeFrom === undefined ? {} : { resumeFrom }),
    ...(job ? { job } : {}),
    ...(feed ? { feed } : {}),
    deadline: delivery.deadline,
    stopWithinMs: stopWithin,
    onProgress: leaseOnce(task, delivery, deps),
    log,
    metric: (name, value) => log.info('metric', { metric: name, value }),
    warn: (message) => deps.runs.warn(pipeline.name, run, deps.redactor.redact(message)),
    claim: (note) => claimSource(pipeline, note, deps),
  });
  log.debug('listed', { children: listing.total, complete: end.complete });
  // A feed yields what is new; what it has not yielded yet is new at the next refresh.
  return end.complete || listing instanceof FeedListing ? undefined : { cursor: end.cursor };
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
    // Of a job that is gone nothing will be listed any more: its parent makes another node for it.
    const spent = identity.kind === 'job' && facts.code === JOB_GONE ? { spent: true } : {};
    const plan = planOf(run, (node?.version ?? 0) + 1);
    if (!node?.manifest) {
      return openNode(
        task,
        { ...spent, state: 'DONE', error: facts, totals: { partitions: 0, bytes: 0, failed: 1 }, changed: run },
        deps,
      );
    }
    const { fields } = await completion.whatItShows({ ...node, error: facts }, [...shards.values()], plan);
    // What it shows stays; only that it failed is new, once.
    const { totals, ran } = fields;
    const changed = sameTotals(totals, node.totals) ? node.changed : run;
    return openNode(task, { ...spent, state: 'DONE', error: facts, totals, ran, changed }, deps);
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

/** Writes a lease once a listing has taken long. */
function leaseOnce(task: NodeTask, delivery: Delivery, deps: RefreshDeps): () => Promise<void> {
  const after = nowMs(deps) + LEASED_AFTER_MS;
  let leased = false;
  return async () => {
    if (leased || nowMs(deps) < after) return;
    leased = true;
    await deps.nodes.leaseListing(task.pipeline.name, task.id, listingLease(task.run, delivery, deps));
  };
}

const spoolKey = (key: string) => `${key}.spool`;

/** Saves what there is to staging and sends a message that goes on from it. */
async function goOnLater(
  task: NodeTask,
  message: ListObjectsMessage,
  listing: Listing,
  where: Pick<Continuation, 'cursor' | 'progress'>,
  lease: ListingLease,
  deps: RefreshDeps,
): Promise<void> {
  const { pipeline } = task;
  const { state, data } = await listing.save();
  const key = stagingKey(pipeline.name, deps.newId());
  const writer = deps.objects.create(spoolKey(key));
  try {
    for await (const chunk of data) await writer.write(chunk);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const continuation: Continuation = { node: task.id, version: task.node?.version ?? 0, listing: state, ...where };
  await deps.objects.put(key, Buffer.from(JSON.stringify(continuation)));
  await deps.nodes.leaseListing(pipeline.name, task.id, {
    ...lease,
    until: addMs(lease.until, ms(CONTINUES_WITHIN_MS)),
  });
  await deps.queues.send('list-objects', [{ body: messageJson({ ...message, continues: key }), group: pipeline.name }]);
  deps.log.info('a listing goes on in another invocation', {
    pipeline: pipeline.name,
    run: task.run,
    node: task.id,
    children: listing.total,
  });
}

/** The next invocation may have to wait for its turn before it can write a lease of its own. */
const CONTINUES_WITHIN_MS = 300_000;

/** @returns undefined if what was saved is out of date, or another invocation goes on with it already */
async function loadContinuation(
  task: NodeTask,
  key: string,
  lease: ListingLease,
  deps: RefreshDeps,
): Promise<(Omit<Continuation, 'listing'> & { listing: Listing }) | undefined> {
  const stored = await deps.objects.get(key);
  if (!stored) return undefined;
  const saved = JSON.parse(Buffer.from(stored.data).toString()) as Continuation;
  const { progress } = saved;
  if (saved.node !== task.id) return undefined;
  if (progress) {
    // Two that plan under one number would send two meanings of one group, so one of them claims the rest.
    const { plan, step } = progress;
    if (!(await deps.nodes.claimStep(task.pipeline.name, task.id, plan, step, lease))) return undefined;
  } else {
    if (saved.version !== (task.node?.version ?? 0)) return undefined;
    await deps.nodes.leaseListing(task.pipeline.name, task.id, lease);
  }
  const spool = deps.objects.read(spoolKey(key));
  return { ...saved, listing: await Listing.restore(listingOptions(task, deps), saved.listing, spool) };
}
