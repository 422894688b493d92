import type { EpochMs } from '../core/units.ts';
import { type Garbage, writeGarbage } from '../landing/garbage.ts';
import { partKey } from '../landing/keys.ts';
import { encodePart, type LeafEntry, type NodeEntry, type PartEntry, readPart } from '../landing/manifest.ts';
import { childText, type Digest, digestOf } from '../nodes/digest.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import { type Plan, runOf } from '../nodes/plan.ts';
import {
  attributes,
  type FeedShard,
  type FeedState,
  type NodeRecord,
  type ShardKey,
  type ShardRecord,
} from '../nodes/store.ts';
import { addRan, addTotals, NO_TOTALS, noneIn, type RunTotals, type Totals } from '../nodes/totals.ts';
import { wasRemoved } from '../partitions/diff.ts';
import { landedKeys, type PartitionRecord } from '../partitions/store.ts';
import type { Change } from '../tables/table.ts';
import type { RefreshDeps } from './deps.ts';
import { shownNode } from './job-children.ts';
import { jobGarbage, keysOfTakes } from './orphans.ts';

export interface BuiltPart {
  /** What is written to the shard's item. */
  readonly change: Change;
  /** Items whose mark `gone` this completion carries out. */
  readonly gone: readonly Gone[];
}

interface Gone {
  readonly sk: string;
  /** It stays, as a tombstone. */
  readonly tombstone: boolean;
}

/**
 * Builds the part of a shard from what its items hold, and stores it. What drops out of the part before is written down as
 * garbage first, and so is the new part: the write that makes it count may still be refused.
 */
export async function buildPart(
  key: ShardKey,
  shard: ShardRecord,
  plan: Plan,
  deps: RefreshDeps,
): Promise<BuiltPart | 'not yet'> {
  const pipeline = await deps.pipelines.get(key.pipeline);
  // The node tells where the part before lies, if the shard has none of its own, and how far a feed is committed.
  const node = shard.part && !shard.feed ? undefined : await deps.nodes.get(key.pipeline, key.node);
  if (node?.kind === 'feed' && node.plan === plan && node.state === 'PLANNED') return 'not yet';

  const tombstones = pipeline.onRemove === 'tombstone';
  const held = await readItems(key, shard, plan, node, tombstones, deps);
  const before = await partBefore(key, shard, node, deps);
  const { garbage, removed } = dropsOut(key, before, held, pipeline.onRemove === 'keep');
  garbage.push(...(await orphansOf(key, shard, plan, held.items, deps)));

  const run = runOf(plan);
  const part = await storePart(key, shard, plan, held.entries, garbage, deps);
  // Each part is compared with the one before, so what several completions of one run removed adds up.
  const removedHere = removed + (shard.built === run ? (shard.removedHere ?? 0) : 0);
  const ran = ranIn(held, removedHere);
  // Without a plan that compared its items with a listing, a shard keeps the digest it has.
  const compared = shard.diffed === plan;
  const digest = compared && held.clean ? held.digest() : undefined;
  return {
    change: {
      set: attributes({
        ...part,
        totals: held.totals,
        ran,
        removedHere,
        built: run,
        builds: shard.builds + 1,
        ...(held.versions === undefined ? {} : { versions: held.versions }),
        ...(compared ? { carried: plan } : {}),
        ...(digest ? { digest } : {}),
        ...(held.feed ? { feed: held.feed } : {}),
      }),
      remove: [
        ...(part.part ? [] : ['part']),
        ...(held.versions === undefined ? ['versions'] : []),
        ...(compared && !digest ? ['digest'] : []),
      ],
    },
    gone: held.gone,
  };
}

interface Held {
  readonly items: readonly PartitionRecord[];
  readonly entries: readonly PartEntry[];
  readonly totals: Totals;
  /** Nothing is due or failed. */
  readonly clean: boolean;
  readonly digest: () => Digest;
  readonly gone: readonly Gone[];
  readonly ranBelow: RunTotals;
  /** Code and options with which all of it was read; empty if that is not one. */
  readonly versions: string | undefined;
  readonly feed?: FeedShard;
}

/** What stands in a shard. A mark of any plan but the last that diffed it is a straggler's and does not count. */
async function readItems(
  key: ShardKey,
  shard: ShardRecord,
  plan: Plan,
  node: NodeRecord | undefined,
  tombstones: boolean,
  deps: RefreshDeps,
): Promise<Held> {
  const end = node?.feed?.end ?? 0;
  const items: PartitionRecord[] = [];
  for await (const item of deps.partitions.all(key)) {
    if (item.number === undefined || item.number < end) items.push(item);
  }
  const children = await childrenOf(key, items, deps);
  const entries: PartEntry[] = [];
  const digested: string[] = [];
  const gone: Gone[] = [];
  const missing: number[] = [];
  const present: PartitionRecord[] = [];
  const readWith = new Set<string>();
  let totals = NO_TOTALS;
  let clean = true;

  for (const item of items) {
    const counts = item.plan === shard.diffed;
    const isGone = counts && item.gone === true;
    // Of what never stood there nothing stays. Built again, after this was carried out, the part is the same.
    const tombstone = item.aside === 'tombstone' || (isGone && tombstones && hasStood(item, children));
    if (isGone && item.plan === plan) gone.push({ sk: item.sk, tombstone });
    if (tombstone) entries.push({ kind: 'tombstone', name: item.name, run: runOf(item.plan) });
    if (isGone || tombstone) continue;
    present.push(item);
    const { shown, unfinished } = item.givenUp ? {} : shownNode(item, children);
    const open = (counts && (item.due !== undefined || item.failed === true)) || unfinished !== undefined;
    if (open) clean = false;
    if (counts && item.failed) totals = addTotals(totals, { ...NO_TOTALS, failed: 1, stale: item.landed ? 1 : 0 });
    // What failed below a job that shows its node before counts; what has landed there does not yet.
    const { failed = 0 } = typeof unfinished === 'object' && !isReplaced(item, node?.feed) ? unfinished.totals : {};
    if (failed > 0) totals = addTotals(totals, { ...NO_TOTALS, failed, stale: shown ? 1 : 0 });
    const entry = item.kind === 'leaf' ? leafEntry(item) : nodeEntry(item, shown);
    // What is read again, since somebody forced it, stands until then.
    const lacks = !entry || unfinished !== undefined;
    if (item.number !== undefined && !item.givenUp && lacks) missing.push(item.number);
    if (!entry) continue;
    entries.push(entry);
    const own = entry.kind === 'leaf' ? leafTotals(entry) : entry.totals;
    // What is only kept is not listed any more: what failed there cannot be tried again.
    totals = addTotals(totals, item.aside === 'kept' ? { ...own, failed: 0 } : own);
    if (item.aside) continue;
    digested.push(digestText(item));
    // What a feed has landed is not read again by other code.
    if (item.number === undefined) readWith.add(entry.kind === 'leaf' ? entry.versions : (shown?.landedVersions ?? ''));
  }
  const feed = node?.feed ? feedShard(present, missing, node.feed, children) : undefined;
  const ranBelow = [...children.values()].reduce((sum, { ran }) => addRan(sum, ran), noneIn(runOf(plan)));
  const versions = readWith.size > 1 ? '' : [...readWith][0];
  const digest = () => digestOf(digested);
  return { items, entries, totals, clean, digest, gone, ranBelow, versions, ...(feed ? { feed } : {}) };
}

function leafTotals({ bytes, rows, errors }: LeafEntry): Totals {
  return { partitions: 1, bytes, failed: 0, ...(rows === undefined ? {} : { rows: rows + (errors?.records ?? 0) }) };
}

const hasStood = (item: PartitionRecord, children: ReadonlyMap<string, NodeRecord>): boolean =>
  item.landed !== undefined || shownNode(item, children).shown?.manifest !== undefined;

/** Read when the part is built: what a child shows now is at least as new as what it told. */
async function childrenOf(
  key: ShardKey,
  items: readonly PartitionRecord[],
  deps: RefreshDeps,
): Promise<Map<string, NodeRecord>> {
  const ids = items.flatMap(({ child, previous }) => [child, previous].filter((id) => id !== undefined));
  const nodes = ids.length === 0 ? [] : await deps.nodes.getMany(key.pipeline, ids);
  // A child that was never listed does not count.
  return new Map(nodes.filter(({ plan }) => plan !== undefined).map((node) => [node.id, node]));
}

function leafEntry({ name, landed, number, generation }: PartitionRecord): LeafEntry | undefined {
  if (!landed) return undefined;
  return { kind: 'leaf', name, ...landed, ...numbered(number, generation) };
}

function nodeEntry(
  { name, kind, number, generation }: PartitionRecord,
  node: NodeRecord | undefined,
): NodeEntry | undefined {
  if (!node || kind === 'leaf') return undefined;
  const { manifest, totals } = node;
  return { kind, name, node: node.id, ...(manifest ? { manifest } : {}), totals, ...numbered(number, generation) };
}

/** Of a feed with a newer generation, which is there to replace it. */
const isReplaced = ({ number = 0 }: PartitionRecord, feed: FeedState | undefined) =>
  number < (feed?.generations.at(-1)?.from ?? 0);

const numbered = (number: number | undefined, generation: string | undefined) => ({
  ...(number === undefined ? {} : { number }),
  ...(generation === undefined ? {} : { generation }),
});

function digestText({ kind, name, landed }: PartitionRecord): string {
  return kind === 'leaf'
    ? childText(kind, name, landed?.fingerprint ?? '', landed?.versions ?? '')
    : childText(kind, name, '', '');
}

function feedShard(
  items: readonly PartitionRecord[],
  missing: readonly number[],
  { end, generations }: FeedState,
  children: ReadonlyMap<string, NodeRecord>,
): FeedShard {
  const newestFrom = generations.at(-1)?.from ?? 0;
  const gap = missing.find((number) => number >= newestFrom) ?? Number.POSITIVE_INFINITY;
  // What a job's listing told is known better than what the feed's could.
  const positionOf = ({ child, position }: PartitionRecord) => (child && children.get(child)?.told) ?? position;
  const covering = items.findLast(
    (item) => item.number! >= newestFrom && item.number! < gap && positionOf(item) !== undefined,
  );
  const position = covering && positionOf(covering);
  const lacking = new Set(missing);
  const stands = items.filter(({ number, kind, landed }) => (kind === 'job' ? !lacking.has(number!) : landed));
  const landedAt = stands.flatMap(({ landed, plannedAt }) => landed?.at ?? plannedAt ?? []);
  const first = stands[0];
  return {
    missing,
    end,
    ...(position === undefined ? {} : { position }),
    ...(first?.number === undefined ? {} : { lowest: first.number }),
    ...(landedAt.length === 0 ? {} : { oldestAt: landedAt.reduce((a, b) => Math.min(a, b) as EpochMs) }),
  };
}

/** The entries of the part this one replaces: its own, or those of the smaller layout its items were copied from. */
async function partBefore(
  key: ShardKey,
  shard: ShardRecord,
  node: NodeRecord | undefined,
  deps: RefreshDeps,
): Promise<PartEntry[]> {
  if (shard.part) return readPart(deps.objects, shard.part);
  const from = node?.layout.id === key.layout ? node.layout.from : undefined;
  if (!from || shard.builds > 0) return [];
  const number = Math.floor((key.shard * from.shards) / node!.layout.shards);
  const old = await deps.nodes.shard({ ...key, layout: from.id, shard: number });
  if (!old?.part) return [];
  const entries = await readPart(deps.objects, old.part);
  return entries.filter(({ name }) => shardOf(slotOf(name), node!.layout.shards) === key.shard);
}

function dropsOut(
  key: ShardKey,
  before: readonly PartEntry[],
  held: Held,
  keepRemoved: boolean,
): { garbage: Garbage[]; removed: number } {
  const garbage: Garbage[] = [];
  const keys = new Set(held.entries.flatMap((entry) => (entry.kind === 'leaf' ? landedKeys(entry) : [])));
  const names = new Set(held.entries.flatMap((entry) => (entry.kind === 'leaf' ? [entry.name] : [])));
  const nodes = new Map(held.entries.flatMap((entry) => ('node' in entry ? [[entry.node, entry.name] as const] : [])));
  const nodeNames = new Set(nodes.values());
  let removed = 0;
  for (const entry of before) {
    if (entry.kind === 'leaf') {
      const gone = !names.has(entry.name);
      if (gone) removed += 1;
      const dropped = landedKeys(entry).filter((object) => !keys.has(object));
      if (dropped.length > 0 && !(gone && keepRemoved))
        garbage.push({ kind: 'objects', node: key.node, name: entry.name, keys: dropped });
    } else if ('node' in entry && !nodes.has(entry.node)) {
      removed += entry.totals.partitions;
      const replaced = entry.kind === 'job' && nodeNames.has(entry.name);
      const keeps = keepRemoved && !replaced ? { keepsObjects: true } : {};
      const { name, node } = entry;
      garbage.push(
        entry.kind === 'job'
          ? { ...jobGarbage(key, name, node), ...keeps }
          : { kind: 'node', parent: key.node, name, node, ...keeps },
      );
    }
  }
  return { garbage, removed };
}

/** Objects of this plan that no item names: of takes that did not commit, and uploads that turned out unnecessary. */
async function orphansOf(
  key: ShardKey,
  shard: ShardRecord,
  plan: Plan,
  items: readonly PartitionRecord[],
  deps: RefreshDeps,
): Promise<Garbage[]> {
  const groups = shard.retaken ? await deps.nodes.groups(key, plan) : undefined;
  return items.flatMap((item) => {
    if (item.kind !== 'leaf' || wasRemoved(item, shard.carried)) return [];
    const takes = item.plan === plan && item.group !== undefined ? (groups?.get(item.group)?.take ?? 0) : 0;
    const keys = [
      ...(item.plan === plan ? (item.spare ?? []) : []),
      ...(takes > 1 ? keysOfTakes(key, item, takes) : []),
    ];
    return keys.length === 0 ? [] : [{ kind: 'objects' as const, node: key.node, name: item.name, keys }];
  });
}

async function storePart(
  key: ShardKey,
  shard: ShardRecord,
  plan: Plan,
  entries: readonly PartEntry[],
  garbage: Garbage[],
  deps: RefreshDeps,
): Promise<{ part?: string; partId: string }> {
  const encoded = entries.length === 0 ? undefined : await encodePart(entries);
  const same = encoded !== undefined && encoded.id === shard.partId && shard.part !== undefined;
  const part = same ? shard.part : encoded && partKey(key.pipeline, key.node, key.shard, plan, encoded.id);
  if (part !== shard.part) {
    const keys = [shard.part, part].filter((name) => name !== undefined);
    garbage.push({ kind: 'manifests', node: key.node, keys });
  }
  await writeGarbage(deps.objects, key.pipeline, runOf(plan), garbage);
  if (encoded && part && !same) await deps.objects.put(part, encoded.data);
  return { ...(part ? { part } : {}), partId: encoded?.id ?? '' };
}

/** What this run did in the shard, and, as they told, in the nodes below. */
function ranIn({ entries, ranBelow }: Held, removed: number): RunTotals {
  const landed: Record<string, number> = {};
  let landedBytes = 0;
  for (const entry of entries) {
    if (entry.kind !== 'leaf' || entry.run !== ranBelow.run) continue;
    landed[entry.reason] = (landed[entry.reason] ?? 0) + 1;
    landedBytes += entry.bytes;
  }
  return addRan(ranBelow, { run: ranBelow.run, landed, landedBytes, removed });
}
