import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from '../../../shared/core/units.ts';
import { groupDue } from '../../../shared/partitions/groups.ts';

const many = (count: number, size?: number, name = 'leaf#') =>
  Array.from({ length: count }, (_, at) => ({ sk: `${name}${at}`, ...(size === undefined ? {} : { size }) }));
const sizesOf = (groups: readonly (readonly unknown[])[]) => groups.map((group) => group.length);

describe('groupDue', () => {
  it('cuts at 100 partitions', () => {
    expect(sizesOf(groupDue(many(250, 10), 100))).toEqual([100, 100, 50]);
  });

  it('cuts at 64 MiB expected', () => {
    expect(sizesOf(groupDue(many(5, 30 * MIB), 100))).toEqual([2, 2, 1]);
  });

  it('a large one is a group of its own', () => {
    expect(sizesOf(groupDue([...many(2, 1), ...many(1, 900 * MIB), ...many(2, 1)], 100))).toEqual([2, 1, 2]);
  });

  it('counts what does not say how large it is as 4 MiB', () => {
    expect(sizesOf(groupDue(many(20), 100))).toEqual([16, 4]);
  });

  it('cuts at 200 KiB of names, as JSON', () => {
    const groups = groupDue(many(300, 1, '\u0001'.repeat(500)), 1000);

    for (const group of groups) expect(JSON.stringify(group.map(({ sk }) => sk)).length).toBeLessThanOrEqual(200 * KIB);
    expect(groups.length).toBeGreaterThan(4);
  });

  it('nothing is no group', () => {
    expect(groupDue([], 100)).toEqual([]);
  });

  it('keeps every partition, in order, in at most 1,000 groups', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            sk: fc.string({ minLength: 1, maxLength: 20 }),
            size: fc.option(fc.nat(80 * MIB), { nil: undefined }),
          }),
          {
            maxLength: 400,
          },
        ),
        fc.integer({ min: 1, max: 120 }),
        (due, partitions) => {
          const groups = groupDue(due as never[], partitions);
          expect(groups.flat()).toEqual(due);
          expect(groups.every((group) => group.length > 0)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
    expect(groupDue(many(5000, 70 * MIB), 100).length).toBeLessThanOrEqual(1000);
    expect(groupDue(many(5000, 1), 1).length).toBeLessThanOrEqual(1000);
  });
});
