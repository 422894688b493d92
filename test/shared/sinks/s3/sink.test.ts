import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { epochMs, hours, minutes } from '../../../../shared/core/units.ts';
import { type Objects, StorageError } from '../../../../shared/landing/objects.ts';
import { rewindSink, sinkViews } from '../../../../shared/operations/sinks.ts';
import { INT, STRING } from '../../../../shared/records/column-type.ts';
import { column } from '../../../../shared/records/schema.ts';
import { s3SinkSettings } from '../../../../shared/sinks/s3/options.ts';
import { S3Session } from '../../../../shared/sinks/s3/session.ts';
import { type S3SinkOptions, s3Sink } from '../../../../shared/sinks/s3/sink.ts';
import type { UploadPartition } from '../../../../shared/sinks/sink.ts';
import { isWrite } from '../../../support/faults.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';
import { parseAll } from '../../../support/parsing.ts';
import { S3Server } from '../../../support/s3-server.ts';
import { newWorld, type World, type WorldOptions } from '../../../support/world.ts';

interface FolderWorld extends World {
  readonly folder: string;
}

function aFolder(options: Partial<S3SinkOptions> = {}, world: WorldOptions = {}): FolderWorld {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-s3-sink-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const sink = s3Sink({ bucket: pathToFileURL(folder).href, ...options });
  const land = { parser: { format: 'csv' as const } };
  return Object.assign(newWorld({ deleteGuard: 'off', land, sinks: [sink], ...world }), { folder });
}

/** Files by their paths, those of the sink's own and unfinished ones aside. */
function files({ folder }: FolderWorld, own = false): Record<string, Buffer> {
  const found: Record<string, Buffer> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).replaceAll('\\', '/');
    if (!entry.isFile() || name.split('/').includes('.tmp') || name.includes('_landfall/') !== own) continue;
    found[name] = readFileSync(path);
  }
  return Object.fromEntries(Object.entries(found).sort());
}
const texts = (world: FolderWorld) =>
  Object.fromEntries(Object.entries(files(world)).map(([name, data]) => [name, data.toString()]));

const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};
const csv = (count: number, from = 0) => `id\n${Array.from({ length: count }, (_, at) => `${from + at}\n`).join('')}`;
/** Rows large enough that a file is written in several goes. */
const PAD = 'x'.repeat(100);
const wide = (count: number) => `id,pad\n${Array.from({ length: count }, (_, at) => `${at},${PAD}\n`).join('')}`;

/** A partition of ten thousand rows, landed by this run. */
function aPartition(run: number, rows = 10_000): UploadPartition {
  const schema = { columns: [column('id', INT), column('pad', STRING)] };
  return {
    ...{ path: ['f', 'a'], fingerprint: `v${run}`, sha256: `${run}`, sizeBytes: 1, run, order: 0, committedRow: 0 },
    landedAt: epochMs(new Date('2026-01-01T00:00:00Z')),
    records: { table: 'f', change: 'rows' },
    async *rows({ fromRow = 0 } = {}) {
      for (let at = 0; at < rows; at += 1000) {
        const batch = Array.from({ length: 1000 }, (_, index) => [at + index, PAD]);
        if (at >= fromRow) yield { schema, rows: batch, firstRow: at };
      }
    },
    bytes: async function* () {
      yield Buffer.from(`${run}`);
    },
    read: async () => undefined,
    committed: async () => {},
    reject: async () => {},
    signal: new AbortController().signal,
  };
}

/** Lets so many writes through, and none after. */
function cutOff(objects: Objects, writes: number): Objects {
  let left = writes;
  const counted = () => {
    if (left-- <= 0) throw new StorageError('cut off', { retryable: true });
  };
  return {
    ...objects,
    get: (key) => objects.get(key),
    head: (key) => objects.head(key),
    put: async (key, data) => {
      counted();
      return objects.put(key, data);
    },
    delete: async (keys) => {
      counted();
      return objects.delete(keys);
    },
    create: (key) => {
      const writer = objects.create(key);
      const close = async () => {
        counted();
        return writer.close();
      };
      return { write: (chunk) => writer.write(chunk), close, abort: () => writer.abort() };
    },
  };
}

describe('a folder as a bucket', () => {
  it('is rid of what killed uploads have left two days ago, and of nothing else', async () => {
    const world = aFolder();
    for (const [path, hoursAgo] of [
      ['.tmp/old', 49],
      ['.tmp/new', 47],
      ['staging/kept', 1000],
    ] as const) {
      const file = join(world.folder, path);
      const at = (world.time.nowMs - hours(hoursAgo)) / 1000;
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, 'x');
      utimesSync(file, at, at);
    }
    world.source.leaf('a', '1', { bytes: csv(2) });

    await refreshed(world);

    expect(readdirSync(join(world.folder, '.tmp'))).toEqual(['new']);
    expect(texts(world)).toEqual({ a: csv(2), 'staging/kept': 'x' });
  });
});

describe('an upload of the S3 sink', () => {
  const OF = { pipeline: 'p', sink: 's3' };
  const sessionOf = (options: Partial<S3SinkOptions>, objects: Objects) =>
    new S3Session(s3SinkSettings({ bucket: 'b', ...options }), objects, OF, () => {});

  it.each<[string, Partial<S3SinkOptions>]>([
    ['rows in one place', { format: 'ndjson', targetBytes: 300_000 }],
    ['rows in a place a version', { format: 'ndjson', targetBytes: 300_000, key: 'run={run}/{path}' }],
    ['copies in a place a version', { key: 'run={run}/{path}' }],
  ])('that is cut off anywhere leaves nothing behind: %s', async (_what, options) => {
    const calm = new MemoryObjects();
    await sessionOf(options, calm).upload(aPartition(3, 3000));
    for (let writes = 0; writes < 40; writes++) {
      const objects = new MemoryObjects();
      await sessionOf(options, objects).upload(aPartition(1));
      const whole = await sessionOf(options, cutOff(objects, writes))
        .upload(aPartition(2))
        .then(
          () => true,
          () => false,
        );
      await sessionOf(options, cutOff(objects, writes % 3))
        .upload(aPartition(2))
        .catch(() => {});

      await sessionOf(options, objects).upload(aPartition(3, 3000));

      expect(objects.keys(), `${writes} writes`).toEqual(calm.keys());
      for (const key of calm.keys())
        expect(objects.text(key) === calm.text(key), `${writes} writes, ${key}`).toBe(true);
      await sessionOf(options, objects).remove({ ...aPartition(3), isReplaced: false });
      expect(objects.keys()).toEqual([]);
      if (whole) return;
    }
    throw new Error('it never came to its end');
  });

  it('that took the place of another is not removed with that', async () => {
    const objects = new MemoryObjects();
    const session = sessionOf({}, objects);
    await session.upload(aPartition(1));
    await session.upload(aPartition(2));

    await session.remove({ ...aPartition(1), isReplaced: true });
    expect(objects.text('f/a')).toBe('2');

    await session.remove({ ...aPartition(2), isReplaced: false });
    expect(objects.keys()).toEqual([]);
  });

  it('goes on behind the files that are complete', async () => {
    const options: Partial<S3SinkOptions> = { format: 'ndjson', targetBytes: 300_000 };
    const calm = new MemoryObjects();
    await sessionOf(options, calm).upload(aPartition(1));
    const objects = new MemoryObjects();
    await sessionOf(options, cutOff(objects, 6))
      .upload(aPartition(1))
      .catch(() => {});
    const before = objects.keys().filter((key) => key.includes('part-'));

    await sessionOf(options, objects).upload(aPartition(1));

    expect(before.length).toBeGreaterThan(1);
    expect(objects.keys()).toEqual(calm.keys());
    for (const key of before) expect(objects.writes.get(key)).toBe(1);
    for (const key of calm.keys()) expect(objects.text(key) === calm.text(key), key).toBe(true);
  });
});

describe('s3Sink', () => {
  it('keeps a copy of what is published, as it landed', async () => {
    const world = aFolder({ prefix: 'lake/' }, { land: { compression: 'gzip' } });
    world.source.leaf('f/a.csv', 'v1', { bytes: 'one' }).leaf('b ö', 'v1', { bytes: 'two' });
    await refreshed(world);
    expect(texts(world)).toEqual({ 'lake/b!20!c3!b6': 'two', 'lake/f/a.csv': 'one' });

    world.source.leaf('f/a.csv', 'v2', { bytes: 'changed' }).remove('b ö');
    await refreshed(world);

    expect(texts(world)).toEqual({ 'lake/f/a.csv': 'changed' });
    expect(Object.keys(files(world, true))).toHaveLength(1);
  });

  it('compresses copies where it is asked to', async () => {
    const world = aFolder({ compression: 'gzip' });
    world.source.leaf('a.csv', 'v1', { bytes: 'one' });

    await refreshed(world);

    expect(gunzipSync(files(world)['a.csv.gz']!).toString()).toBe('one');
  });

  it.each(['ndjson', 'csv', 'parquet', 'avro'] as const)('writes rows as %s, split by size', async (format) => {
    const world = aFolder({
      format,
      targetBytes: 20_000,
      lineage: false,
      ...(format === 'parquet' ? { rowGroupRows: 2000 } : {}),
    });
    world.source.leaf('a.csv', 'v1', { bytes: wide(20_000) });

    await refreshed(world);

    const names = Object.keys(files(world));
    expect(names.length).toBeGreaterThan(1);
    expect(names[1]).toBe(`a.csv/part-00001.${format}`);
    const ids: unknown[] = [];
    for (const data of Object.values(files(world))) {
      const { rows } = await parseAll({ format }, data, { temporaryFolder: tmpdir() });
      ids.push(...rows.map(([id]) => id));
    }
    expect(ids).toEqual(Array.from({ length: 20_000 }, (_, at) => at));
    expect((await sinkViews(world.pipeline, world.deps()))[0]).toMatchObject({
      totals: { rows: 20_000, partitions: 1 },
    });
  });

  it('says where the rows come from, the same however often they are written', async () => {
    const world = aFolder({ format: 'ndjson' });
    world.source.leaf('a.csv', 'v1', { bytes: csv(1) });
    await refreshed(world);
    const before = texts(world);
    world.time.advance(hours(1));

    await rewindSink(world.pipeline, world.pipeline.sinks[0]!, world.deps());
    await world.drain();

    expect(texts(world)).toEqual(before);
    expect(JSON.parse(before['a.csv/part-00000.ndjson']!)).toMatchObject({
      id: 0,
      _partition: 'a.csv',
      _run_id: 'p/1',
      _record_no: 0,
    });
  });

  it('leaves no part behind when a partition shrinks, moves or becomes empty', async () => {
    const world = aFolder({
      format: 'csv',
      header: false,
      lineage: false,
      targetBytes: 10_000,
      key: 'run={run}/{path}',
    });
    world.source.leaf('a.csv', 'v1', { bytes: wide(20_000) });
    await refreshed(world);
    expect(Object.keys(files(world)).length).toBeGreaterThan(2);

    world.source.leaf('a.csv', 'v2', { bytes: csv(2) });
    await refreshed(world);
    expect(texts(world)).toEqual({ 'run=2/a.csv/part-00000.csv': '0\n1\n' });

    world.source.leaf('a.csv', 'v3', { bytes: 'id\n' });
    await refreshed(world);
    expect(texts(world)).toEqual({});
  });

  it('places partitions by a template of its own, and never two in one place', async () => {
    const world = aFolder({ key: 'table={table}/dt={date}/{name}-{version}' });
    world.source.leaf('x/a.csv', 'v1', { bytes: '1' }).leaf('y/a.csv', 'v1', { bytes: '2' });

    await refreshed(world);

    const names = Object.keys(files(world));
    expect(names).toHaveLength(2);
    for (const name of names)
      expect(name).toMatch(/^table=[xy]\/dt=\d{4}-\d\d-\d\d\/a\.csv-[0-9a-f]{16}-[0-9a-f]{16}$/);
  });

  it('refuses the partition, not the others, that its format cannot hold', async () => {
    const schema = [{ name: 'at', type: 'timestamp(ns)' }];
    const world = aFolder({ format: 'parquet' }, { land: { parser: { format: 'csv', schema } } });
    world.source
      .leaf('late.csv', 'v1', { bytes: 'at\n3000-01-01T00:00:00Z\n' })
      .leaf('fine.csv', 'v1', { bytes: 'at\n2000-01-01T00:00:00Z\n' });

    await refreshed(world);

    expect(Object.keys(files(world))).toEqual(['fine.csv/part-00000.parquet']);
    const [view] = await sinkViews(world.pipeline, world.deps());
    expect(view).toMatchObject({ state: 'up to date', refused: 1 });
  });

  it('goes on behind the files that are complete when its time is up', async () => {
    const bytes = wide(20_000);
    const calm = aFolder({ format: 'ndjson', targetBytes: 100_000 });
    const world = aFolder({ format: 'ndjson', targetBytes: 100_000 }, { functionMs: minutes(15) });
    for (const one of [calm, world]) one.source.leaf('a.csv', 'v1', { bytes });
    await refreshed(calm);
    let commits = 0;
    world.faults = ({ step, port, method, args }) => {
      const isKept =
        step === 'stream-upload' &&
        port === 'runs' &&
        method === 'update' &&
        JSON.stringify(args).includes('"rows":{"0"');
      if (isKept && commits++ === 1) world.time.advance(minutes(15) - 20_000);
      return undefined;
    };

    await refreshed(world);

    expect(world.handled.filter((queue) => queue === 'stream-upload').length).toBeGreaterThan(0);
    expect(texts(world)).toEqual(texts(calm));
  });

  it.each(['kill before', 'kill after'] as const)('ends the same when it dies (%s) at any write', async (fault) => {
    const build = () => {
      const world = aFolder({ format: 'ndjson', lineage: false, key: 'run={run}/{path}' });
      world.source.leaf('a.csv', 'v1', { bytes: csv(9) }).leaf('b.csv', 'v1', { bytes: csv(2) });
      return world;
    };
    const change = (world: World) => world.source.leaf('a.csv', 'v2', { bytes: csv(3, 100) }).remove('b.csv');
    const isOwn = (call: Parameters<typeof isWrite>[0]) => isWrite(call) && call.step === 'stream-upload';
    const calm = build();
    await refreshed(calm);
    change(calm);
    await refreshed(calm);
    const writes = calm.calls.filter(isOwn).length;
    expect(writes).toBeGreaterThan(5);
    for (let at = 0; at < writes; at++) {
      const world = build();
      let seen = 0;
      world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);
      for (const step of [() => {}, () => void change(world)]) {
        step();
        await refreshed(world);
      }
      world.time.advance(hours(1));
      await world.sweep();
      await world.drain();

      expect(texts(world), `write ${at}`).toEqual(texts(calm));
      expect(Object.keys(files(world, true)), `write ${at}`).toEqual(Object.keys(files(calm, true)));
    }
  });

  it('writes to a bucket over its own credential, which nobody sees', async () => {
    const server = await S3Server.start();
    onTestFinished(() => server.close());
    const sink = s3Sink({
      bucket: 'lake',
      prefix: 'canvas/',
      endpoint: server.url,
      format: 'ndjson',
      lineage: false,
      credentials: { secret: 'lake' },
    });
    const credential = JSON.stringify({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'sesame-open-now' });
    const world = newWorld({ deleteGuard: 'off', land: { parser: { format: 'csv' } }, sinks: [sink], credential });
    world.source.leaf('a.csv', 'v1', { bytes: csv(1) }).leaf('b.csv', 'v1', { bytes: csv(1) });
    await refreshed(world);
    world.source.remove('b.csv');
    await refreshed(world);

    const keys = server.keys();
    expect(keys.filter((key) => !key.includes('_landfall'))).toEqual(['canvas/a.csv/part-00000.ndjson']);
    expect(String(server.body('canvas/a.csv/part-00000.ndjson'))).toBe('{"id":0}\n');
    expect(keys).toHaveLength(2);
    expect(world.everything()).not.toContain('sesame');
  });

  it.each([
    [{}, '"bucket" is required'],
    [{ bucket: 'b', prefix: 'a' }, '"prefix" must be'],
    [{ bucket: 'b', prefix: '/a/' }, '"prefix" must be'],
    [{ bucket: 'b', key: '../{path}' }, '"key" must be'],
    [{ bucket: 'b', key: '{who}/{path}' }, '"key" must be'],
    [{ bucket: 'b', lineage: true }, '"lineage" need "format"'],
    [{ bucket: 'b', compression: 'snappy' }, '"compression" must be'],
    [{ bucket: 'b', format: 'csv', rowGroupRows: 5 }, '"rowGroupRows" is an option of parquet'],
    [{ bucket: 'file://host/x' }, 'file: URL'],
    [{ bucket: 'b', parallel: 0 }, '"parallel" must be'],
    [{ bucket: 'b', color: 'red' }, 'unknown option "color"'],
  ])('refuses %j', (options, says) => {
    expect(() => s3Sink(options as S3SinkOptions)).toThrow(says);
  });
});
