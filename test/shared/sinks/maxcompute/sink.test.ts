import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../../../local/servers/maxcompute/faults.ts';
import { hours, minutes } from '../../../../shared/core/units.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { type MaxComputeTableOptions, maxComputeTable } from '../../../../shared/sinks/maxcompute/sink.ts';
import type { World } from '../../../support/world.ts';
import { aTableSink, lines, refreshed, type TableWorld, values } from './table-world.ts';

const put = (world: World, path: string, name: string, count = 3) =>
  world.source.leaf(path, name, { bytes: lines(name, count) });
/** Lets everything that waits for its hour have it. */
const later = async (world: World, rounds = 1) => {
  for (let round = 0; round < rounds; round++) {
    world.time.advance(hours(1) + minutes(1));
    await world.sweep();
    await world.drain();
  }
};
const rejected = (world: World): { row: number; reason: string }[] =>
  world.objects
    .keys()
    .filter((key) => key.includes('/rejected/'))
    .flatMap((key) => world.objects.text(key).trim().split('\n'))
    .map((line) => JSON.parse(line));
const sorted = (names: readonly string[]) => [...names].sort();

describe('maxComputeTable', () => {
  it('uploads what is published in one session, and then only what is new', async () => {
    const world = await aTableSink();
    put(world, 'a', 'x');
    put(world, 'b', 'y', 2);
    await refreshed(world);
    expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'y0', 'y1']);
    expect(world.count('TableCreateWriteSession')).toBe(1);

    put(world, 'c', 'z', 1);
    await refreshed(world);

    expect(await values(world)).toEqual(['x0', 'x1', 'x2', 'y0', 'y1', 'z0']);
    expect(world.count('TableCommitWriteSession')).toBe(2);
    expect(await world.sinkRecord()).toMatchObject({ applied: { run: 2 }, totals: { partitions: 3, rows: 6 } });
    expect((await world.sinkRecord())!.kept).toBeUndefined();
  });

  it('opens no session where there are no rows', async () => {
    const world = await aTableSink();
    world.source.leaf('a', '1', { bytes: '' });

    await refreshed(world);

    expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
    expect(world.count('TableCreateWriteSession')).toBe(0);
  });

  it('takes nothing back of what changes or goes, unless it overwrites', async () => {
    const world = await aTableSink();
    put(world, 'a', 'x', 1);
    put(world, 'b', 'y', 1);
    await refreshed(world);
    put(world, 'a', 'z', 1).remove('b');
    await refreshed(world);

    expect(await values(world)).toEqual(['x0', 'y0', 'z0']);
  });

  it('that overwrites holds what the manifest shows, no more and no less', async () => {
    const world = await aTableSink({ sink: { overwrite: true } });
    put(world, 'a', 'x', 1);
    put(world, 'b', 'y', 1);
    put(world, 'c', 'c', 1);
    await refreshed(world);
    put(world, 'a', 'z', 1).remove('b');
    await refreshed(world);
    expect(await values(world)).toEqual(['c0', 'z0']);

    world.source.remove('a').remove('c');
    world.source.leaf('d', '1', { bytes: '' });
    await refreshed(world);
    expect(await values(world)).toEqual([]);
  });

  it('writes to the partition it is told, and leaves the others as they are', async () => {
    const table = '(value string) PARTITIONED BY (pt string, region string)';
    const world = await aTableSink({ table, sink: { partition: { pt: '1', region: 'eu' }, overwrite: true } });
    put(world, 'a', 'x', 2);

    await refreshed(world);

    expect(await world.rows()).toMatchObject([{ value: 'x0' }, { value: 'x1' }]);
    expect(world.server.table(world.table).partitions).toMatchObject([{ values: ['1', 'eu'] }]);
  });

  it('takes the levels that it is not told from the rows', async () => {
    const world = await aTableSink({
      table: '(n bigint) PARTITIONED BY (pt string, region string)',
      sink: { partition: { pt: '1' } },
      land: { parser: { format: 'csv' } },
    });
    world.source.leaf('a', '1', { bytes: 'n,region\n1,eu\n2,us\n3,eu\n' });

    await refreshed(world);

    const { partitions } = world.server.table(world.table);
    expect(sorted(partitions.map(({ values: levels }) => levels.join('/')))).toEqual(['1/eu', '1/us']);
    expect((await world.rows()).map(({ n }) => n).sort()).toEqual([1n, 2n, 3n]);
  });

  it('stays within its number of streams: small partitions share them, and so do others beyond it', async () => {
    const many = async (sink: Partial<MaxComputeTableOptions>) => {
      const world = await aTableSink({ sink: { parallel: 2, ...sink } });
      for (let at = 0; at < 12; at++) put(world, `p${at}`, `v${at}-`, 2);
      await refreshed(world);
      expect((await values(world)).length).toBe(24);
      return world.count('TableCreateWriteStream');
    };

    expect(await many({ streams: 64 })).toBeLessThanOrEqual(2);
    expect(await many({ streams: 5, smallBytes: 0 })).toBe(5);
    expect(await many({ streams: 5, rowOffsets: false })).toBe(5);
    expect(await many({ streams: 64, rowOffsets: false })).toBe(12);
  });

  describe('before the first byte', () => {
    it('says column by column how the rows differ from the table', async () => {
      const table = '(id bigint, name string, amount decimal(10,2) NOT NULL, at datetime)';
      const world = await aTableSink({ table, land: { parser: { format: 'csv' } } });
      world.source.leaf('a.csv', '1', { bytes: 'id,NAME,at,extra\nx,y,1,1.5\n' });

      await refreshed(world);

      expect((await world.sinkRecord())!.error).toMatchObject({
        code: 'SchemaMismatch',
        message: [
          'the rows of a.csv do not fit the table:',
          '- id is bigint in the table and string in the rows',
          '- amount decimal(10,2) is not in the rows, and must not be null',
          '- at is datetime in the table and int in the rows',
          '- extra double is in the rows and not in the table',
        ].join('\n'),
      });
      expect(world.count('TableWrite')).toBe(0);
      expect(world.count('TableAbortWriteSession')).toBe(1);
      expect(world.server.rowCount(world.table)).toBe(0);
    });

    it('and all of it waits for one partition that does not fit', async () => {
      const world = await aTableSink({ table: '(id bigint)', land: { parser: { format: 'csv' } } });
      world.source.leaf('a', '1', { bytes: 'id\n1\n' }).leaf('b', '1', { bytes: 'id\nx\n' });
      await refreshed(world);
      expect(world.server.rowCount(world.table)).toBe(0);

      world.source.leaf('b', '2', { bytes: 'id\n2\n' });
      await refreshed(world);
      await later(world);

      expect((await world.rows()).map(({ id }) => id).sort()).toEqual([1n, 2n]);
    });
  });

  it('carries every type, nested and null', async () => {
    const world = await aTableSink({
      table:
        '(a bigint, b int, c double, d boolean, e string, f decimal(10,2), g date, h datetime, i timestamp, j binary, ' +
        'k array<bigint>, l map<string,bigint>, m struct<x:bigint,y:string>, n varchar(3), o timestamp_ntz, p tinyint)',
      land: {
        parser: {
          format: 'ndjson',
          schema: {
            columns: Object.entries({
              a: { kind: 'long' },
              b: { kind: 'int', bits: 32 },
              c: { kind: 'double' },
              d: { kind: 'boolean' },
              e: { kind: 'json' },
              f: { kind: 'decimal', precision: 10, scale: 2 },
              g: { kind: 'date' },
              h: { kind: 'timestamp', unit: 'ms', zoned: true },
              i: { kind: 'timestamp', unit: 'ns', zoned: true },
              j: { kind: 'bytes' },
              k: { kind: 'list', item: { kind: 'long' } },
              l: { kind: 'map', key: { kind: 'string' }, value: { kind: 'long' } },
              m: {
                kind: 'struct',
                fields: [
                  { name: 'y', type: { kind: 'string' }, nullable: true },
                  { name: 'x', type: { kind: 'long' }, nullable: true },
                ],
              },
              n: { kind: 'string' },
              o: { kind: 'timestamp', unit: 'us', zoned: false },
              p: { kind: 'long' },
            }).map(([name, type]) => ({ name, type: type as never, nullable: true })),
          },
        },
      },
    });
    const row = {
      a: 1,
      b: 2,
      c: 2.5,
      d: true,
      e: { deep: [1] },
      f: '12.50',
      g: '2024-02-29',
      h: '2024-02-29T08:00:00.123Z',
      i: '2024-02-29T08:00:00.123456789Z',
      j: 'AP8=',
      k: [1, null],
      l: { one: 1 },
      m: { x: 1, y: 'z' },
      n: 'äöü',
      o: '2024-02-29T08:00:00.123456',
      p: 127,
    };
    const nothing = Object.fromEntries(Object.keys(row).map((name) => [name, null]));
    world.source.leaf('a', '1', { bytes: `${JSON.stringify(row)}\n${JSON.stringify(nothing)}\n` });

    await refreshed(world);

    const [full, empty] = await world.rows();
    expect(full).toEqual({
      ...row,
      a: 1n,
      e: '{"deep":[1]}',
      h: '2024-02-29T08:00:00.123',
      i: '2024-02-29T08:00:00.123456789',
      j: new Uint8Array([0, 255]),
      k: [1n, null],
      l: new Map([['one', 1n]]),
      m: { x: 1n, y: 'z' },
    });
    expect(empty).toEqual(nothing);
  });

  it('sets aside rows that the table cannot hold, with the reason, and uploads the others', async () => {
    const world = await aTableSink({
      table: '(n tinyint, s varchar(3))',
      land: { parser: { format: 'csv' } },
    });
    world.source.leaf('a', '1', { bytes: 'n,s\n1,abc\n200,abc\n3,abcd\n4,äöü\n' });

    await refreshed(world);

    expect(await world.rows()).toEqual([
      { n: 1, s: 'abc' },
      { n: 4, s: 'äöü' },
    ]);
    expect(rejected(world)).toMatchObject([
      { row: 1, reason: expect.stringMatching(/column n: .*Int8/) },
      { row: 2, reason: 's: the value does not fit varchar(3)' },
    ]);
    expect(await world.sinkRecord()).toMatchObject({ totals: { rows: 4, rejectedRows: 2 } });
  });

  it('knows which rows are there although some were set aside, and goes on behind them', async () => {
    const world = await aTableSink({
      table: '(n tinyint)',
      sink: { requestBytes: 65_536 },
      land: { parser: { format: 'csv' } },
    });
    // Every fifth row does not fit; three requests.
    const rows = Array.from({ length: 12_000 }, (_, at) => (at % 5 === 0 ? 1000 : at % 100));
    world.source.leaf('a', '1', { bytes: `n\n${rows.join('\n')}\n` });
    let writes = 0;
    world.onRequest = (_at, action) => (action === 'TableWrite' && ++writes === 2 ? 'kill after' : undefined);

    await refreshed(world);

    expect((await world.rows()).map(({ n }) => n)).toEqual(rows.filter((n) => n < 1000));
    expect(rejected(world).length).toBeGreaterThanOrEqual(2400);
  });

  describe('what goes wrong on the way loses and repeats nothing', () => {
    const faults: [string, FaultRule][] = [
      ['an answer that is lost', { action: 'TableWrite', fault: 'reset-after', nth: 2 }],
      ['a request that is lost', { action: 'TableWrite', fault: 'reset-before', nth: 2 }],
      ['many answers in a row', { action: 'TableWrite', fault: 'reset-after', nth: 2, times: 9 }],
      [
        'an error after the rows were taken',
        { action: 'TableWrite', fault: 'error-after', status: 500, code: 'InternalServerError' },
      ],
      ['an empty answer', { action: 'TableWrite', fault: 'empty-body', nth: 2 }],
      ['too many requests', { action: 'TableWrite', fault: 'slot-exceeded', times: 6 }],
      ['a service that is away', { action: '*', fault: 'unavailable', nth: 4, times: 12 }],
      ['requests that are too long', { action: 'TableWrite', fault: 'too-large', bytes: 100_000 }],
      ['a changed schema', { action: 'TableWrite', fault: 'schema-modified', nth: 2 }],
      ['a session that expires', { action: 'TableWrite', fault: 'expired-session', nth: 2 }],
      ['a session that expires when it is committed', { action: 'TableCommitWriteSession', fault: 'expired-session' }],
      ['a stream that could not be made', { action: 'TableCreateWriteStream', fault: 'reset-after' }],
      ['a session that nobody heard of', { action: 'TableCreateWriteSession', fault: 'reset-after' }],
      ['a lost answer to the commit', { action: 'TableCommitWriteSession', fault: 'reset-after' }],
      ['many lost answers to the commit', { action: 'TableCommitWriteSession', fault: 'reset-after', times: 9 }],
      [
        'a commit in the way of another',
        {
          action: 'TableCommitWriteSession',
          fault: 'reply',
          status: 409,
          code: 'MetaTransactionFailed',
          message: 'x',
          times: 7,
        },
      ],
      ['a lost answer to a close', { action: 'TableCloseWriteStream', fault: 'reset-after', times: 6 }],
      ['lost route tokens', { action: '*', fault: 'lost-route-token', times: 100 }],
    ];
    const rows = sorted([...Array.from({ length: 9000 }, (_, at) => `x${at}`), 'y0', 'y1', 'z0', 'z1']);
    const prepare = async (sink: Partial<MaxComputeTableOptions>) => {
      const world = await aTableSink({ sink: { parallel: 2, streams: 2, requestBytes: 65_536, ...sink } });
      put(world, 'a', 'x', 9000);
      put(world, 'b', 'y', 2);
      put(world, 'c', 'z', 2);
      return world;
    };

    it.each(faults)('%s', async (_what, rule) => {
      for (const rowOffsets of [true, false]) {
        const world = await prepare({ rowOffsets });
        world.server.faults.add(rule);

        await refreshed(world);
        expect([0, rows.length]).toContain(world.server.rowCount(world.table));
        await later(world, 3);

        expect(await values(world)).toEqual(rows);
        expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
      }
    });

    it('a service that counts no rows is found out', async () => {
      const world = await prepare({});
      world.server.settings.countMustAgree = true;
      const body = { TableSchema: { DataColumns: [{ columnType: { MemberName: 'value', ColumnId: 1, Type: 4 } }] } };
      world.server.faults.add({ action: 'TableCreateWriteStream', fault: 'reply', status: 200, body });

      await refreshed(world);

      expect(await values(world)).toEqual(rows);
      expect(world.logLines.join()).toContain('the service does not count rows');
    });
  });

  describe('when the session of a commit without an answer is gone', () => {
    const lost = (extra: FaultRule[] = []): FaultRule[] => [
      ...extra,
      {
        action: 'TableCommitWriteSession',
        fault: 'reply',
        nth: 5,
        times: 99,
        status: 404,
        code: 'NoSuchSession',
        message: 'gone',
      },
    ];
    const gone = async (rules: FaultRule[], sink: Partial<MaxComputeTableOptions> = {}): Promise<TableWorld> => {
      const world = await aTableSink({ sink });
      world.time.advance(minutes(10));
      put(world, 'a', 'x');
      world.server.faults.add(...rules);
      await refreshed(world);
      return world;
    };

    it('the table tells that it was committed', async () => {
      const world = await gone(lost([{ action: 'TableCommitWriteSession', fault: 'reset-after', times: 4 }]));
      await later(world);

      expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
      expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
    });

    it('the table tells that it was not, and all is uploaded again', async () => {
      const rules = lost([{ action: 'TableCommitWriteSession', fault: 'reset-before', times: 4 }]);
      const world = await gone([rules[0]!, { ...rules[1]!, times: 1 }]);
      await later(world);

      expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
      expect(world.count('TableCreateWriteSession')).toBe(2);
      expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
    });

    it.each([
      ['somebody else has written to it', 2, (world: TableWorld) => add(world, 2)],
      [
        'nobody can ask it',
        0,
        (world: TableWorld) =>
          world.server.faults.add({
            action: 'GetTable',
            fault: 'reply',
            status: 403,
            code: 'NoPermission',
            times: 999,
          }),
      ],
    ])(
      'and nobody can tell, since %s: nothing is uploaded until somebody has looked',
      async (_why, others, happens) => {
        const world = await aTableSink();
        world.time.advance(minutes(10));
        put(world, 'a', 'x');
        let isFirst = true;
        world.holds = async (action) => {
          if (action !== 'TableCommitWriteSession' || !isFirst) return;
          isFirst = false;
          await happens(world);
          world.server.faults.add(...lost([{ action: 'TableCommitWriteSession', fault: 'reset-before', times: 4 }]));
        };
        await refreshed(world);
        await later(world, 2);

        const { applied, error, kept } = (await world.sinkRecord())!;
        expect(applied).toBeUndefined();
        expect(error).toMatchObject({ code: 'SinkUndecided', message: expect.stringContaining('somebody has looked') });
        expect(kept).toMatchObject({ committing: { rows: 3 } });
        expect(world.server.rowCount(world.table)).toBe(others);
        expect(world.count('TableAbortWriteSession')).toBe(0);
      },
    );

    it('another process finds out', async () => {
      const world = await aTableSink();
      world.time.advance(minutes(10));
      put(world, 'a', 'x');
      let commits = 0;
      world.onRequest = (_at, action) => {
        if (action !== 'TableCommitWriteSession' || commits++ > 0) return undefined;
        const gone = {
          fault: 'reply',
          status: 404,
          code: 'NoSuchSession',
          message: 'gone',
          times: 999,
          nth: 2,
        } as const;
        world.server.faults.add({ ...gone, action });
        for (const other of ['TableCloseWriteStream', 'TableGetWriteStream', 'TableGetWriteSession'])
          world.server.faults.add({ ...gone, nth: 1, action: other });
        return 'kill after';
      };
      await refreshed(world);
      await later(world);

      expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
      expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
      expect(world.count('TableCreateWriteSession')).toBe(1);
    });

    it('what overwrites is uploaded again', async () => {
      const rules = lost([{ action: 'TableCommitWriteSession', fault: 'reset-after', times: 4 }]);
      const world = await gone([rules[0]!, { ...rules[1]!, times: 1 }], { overwrite: true });
      await later(world);

      expect(await values(world)).toEqual(['x0', 'x1', 'x2']);
    });
  });

  it('goes on in another invocation when its time is up', async () => {
    const world = await aTableSink({ functionMs: minutes(15), sink: { requestBytes: 65_536 } });
    put(world, 'a', 'x', 9000);
    put(world, 'b', 'y', 9000);
    let writes = 0;
    world.onRequest = (_at, action) => {
      if (action === 'TableWrite' && ++writes === 3) world.time.advance(minutes(15) - 5000);
      return undefined;
    };

    await refreshed(world);

    expect((await values(world)).length).toBe(18_000);
    expect(world.handled.filter((queue) => queue === 'stream-upload').length).toBeGreaterThan(1);
    expect(world.count('TableCreateWriteSession')).toBe(1);
  });

  it('of a process that was taken for dead adds nothing', async () => {
    const world = await aTableSink({ sink: { requestBytes: 65_536 } });
    put(world, 'a', 'x', 9000);
    const asleep = Promise.withResolvers<void>();
    let writes = 0;
    world.holds = async (action) => {
      if (action === 'TableWrite' && ++writes === 2) await asleep.promise;
    };
    // The first invocation waits for its request, until its lease is over and another has done its work.
    const first = world.refresh().then(() => world.drain());
    while (writes < 2) await new Promise((resolve) => setImmediate(resolve));
    world.killNow();
    await first;
    asleep.resolve();
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect((await values(world)).length).toBe(9000);
  });

  it.each(['TableWriteBlob', 'TableWrite', undefined])(
    'stores landed partitions whole, as blobs, a row each (killed at %s)',
    async (killedAt) => {
      const world = await aTableSink({
        table:
          "(path string, size bigint, hash string, content blob) TBLPROPERTIES ('table.format.version'='2', 'transactional'='true')",
        sink: { objects: { blob: 'content', path: 'path', sizeBytes: 'size', sha256: 'hash' } },
        land: {},
      });
      world.source.leaf('f/a.bin', '1', { bytes: 'some bytes' }).leaf('b.bin', '1', { bytes: 'others' });
      let killed = false;
      world.onRequest = (_at, action) => {
        if (killed || action !== killedAt) return undefined;
        killed = true;
        return 'kill after';
      };

      await refreshed(world);

      const rows = await world.rows();
      const read = await Promise.all(
        rows.map(async ({ path, size, content }) => [
          path,
          size,
          (await world.client.table(world.table).readBlob(content as Uint8Array)).data.toString(),
        ]),
      );
      expect(sorted(read.map((row) => row.join()))).toEqual(['b.bin,6,others', 'f/a.bin,10,some bytes']);
      expect(String(rows[0]!.hash)).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  it.each<[string, Partial<MaxComputeTableOptions['objects'] & object>, string]>([
    ['a table without the blob column', { blob: 'nobody' }, 'the table has no column nobody of type blob'],
    ['a table without one for what is known', { blob: 'content', path: 'nobody' }, 'the table has no column nobody'],
    [
      'one of another type',
      { blob: 'content', path: 'n' },
      'what is known of a does not fit the table: column n: String is no Int64',
    ],
  ])('refuses to store blobs in %s', async (_what, objects, message) => {
    const world = await aTableSink({
      table: "(n bigint, content blob) TBLPROPERTIES ('table.format.version'='2', 'transactional'='true')",
      sink: { objects: { blob: 'content', ...objects } },
    });
    put(world, 'a', 'x');

    await refreshed(world);

    expect((await world.sinkRecord())!.error).toMatchObject({
      code: 'SchemaMismatch',
      message: expect.stringContaining(message),
    });
  });

  it('says what is wrong where waiting does not help, and lands all the same', async () => {
    const world = await aTableSink({ sink: { table: 'missing' } });
    put(world, 'a', 'x');

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    await world.drain();

    expect((await world.sinkRecord())!.error).toMatchObject({ name: 'NoSuchTableError', retryable: false });
  });

  it('shows its credential and tokens to nobody', async () => {
    const world = await aTableSink({
      server: { credentials: { accessId: 'id', accessKey: 'a-secret-key-of-some-length' } },
    });
    put(world, 'a', 'x');
    world.server.faults.add({ action: 'TableWrite', fault: 'reset-after' });

    await refreshed(world);

    expect(await world.sinkRecord()).toMatchObject({ applied: { run: 1 } });
    expect(world.everything()).not.toContain('a-secret-key-of-some-length');
    expect(world.everything()).not.toMatch(/"at-[0-9a-f]{24}/);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { tables: 't' }, /unknown option "tables"/],
    ['no table', { table: undefined }, /"table" is required/],
    ['a partition that cannot be spelled', { partition: { pt: 'a,b' } }, /"partition": the partition "pt" has a value/],
    ['more at a time than streams', { parallel: 8, streams: 4 }, /"parallel" must be at most "streams", 4, got 8/],
    ['too many streams', { streams: 1000 }, /"streams" must be an integer \(1 to 128\)/],
    ['another compression', { compression: 'gzip' }, /"compression" must be one of "none", "zstd", "lz4"/],
    ['objects without their column', { objects: {} }, /"objects.blob" is required/],
    ['no credentials', { credentials: undefined }, /"credentials" is required/],
  ])('refuses %s', (_what, wrong, message) => {
    const endpoint = 'http://127.0.0.1/api';
    const options = {
      project: 'p',
      endpoint,
      table: 't',
      credentials: secret('m'),
      ...wrong,
    } as MaxComputeTableOptions;

    expect(() => maxComputeTable(options)).toThrow(message);
  });
});

/** Rows of somebody else. */
async function add(world: TableWorld, count: number): Promise<void> {
  const session = await world.client.table(world.table).openWriteSession();
  const stream = await session.openStream({ streamId: 'other' });
  const { arrowSchemaOf, batchOfRows } = await import('../../../../shared/clients/maxcompute/index.ts');
  const schema = await arrowSchemaOf(stream.schema!);
  await stream.writeBatches([
    await batchOfRows(
      schema,
      Array.from({ length: count }, (_, at) => ({ value: `other${at}` })),
    ),
  ]);
  await stream.close();
  await session.commit();
}
