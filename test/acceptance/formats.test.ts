import { describe, expect, it } from 'vitest';
import { code } from '../../shared/connectors/code/code.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { landedKeys } from '../../shared/partitions/store.ts';
import type { LandOptions } from '../../shared/pipelines/define.ts';
import { inChunks } from '../support/byte-sinks.ts';
import { isWrite, once } from '../support/faults.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { parseAll } from '../support/parsing.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

const CSV = { format: 'csv' } as const;
const NO_LINEAGE = { lineage: false } as const;

const dataKeys = (world: World) => world.objects.keys(`${PIPELINE}/data/`);
const shown = async (world: World, path: string) => (await world.manifest()).get(path)!;

describe('a pipeline that lands in a format', () => {
  it.each(['ndjson', 'csv', 'parquet', 'avro'] as const)(
    'lands each partition as one file of %s, with its types',
    async (format) => {
      const world = newWorld({ land: { format, parser: { ...CSV, multiline: true }, ...NO_LINEAGE } });
      world.source.leaf('f/a.csv', 'v1', { bytes: 'id,day,note\n1,2024-02-29,"a, b"\n2,,"line\nend"\n' });

      expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });

      const entry = await shown(world, 'f/a.csv');
      expect(entry).toMatchObject({ format, rows: 2, bytes: 46 });
      expect(entry.objects.map(({ key }) => key.replace(/^.*-1/, ''))).toEqual([`.${format}`]);
      const read = await parseAll(
        { format, ...(format === 'csv' ? { multiline: true } : {}) } as never,
        await world.bytesOf(entry),
        {
          temporaryFolder: '/tmp',
        },
      );
      const rescued = format === 'ndjson' ? [] : [null];
      expect(read.rows.map((row) => row.map((value) => (value === '' ? null : value)))).toEqual([
        [1, '2024-02-29', 'a, b', ...rescued],
        [2, null, 'line\nend', ...rescued],
      ]);
    },
  );

  it('adds where the rows come from', async () => {
    const world = newWorld({ land: { format: 'ndjson', parser: CSV } });
    world.source.leaf('a.csv', 'v1', { bytes: 'id\n7\n8\n' });

    await world.refresh();

    const [first, second] = (await shown(world, 'a.csv')).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      id: 7,
      _partition: 'a.csv',
      _fingerprint: 'v1',
      _run_id: 'p/1',
      _record_no: 0,
      _ingested_at: expect.stringMatching(/^20.*Z$/),
    });
    expect(second).toMatchObject({ id: 8, _record_no: 1 });
  });

  it.each(['gzip', 'zstd'] as const)('compresses text around (%s), and says so in the key', async (compression) => {
    const world = newWorld({ land: { format: 'csv', compression, parser: CSV, ...NO_LINEAGE } });
    world.source.leaf('a.csv', 'v1', { bytes: 'id,b\n7,x\n' });

    await world.refresh();

    const entry = await shown(world, 'a.csv');
    expect(entry.objects[0]!.key).toMatch(compression === 'gzip' ? /\.csv\.gz$/ : /\.csv\.zst$/);
    expect(entry.text).toBe('id,b,_rescued\n7,x,\n');
  });

  it('reads everything again when the format, or the parser, is another', async () => {
    const parser = { ...CSV, delimiter: ',' };
    const world = newWorld({ land: { format: 'ndjson', parser, ...NO_LINEAGE } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a;b\n1;2\n' });
    await world.refresh();
    expect((await shown(world, 'a.csv')).text).toBe('{"a;b":"1;2"}\n');

    world.define({ land: { format: 'ndjson', parser: { ...CSV, delimiter: ';' }, ...NO_LINEAGE } });
    await world.refresh();
    expect(await shown(world, 'a.csv')).toMatchObject({ text: '{"a":1,"b":2}\n', reason: 'CODE_CHANGED' });

    world.define({ land: { parser: { ...CSV, delimiter: ';' } } });
    await world.refresh();
    const raw = await shown(world, 'a.csv');
    expect(raw).toMatchObject({ text: 'a;b\n1;2\n', reason: 'CODE_CHANGED' });
    expect(raw.format).toBeUndefined();

    world.time.advance(hours(25));
    await world.refresh();
    world.time.advance(hours(25));
    await world.sweep();
    expect(dataKeys(world)).toEqual(raw.objects.map(({ key }) => key));
  });

  it('keeps the old file where the content is the same', async () => {
    const world = newWorld({ land: { format: 'parquet', parser: CSV } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a\n1\n' });
    await world.refresh();
    const { objects } = await shown(world, 'a.csv');
    world.source.leaf('a.csv', 'v2', { bytes: 'a\n1\n' });

    await world.refresh();

    expect(await shown(world, 'a.csv')).toMatchObject({ fingerprint: 'v2', objects });
  });

  it('fails the partition, not the others, when it cannot be parsed', async () => {
    const world = newWorld({ failurePolicy: 'partition', land: { format: 'ndjson', parser: CSV, ...NO_LINEAGE } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a,b\n1\n' }).leaf('b.csv', 'v1', { bytes: 'a\n1\n' });

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL' });

    expect([...(await world.contents()).keys()]).toEqual(['b.csv']);
    expect((await world.items()).get('a.csv')).toMatchObject({
      failed: true,
      error: { code: 'TooManyBadRecords', retryable: false },
    });
  });

  it('sets bad records aside in an object that goes when its partition goes', async () => {
    const parser = { ...CSV, badRecords: 'quarantine' } as const;
    const world = newWorld({ deleteGuard: 'off', land: { format: 'ndjson', parser, ...NO_LINEAGE } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a,b\n1,2\n3\n4,5\n' });

    await world.refresh();

    const entry = await shown(world, 'a.csv');
    expect(entry).toMatchObject({ rows: 2, text: '{"a":1,"b":2}\n{"a":4,"b":5}\n', errors: { records: 1 } });
    expect(entry.errors!.key).toMatch(/\.errors\.ndjson$/);
    expect(JSON.parse(world.objects.text(entry.errors!.key))).toMatchObject({ record: 1, raw: '3\n', offset: 8 });
    expect(world.logLines.join('\n')).toContain('"metric":"BadRecords","value":1');

    world.source.remove('a.csv');
    await world.refresh();
    world.time.advance(hours(25));
    await world.refresh();
    world.time.advance(hours(25));
    await world.sweep();
    expect(dataKeys(world)).toEqual([]);
  });

  it.each(['kill before', 'kill after'] as const)(
    'leaves nothing behind when its worker dies (%s) at any write',
    async (fault) => {
      const parser = { ...CSV, badRecords: 'quarantine' } as const;
      const land: LandOptions = { format: 'parquet', parser };
      const isOwn = (call: Parameters<typeof isWrite>[0]) => isWrite(call) && call.step === 'read-bytes';
      const calm = newWorld({ land });
      calm.source.leaf('a.csv', 'v1', { bytes: 'a,b\n1,2\n3\n' });
      await calm.refresh();
      const writes = calm.calls.filter(isOwn).length;
      for (let at = 0; at < writes; at++) {
        const world = newWorld({ land });
        world.source.leaf('a.csv', 'v1', { bytes: 'a,b\n1,2\n3\n' });
        let seen = 0;
        world.faults = once(fault, (call) => isOwn(call) && seen++ === at);
        await world.refresh();
        world.faults = () => undefined;
        for (let day = 0; day < 3; day++) {
          world.time.advance(hours(25));
          await world.refresh();
          await world.sweep();
        }

        const entry = await shown(world, 'a.csv');
        expect(dataKeys(world), `write ${at}`).toEqual(landedKeys(entry).sort());
      }
    },
  );

  it('lands no file where there is no row, and sinks see none', async () => {
    const sink = new MemorySink();
    const world = newWorld({ sinks: [sink.sink()], land: { format: 'parquet', parser: CSV } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a,b\n' }).leaf('b.csv', 'v1', { bytes: '' });

    await world.refresh();
    await world.drain();

    expect(await shown(world, 'a.csv')).toMatchObject({ objects: [], rows: 0 });
    expect(sink.held).toEqual(
      new Map([
        ['a.csv', []],
        ['b.csv', []],
      ]),
    );
  });

  it('stops at its time, since a file is written in one go', async () => {
    const world = newWorld({
      functionMs: minutes(15),
      failurePolicy: 'partition',
      land: { format: 'ndjson', parser: CSV },
    });
    world.source.leaf('a.csv', 'v1', { bytes: ['a\n', '1\n', '2\n'] });
    world.source.onReading = ({ index }) => {
      if (index === 1) world.time.advance(minutes(15) - 5_000);
    };

    await world.refresh();

    expect((await world.items()).get('a.csv')).toMatchObject({ failed: true, error: { code: 'PartitionTooLong' } });
  });

  it('does not blame the partition for what the store does', async () => {
    const world = newWorld({ land: { format: 'ndjson', parser: CSV, ...NO_LINEAGE } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a\n1\n' });
    world.faults = once(
      'fail before',
      ({ port, method, args }) => port === 'objects' && method === 'write' && String(args[0]).includes('/data/'),
    );

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });

    expect((await shown(world, 'a.csv')).text).toBe('{"a":1}\n');
  });

  it.each<[LandOptions['format'] & ('ndjson' | 'parquet'), LandOptions['compression'] & string]>([
    ['ndjson', 'none'],
    ['ndjson', 'gzip'],
    ['ndjson', 'zstd'],
    ['parquet', 'zstd'],
  ])('loses no field that comes late (%s, %s)', async (format, compression) => {
    const rows = Array.from({ length: 30_000 }, (_, id) =>
      JSON.stringify(id < 20_000 ? { id } : { id, late: 'x' }),
    ).join('\n');
    const parser = { format: 'ndjson', sampleRecords: 10 } as const;
    const world = newWorld({ land: { format, compression, parser, ...NO_LINEAGE } });
    world.source.leaf('a', 'v1', { bytes: rows });

    await world.refresh();

    const entry = await shown(world, 'a');
    expect(entry).toMatchObject({ rows: 30_000 });
    expect(entry.objects).toHaveLength(1);
    const read = await parseAll({ format }, inChunks(await world.bytesOf(entry)), { temporaryFolder: '/tmp' });
    expect(read.rows.at(-1)).toEqual(format === 'ndjson' ? [29_999, 'x'] : [29_999, '{"late":"x"}']);
    expect(read.rows[0]![1] ?? null).toBeNull();
  });
});

describe('a sink of a pipeline that lands in a format', () => {
  it.each(['ndjson', 'csv', 'parquet', 'avro'] as const)(
    'gets the rows from %s as it would from the bytes',
    async (format) => {
      const bytes = 'id,at,note\n1,2024-02-29T08:00:00Z,007\n2,,\n';
      const schema = [
        { name: 'id', type: 'long', nullable: false },
        { name: 'at', type: 'timestamp', nullable: true },
        { name: 'note', type: 'string', nullable: true },
      ];
      const parser = { ...CSV, schema, onExtraField: 'drop' } as const;
      const rows: string[][] = [];
      for (const land of [{ parser }, { format, parser }]) {
        const sink = new MemorySink();
        const world = newWorld({ sinks: [sink.sink()], land });
        world.source.leaf('a.csv', 'v1', { bytes });
        await world.refresh();
        await world.drain();
        rows.push(sink.rows);
      }

      expect(rows[0]).toEqual(['a.csv:1,2024-02-29T08:00:00Z,007', 'a.csv:2,null,']);
      expect(rows[1]).toEqual(rows[0]);
    },
  );

  it('reads what landed before the format changed as it landed', async () => {
    const sink = new MemorySink();
    const world = newWorld({ sinks: [sink.sink()], land: { compression: 'gzip', parser: CSV } });
    world.source.leaf('a.csv', 'v1', { bytes: 'a\n1\n' });
    world.tamper = (message) => (message.queue === 'stream-upload' ? [] : [message]);
    await world.refresh();
    world.define({ sinks: [sink.sink()], land: { format: 'parquet', parser: CSV } });
    world.tamper = (message) => [message];
    world.time.advance(minutes(6));

    await world.sweep();
    await world.drain();

    expect(sink.rows).toEqual(['a.csv:1']);
  });
});

describe('a source of records', () => {
  const leaf = { name: 'users', fingerprint: 'v1', isPrefix: false };
  const users = [
    { id: 1, name: 'Ada', born: '1815-12-10' },
    { id: 2n ** 60n, name: 'Alan', born: null },
  ];
  const source = (given: object = {}) =>
    code({
      version: '1',
      context: () => 'session',
      listObjects: () => [leaf],
      readRecords: async function* () {
        yield* users;
      },
      ...given,
    });

  it('lands as newline-delimited JSON, typed as the records look', async () => {
    const sink = new MemorySink();
    const world = newWorld({ from: source(), sinks: [sink.sink()], land: NO_LINEAGE });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    await world.drain();

    const entry = await shown(world, 'users');
    expect(entry).toMatchObject({ format: 'ndjson', rows: 2 });
    expect(entry.text).toBe(
      '{"id":1,"name":"Ada","born":"1815-12-10"}\n{"id":1152921504606846976,"name":"Alan","born":null}\n',
    );
    expect(sink.rows).toEqual(['users:1,Ada,1815-12-10', 'users:1152921504606846976,Alan,null']);
  });

  it('lands in the format and by the schema it is given', async () => {
    const typing = { schema: [{ name: 'id', type: 'string', nullable: false }], onExtraField: 'drop' } as const;
    const world = newWorld({ from: source({ typing }), land: { format: 'csv', ...NO_LINEAGE } });

    await world.refresh();

    expect((await shown(world, 'users')).text).toBe('id\n1\n1152921504606846976\n');
  });

  it('fails a partition that yields something else', async () => {
    const from = source({ readRecords: () => ['a word'] });
    const world = newWorld({ from, failurePolicy: 'partition' });

    await world.refresh();

    expect((await world.items()).get('users')).toMatchObject({ failed: true, error: { code: 'InvalidRecord' } });
  });

  it('tries again what the source says may pass', async () => {
    let tries = 0;
    const readRecords = async function* () {
      yield users[0]!;
      if (tries++ === 0) throw Object.assign(new Error('busy'), { retryable: true });
    };
    const world = newWorld({ from: source({ readRecords }), land: NO_LINEAGE });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });

    expect(await shown(world, 'users')).toMatchObject({ rows: 1 });
  });
});
