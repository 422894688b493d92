import { forEachLimit } from '../core/concurrency.ts';
import { days } from '../core/units.ts';
import { writeGarbage } from '../landing/garbage.ts';
import type { FeedListing } from '../listing/listing.ts';
import { FIRST_LAYOUT } from '../nodes/layout.ts';
import type { Plan } from '../nodes/plan.ts';
import {
  attributes,
  type FeedState,
  type Generation,
  groupMember,
  type ListingLease,
  type ShardKey,
  type ShardRecord,
} from '../nodes/store.ts';
import { wasRemoved } from '../partitions/diff.ts';
import { groupDue } from '../partitions/groups.ts';
import { numberKey, type PartitionRecord, type Reason } from '../partitions/store.ts';
import type { OutgoingMessage } from '../queue/queue.ts';
import type { Change } from '../tables/table.ts';
import { Completion } from './completion.ts';
import { nowMs, PlanSupersededError, type RefreshDeps } from './deps.ts';
import { FeedJobs, type Numbered } from './feed-jobs.ts';
import { feedShardOf, shownOfFeed } from './feed-view.ts';
import { forcing, type NodeTask } from './node-task.ts';
import { droppedJobs, orphansOfMarks } from './orphans.ts';
import { openNode } from './plan-folder.ts';
import { ShardWriter, UNMARKED } from './plan-shard.ts';

const WRITES_AT_ONCE = 32;
const NO_FEED: FeedState = { end: 0, generations: [] };

/**
 * Plans a feed: what was listed gets the next numbers, what was planned before and has not landed is sent again as it was
 * planned, and what its generation or its age drops is marked gone. The position moves in the very write that makes the
 * plan count, so no record is planned twice and none is skipped.
 */
export async function planFeed(
  task: NodeTask,
  listing: FeedListing,
  lease: ListingLease,
  deps: RefreshDeps,
): Promise<void> {
  const feed = task.node?.feed ?? NO_FEED;
  const listed = await listing.children();
  const numbered = listed.map((child, at): Numbered => ({ number: feed.end + at, child }));
  const next = nextState(feed, numbered, listing);
  const keep = keptFrom(task, feed, deps);
  const touched = touchedShards(task, numbered, keep, deps.sizes.feedShard);
  if (touched.length === 0 && (await openQuiet(task, next, deps))) return;

  const opened = await openNode(task, { state: 'PLANNED', lease }, deps);
  if (!opened?.plan) return;
  const { plan } = opened;
  const reads: OutgoingMessage[] = [];
  const lists: OutgoingMessage[] = [];
  for (const shard of touched) {
    const key: ShardKey = { pipeline: task.pipeline.name, node: task.id, layout: FIRST_LAYOUT.id, shard };
    const fresh = numbered.filter(({ number }) => feedShardOf(number, deps.sizes.feedShard) === shard);
    const planned = await planFeedShard(task, key, plan, { feed, next }, fresh, keep, deps);
    reads.push(...planned.reads);
    lists.push(...planned.lists);
  }
  if (!(await deps.nodes.sent(task.pipeline.name, task.id, plan, touched, next))) throw new PlanSupersededError();
  // Only now: before the plan counts, whoever landed one of its partitions would find that the feed does not know it.
  await deps.queues.send('read-bytes', reads);
  await deps.queues.send('list-objects', lists);
  await new Completion(task.pipeline.name, deps).lookAgain(task.id, plan);
}

/** The feed after this plan: its end, its position, and the generations that begin in it. */
function nextState(feed: FeedState, numbered: readonly Numbered[], listing: FeedListing): FeedState {
  const end = feed.end + numbered.length;
  const generations: Generation[] = [...feed.generations];
  const begun: Generation[] = [];
  for (const { number, child } of numbered) {
    const id = child.generation ?? generations.at(-1)?.id ?? '';
    if (generations.at(-1)?.id === id) continue;
    const generation = { id, from: number, openedTo: end };
    generations.push(generation);
    begun.push(generation);
  }
  // A generation that is followed by another in the same plan was opened up to there.
  const closed = generations.map((generation, at) =>
    begun.includes(generation) ? { ...generation, openedTo: generations[at + 1]?.from ?? end } : generation,
  );
  const position = listing.position ?? feed.position;
  return { end, generations: closed, ...(position === undefined ? {} : { position }) };
}

interface Kept {
  /** Numbers below this belong to generations that are replaced. */
  readonly from: number;
  /** What landed before this, in milliseconds since 1970, is dropped by age. */
  readonly since: number;
}

function keptFrom({ node, shards, pipeline }: NodeTask, feed: FeedState, deps: RefreshDeps): Kept {
  const shown = node ? shownOfFeed(feed, [...shards.values()], deps.sizes.feedShard).shown.from : 0;
  const since = pipeline.retainDays === undefined ? 0 : nowMs(deps) - days(pipeline.retainDays);
  return { from: shown, since };
}

/** Shards that get new partitions, that have something due or failed, or that hold what is dropped. */
function touchedShards(
  { shards, active, identity }: NodeTask,
  numbered: readonly Numbered[],
  keep: Kept,
  shardSize: number,
): number[] {
  const touched = new Set(numbered.map(({ number }) => feedShardOf(number, shardSize)));
  const force = forcing(active, identity.path);
  for (const [number, shard] of shards) {
    const drops = (shard.feed?.lowest ?? Infinity) < keep.from || (shard.feed?.oldestAt ?? Infinity) < keep.since;
    if (shard.digest === undefined || drops || force.all || force.names.size > 0) touched.add(number);
  }
  return [...touched].sort((a, b) => a - b);
}

/** Nothing new, nothing due, nothing to drop: one write, which also keeps the position if that moved. */
async function openQuiet(task: NodeTask, next: FeedState, deps: RefreshDeps): Promise<boolean> {
  const { node, shards } = task;
  if (node && (node.error || node.metadataId !== task.identity.metadataId)) return false;
  const completion = new Completion(task.pipeline.name, deps);
  if (!node?.manifest) return false;
  const shows = await completion.whatItShows(node, [...shards.values()], node.plan!);
  if (!shows.unchanged) return false;
  const opened = await openNode(task, { state: 'DONE', feed: next }, deps);
  if (opened) await completion.tellParent(opened, task.run);
  return true;
}

async function planFeedShard(
  task: NodeTask,
  key: ShardKey,
  plan: Plan,
  { feed, next }: { readonly feed: FeedState; readonly next: FeedState },
  fresh: readonly Numbered[],
  keep: Kept,
  deps: RefreshDeps,
): Promise<{ readonly reads: readonly OutgoingMessage[]; readonly lists: readonly OutgoingMessage[] }> {
  const shard = await deps.nodes.takePlan(key, plan);
  if (!shard) throw new PlanSupersededError();
  const items: PartitionRecord[] = [];
  for await (const item of deps.partitions.all(key)) items.push(item);
  // What a newer plan has written is no leftover.
  if (items.some((item) => item.plan > plan)) throw new PlanSupersededError();
  const committed = items.filter(({ number }) => number! < feed.end);
  const leftovers = items.filter(({ number }) => number! >= feed.end);
  // What a plan that never counted left under these numbers is overwritten, or dropped if nothing comes there now.
  const left = await orphansOfMarks(key, leftovers, { plan, carried: undefined, keepsProgress: () => false }, deps);
  await writeGarbage(deps.objects, key.pipeline, task.run, left);
  const wanted = new Set(fresh.map(({ number }) => numberKey(number)));
  const unwanted = leftovers.filter(({ sk }) => !wanted.has(sk));
  await forEachLimit(unwanted, WRITES_AT_ONCE, (item) => deps.partitions.deleteAsRead(key, item));

  const writer = new ShardWriter(task, key, plan, deps);
  const dropped = committed.filter((item) => isDropped(item, keep, shard));
  const kept = committed.filter((item) => !dropped.includes(item));
  const due = [
    ...again(task, kept),
    ...fresh
      .filter(({ child }) => child.kind === 'leaf')
      .map((one) => freshDue(one, writer.keyBase(one.child.name, one.child.metadata))),
  ];
  await writeGarbage(deps.objects, key.pipeline, task.run, droppedJobs(key, dropped));
  // A mark of a plan that was not carried out is made anew.
  const settled = dropped.map((item) => ({
    item,
    action: wasRemoved(item, shard.carried) ? ('delete' as const) : ('gone' as const),
  }));
  await writer.settle(settled, committed, { carried: shard.carried, keepsProgress: (item) => !dropped.includes(item) });
  const groups = groupDue(due, deps.sizes.groupPartitions);
  await forEachLimit(
    groups.flatMap((group, number) => group.map((one) => ({ ...one, number }))),
    WRITES_AT_ONCE,
    async ({ number, ...one }) => {
      if (one.read) return markAgain(task, key, plan, { ...one, read: one.read }, number, deps);
      if (!(await deps.partitions.mark(key, one.sk, plan, markOf(one, number)))) throw new PlanSupersededError();
    },
  );
  const jobs = await new FeedJobs(task, key, plan, deps).plan(
    shard,
    { committed: kept, newestFrom: next.generations.at(-1)?.from ?? 0 },
    fresh.filter(({ child }) => child.kind === 'job'),
  );
  await writer.total([...groups.map((_, number) => groupMember(number)), ...jobs.map(({ node }) => node)]);
  const reads = groups.map((group, number) =>
    writer.readMessage(
      number,
      group.map(({ sk }) => sk),
    ),
  );
  return { reads, lists: jobs.map((message) => writer.message(message)) };
}

function isDropped(item: PartitionRecord, keep: Kept, shard: ShardRecord): boolean {
  if (item.aside === 'tombstone') return false;
  if (wasRemoved(item, shard.carried)) return true;
  const at = item.due === undefined ? (item.landed?.at ?? item.plannedAt) : undefined;
  return item.number! < keep.from || (at !== undefined && at < keep.since);
}

interface FeedDue {
  readonly sk: string;
  readonly size?: number;
  readonly fields: object;
  readonly clears: readonly string[];
  /** The item, if it was planned before. */
  readonly read?: PartitionRecord;
}

function markOf({ fields, clears }: FeedDue, group: number): Change {
  const set = attributes({ ...fields, group });
  return { set, remove: clears.filter((name) => set[name] === undefined) };
}

/** A record of a feed lands once: what has landed since it was read is not due again, nor what was given up. */
async function markAgain(
  task: NodeTask,
  key: ShardKey,
  plan: Plan,
  due: FeedDue & { readonly read: PartitionRecord },
  group: number,
  deps: RefreshDeps,
): Promise<void> {
  let { read } = due;
  for (let one: FeedDue | undefined = due; one; [one] = again(task, [read])) {
    if (await deps.partitions.markAgain(key, read, plan, markOf(one, group))) return;
    const now = await deps.partitions.get(key, read.sk);
    if (!now || now.plan > plan) throw new PlanSupersededError();
    read = now;
  }
}

/** What was planned before stays due as it was planned, until it has landed or is given up. */
function again(task: NodeTask, committed: readonly PartitionRecord[]): FeedDue[] {
  const force = forcing(task.active, task.identity.path);
  return committed.flatMap((item): FeedDue[] => {
    // What was dropped has not landed any more, and stays dropped.
    const forced = (force.all || force.names.has(item.name)) && item.landed && item.landed.run !== task.run;
    if (item.givenUp || (item.due === undefined && !forced)) return [];
    const due = item.due ?? item.landed?.fingerprint ?? '';
    const reason: Reason = item.failed ? 'RETRY' : forced ? 'FORCED' : (item.reason ?? 'NEW');
    const clears = UNMARKED.filter((name) => name !== 'progress');
    return [{ sk: item.sk, ...sized(item.metadata?.size), fields: { due, reason }, clears, read: item }];
  });
}

function freshDue({ number, child }: Numbered, keyBase: string | undefined): FeedDue {
  const { name, kind, metadata, fingerprint, size, generation, position } = child;
  const fields = { name, kind, metadata, number, due: fingerprint, reason: 'NEW', generation, position, keyBase };
  return {
    sk: numberKey(number),
    ...sized(size),
    fields,
    clears: [...UNMARKED, 'landed', 'generation', 'position', 'keyBase', 'child', 'plannedAt'],
  };
}

const sized = (size: unknown) => (typeof size === 'number' ? { size } : {});
