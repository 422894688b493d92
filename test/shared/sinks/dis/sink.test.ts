import { describe, expect, it } from 'vitest';
import { hours, minutes } from '../../../../shared/core/units.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { type DisStreamOptions, disStream } from '../../../../shared/sinks/dis/sink.ts';
import { isWrite, type PortCall } from '../../../support/faults.ts';
import type { World } from '../../../support/world.ts';
import { aStreamSink, lines, refreshed, type StreamWorld, valuesOf } from './stream-world.ts';

const CSV = { parser: { format: 'csv' as const } };
const isOwn = (call: PortCall) => isWrite(call) && call.step === 'stream-upload';
const put = (world: World, path: string, name: string, count = 3) =>
  world.source.leaf(path, name, { bytes: lines(name, count) });
const values = async (world: StreamWorld, partition = 0) => valuesOf(await world.stored(partition));
const unique = (texts: readonly string[]) => [...new Set(texts)].sort();
/** What was set aside, as people find it. */
const rejected = (world: World): { row: number; reason: string; path: string[] }[] =>
  world.objects
    .keys()
    .filter((key) => key.includes('/rejected/'))
    .flatMap((key) => world.objects.text(key).trim().split('\n'))
    .map((line) => JSON.parse(line));

describe('disStream', () => {
  it('uploads what is published, and then only what changed', async () => {
    const world = await aStreamSink();
    put(world, 'a', 'x');
    await refreshed(world);
    put(world, 'b', 'y', 1);
    await refreshed(world);

    expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'y0']);
    expect(await world.sinkRecord()).toMatchObject({ applied: { run: 2 }, totals: { partitions: 2, rows: 4 } });
  });

  it('uploads a changed partition again as a whole, and takes nothing back of one that is removed', async () => {
    const world = await aStreamSink();
    put(world, 'a', 'x').leaf('b', 'y', { bytes: 'y0\n' });
    await refreshed(world);
    put(world, 'a', 'z', 1).remove('b');
    await refreshed(world);

    expect(unique(await values(world))).toEqual(['x0', 'x1', 'x2', 'y0', 'z0']);
  });

  describe('makes records', () => {
    const table = 'id,text\n1,"a,b"\n2,c\n';
    it.each<[string, Partial<DisStreamOptions>, string[]]>([
      ['of rows, as JSON', {}, ['{"id":1,"text":"a,b"}', '{"id":2,"text":"c"}']],
      ['of rows, as CSV', { data: 'csv' }, ['1,"a,b"', '2,c']],
      ['of rows, from one column', { data: { column: 'id' } }, ['1', '2']],
      ['of lines', { records: 'lines' }, ['id,text', '1,"a,b"', '2,c']],
      ['of whole landed partitions', { records: 'objects' }, [table]],
    ])('%s', async (_what, sink, expected) => {
      const world = await aStreamSink({ sink, land: CSV });
      world.source.leaf('t.csv', '1', { bytes: table });

      await refreshed(world);

      expect(await world.stored()).toEqual(expected);
    });

    it('of lines of any bytes, however they come and end', async () => {
      const world = await aStreamSink({ sink: { records: 'lines' }, land: {} });
      world.source.leaf('t', '1', { bytes: 'one\r\ntwo\nthree' });

      await refreshed(world);

      expect(await world.stored()).toEqual(['one', 'two', 'three']);
    });

    it('by protobuf where it is asked to', async () => {
      const world = await aStreamSink({ sink: { recordFormat: 'protobuf' } });
      put(world, 'a', 'x');

      await refreshed(world);

      expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
      expect(world.server.calls.find(({ route }) => route === 'uploadData')!.contentType).toContain('protobuf');
    });
  });

  describe('spreads records', () => {
    const table = 'k,n\na,1\nb,2\na,3\nc,4\nb,5\n';
    const upload = async (sink: Partial<DisStreamOptions>, bytes = table, format: 'csv' | 'ndjson' = 'csv') => {
      const world = await aStreamSink({
        partitions: 4,
        sink: { batchRecords: 100, ...sink },
        land: { parser: { format } },
      });
      world.source.leaf('t.csv', '1', { bytes });
      await refreshed(world);
      return Promise.all([0, 1, 2, 3].map((at) => world.stored(at)));
    };

    it('by a column: rows of one key stay together, in order', async () => {
      const held = await upload({ partitionKey: 'k', data: 'csv' });

      expect(held.flat().sort()).toEqual(['a,1', 'a,3', 'b,2', 'b,5', 'c,4']);
      for (const key of ['a', 'b']) {
        const [of = [], ...others] = held
          .map((rows) => rows.filter((row) => row.startsWith(key)))
          .filter((rows) => rows.length > 0);
        expect(others).toEqual([]);
        expect(of).toEqual([...of].sort());
      }
    });

    it('by several columns', async () => {
      expect((await upload({ partitionKey: ['k', 'n'] })).filter((rows) => rows.length > 0).length).toBeGreaterThan(1);
    });

    it('by the path of the landed partition, unless it is told otherwise', async () => {
      expect((await upload({})).map((rows) => rows.length).sort()).toEqual([0, 0, 0, 5]);
    });

    it('as the service likes, if there is no key', async () => {
      expect((await upload({ partitionKey: false })).every((rows) => rows.length > 0)).toBe(true);
      const nulls = '{"k":null}\n'.repeat(4);
      expect((await upload({ partitionKey: 'k' }, nulls, 'ndjson')).every((rows) => rows.length > 0)).toBe(true);
    });

    it('not by a column that is not there', async () => {
      const world = await aStreamSink({ sink: { partitionKey: 'nobody' }, land: CSV });
      world.source.leaf('t.csv', '1', { bytes: table });

      await refreshed(world);

      expect(await world.sinkRecord()).toMatchObject({
        refusals: [
          { path: ['t.csv'], error: { code: 'NoColumn', message: 't.csv has no column nobody; it has k, n' } },
        ],
      });
    });
  });

  describe('sets aside what can never go, and goes on', () => {
    it('what is too large, or is nothing', async () => {
      const world = await aStreamSink({ sink: { data: { column: 'v' } }, land: { parser: { format: 'ndjson' } } });
      const rows = ['a', 'x'.repeat(1_048_577), '', null, 'b', 'y'.repeat(1_048_576)];
      world.source.leaf('t', '1', { bytes: rows.map((v) => `${JSON.stringify({ v })}\n`).join('') });

      await refreshed(world);

      expect((await world.stored()).map((text) => text.slice(0, 3))).toEqual(['a', 'b', 'yyy']);
      expect(Object.fromEntries(rejected(world).map(({ row, reason }) => [row, reason]))).toEqual({
        1: 'a record has at most 1048576 bytes of data, got 1048577',
        2: 'a record must have data',
        3: 'a record must have data',
      });
      expect(await world.sinkRecord()).toMatchObject({ totals: { rows: 6, rejectedRows: 3 }, refused: 0 });
    });

    it('of a line that is too large its beginning alone, and nothing of an empty one', async () => {
      const world = await aStreamSink({ sink: { records: 'lines' }, land: {} });
      world.source.leaf('t', '1', { bytes: `a\n\n${'x'.repeat(1_048_577)}\n\r\n${'y'.repeat(1_048_576)}\r\n\n` });

      await refreshed(world);

      expect((await world.stored()).map((text) => text.length)).toEqual([1, 1_048_576]);
      expect(rejected(world)).toMatchObject([{ path: ['t'], row: 2 }]);
      expect(world.objects.keys().filter((key) => key.includes('/rejected/'))).toHaveLength(1);
      expect(JSON.stringify(rejected(world)).length).toBeLessThan(2000);
    });

    it('what the service finds bad', async () => {
      const world = await aStreamSink({ sink: { batchRecords: 4 } });
      put(world, 'a', 'x', 6);
      const fault = { route: 'uploadData', fault: 'failed-records', code: 'DIS.4200', records: [1] } as const;
      world.server.faults.add({ ...fault, message: 'no such data' });

      await refreshed(world);

      expect(await values(world)).toEqual(['x0', 'x2', 'x3', 'x4', 'x5']);
      expect(rejected(world)).toMatchObject([{ row: 1, reason: 'DIS.4200 no such data', values: { column1: 'x1' } }]);
    });

    it('not what only makes a request too long', async () => {
      const world = await aStreamSink({ sink: { batchRecords: 8 } });
      put(world, 'a', 'x', 8);
      world.server.faults.add({ route: 'uploadData', fault: 'too-large', times: 2 });

      await refreshed(world);

      expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7']);
      expect(rejected(world)).toEqual([]);
    });
  });

  describe('when a record is not taken for the moment', () => {
    const upload = async (ordered: boolean) => {
      const world = await aStreamSink({ sink: { ordered, batchRecords: 10 } });
      put(world, 'a', 'x', 4);
      world.server.faults.add({ route: 'uploadData', fault: 'failed-records', code: 'DIS.4303', records: [1] });
      await refreshed(world);
      return values(world);
    };

    it('holds back what follows it, so that the order is right in the end', async () => {
      expect(await upload(true)).toEqual(['x0', 'x2', 'x3', 'x1', 'x2', 'x3']);
    });

    it('sends it alone again if the order does not count', async () => {
      expect(await upload(false)).toEqual(['x0', 'x2', 'x3', 'x1']);
    });
  });

  it('slows down while partitions are throttled', async () => {
    const rates = { writeBytes: 1_000_000, writeRecords: 10, readBytes: 1e9 };
    const world = await aStreamSink({
      sink: { batchRecords: 20 },
      server: { throttle: { COMMON: rates, ADVANCED: rates } },
    });
    put(world, 'a', 'x', 60);

    await refreshed(world);

    expect(unique(await values(world))).toHaveLength(60);
    // Fifty records beyond the first ten, ten a second.
    expect(world.slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(4000);
    expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
  });

  it('comes back later, at its committed row, when throttling lasts', async () => {
    const world = await aStreamSink();
    put(world, 'a', 'x', 6);
    // The second batch fails longer than anybody waits.
    world.server.faults.add({ route: 'uploadData', fault: 'failed-records', code: 'DIS.4303', nth: 2, times: 30 });

    await refreshed(world);

    expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'x3', 'x4', 'x5']);
    expect(world.handled.filter((queue) => queue === 'stream-upload').length).toBeGreaterThan(1);
    expect(world.logLines.join()).toContain('does not take records for the moment: DIS.4303');
  });

  it.each([
    ['lost-answer', { times: 2 }],
    ['gateway-error', { status: 503, times: 3 }],
    ['rate-limited', { times: 2 }],
    ['reset-connection', { times: 2 }],
    ['gone', {}],
    ['delay', { milliseconds: 5 }],
  ] as const)('loses nothing when requests fail: %s', async (fault, facts) => {
    const world = await aStreamSink();
    put(world, 'a', 'x', 7);
    world.server.faults.add({ route: 'uploadData', fault, nth: 2, ...facts });

    await refreshed(world);
    world.time.advance(hours(1) + minutes(1));
    await world.sweep();
    await world.drain();

    expect(unique(await values(world))).toEqual(['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6']);
    expect((await world.stored()).length).toBeLessThanOrEqual(7 + 4);
  });

  it('waits while the stream is frozen', async () => {
    const world = await aStreamSink();
    put(world, 'a', 'x');
    world.server.freeze('out');
    const thaw = world.time.alarm(world.time.nowMs + minutes(2), () => world.server.freeze('out', false));

    await refreshed(world);
    thaw();

    expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
  });

  it('says what is wrong where waiting does not help, and lands all the same', async () => {
    const world = await aStreamSink({ sink: { stream: 'missing' } });
    put(world, 'a', 'x');

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    await world.drain();

    expect(await world.sinkRecord()).toMatchObject({ attempts: 1, error: { code: 'DisNotFound', retryable: false } });
  });

  it('goes on in another invocation when its time is up', async () => {
    const world = await aStreamSink({ functionMs: minutes(15) });
    put(world, 'a', 'x', 9);
    let writes = 0;
    world.faults = (call) => {
      if (isOwn(call) && ++writes === 5) world.time.advance(minutes(15) - 20_000);
      return undefined;
    };

    await refreshed(world);

    expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8']);
    expect(world.handled.filter((queue) => queue === 'stream-upload').length).toBeGreaterThan(1);
  });

  it.each(['kill before', 'kill after', 'fail before', 'fail after'] as const)(
    'is cut off (%s) at any write of its upload: nothing is lost, and a batch at most comes again',
    async (fault) => {
      const prepare = async () => {
        const world = await aStreamSink({ partitions: 2, sink: { parallel: 1, partitionKey: false } });
        put(world, 'a', 'x', 5);
        put(world, 'f/b', 'y', 4);
        world.source.feed('s');
        put(world, 's/1', 'z', 3);
        return world;
      };
      const whole = await prepare();
      await refreshed(whole);
      const writes = whole.calls.filter(isOwn).length;
      expect(writes).toBeGreaterThan(8);
      const all = valuesOf(await whole.all());
      for (let at = 0; at < writes; at++) {
        const world = await prepare();
        let seen = 0;
        world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);

        await refreshed(world);
        world.time.advance(hours(1));
        await world.sweep();
        await world.drain();

        const held = valuesOf(await world.all());
        expect(unique(held), `write ${at}`).toEqual(unique(all));
        expect(held.length - all.length, `write ${at}`).toBeLessThanOrEqual(2);
        expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
        await world.server.close();
      }
    },
    60_000,
  );

  it('shows its credential to nobody', async () => {
    const world = await aStreamSink();
    put(world, 'a', 'x');
    world.server.faults.add({ route: 'uploadData', fault: 'unauthorized' });

    await refreshed(world);

    expect(await world.sinkRecord()).toMatchObject({ error: { code: 'DisAuthentication' } });
    expect(world.everything()).not.toContain(world.server.credentials.secretKey);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { streams: 's' }, /unknown option "streams"/],
    ['no stream', { stream: undefined }, /"stream" is required/],
    ['a name no stream has', { stream: 'a b' }, /stream name must be 1 to 64/],
    ['another kind of records', { records: 'words' }, /"records" must be one of "rows", "lines", "objects"/],
    ['another kind of data', { data: 'xml' }, /"data" must be "json", "csv" or \{ column/],
    ['data of lines', { records: 'lines', data: 'csv' }, /"data" is for records that are rows/],
    ['a column of lines', { records: 'lines', partitionKey: 'id' }, /names columns, which only rows have/],
    ['a key that is none', { partitionKey: true }, /"partitionKey" must be a column, a list of columns, or false/],
    ['too large batches', { batchRecords: 1e6 }, /"batchRecords" must be an integer \(1 to 100000\)/],
    ['no credentials', { credentials: undefined }, /"credentials" is required/],
  ])('refuses %s', (_what, wrong, message) => {
    const options = { stream: 's', credentials: secret('dis'), ...wrong } as DisStreamOptions;

    expect(() => disStream(options)).toThrow(message);
  });
});
