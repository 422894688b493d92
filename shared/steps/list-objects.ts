import { JOB_GONE } from '../connectors/connector.ts';
import { ContextError } from '../connectors/service.ts';
import { backoffMs } from '../core/backoff.ts';
import { retryAfterMs } from '../core/errors.ts';
import { ListingFailedError } from '../listing/list-node.ts';
import { DuplicatePartitionError } from '../listing/listing.ts';
import { runOf } from '../nodes/plan.ts';
import type { NodeRecord } from '../nodes/store.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import { RetryLaterError } from '../queue/retry-later.ts';
import { Completion } from '../refresh/completion.ts';
import { RemovalHeldError } from '../refresh/delete-guard.ts';
import { type Delivery, PlanSupersededError, type RefreshDeps } from '../refresh/deps.ts';
import { ExternalJobError, jobIsGone, jobOf } from '../refresh/job-node.ts';
import { listAndPlan, listingFailed, listingIsRetried } from '../refresh/list-and-plan.ts';
import { identify, type NodeTask } from '../refresh/node-task.ts';
import { SecretMissingError, SecretUnreadableError } from '../secrets/secrets.ts';

/**
 * Lists one node and plans what is due below it. A message for a node that this run has planned already looks again
 * whether it is complete, and answers the place the message names.
 *
 * @throws {RetryLaterError} the source may answer later
 */
export async function listObjects(message: ListObjectsMessage, delivery: Delivery, deps: RefreshDeps): Promise<void> {
  const { pipeline: name, run, node: id, place } = message;
  const pipeline = await deps.pipelines.get(name);
  const loaded = await deps.nodes.load(name, id);
  // Read after the node: a run that is active now was so when the node was read, so no plan of a later one is overwritten.
  const active = await deps.runs.active(name);
  if (active?.active !== run) {
    deps.log.info('dropped: the run is over', { pipeline: name, run, node: id });
    return;
  }
  if (!place && id !== active.root) {
    deps.log.warn('dropped: only the root has no place', { pipeline: name, run, node: id });
    return;
  }
  const node = loaded?.node;
  if (node?.plan && runOf(node.plan) === run && node.state !== 'PLANNED') return answerAgain(message, node, deps);
  const identity = await identify(message, node, deps);
  if (!identity) {
    deps.log.info('dropped: its parent names the node no more', { pipeline: name, run, node: id });
    return;
  }
  const task: NodeTask = {
    pipeline,
    run,
    active,
    id,
    identity,
    shards: loaded?.shards ?? new Map(),
    ...(place ? { place } : {}),
    ...(node ? { node } : {}),
  };
  try {
    if (identity.kind === 'job') await listJob(task, message, delivery, deps);
    else await listAndPlan(task, message, delivery, deps);
  } catch (error) {
    if (error instanceof PlanSupersededError) return;
    if (!isOfTheSource(error)) throw error;
    if (listingIsRetried(error, delivery, pipeline.retries)) {
      throw new RetryLaterError(
        backoffMs(delivery.receiveCount - 1, deps.random, undefined, retryAfterMs(error)),
        error,
      );
    }
    await listingFailed(task, error, deps);
  }
}

/** A job is listed once it has succeeded. Until then no function waits for it: its end sends this message again. */
async function listJob(
  task: NodeTask,
  message: ListObjectsMessage,
  delivery: Delivery,
  deps: RefreshDeps,
): Promise<void> {
  const standing = await jobOf(task, message, deps);
  if (standing.is === 'under way') return;
  if (standing.is === 'failed') return listingFailed(task, new ExternalJobError(standing.error), deps);
  try {
    await listAndPlan(task, message, delivery, deps, standing.job);
  } catch (error) {
    if (!(error instanceof ListingFailedError) || error.code !== JOB_GONE) throw error;
    if (!(await jobIsGone(task, standing.record, deps))) throw error;
    await jobOf(task, message, deps);
  }
}

/** What the source, its credential or its listing is to blame for; anything else is ours, and the message comes again. */
function isOfTheSource(error: unknown): boolean {
  const kinds = [
    ListingFailedError,
    ContextError,
    DuplicatePartitionError,
    RemovalHeldError,
    SecretMissingError,
    SecretUnreadableError,
  ];
  return kinds.some((kind) => error instanceof kind);
}

/** The parent may have planned again, so the node answers to its new plan, unless the message is older than what it knows. */
async function answerAgain(
  { pipeline, place }: ListObjectsMessage,
  node: NodeRecord,
  deps: RefreshDeps,
): Promise<void> {
  const plan = node.plan!;
  if (place && (!node.place || place.plan > node.place.plan)) {
    await deps.nodes.changeInPlan(pipeline, node.id, plan, { set: { place: { ...place } } });
  }
  await new Completion(pipeline, deps).lookAgain(node.id, plan);
}
