import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { workOf } from '../../bench/model/shapes.ts';
import { markdown, model, standingMarkdown } from '../../bench/model/table.ts';
import { SIZES } from '../../shared/refresh/sizes.ts';

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/cost.md', import.meta.url)), 'utf8');

describe('the cost model', () => {
  it('says what docs/cost.md says', async () => {
    const made = await model();

    // If this fails, put the output of `npm run --silent bench:model` there.
    expect(PAGE).toContain(markdown(made));
    expect(PAGE).toContain(standingMarkdown(made));
  });

  it('costs more the more there is, and less the less has changed', async () => {
    const { rows } = await model();

    const usd = (partitions: number, bytes: number, refresh: string) =>
      rows.find((row) => row.partitions === partitions && row.bytes === bytes && row.refresh.startsWith(refresh))!
        .estimate.usd.total;
    expect(usd(1e8, 1e12, 'first')).toBeGreaterThan(9 * usd(1e7, 1e12, 'first'));
    expect(usd(1e6, 1e14, 'first')).toBeGreaterThan(usd(1e6, 1e12, 'first'));
    expect(usd(1e7, 1e12, 'first')).toBeGreaterThan(20 * usd(1e7, 1e12, '1 % changed'));
    expect(usd(1e7, 1e12, '1 % changed')).toBeGreaterThan(usd(1e7, 1e12, 'unchanged'));
  });
});

describe('a source on paper', () => {
  const shape = { partitions: 1_000_000, bytes: 1e12, leaves: 1000, folders: 100 };

  it('has as many folders at each level as it takes', () => {
    const { folders, run } = workOf(shape, { is: 'first' });

    expect(folders.map(({ depth, folders: count }) => [depth, count])).toEqual([
      [0, 1],
      [1, 10],
      [2, 1000],
    ]);
    expect(run).toMatchObject({ partitions: 1_000_000, folders: 1011, parts: 1011, changes: true, ranBefore: false });
  });

  it('has its due partitions cut into groups as a plan cuts them', () => {
    const { folders } = workOf(shape, { is: 'first' });

    // A million bytes each: sixty-seven of them are more than 64 MiB.
    expect(folders.at(-1)!.shards).toMatchObject([
      { shards: 1, fresh: 1000, groups: 15, dueBytes: 1e9, dataRequests: 1000 },
    ]);
  });

  it('has shards as its folders would have', () => {
    const { folders } = workOf({ ...shape, leaves: 1_000_000 }, { is: 'unchanged' });

    const [{ shards }] = folders as [(typeof folders)[number]];
    expect(shards).toMatchObject([{ shards: 1024, agrees: true, heldLeaves: Math.round(1_000_000 / 1024) }]);
    expect(SIZES.childrenPerShard).toBe(1000);
  });

  it.each([
    ['evenly', 1000, 10],
    ['by folder', 10, 1000],
  ] as const)('changes %s: in %i folders %i partitions', (spread, count, changed) => {
    const { folders } = workOf(shape, { is: 'changed', share: 0.01, spread });

    const due = folders.filter(({ shards }) => shards.some((shard) => shard.changed > 0));
    expect(due).toMatchObject([{ folders: count, shards: [{ changed, agrees: false }] }]);
  });
});
