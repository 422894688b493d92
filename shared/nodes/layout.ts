import { nameHash } from '../core/name-hash.ts';

/**
 * How the children of a folder are spread over shards. A name's hash puts it into one of 4,096 slots; a shard is a run of
 * neighbouring slots, so a layout of more shards cuts each shard of a smaller one and never mixes two.
 */
export interface Layout {
  /** A power of two, 1 to 4,096. */
  readonly shards: number;
  /** Part of the table keys. Each listing that needs a larger layout makes one of its own, so two of them never meet. */
  readonly id: string;
  /** The layout whose items were copied here, if any. */
  readonly from?: { readonly shards: number; readonly id: string };
}

export const SLOTS = 4096;
const SLOT_BITS = 12;
/** A larger layout copies every item, so it is only worth it for a listing that has outgrown the present one by far. */
const GROWTH = 4;

export const FIRST_LAYOUT: Layout = { shards: 1, id: '0' };

export const slotOf = (name: string): number => nameHash(name) >>> (32 - SLOT_BITS);

export const shardOf = (slot: number, shards: number): number => Math.floor((slot * shards) / SLOTS);

/** The slots of a shard: `[first, end)`. */
export function slotsOf(shard: number, shards: number): { first: number; end: number } {
  const width = SLOTS / shards;
  return { first: shard * width, end: (shard + 1) * width };
}

/** One shard up to about `perShard` children, then a power of two. */
export function shardsFor(children: number, perShard: number): number {
  let shards = 1;
  while (shards < SLOTS && children > shards * perShard) shards *= 2;
  return shards;
}

/**
 * The layout a listing of so many children needs: the present one unless it is four times too small. A node that holds
 * nothing yet takes the right one at once.
 *
 * @param hasShards in the present layout; one that was begun holds what was copied to it, also if none of it was planned
 */
export function layoutFor(
  children: number,
  present: Layout,
  hasShards: boolean,
  perShard: number,
  newId: () => string,
): Layout {
  const shards = shardsFor(children, perShard);
  if (shards <= present.shards) return present;
  const holdsItems = hasShards || present.from !== undefined;
  if (!holdsItems) return { shards, id: newId() };
  if (shards < present.shards * GROWTH) return present;
  return { shards, id: newId(), from: { shards: present.shards, id: present.id } };
}
