import type { Garbage } from '../landing/garbage.ts';
import { dataKey } from '../landing/keys.ts';
import type { Plan } from '../nodes/plan.ts';
import type { ShardKey } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from './deps.ts';

/** The pipeline may land otherwise now than when the take ran. */
const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;

/**
 * The keys at which takes of a partition's last plan may have left an object that nothing names. A take that was killed
 * could not say so, but where it wrote follows from its plan and number.
 */
export function keysOfTakes(key: ShardKey, item: PartitionRecord, takes: number): string[] {
  const named = new Set(
    [...(item.landed?.objects ?? []), ...(item.progress?.segments ?? [])].map((object) => object.key),
  );
  const fingerprint = item.due ?? item.landed?.fingerprint ?? '';
  // One more than are saved: the one that a take was writing when it ended.
  const segments = 1 + Math.max(item.progress?.segments.length ?? 0, item.landed?.objects.length ?? 0);
  const keys: string[] = [];
  for (let take = 1; take <= takes; take++) {
    for (let segment = 0; segment < segments; segment++) {
      const parts = {
        pipeline: key.pipeline,
        node: key.node,
        sk: item.sk,
        name: item.name,
        fingerprint,
        plan: item.plan,
        base: item.keyBase,
      };
      for (const compression of COMPRESSIONS) {
        const written = dataKey({ ...parts, take, segment, compression });
        if (!named.has(written)) keys.push(written);
      }
    }
  }
  return keys;
}

/** What a plan that was not carried out left behind in a shard, before another plan overwrites its marks. */
export async function orphansOfMarks(
  key: ShardKey,
  plan: Plan | undefined,
  items: Iterable<PartitionRecord>,
  keepsProgress: (item: PartitionRecord) => boolean,
  deps: Pick<RefreshDeps, 'nodes'>,
): Promise<Garbage[]> {
  const takesOf = new Map<Plan, Awaited<ReturnType<RefreshDeps['nodes']['groups']>>>();
  const garbage: Garbage[] = [];
  for (const item of items) {
    if (item.kind !== 'leaf' || item.plan === plan) continue;
    const keys = [...(item.spare ?? [])];
    if (item.progress && !keepsProgress(item)) keys.push(...item.progress.segments.map((segment) => segment.key));
    if (item.due !== undefined && item.group !== undefined) {
      const groups = takesOf.get(item.plan) ?? (await deps.nodes.groups(key, item.plan));
      takesOf.set(item.plan, groups);
      keys.push(...keysOfTakes(key, item, groups.get(item.group)?.take ?? 0));
    }
    if (keys.length > 0) garbage.push({ kind: 'objects', node: key.node, name: item.name, keys });
  }
  return garbage;
}
