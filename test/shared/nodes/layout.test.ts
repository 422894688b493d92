import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_LAYOUT, layoutFor, SLOTS, shardOf, shardsFor, slotOf, slotsOf } from '../../../shared/nodes/layout.ts';

const powers = fc.integer({ min: 0, max: 12 }).map((power) => 2 ** power);

describe('slots', () => {
  it('every name has one of 4,096, always the same', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const slot = slotOf(name);
        expect(Number.isInteger(slot) && slot >= 0 && slot < SLOTS && slot === slotOf(name)).toBe(true);
      }),
    );
  });

  it('names that differ in their last digits only are spread evenly', () => {
    const counts = new Uint32Array(64);
    for (let at = 0; at < 64_000; at++) counts[shardOf(slotOf(`2024/01/events-${at}.csv`), 64)]! += 1;

    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1200);
  });

  it('a shard is a run of slots, and all shards together are all slots', () => {
    fc.assert(
      fc.property(powers, fc.integer({ min: 0, max: SLOTS - 1 }), (shards, slot) => {
        const shard = shardOf(slot, shards);
        const { first, end } = slotsOf(shard, shards);
        expect(slot >= first && slot < end && end - first === SLOTS / shards).toBe(true);
      }),
    );
  });

  it('a larger layout cuts each shard of a smaller one and never mixes two', () => {
    fc.assert(
      fc.property(powers, powers, fc.string(), (one, other, name) => {
        const [small, large] = one < other ? [one, other] : [other, one];
        const slot = slotOf(name);
        expect(Math.floor((shardOf(slot, large) * small) / large)).toBe(shardOf(slot, small));
      }),
    );
  });
});

describe('shardsFor', () => {
  it.each([
    [0, 1],
    [1000, 1],
    [1001, 2],
    [2000, 2],
    [2001, 4],
    [1_000_000, 1024],
    [4_096_000, 4096],
    [100_000_000, 4096],
  ])('%i children take %i', (children, shards) => {
    expect(shardsFor(children, 1000)).toBe(shards);
  });
});

describe('layoutFor', () => {
  const newId = () => 'new';
  const present = { shards: 4, id: 'old' };

  it.each([
    ['stays where it fits', 4000, true, present],
    ['stays where it is too large', 1, true, present],
    ['stays where it is twice too small', 8000, true, present],
    ['grows where it is four times too small', 8001, true, { shards: 16, id: 'new', from: { shards: 4, id: 'old' } }],
    ['grows at once where nothing is held', 8000, false, { shards: 8, id: 'new' }],
  ])('%s', (_what, children, holds, expected) => {
    expect(layoutFor(children, present, holds, 1000, newId)).toEqual(expected);
  });

  it('copies on what was copied to a layout of which nothing was planned', () => {
    const begun = { shards: 4, id: 'begun', from: { shards: 1, id: 'old' } };

    expect(layoutFor(8000, begun, false, 1000, newId)).toBe(begun);
    expect(layoutFor(8001, begun, false, 1000, newId)).toEqual({
      shards: 16,
      id: 'new',
      from: { shards: 4, id: 'begun' },
    });
  });

  it('begins with one shard', () => {
    expect(layoutFor(0, FIRST_LAYOUT, false, 1000, newId)).toBe(FIRST_LAYOUT);
  });
});
