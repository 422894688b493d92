import type { Listing } from '../listing/listing.ts';
import { type Digest, EMPTY_DIGEST } from '../nodes/digest.ts';
import { type Layout, shardOf, slotOf } from '../nodes/layout.ts';
import type { ShardRecord } from '../nodes/store.ts';
import type { Forcing } from './node-task.ts';

/** What a complete listing of a folder means for one shard. */
export interface ShardChange {
  readonly shard: number;
  /** The digest in which listing and shard agree; absent if they do not. */
  readonly agreed?: Digest;
  /** It has child nodes, which are sent also if it agrees. */
  readonly nodes: number;
}

/** It has to be planned. */
export const isDue = ({ agreed, nodes }: ShardChange): boolean => agreed === undefined || nodes > 0;

/** Compares digests; where they differ, duplicates are folded first, and conflicts found before anything is written. */
export async function compare(
  listing: Listing,
  layout: Layout,
  stored: ReadonlyMap<number, ShardRecord>,
  force: Forcing,
): Promise<ShardChange[]> {
  const changes: ShardChange[] = [];
  const forcedShards = new Set([...force.names].map((name) => shardOf(slotOf(name), layout.shards)));
  for (let shard = 0; shard < layout.shards; shard++) {
    const { digest, nodes } = listing.digest(shard, layout.shards);
    const held = heldDigest(stored.get(shard), layout);
    const forced = force.all || forcedShards.has(shard);
    let agrees = digest === held;
    if (!agrees) agrees = (await listing.children(shard, layout.shards)).digest === held;
    changes.push({ shard, ...(agrees && !forced ? { agreed: held! } : {}), nodes });
  }
  return changes;
}

/** A shard without an item holds nothing, unless a larger layout just got copies. */
function heldDigest(shard: ShardRecord | undefined, layout: Layout): Digest | undefined {
  if (shard) return shard.digest;
  return layout.from ? undefined : EMPTY_DIGEST;
}
