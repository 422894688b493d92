import { forEachLimit } from '../core/concurrency.ts';
import type { Listing } from '../listing/listing.ts';
import type { Digest } from '../nodes/digest.ts';
import { FIRST_LAYOUT, type Layout, layoutFor } from '../nodes/layout.ts';
import { type Plan, planOf } from '../nodes/plan.ts';
import type { ListingLease, NodeRecord, ShardKey, ShardRecord } from '../nodes/store.ts';
import { compare, isDue, type ShardChange } from './compare.ts';
import { Completion } from './completion.ts';
import { guardRemoval } from './delete-guard.ts';
import { PlanSupersededError, type RefreshDeps } from './deps.ts';
import { replaceLayout } from './grow-layout.ts';
import { forcing, type NodeTask } from './node-task.ts';
import { planShard } from './plan-shard.ts';

/** Shards planned at a time: enough to hide the tables' latency, few enough to stay small. */
export const SHARDS_AT_ONCE = 4;

/** A plan that ran out of time between two shards: it goes on with the others. */
export interface PlanProgress {
  readonly plan: Plan;
  readonly layout: Layout;
  readonly waitsFor: readonly number[];
  readonly left: readonly ShardChange[];
  /** How often it went on. */
  readonly step: number;
}

/**
 * Plans a folder after a complete listing: opens the plan, marks what is due or gone shard by shard, sends the messages, and
 * completes what is complete already. Nothing is written before the delete guard has seen the result.
 *
 * @returns what is left to plan if `outOfTime` said so between two shards
 * @throws {DuplicatePartitionError} {@link RemovalHeldError} before anything was written
 */
export async function planFolder(
  task: NodeTask,
  listing: Listing,
  lease: ListingLease,
  outOfTime: () => boolean,
  deps: RefreshDeps,
): Promise<PlanProgress | undefined> {
  const { pipeline, node, shards } = task;
  const present = node?.layout ?? FIRST_LAYOUT;
  const layout = layoutFor(listing.total, present, shards.size > 0, deps.sizes.childrenPerShard, deps.newId);
  const stored = layout === present ? shards : new Map<number, ShardRecord>();
  const force = forcing(task.active, task.identity.path);
  const changes = await compare(listing, layout, stored, force);
  await guardRemoval(task, listing, layout, changes, deps);

  if (!changes.some(isDue) && (await openUnchanged(task, layout, deps))) return undefined;
  if (layout !== present && node) await replaceLayout(task, present, layout, deps);
  const plan = await open(task, listing, layout, lease, deps);
  if (!plan) return undefined;
  deps.log.debug('plan opened', {
    pipeline: pipeline.name,
    run: task.run,
    node: task.id,
    path: task.identity.path,
    plan,
  });
  return planShards(
    task,
    listing,
    { plan, layout, waitsFor: [], left: changes.filter(isDue), step: 0 },
    outOfTime,
    deps,
  );
}

/** Plans the shards that are left; then the node is SENT, and the lister looks whether all is complete. */
export async function planShards(
  task: NodeTask,
  listing: Listing,
  progress: PlanProgress,
  outOfTime: () => boolean,
  deps: RefreshDeps,
): Promise<PlanProgress | undefined> {
  const { plan, layout } = progress;
  const waitsFor = new Set(progress.waitsFor);
  const left = new Map(progress.left.map((change) => [change.shard, change]));
  await forEachLimit(progress.left, SHARDS_AT_ONCE, async (change) => {
    if (outOfTime()) return;
    const key: ShardKey = { pipeline: task.pipeline.name, node: task.id, layout: layout.id, shard: change.shard };
    const planned = async (agreed?: Digest) => {
      const only = agreed === undefined ? 'all' : 'nodes';
      const { children, duplicates } = await listing.children(change.shard, layout.shards, only);
      if (duplicates > 0) await warnOfDuplicates(task, duplicates, deps);
      const force = forcing(task.active, task.identity.path);
      return planShard(task, key, plan, children, agreed, force, deps);
    };
    const { agreed } = change;
    // A planner of the plan before may still have been at work after its shards were read.
    const isPlanned = (agreed !== undefined && (await planned(agreed))) || (await planned());
    if (!isPlanned) throw new PlanSupersededError();
    waitsFor.add(change.shard);
    left.delete(change.shard);
  });
  if (left.size > 0)
    return { plan, layout, waitsFor: [...waitsFor], left: [...left.values()], step: progress.step + 1 };
  if (!(await deps.nodes.sent(task.pipeline.name, task.id, plan, [...waitsFor]))) throw new PlanSupersededError();
  if (!task.place) await deps.runs.note(task.pipeline.name, task.run, { state: 'READING' });
  await new Completion(task.pipeline.name, deps).lookAgain(task.id, plan);
  return undefined;
}

/** Nothing changed and nothing is below: the plan opens as done, in one write. */
async function openUnchanged(task: NodeTask, layout: Layout, deps: RefreshDeps): Promise<boolean> {
  const { node, shards, run } = task;
  if (!node || node.error || layout !== node.layout || node.metadataId !== task.identity.metadataId) return false;
  const completion = new Completion(task.pipeline.name, deps);
  // A run that was cut off may have completed a shard and not the node.
  const shows = await completion.whatItShows(node, [...shards.values()], planOf(task.run, node.version + 1));
  if (!shows.unchanged) return false;
  const opened = await openNode(task, { state: 'DONE' }, deps);
  if (opened) await completion.tellParent(opened, run);
  return true;
}

async function open(
  task: NodeTask,
  { told, expectedRows }: Listing,
  layout: Layout,
  lease: ListingLease,
  deps: RefreshDeps,
): Promise<Plan | undefined> {
  const opened = await openNode(
    task,
    {
      state: 'PLANNED',
      layout,
      lease,
      ...(told === undefined ? {} : { told }),
      ...(expectedRows === undefined ? {} : { expectedRows }),
    },
    deps,
  );
  return opened?.plan;
}

/** Opens the node's next plan on the version that was read. @returns undefined if another listing has won */
export async function openNode(
  task: NodeTask,
  fields: Partial<NodeRecord> & Pick<NodeRecord, 'state'>,
  deps: RefreshDeps,
): Promise<NodeRecord | undefined> {
  const version = task.node?.version ?? 0;
  const place = task.place ? { place: task.place } : {};
  const identity = version === 0 || task.node?.metadataId !== task.identity.metadataId ? task.identity : {};
  const plan = planOf(task.run, version + 1);
  return deps.nodes.openPlan(task.pipeline.name, task.id, version, {
    ...identityFields(identity),
    ...fields,
    ...place,
    plan,
  });
}

const identityFields = (identity: Partial<NodeRecord>) => {
  const { kind, path, metadata, metadataId, lineage } = identity;
  return kind === undefined ? {} : { kind, path, metadata, metadataId, lineage };
};

async function warnOfDuplicates(
  { pipeline, run, identity }: NodeTask,
  duplicates: number,
  deps: RefreshDeps,
): Promise<void> {
  const where = identity.path.length === 0 ? 'the root' : identity.path.join('/');
  deps.log.warn('a listing named partitions twice', { pipeline: pipeline.name, run, path: identity.path, duplicates });
  await deps.runs.warn(
    pipeline.name,
    run,
    `the listing of ${where} named ${duplicates} partitions twice; they were folded`,
  );
}
