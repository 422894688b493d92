import { describe, expect, it } from 'vitest';
import { itemBytes } from '../../../shared/tables/item-size.ts';
import type { Value } from '../../../shared/tables/table.ts';

describe('itemBytes', () => {
  const NAME_AND_KEY_BYTES = 'pkpskav'.length;

  it.each<[Value | undefined, number]>([
    ['', 0],
    ['abc', 3],
    ['é😀', 6],
    [true, 1],
    [null, 1],
    [0, 2],
    [12, 2],
    [123, 3],
    [-123, 3],
    [0.25, 2],
    [1e21, 2],
    [2 ** 53 - 1, 9],
    [[], 3],
    [['ab', 1], 3 + 1 + 2 + 1 + 2],
    [{ a: 'x', bc: [] }, 3 + 1 + 1 + 1 + 1 + 2 + 3],
    [new Set(['a', 'bc']), 3],
    [new Set(), -1],
    [undefined, -1],
  ])('counts %j as %i bytes beside its name, and nothing at all for what is not stored', (v, bytes) => {
    expect(itemBytes({ pk: 'p', sk: 'a', v })).toBe(NAME_AND_KEY_BYTES + bytes);
  });
});
