import { describe, expect, it } from 'vitest';
import { hours } from '../../shared/core/units.ts';
import { shardOf, slotOf } from '../../shared/nodes/layout.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

async function keysOf(world: World): Promise<string[]> {
  return (await world.flat()).partitions.flatMap(({ objects }) => objects.map(({ key }) => key));
}

describe('keys', () => {
  it('end in plan and take, and hold the hashes of identity and fingerprint, not the names', async () => {
    const world = newWorld();
    world.source.leaf('folder name/table name.csv', 'a fingerprint');

    await world.refresh();

    const [key] = await keysOf(world);
    expect(key).toMatch(/^p\/data\/([0-9a-f]{2})\/\1[0-9a-f]+\/[0-9a-f]+-\d{8}\.\d{8}-1\.csv$/);
    expect(key).not.toMatch(/name|fingerprint/);
  });

  it('are never written twice, however often a partition is read', async () => {
    const world = newWorld();
    for (const version of ['v1', 'v2', 'v1', 'v2']) {
      world.source.leaf('a', version);
      await world.refresh();
      await world.refresh({ force: 'all' });
    }

    const writes = [...world.objects.writes].filter(([key]) => key.startsWith('p/data/'));
    expect(writes).toHaveLength(8);
    expect(writes.every(([, times]) => times === 1)).toBe(true);
  });

  const HOSTILE = [
    '../../etc/passwd',
    '/absolute',
    '..',
    '.',
    'a//b',
    'C:\\windows',
    '%2e%2e%2f',
    'new\nline',
    '\u0001\u001f\u007f',
    'ünïcödé 😀 名前',
    '\u202egpj.exe',
    'trailing.',
    'x'.repeat(1024),
    'é'.repeat(512),
    '#?&=+ "\'<>|*',
    'latest.json',
    'a.csv/../../b',
    'evil.\n.csv',
  ];

  it('no name can escape its place: in a leaf, in a folder, and in both', async () => {
    const world = newWorld({ manifests: ['csv', 'symlink'] });
    for (const name of HOSTILE) {
      world.source.leaf([name], 'v1', { bytes: `leaf ${name}` }).leaf([`folder ${name}`.slice(-500), name], 'v1');
    }

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 2 * HOSTILE.length } });
    for (const key of world.objects.keys()) {
      expect(key).toMatch(/^p\/(data|manifest|garbage)\/[A-Za-z0-9_./-]+$|^p\/latest\.json$/);
      expect(key.split('/')).not.toContain('..');
    }
    const { partitions } = await world.flat();
    expect(partitions.map(({ name }) => name).toSorted()).toEqual([...HOSTILE, ...HOSTILE].toSorted());
    await world.refresh();
    expect(world.source.reads).toEqual([]);
  });
});

describe('the flat manifest', () => {
  const published = async () => {
    const world = newWorld({ manifests: ['csv', 'symlink'] });
    world.source.leaf('a.csv', 'v1', { bytes: 'one' }).leaf(['x', 'b, "quoted"\n.csv'], 'v1', { bytes: 'three' });
    await world.refresh();
    return world;
  };

  it('JSON names every partition with its objects', async () => {
    const world = await published();

    const flat = await world.flat();

    expect(flat).toMatchObject({
      connector: 'p',
      runId: 1,
      createdAt: '2026-01-01T00:00:00.000Z',
      schemaVersion: 1,
      codeFingerprint: world.pipeline.versions,
      removed: [],
      totals: { partitions: 2, bytes: 8 },
    });
    expect(flat.partitions.find(({ name }) => name === 'a.csv')).toEqual({
      name: 'a.csv',
      path: 'a.csv',
      fingerprint: 'v1',
      contentSha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
      bytes: 3,
      objects: [{ key: expect.stringMatching(/\.csv$/), bytes: 3, etag: expect.any(String) }],
      run: 1,
      reason: 'NEW',
    });
  });

  it('CSV has one line an object, quoted where needed', async () => {
    const world = await published();

    const csv = world.objects.text((await world.latest())!.files.csv!);

    expect(csv.split('\n')[0]).toBe('path,key,bytes,etag,contentSha256,fingerprint,run,reason');
    expect(csv).toContain('"x/b, ""quoted""\n.csv",p/data/');
    expect(csv).toMatch(/^a\.csv,p\/data\/\S+\.csv,3,/m);
  });

  it('symlink has one location a line', async () => {
    const world = await published();

    const lines = world.objects.text((await world.latest())!.files.symlink!).split('\n');

    expect(lines.pop()).toBe('');
    expect(lines.toSorted()).toEqual((await keysOf(world)).map((key) => `memory://${key}`).toSorted());
  });

  it('only JSON is written unless others are asked for', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');

    await world.refresh();

    expect(Object.keys((await world.latest())!.files)).toEqual(['json']);
  });

  it('lists what the one before had and this one has not', async () => {
    const world = await published();
    world.source.remove('a.csv');
    await world.refresh();
    expect((await world.flat()).removed).toEqual(['a.csv']);

    world.source.leaf('c', 'v1');
    await world.refresh();

    expect((await world.flat()).removed).toEqual([]);
  });

  it('is written by the first run after it was asked for', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.refresh();
    world.define({ manifests: ['csv'] });

    await world.refresh();

    expect(Object.keys((await world.latest())!.files).toSorted()).toEqual(['csv', 'json']);
  });

  it('an unchanged refresh publishes its run and rewrites nothing', async () => {
    const world = await published();
    const before = (await world.latest())!;

    await world.refresh();

    expect(await world.latest()).toEqual({ ...before, run: 2, publishedAt: world.time.nowMs });
  });

  it('above 50,000 partitions there is none, and the tree is all', async () => {
    const world = newWorld({ sizes: { childrenPerShard: 1 }, removeGraceHours: 1 });
    for (let at = 0; at < 8; at++) world.source.leaf(`leaf-${at}`, 'v1');
    await world.refresh();
    expect(Object.keys((await world.latest())!.files)).toEqual(['json']);
    // As if one of its shards held very many.
    const { id, layout } = (await world.node())!;
    const slot = (await world.nodes.allShards(PIPELINE, id)).find(
      ({ shard }) => shard !== shardOf(slotOf('leaf-0'), layout.shards),
    )!;
    const key = { pipeline: PIPELINE, node: id, layout: layout.id, shard: slot.shard };
    await world.nodes.changeShardInPlan(key, slot.plan!, { set: { totals: { ...slot.totals, partitions: 50_000 } } });
    world.source.leaf('leaf-0', 'v2');

    const run = await world.refresh();

    expect(run.totals!.partitions).toBeGreaterThan(50_000);
    expect((await world.latest())!.files).toEqual({});
    expect(await world.contents()).toEqual(world.source.contents());
    world.time.advance(hours(2));
    await world.sweep();
    expect(world.objects.keys('p/manifest/run-')).toEqual([]);
  });

  it('says what stands in its totals and in the record', async () => {
    const world = await published();

    expect((await world.latest())!.totals).toEqual({ partitions: 2, bytes: 8, failed: 0 });
    expect(await world.record(1)).toMatchObject({
      state: 'SUCCEEDED',
      trigger: 'manual',
      totals: { partitions: 2, bytes: 8, failed: 0 },
      ran: { run: 1, landed: { NEW: 2 }, landedBytes: 8, removed: 0 },
      manifest: (await world.latest())!.manifest,
      publishedAt: world.time.nowMs,
    });
  });
});

describe('latest.json', () => {
  it('is the last that a run writes: until then readers see the old one whole', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1');
    await world.refresh();
    world.source.leaf('a', 'v2').leaf('x/b', 'v2');
    const seen = new Set<string>();
    world.faults = () => {
      seen.add(world.objects.text('p/latest.json'));
      return undefined;
    };

    await world.refresh();

    // Before and after: nothing in between.
    expect(seen.size).toBe(2);
  });

  it('is not swapped by a run that is over', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    const { queue, message } = (await world.receive())!;
    await world.invoke(queue, [message]);
    const read = (await world.receive())!;
    await world.invoke(read.queue, [read.message]);
    const finish = (await world.receive())!;
    expect(finish.queue).toBe('finish-refresh');
    await world.cancel();
    await world.invoke(finish.queue, [finish.message]);

    expect(await world.latest()).toBeUndefined();
    expect((await world.refresh()).ran?.landed).toEqual({});
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('two that publish at a time have the effect of one', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    world.tamper = (message) => (message.queue === 'finish-refresh' ? [message, message] : [message]);
    await world.start();
    for (let messages = 0; messages < 2; messages++) await world.step();
    const first = (await world.receive())!;
    const second = (await world.receive())!;

    await Promise.all([first, second].map(({ queue, message }) => world.invoke(queue, [message])));

    expect(world.objects.writes.get('p/latest.json')).toBe(1);
    expect(await world.record(1)).toMatchObject({ state: 'SUCCEEDED' });
  });
});
