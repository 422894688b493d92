import { describe, expect, it } from 'vitest';
import { mapInOrder } from '../../../shared/core/concurrency.ts';
import { collect } from '../../support/connector-run.ts';

describe('mapInOrder', () => {
  it('yields in the order of the items, whichever is ready first', async () => {
    const turns = [3, 1, 2, 0];

    const results = await collect(
      mapInOrder(turns, 4, async (turn) => {
        for (let n = 0; n < turn; n++) await Promise.resolve();
        return turn;
      }),
    );

    expect(results).toEqual(turns);
  });

  it('has at most `limit` calls under way', async () => {
    let underWay = 0;
    let most = 0;

    await collect(
      mapInOrder(Array(50), 5, async () => {
        most = Math.max(most, ++underWay);
        await new Promise(setImmediate);
        underWay--;
      }),
    );

    expect(most).toBe(5);
  });

  it('throws a failure in its turn, after what came before it, and begins no more', async () => {
    const begun: number[] = [];
    const yielded: number[] = [];
    const mapped = mapInOrder([1, 2, 3, 4, 5, 6], 3, async (item) => {
      begun.push(item);
      if (item === 2 || item === 3) throw new Error(`item ${item}`);
      return item;
    });

    const all = (async () => {
      for await (const item of mapped) yielded.push(item);
    })();

    await expect(all).rejects.toThrow('item 2');
    expect(yielded).toEqual([1]);
    expect(begun).toEqual([1, 2, 3, 4]);
  });
});
