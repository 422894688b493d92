import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BucketBusyError, BucketStore, type Rate } from '../../../shared/buckets/store.ts';
import { addMs, days, type EpochMs, ms } from '../../../shared/core/units.ts';
import type { Table } from '../../../shared/tables/table.ts';
import { seeded } from '../../support/seeded.ts';
import { type OpenTables, TABLE_BACKENDS } from '../../support/table-backends.ts';

const T0 = Date.parse('2026-01-01T00:00:00Z') as EpochMs;
const at = (afterMs: number) => addMs(T0, ms(afterMs));
const A_SECOND: Rate = { perSecond: 1, burst: 3 };

describe.each(TABLE_BACKENDS)('BucketStore on %s', (_name, open) => {
  let opened: OpenTables;
  let buckets: BucketStore;
  beforeEach(async () => {
    opened = await open();
    buckets = new BucketStore(opened.tables.buckets, () => 0.5);
  });
  afterEach(() => opened.close());

  /** When each of so many tokens taken at one time may be used, in milliseconds. */
  const take = async (count: number, now = T0, rate = A_SECOND, bucket = 'p#read') => {
    const slots: number[] = [];
    for (let taken = 0; taken < count; taken++) slots.push((await buckets.reserve(bucket, rate, now)) - T0);
    return slots;
  };

  describe('tokens', () => {
    it('gives the burst at once, and then one after the other', async () => {
      expect(await take(6)).toEqual([0, 0, 0, 1000, 2000, 3000]);
    });

    it('with a burst of one are a fixed pace', async () => {
      expect(await take(4, T0, { perSecond: 5 / 60, burst: 1 })).toEqual([0, 12_000, 24_000, 36_000]);
    });

    it('fill up again while nobody takes one, up to the burst and no further', async () => {
      await take(5);

      expect(await take(3, at(4000))).toEqual([4000, 4000, 5000]);
      expect(await take(4, at(1_000_000))).toEqual([1_000_000, 1_000_000, 1_000_000, 1_001_000]);
    });

    it('are never given for a time that is over, also to a clock that lags behind', async () => {
      await take(3, at(10_000));

      expect(await take(2, at(4000))).toEqual([11_000, 12_000]);
    });

    it('of one bucket say nothing of another', async () => {
      await take(10);

      expect(await take(1, T0, A_SECOND, 'p#write')).toEqual([0]);
      expect(await take(1, T0, A_SECOND, 'other#read')).toEqual([0]);
    });

    it('of many that come at once are all different, and nobody has to come again', async () => {
      await take(1);

      const slots = await Promise.all(Array.from({ length: 60 }, () => buckets.reserve('p#read', A_SECOND, T0)));

      const inOrder = slots.map((slot) => slot - T0).sort((a, b) => a - b);
      expect(inOrder).toEqual([0, 0, ...Array.from({ length: 58 }, (_, index) => 1000 * (index + 1))]);
    });

    it('of many that come first of all at once are all different too', async () => {
      const slots = await Promise.all(Array.from({ length: 20 }, () => buckets.reserve('p#read', A_SECOND, T0)));

      expect(slots.filter((slot) => slot === T0)).toHaveLength(3);
      expect(new Set(slots).size).toBe(18);
    });

    it('hold the rate over any stretch of time, whenever they are taken', async () => {
      const random = seeded(5);
      const rate: Rate = { perSecond: 4, burst: 6 };
      const slots: number[] = [];
      let now = 0;
      for (let taken = 0; taken < 150; taken++) {
        if (random() < 0.4) now += Math.floor(random() * 2500);
        slots.push((await buckets.reserve('p#read', rate, at(now))) - T0);
        expect(slots.at(-1)).toBeGreaterThanOrEqual(now);
      }
      slots.sort((a, b) => a - b);
      for (let first = 0; first < slots.length; first++) {
        for (let last = first + rate.burst; last < slots.length; last++)
          expect((slots[last]! - slots[first]!) / 250).toBeGreaterThanOrEqual(last - first - rate.burst + 1 - 0.001);
      }
    });
  });

  describe('places', () => {
    const enter = (holder: string, limit = 2, now = T0) => buckets.enter('p#places', holder, limit, now, at(60_000));

    it('are as many as the limit, and one that was given back is free', async () => {
      expect([await enter('a'), await enter('b'), await enter('c')]).toEqual([true, true, false]);

      await buckets.leave('p#places', 'a');

      expect([await enter('c'), await enter('a')]).toEqual([true, false]);
    });

    it('are one for each holder, however often it asks', async () => {
      expect([await enter('a'), await enter('a'), await enter('b'), await enter('a')]).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect(await enter('c')).toBe(false);
    });

    it('given back by one who has none change nothing', async () => {
      await enter('a');
      await buckets.leave('p#places', 'nobody');
      await buckets.leave('p#nothing', 'a');

      expect([await enter('b'), await enter('c')]).toEqual([true, false]);
    });

    it('that were never given back are free when their time is over', async () => {
      await enter('a');
      await enter('b');

      expect(await enter('c', 2, at(59_999))).toBe(false);
      expect(await buckets.enter('p#places', 'c', 2, at(60_000), addMs(T0, days(1)))).toBe(true);
    });

    it('of many that come at once only the limit get one', async () => {
      const entered = await Promise.all(Array.from({ length: 25 }, (_, at) => enter(`holder ${at}`, 4)));

      expect(entered.filter(Boolean)).toHaveLength(4);
    });
  });
});

describe('a bucket that others change each time', () => {
  /** Every conditional write fails, as if another were always a moment earlier. */
  const contended = { get: async () => undefined, update: async () => undefined } as unknown as Table;

  it.each([
    ['reserve', (buckets: BucketStore) => buckets.reserve('p#read', A_SECOND, T0)],
    ['enter', (buckets: BucketStore) => buckets.enter('p#places', 'a', 1, T0, at(1))],
  ])('is told of by %s as busy, to be asked again after a time of its own', async (_name, ask) => {
    const failed = await ask(new BucketStore(contended, () => 0.4)).catch((error: unknown) => error);

    expect(failed).toBeInstanceOf(BucketBusyError);
    expect(failed).toMatchObject({ code: 'BucketBusy', retryable: true, retryAfterMs: 400 });
  });
});
