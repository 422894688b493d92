import { describe, expect, it } from 'vitest';
import type { FeedShard, FeedState, ShardRecord } from '../../../shared/nodes/store.ts';
import { feedShardOf, shownOfFeed } from '../../../shared/refresh/feed-view.ts';

const SIZE = 4;
const shards = (...feeds: (Partial<FeedShard> | undefined)[]) =>
  feeds.map((feed, shard) => ({
    shard,
    ...(feed ? { feed: { missing: [], end: 100, ...feed } } : {}),
  })) as unknown as ShardRecord[];
const feed = (end: number, ...generations: [id: string, from: number, openedTo: number][]): FeedState => ({
  end,
  generations: generations.map(([id, from, openedTo]) => ({ id, from, openedTo })),
});

describe('shownOfFeed', () => {
  it.each<[string, FeedState, ShardRecord[], [number, number]]>([
    ['nothing of a feed that has nothing', feed(0), [], [0, 0]],
    ['all that has landed', feed(6, ['', 0, 6]), shards({}, {}), [0, 6]],
    ['up to the first gap', feed(6, ['', 0, 6]), shards({ missing: [2, 3] }, { missing: [5] }), [0, 2]],
    ['nothing where the first is missing', feed(6, ['', 0, 6]), shards({ missing: [0] }, {}), [0, 0]],
    ['a new generation once all that opened it has landed', feed(8, ['a', 0, 5], ['b', 5, 8]), shards({}, {}), [5, 8]],
    ['the old one until then', feed(8, ['a', 0, 5], ['b', 5, 8]), shards({}, { missing: [7] }), [0, 5]],
    [
      'the old one up to its own gap',
      feed(8, ['a', 0, 5], ['b', 5, 8]),
      shards({ missing: [3] }, { missing: [7] }),
      [0, 3],
    ],
    [
      'a gap behind what opened it does not hold a generation back',
      feed(9, ['a', 0, 5], ['b', 5, 7]),
      shards({}, {}, { missing: [8] }),
      [5, 8],
    ],
    [
      'the newest of several that are whole',
      feed(9, ['a', 0, 2], ['b', 2, 4], ['c', 4, 9]),
      shards({}, {}, { missing: [8] }),
      [2, 4],
    ],
    [
      'a gap in an older generation does not hold a newer one back',
      feed(8, ['a', 0, 5], ['b', 5, 8]),
      shards({ missing: [1] }, {}),
      [5, 8],
    ],
    ['nothing that came since its shard was looked at', feed(8, ['', 0, 6]), shards({}, { end: 6 }), [0, 6]],
    [
      'the old one while nobody has looked at the new one',
      feed(8, ['a', 0, 5], ['b', 5, 8]),
      shards({ end: 4 }, undefined),
      [0, 4],
    ],
  ])('%s', (_what, state, held, [from, to]) => {
    expect(shownOfFeed(state, held, SIZE).shown).toEqual({ from, to });
  });

  it.each<[string, FeedState, ShardRecord[], unknown]>([
    ['the last that was told', feed(6, ['', 0, 6]), shards({ position: 3 }, { position: 6 }), 6],
    ['the last before the gap', feed(6, ['', 0, 6]), shards({ position: 3, missing: [3] }, { position: 6 }), 3],
    ['none where none was told', feed(6, ['', 0, 6]), shards({}, {}), undefined],
    ['none before the first gap is filled', feed(6, ['', 0, 6]), shards({ missing: [0] }, { position: 6 }), undefined],
    [
      'none while an older generation is shown',
      feed(8, ['a', 0, 5], ['b', 5, 8]),
      shards({ position: 4 }, { missing: [7], position: 5 }),
      undefined,
    ],
  ])('position: %s', (_what, state, held, position) => {
    expect(shownOfFeed(state, held, SIZE).position).toEqual(position);
  });
});

describe('feedShardOf', () => {
  it('fills shards in order', () => {
    expect([0, 999, 1000, 12_345].map((number) => feedShardOf(number, 1000))).toEqual([0, 0, 1, 12]);
  });
});
