import { describe, expect, it } from 'vitest';
import { MIB } from '../../../shared/core/units.ts';
import { NO_WORK } from '../../../shared/costs/work.ts';
import { WorkSum } from '../../../shared/costs/work-sum.ts';
import { SIZES } from '../../../shared/refresh/sizes.ts';

const due = (count: number, size?: number) =>
  Array.from({ length: count }, (_, at) => ({
    ...{ sk: `leaf#n${at}`, name: `n${at}`, fingerprint: 'f', metadata: { name: `n${at}` } },
    ...(size === undefined ? {} : { size }),
  }));

describe('the work of a refresh', () => {
  it('keeps folders that are alike once, and shards of a folder too', () => {
    const work = new WorkSum(SIZES);
    const held = { ...NO_WORK, heldLeaves: 10, standing: 10 };
    for (let folder = 0; folder < 3; folder++) work.folder({ folders: 1, depth: 1, known: true, shards: [held, held] });
    work.folder({ folders: 1, depth: 0, known: true, shards: [{ ...NO_WORK, heldNodes: 3, nodes: 3 }] });

    expect(work.folders()).toMatchObject([
      { folders: 3, depth: 1, shards: [{ shards: 2, heldLeaves: 10 }] },
      { folders: 1, depth: 0 },
    ]);
    expect(work.run()).toMatchObject({ partitions: 60, parts: 7, folders: 4, publishedBefore: true, changes: false });
  });

  it('counts a feed as a folder, in as many shards as its partitions fill, and says so', () => {
    const work = new WorkSum(SIZES);

    work.feed(1, true, due(2000, 20 * MIB), 0);

    const [{ shards }] = work.folders() as [ReturnType<WorkSum['folders']>[number]];
    expect(shards).toMatchObject([
      { shards: 2, agrees: false, fresh: 1000, dueBytes: 1000 * 20 * MIB, dataRequests: 5000 },
    ]);
    expect(work.unknowns()).toEqual(['feeds']);
    expect(work.largestBytes).toBe(20 * MIB);
  });

  it('says what it cannot know: sizes that are not listed, what jobs make, layouts that grow', () => {
    const work = new WorkSum(SIZES);

    work.feed(1, true, due(3), 2);
    work.folder({
      folders: 1,
      depth: 0,
      known: true,
      shards: [{ ...NO_WORK, agrees: false, heldLeaves: 900, fresh: 1200 }],
    });

    expect(work.unknowns()).toEqual(['feeds', 'growth', 'jobs', 'sizes']);
  });

  it('knows the names it has seen, and takes others to be usual', () => {
    const work = new WorkSum(SIZES);
    const before = work.averages();

    work.feed(1, true, due(10, 1), 0);

    expect(before).toEqual({ nameBytes: 32, fingerprintBytes: 32, metadataBytes: 160 });
    expect(work.averages()).toEqual({ nameBytes: 2, fingerprintBytes: 1, metadataBytes: '{"name":"n0"}'.length });
  });
});
