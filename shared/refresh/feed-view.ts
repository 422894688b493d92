import type { JsonValue } from '../core/json.ts';
import type { FeedState, Generation, ShardRecord } from '../nodes/store.ts';

/** A feed fills its shards in order: with 1,000 a shard, number 0 to 999 in the first, and so on. */
export const feedShardOf = (number: number, shardSize: number): number => Math.floor(number / shardSize);

export interface FeedView {
  /** What a manifest shows: `[from, to)`, in order, up to the first gap. */
  readonly shown: { readonly from: number; readonly to: number };
  /** The cursor up to which all of the shown generation has landed; absent if none was told there. */
  readonly position?: JsonValue;
}

/**
 * What a feed shows. A new generation replaces the older ones once all that the plan which opened it brought has landed; until
 * then the newest of those that had is shown. Told from what the shards knew when their parts were built: a plan that is not
 * carried out yet takes nothing of it back, whoever left it there.
 */
export function shownOfFeed(feed: FeedState, shards: readonly ShardRecord[], shardSize: number): FeedView {
  const missing = shards.flatMap((shard) => missingIn(shard, feed, shardSize)).sort((a, b) => a - b);
  const landedTo = (from: number): number => missing.find((number) => number >= from) ?? feed.end;
  const newest = feed.generations.at(-1);
  const shown =
    feed.generations.findLast((generation) => landedTo(generation.from) >= generation.openedTo) ?? feed.generations[0];
  if (!shown || !newest) return { shown: { from: 0, to: 0 } };
  const end = endOf(shown, feed);
  const to = Math.min(landedTo(shown.from), end);
  const position = shown === newest ? positionAt(shown, to, shards, shardSize) : undefined;
  return { shown: { from: shown.from, to }, ...(position === undefined ? {} : { position }) };
}

/** Whether a shard has found that a number had landed, when it was looked at last. */
export const hasLanded = ({ feed }: ShardRecord, number: number): boolean =>
  feed !== undefined && number < (feed.end ?? 0) && !feed.missing.includes(number);

/** Numbers that had not landed when the shard was looked at last, or that came later: nobody has told yet what became of those. */
function missingIn(shard: ShardRecord, { end }: FeedState, shardSize: number): readonly number[] {
  const { missing = [], end: lookedTo = 0 } = shard.feed ?? {};
  const from = Math.max(shard.shard * shardSize, lookedTo);
  const to = Math.min((shard.shard + 1) * shardSize, end);
  return [...missing, ...Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)];
}

function endOf(generation: Generation, feed: FeedState): number {
  const next = feed.generations[feed.generations.indexOf(generation) + 1];
  return next?.from ?? feed.end;
}

/** The last cursor told before `to`: the shards before the one with the gap are whole, so theirs cover all of them. */
function positionAt(
  shown: Generation,
  to: number,
  shards: readonly ShardRecord[],
  shardSize: number,
): JsonValue | undefined {
  const covering = shards.filter(({ shard }) => shard >= feedShardOf(shown.from, shardSize) && shard * shardSize < to);
  return covering.findLast(({ feed }) => feed?.position !== undefined)?.feed?.position;
}
