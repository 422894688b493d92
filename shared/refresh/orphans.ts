import type { Garbage } from '../landing/garbage.ts';
import { dataKeysOf, type LandedFile } from '../landing/keys.ts';
import type { Plan } from '../nodes/plan.ts';
import type { ShardKey } from '../nodes/store.ts';
import type { Diff, ListedChild } from '../partitions/diff.ts';
import { landedKeys, type PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from './deps.ts';

/** The pipeline may land otherwise now than when the take ran. */
const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
/** Of records: one object, and one of those that could not be taken. */
const RECORD_FILES: readonly (readonly [LandedFile, readonly (typeof COMPRESSIONS)[number][]])[] = [
  ['ndjson', COMPRESSIONS],
  ['csv', COMPRESSIONS],
  ['parquet', ['none']],
  ['avro', ['none']],
  ['errors', ['none']],
];

/**
 * The keys at which takes of a partition's last plan may have left an object that nothing names. A take that was killed
 * could not say so, but where it wrote follows from its plan and number.
 */
export function keysOfTakes(key: ShardKey, item: PartitionRecord, takes: number): string[] {
  const segmentKeys = item.progress?.segments.map((object) => object.key) ?? [];
  const named = new Set([...(item.landed ? landedKeys(item.landed) : []), ...segmentKeys]);
  const fingerprint = item.due ?? item.landed?.fingerprint ?? '';
  // One more than are saved: the one that a take was writing when it ended.
  const segments = 1 + Math.max(item.progress?.segments.length ?? 0, item.landed?.objects.length ?? 0);
  const { pipeline, node } = key;
  const { sk, name, plan, keyBase: base } = item;
  const keyOf = dataKeysOf({ pipeline, node, sk, name, fingerprint, base });
  const keys = new Set<string>();
  for (let take = 1; take <= takes; take++) {
    for (let segment = 0; segment < segments; segment++)
      for (const compression of COMPRESSIONS) keys.add(keyOf({ plan, take, segment, compression }));
    for (const [file, compressions] of RECORD_FILES)
      for (const compression of compressions) keys.add(keyOf({ plan, take, segment: 0, file, compression }));
  }
  return [...keys.difference(named)];
}

export interface OrphanContext {
  /** The plan that looks; what it marked itself is not looked at. */
  readonly plan?: Plan;
  /** The last plan that was carried out in the shard: it has told what the takes of its own marks left. */
  readonly carried: Plan | undefined;
  /** Whether the segments of an unfinished read will be gone on with. */
  readonly keepsProgress: (item: PartitionRecord) => boolean;
}

/** What plans that were not carried out left behind in a shard, before another plan overwrites their marks. */
export async function orphansOfMarks(
  key: ShardKey,
  items: Iterable<PartitionRecord>,
  { plan, carried, keepsProgress }: OrphanContext,
  deps: Pick<RefreshDeps, 'nodes'>,
): Promise<Garbage[]> {
  const takes = new TakesByPlan(key, deps);
  const garbage: Garbage[] = [];
  for (const item of items) {
    if (item.kind !== 'leaf' || item.plan === plan) continue;
    const keys = item.progress && !keepsProgress(item) ? item.progress.segments.map((segment) => segment.key) : [];
    if (carried === undefined || item.plan > carried) {
      // What landed there was never in a part, so no part will miss it. If it stays after all, the collection finds it named.
      const landed = item.landed ? landedKeys(item.landed) : [];
      keys.push(...landed, ...(item.spare ?? []), ...keysOfTakes(key, item, await takes.of(item)));
    }
    if (keys.length > 0) garbage.push({ kind: 'objects', node: key.node, name: item.name, keys });
  }
  return garbage;
}

/** Child nodes that a plan takes out of a shard, which perhaps no part ever named: then no part will miss them. */
export function droppedNodes<L extends ListedChild>(
  key: ShardKey,
  { settled, children }: Pick<Diff<L>, 'settled' | 'children'>,
  keepsObjects: boolean,
): Garbage[] {
  const dropped = [
    ...settled.flatMap(({ item, action }) => (action === 'gone' || action === 'delete' ? [item] : [])),
    ...children.flatMap(({ item, anew }) => (item && anew ? [item] : [])),
  ];
  return childNodes(key, dropped, keepsObjects);
}

/** The nodes below these items, as garbage. */
export function childNodes(key: ShardKey, items: readonly PartitionRecord[], keepsObjects: boolean): Garbage[] {
  const keeps = keepsObjects ? { keepsObjects } : {};
  return items.flatMap(({ name, kind, child, previous }) => {
    if (!child) return [];
    if (kind !== 'job') return [{ kind: 'node' as const, parent: key.node, name, node: child, ...keeps }];
    return [child, ...(previous ? [previous] : [])].map((node) => ({ ...jobGarbage(key, name, node), ...keeps }));
  });
}

/** Jobs that drop out of a feed. */
export const droppedJobs = (key: ShardKey, dropped: readonly PartitionRecord[]): Garbage[] =>
  dropped.flatMap(({ name, child }) => (child ? [jobGarbage(key, name, child)] : []));

/** A job has had several nodes, and a part may show one that the item names no more. */
export const jobGarbage = (key: ShardKey, name: string, node: string) =>
  ({ kind: 'node', parent: key.node, name, node, ofJob: true }) satisfies Garbage;

/** How often the groups of a shard were taken, read once a plan and place. */
class TakesByPlan {
  readonly #key: ShardKey;
  readonly #deps: Pick<RefreshDeps, 'nodes'>;
  readonly #known = new Map<string, ReturnType<RefreshDeps['nodes']['groups']>>();

  constructor(key: ShardKey, deps: Pick<RefreshDeps, 'nodes'>) {
    this.#key = key;
    this.#deps = deps;
  }

  async of({ group, plan, origin }: PartitionRecord): Promise<number> {
    if (group === undefined) return 0;
    // A copy's group was read where the item was before.
    const key = origin ? { ...this.#key, ...origin } : this.#key;
    const id = `${plan} ${key.layout} ${key.shard}`;
    const groups = this.#known.get(id) ?? this.#deps.nodes.groups(key, plan);
    this.#known.set(id, groups);
    return (await groups).get(group)?.take ?? 0;
  }
}
