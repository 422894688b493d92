import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../shared/runs/store.ts';
import { newWorld, type World, type WorldOptions } from '../support/world.ts';

/** One row of the decision table: what was there, what the next listing finds, and what becomes of the leaf `a`. */
interface Row {
  readonly code: string;
  readonly options?: WorldOptions;
  readonly before: (world: World) => Promise<unknown>;
  readonly change?: (world: World) => void;
  readonly request?: Parameters<World['refresh']>[0];
  readonly reads: string[];
  readonly shown: Record<string, string>;
  readonly landed: Record<string, number>;
  readonly removed?: number;
}

const LANDED = async (world: World) => {
  world.source.leaf('a', 'v1').leaf('other', 'v1');
  await world.refresh();
};

const DECISIONS: Row[] = [
  {
    code: 'NEW',
    before: async (world) => world.source.leaf('other', 'v1') && world.refresh(),
    change: ({ source }) => source.leaf('a', 'v1'),
    reads: ['a'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { NEW: 1 },
  },
  { code: 'UNCHANGED', before: LANDED, reads: [], shown: { a: 'a@v1', other: 'other@v1' }, landed: {} },
  {
    code: 'CHANGED',
    before: LANDED,
    change: ({ source }) => source.leaf('a', 'v2'),
    reads: ['a'],
    shown: { a: 'a@v2', other: 'other@v1' },
    landed: { CHANGED: 1 },
  },
  {
    code: 'RETRY',
    options: { failurePolicy: 'partition' },
    before: async (world) => {
      world.source.leaf('a', 'v1').leaf('other', 'v1');
      world.source.onReading = ({ path }) => {
        if (path === 'a') throw new Error('not today');
      };
      await world.refresh();
      world.source.onReading = () => {};
    },
    reads: ['a'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { RETRY: 1 },
  },
  {
    code: 'CODE_CHANGED (connector)',
    before: LANDED,
    change: (world) => {
      world.source.version = '2';
      world.define({});
    },
    reads: ['a', 'other'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { CODE_CHANGED: 2 },
  },
  {
    code: 'CODE_CHANGED (how it lands)',
    before: LANDED,
    change: (world) => world.define({ land: { compression: 'gzip' } }),
    reads: ['a', 'other'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { CODE_CHANGED: 2 },
  },
  {
    code: 'REMOVED',
    before: LANDED,
    change: ({ source }) => source.remove('a'),
    reads: [],
    shown: { other: 'other@v1' },
    landed: {},
    removed: 1,
  },
  {
    code: 'KIND_CHANGED (a leaf is now a prefix)',
    before: LANDED,
    change: ({ source }) => source.remove('a').leaf('a/below', 'v1'),
    reads: ['a/below'],
    shown: { 'a/below': 'below@v1', other: 'other@v1' },
    landed: { NEW: 1 },
    removed: 1,
  },
  {
    code: 'KIND_CHANGED (a prefix is now a leaf)',
    before: async (world) => {
      world.source.leaf('a/below', 'v1').leaf('other', 'v1');
      await world.refresh();
    },
    change: ({ source }) => source.remove('a').leaf('a', 'v1'),
    reads: ['a'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { KIND_CHANGED: 1 },
    removed: 1,
  },
  {
    code: 'FORCED (all)',
    before: LANDED,
    request: { force: 'all' },
    reads: ['a', 'other'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { FORCED: 2 },
  },
  {
    code: 'FORCED (by name)',
    before: LANDED,
    request: { force: ['a'] },
    reads: ['a'],
    shown: { a: 'a@v1', other: 'other@v1' },
    landed: { FORCED: 1 },
  },
];

describe('the decision table', () => {
  it.each(DECISIONS)('$code', async ({ options, before, change, request, reads, shown, landed, removed = 0 }) => {
    const world = newWorld(options);
    await before(world);
    change?.(world);

    const run = await world.refresh(request);

    expect(world.source.reads.toSorted()).toEqual(reads);
    expect(Object.fromEntries(await world.contents())).toEqual(shown);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed, removed } });
    expect(world.violations).toEqual([]);
  });

  it('KEPT: what an incomplete listing does not name stays', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('folder/a', 'v1').leaf('folder/b', 'v1').leaf('other', 'v1');
    await world.refresh();
    world.source.remove('folder/a').leaf('other', 'v2');
    world.source.onListing = ({ path, end }) => {
      if (path === 'folder' && end) throw new Error('the listing broke off');
    };

    const run = await world.refresh();

    expect(run.state).toBe('PARTIAL');
    expect(Object.fromEntries(await world.contents())).toEqual({
      'folder/a': 'a@v1',
      'folder/b': 'b@v1',
      other: 'other@v2',
    });
  });

  it('CHANGED and REMOVED in a folder whose leaves stay otherwise', async () => {
    const world = newWorld();
    world.source.leaf('x/a', 'v1').leaf('x/b', 'v1').leaf('x/c', 'v1');
    await world.refresh();
    world.source.leaf('x/a', 'v2').remove('x/b');

    const run = await world.refresh();

    expect(run.ran).toMatchObject({ landed: { CHANGED: 1 }, removed: 1, landedBytes: 4 });
    expect(run.totals).toEqual({ partitions: 2, bytes: 8, failed: 0 });
    expect((await world.manifest()).get('x/a')).toMatchObject({ reason: 'CHANGED', run: 2, fingerprint: 'v2' });
    expect((await world.manifest()).get('x/c')).toMatchObject({ reason: 'NEW', run: 1, fingerprint: 'v1' });
  });
});

describe('its notes', () => {
  it('1: fingerprints are compared as exact strings', async () => {
    const world = newWorld();
    const alike = ['1', '1.0', ' 1', '\u00c9', 'E\u0301'];
    world.source.leaf('a', '0');
    await world.refresh();
    for (const fingerprint of alike) {
      world.source.leaf('a', fingerprint);
      await world.refresh();
      expect(world.source.reads).toEqual(['a']);
    }
  });

  it('1: an empty fingerprint is an error in strict mode', async () => {
    const world = newWorld();
    world.source.leaf('a', '');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'InvalidListing' } });
    expect(run.error!.message).toContain('fingerprint');
    expect(world.source.reads).toEqual([]);
  });

  it('1: an empty fingerprint is always changed in lenient mode', async () => {
    const world = newWorld({ fingerprints: 'lenient' });
    world.source.leaf('a', '', { bytes: 'one' }).leaf('b', 'v1');
    await world.refresh();
    world.source.leaf('a', '', { bytes: 'two' });

    const second = await world.refresh();
    expect(world.source.reads).toEqual(['a']);
    expect(second.ran?.landed).toEqual({ CHANGED: 1 });
    const third = await world.refresh();

    expect(world.source.reads).toEqual(['a']);
    expect(third.state).toBe('SUCCEEDED');
    expect((await world.contents()).get('a')).toBe('two');
  });

  it('2: two partitions may share a fingerprint', async () => {
    const world = newWorld();
    world.source.leaf('a', 'same').leaf('b', 'same').leaf('x/a', 'same');

    await world.refresh();
    world.source.remove('a');
    await world.refresh();

    expect([...(await world.contents()).keys()].toSorted()).toEqual(['b', 'x/a']);
  });

  it('3: a name listed twice with one fingerprint is folded, with a warning', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').also('a', { fingerprint: 'v1', isPrefix: false });

    const run = await world.refresh();

    expect(world.source.reads).toEqual(['a']);
    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!]).toEqual([expect.stringContaining('twice')]);
    await world.refresh();
    expect(world.source.reads).toEqual([]);
  });

  it('3: a name listed twice with different fingerprints fails the refresh, and nothing changes', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.also('a', { fingerprint: 'v2', isPrefix: false }).remove('b');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'DuplicatePartition' } });
    expect(Object.fromEntries(await world.contents())).toEqual({ a: 'a@v1', b: 'b@v1' });
  });

  it('4: the same name under two prefixes is two partitions, also where joined paths read alike', async () => {
    const world = newWorld();
    world.source.leaf(['a', 'b/c'], 'v1', { bytes: 'one' }).leaf(['a/b', 'c'], 'v1', { bytes: 'two' });
    world.source.leaf('x/same', 'v1', { bytes: 'three' }).leaf('y/same', 'v1', { bytes: 'four' });

    const run = await world.refresh();

    expect(run.totals?.partitions).toBe(4);
    const texts: string[] = [];
    for (const { objects } of (await world.flat()).partitions) texts.push(world.objects.text(objects[0]!.key));
    expect(texts.toSorted()).toEqual(['four', 'one', 'three', 'two']);
  });

  it.each<[string, WorldOptions]>([
    ['schedule', { schedule: 'rate(1 hour)' }],
    ['description', { description: 'other words' }],
    ['failurePolicy', { failurePolicy: 'partition' }],
    ['retries', { retries: 1 }],
    ['jitter', { jitterMinutes: 5 }],
    ['manifests', { manifests: ['csv'] }],
  ])('5: %s is no part of the code fingerprint', async (_what, options) => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.refresh();
    world.define(options);

    await world.refresh();

    expect(world.source.reads).toEqual([]);
  });

  it('6: a death between read and commit leaves the partition due', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    world.faults = (call) => (call.step === 'read-bytes' && call.method === 'close' ? 'kill after' : undefined);
    const { run } = await world.start();
    for (let messages = 0; messages < 2; messages++) await world.step();
    await world.cancel();
    world.faults = () => undefined;

    const next = await world.refresh();

    expect(run).toBe(1);
    expect(next.ran?.landed).toEqual({ NEW: 1 });
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });
});

describe('refreshes one after the other', () => {
  it('10 leaves: 10 reads, then none, then one, then one removed, then it came back as NEW', async () => {
    const world = newWorld();
    const { source } = world;
    for (let at = 0; at < 10; at++) source.leaf(`leaf-${at}`, 'v1');
    const steps: [() => unknown, string[], Record<string, number>, number][] = [
      [() => {}, [...Array(10).keys()].map((at) => `leaf-${at}`), { NEW: 10 }, 0],
      [() => {}, [], {}, 0],
      [() => source.leaf('leaf-3', 'v2'), ['leaf-3'], { CHANGED: 1 }, 0],
      [() => source.remove('leaf-3'), [], {}, 1],
      [() => source.leaf('leaf-3', 'v2'), ['leaf-3'], { NEW: 1 }, 0],
      [() => {}, [], {}, 0],
    ];
    for (const [change, reads, landed, removed] of steps) {
      change();
      const run = await world.refresh();

      expect(source.reads.toSorted()).toEqual(reads);
      expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed, removed } });
      expect(await world.contents()).toEqual(source.contents());
    }
    expect((await world.items()).has('leaf-3')).toBe(true);
    expect(world.violations).toEqual([]);
  });

  it('a removed leaf leaves no item, and the record and the flat manifest say it went', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1');
    await world.refresh();
    world.source.remove('a');

    const run = await world.refresh();

    expect([...(await world.items()).keys()]).toEqual(['x']);
    expect(run.ran?.removed).toBe(1);
    expect(await world.flat()).toMatchObject({ removed: ['a'], partitions: [{ path: 'x/b' }] });
  });

  it('an unchanged refresh costs two writes a folder beside its own bookkeeping, and reads nothing', async () => {
    const writesOf = async (folders: number) => {
      const world = newWorld();
      for (let folder = 0; folder < folders; folder++)
        for (let at = 0; at < 5; at++) world.source.leaf(`x${folder}/${at}`, 'v1');
      await world.refresh();
      world.calls.length = 0;
      await world.refresh();
      expect(world.handled).not.toContain('read-bytes');
      const writes = world.calls.filter(({ writes }) => writes);
      expect(writes.filter(({ port }) => port === 'partitions')).toEqual([]);
      return writes.filter(({ port }) => port === 'nodes').length;
    };

    const few = await writesOf(3);
    const many = await writesOf(13);

    expect(many - few).toBeLessThanOrEqual(2 * 10);
    expect(few).toBeLessThanOrEqual(2 * 3 + 8);
  });

  it('a fingerprint that reverts to what had landed is read no more', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('a', 'v1');
    await world.refresh();
    world.source.leaf('a', 'v2');
    world.source.onReading = () => {
      throw new Error('not today');
    };
    const failed: RunRecord = await world.refresh();
    world.source.leaf('a', 'v1').onReading = () => {};

    const run = await world.refresh();

    expect(failed.state).toBe('PARTIAL');
    expect(world.source.reads).toEqual([]);
    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 1, failed: 0 } });
    expect((await world.contents()).get('a')).toBe('a@v1');
  });
});
