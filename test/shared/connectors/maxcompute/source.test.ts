import { describe, expect, it } from 'vitest';
import { maxcompute } from '../../../../shared/connectors/maxcompute/maxcompute.ts';
import type { MaxComputeOptions } from '../../../../shared/connectors/maxcompute/options.ts';
import { hours, minutes } from '../../../../shared/core/units.ts';
import { isWrite, type PortCall } from '../../../support/faults.ts';
import { newWorld } from '../../../support/world.ts';
import { aProject, DELTA, idsOf, landedRows, orders } from './world.ts';

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, at) => from + at);
const ordersOf = async (world: Parameters<typeof landedRows>[0], path = 'orders') =>
  idsOf((await landedRows(world)).get(path));

describe('maxcompute as a source', () => {
  it('lands a table as one session has it, split by split, as Arrow streams', async () => {
    const world = await aProject();

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3, failed: 0 } });
    expect(await ordersOf(world)).toEqual(upTo(10));
    expect([...(await world.manifest()).keys()].sort()).toEqual([
      'orders/split-000000.arrows',
      'orders/split-000001.arrows',
      'orders/split-000002.arrows',
    ]);
    expect(world.asked('TableCreateReadSession')).toBe(1);
    expect(world.violations).toEqual([]);
  });

  it('opens no session for a table that has not changed, and reads nothing', async () => {
    const world = await aProject();
    await world.refresh();
    const before = world.server.calls.length;

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} }, totals: { partitions: 3 } });
    expect(world.server.calls.slice(before).map(({ action }) => action)).toEqual(['ListTables', 'GetTable']);
    expect(world.handled).not.toContain('poll-job');
  });

  it('reads the whole table again in a session of its own when it has changed', async () => {
    const world = await aProject();
    await world.refresh();
    await world.write('orders', orders(3, 10));
    world.time.advance(minutes(1));

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 4 } });

    expect(await ordersOf(world)).toEqual(upTo(13));
    expect(world.asked('TableCreateReadSession')).toBe(2);
  });

  it('counts a table as changed that was written a second before it was looked at', async () => {
    const world = await aProject();
    await world.write('orders', orders(1, 10));
    world.time.advance(1000);
    await world.refresh();
    world.time.advance(minutes(5));

    await world.refresh();
    expect(world.asked('TableCreateReadSession')).toBe(2);
    await world.refresh();

    expect(world.asked('TableCreateReadSession')).toBe(2);
    expect(await ordersOf(world)).toEqual(upTo(11));
  });

  it('reads a table again that was dropped and made anew with the same rows', async () => {
    const world = await aProject();
    await world.refresh();
    await world.server.sql('DROP TABLE orders');
    await world.server.sql('CREATE TABLE orders (id BIGINT, name STRING)');
    await world.write('orders', orders(2));
    world.time.advance(minutes(1));

    await world.refresh();

    expect(await ordersOf(world)).toEqual([0, 1]);
  });

  it.each<[string, Partial<MaxComputeOptions>, (rows: readonly Record<string, unknown>[]) => void]>([
    ['columns', { columns: ['name'] }, (rows) => expect(Object.keys(rows[0]!)).toEqual(['name'])],
    ['a filter', { filter: 'id >= 7' }, (rows) => expect(rows).toHaveLength(3)],
    ['splits', { split: { rows: 100 } }, (rows) => expect(rows).toHaveLength(10)],
    ['the codec', { compression: 'zstd' }, (rows) => expect(rows).toHaveLength(10)],
  ])('opens another session when other %s are asked for', async (_what, options, check) => {
    const world = await aProject();
    await world.refresh();
    const changed = newWorld({
      credentials: { secret: 'mc' },
      credential: JSON.stringify(world.server.credentials),
      from: world.sourceWith(options),
      time: world.time,
    });
    await changed.refresh();
    const fingerprints = await Promise.all(
      [world, changed].map(async (one) => (await one.items()).get('orders')!.madeFor),
    );

    check((await landedRows(changed)).get('orders')!);
    expect(new Set(fingerprints).size).toBe(2);
  });

  it.each([
    [{ rows: 3 }, 4],
    [{ bytes: 1 }, 10],
    [{ count: 5 }, 5],
    [{ count: 2, crossPartition: false }, 2],
  ] as const)('reads a table whole, split by %j', async (split, splits) => {
    const world = await aProject({ options: { split } });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });

    expect(await ordersOf(world)).toEqual(upTo(10));
    expect((await world.manifest()).size).toBeLessThanOrEqual(splits);
  });

  it('reads a clustered table by its buckets', async () => {
    const world = await aProject({
      sql: ['CREATE TABLE orders (id BIGINT, name STRING) CLUSTERED BY (id) INTO 4 BUCKETS'],
      options: { split: { buckets: true } },
    });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 4 } });

    expect(await ordersOf(world)).toEqual(upTo(10));
  });

  it.each(['none', 'zstd', 'lz4'] as const)('lands record batches packed with %s', async (compression) => {
    for (const readCompression of ['buffers', 'body'] as const) {
      const world = await aProject({ options: { compression }, server: { settings: { readCompression } } });

      await world.refresh();

      expect(await ordersOf(world)).toEqual(upTo(10));
    }
  });

  it.each(['ndjson', 'csv', 'parquet'] as const)('lands its rows as %s, if that is asked for', async (format) => {
    const world = await aProject({ land: { format } });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3 } });

    const shown = [...(await world.manifest()).values()];
    expect(shown.map(({ rows }) => rows)).toEqual([4, 4, 2]);
    const texts = shown.map(({ text }) => text).join('');
    if (format === 'ndjson') expect(texts.split('\n')[9]).toContain('"id":9,"name":"order 9"');
    if (format === 'csv') expect(texts).toContain('9,order 9');
  });

  it('lands an empty table as one without splits', async () => {
    const world = await aProject({ sql: ['CREATE TABLE nothing (id BIGINT)'] });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 0, failed: 0 } });
    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(world.asked('TableCreateReadSession')).toBe(1);
  });

  it('takes only the tables it is told to, and drops one that is gone', async () => {
    const sql = ['a', 'b', 'c'].map((table) => `CREATE TABLE ${table} (id BIGINT)`);
    const world = await aProject({ sql, options: { tables: ['a', 'b'] } });
    for (const table of ['a', 'b', 'c']) await world.write(table, [{ id: 1n }]);
    world.time.advance(minutes(1));

    await world.refresh();

    expect([...(await landedRows(world)).keys()]).toEqual(['a', 'b']);
    expect(world.asked('ListTables')).toBe(0);

    const all = await aProject({ sql });
    for (const table of ['a', 'b', 'c']) await all.write(table, [{ id: 1n }]);
    await all.refresh();
    expect([...(await landedRows(all)).keys()]).toEqual(['a', 'b', 'c']);
    await all.server.sql('DROP TABLE b');
    all.time.advance(minutes(1));

    await all.refresh();

    expect([...(await landedRows(all)).keys()]).toEqual(['a', 'c']);
  });

  it('writes down neither the key nor a route token', async () => {
    const world = await aProject({ server: { settings: { routeTokens: 'strict' } } });

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(world.everything()).not.toContain(world.server.credentials.accessKey);
    expect(world.everything()).not.toMatch(/rt-[0-9a-f]{24}/);
  });
});

describe('partitions', () => {
  const sql = ['CREATE TABLE sales (id BIGINT) PARTITIONED BY (day STRING, region STRING)'];
  const aTable = async (options: Partial<MaxComputeOptions> = {}) => {
    const world = await aProject({ sql, options });
    for (const [at, spec] of ['day=1,region=a', 'day=1,region=b', 'day=2,region=a'].entries())
      await world.write('sales', [{ id: BigInt(at) }], { spec });
    world.time.advance(minutes(1));
    return world;
  };

  it('come with the columns that tell them apart', async () => {
    const world = await aTable();

    await world.refresh();

    expect((await landedRows(world)).get('sales')).toEqual([
      { id: 0n, day: '1', region: 'a' },
      { id: 1n, day: '1', region: 'b' },
      { id: 2n, day: '2', region: 'a' },
    ]);
  });

  it('are those that are wanted, and others may change unseen', async () => {
    const world = await aTable({ partitions: ["day='1'"], partitionColumns: ['region'] });
    await world.refresh();
    await world.write('sales', [{ id: 9n }], { spec: 'day=2,region=a' });
    world.time.advance(minutes(1));

    await world.refresh();

    expect((await landedRows(world)).get('sales')).toEqual([
      { id: 0n, region: 'a' },
      { id: 1n, region: 'b' },
    ]);
    expect(world.asked('TableCreateReadSession')).toBe(1);
    await world.write('sales', [{ id: 8n }], { spec: 'day=1,region=c' });
    world.time.advance(minutes(1));
    await world.refresh();
    expect(await ordersOf(world, 'sales')).toEqual([0, 1, 8]);
  });

  it('have a session each, if that is asked for, so that only those that changed are read again', async () => {
    const world = await aTable({ sessionPer: 'partition' });
    await world.refresh();
    await world.write('sales', [{ id: 9n }], { spec: 'day=2,region=a' });
    await world.write('sales', [{ id: 10n }], { spec: 'day=3,region=a' });
    await world.server.sql("ALTER TABLE sales DROP PARTITION (day='1', region='b')");
    world.time.advance(minutes(1));
    const before = world.asked('TableCreateReadSession');

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    const landed = [...(await landedRows(world))].map(([path, rows]) => [path, idsOf(rows)]);
    expect(Object.fromEntries(landed)).toEqual({
      'sales/day=1,region=a': [0],
      'sales/day=2,region=a': [2, 9],
      'sales/day=3,region=a': [10],
    });
    expect(world.asked('TableCreateReadSession') - before).toBe(2);
  });
});

describe('incremental reads', () => {
  const delta = { sql: [`CREATE TABLE orders (id BIGINT, name STRING) ${DELTA}`], options: { incremental: true } };
  const paths = async (world: Parameters<typeof landedRows>[0]) => [...(await landedRows(world)).keys()];
  const all = async (world: Parameters<typeof landedRows>[0]) => idsOf([...(await landedRows(world)).values()].flat());

  it('ask for what came after the version that has landed', async () => {
    const world = await aProject(delta);
    await world.refresh();
    await world.write('orders', orders(5, 10));
    world.time.advance(minutes(1));

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(await all(world)).toEqual(upTo(15));
    expect(await paths(world)).toEqual([expect.stringMatching(/^orders\/since-\d+-2$/), 'orders/snapshot-1']);
    const sessions = world.asked('TableCreateReadSession');
    await world.refresh();
    expect(world.asked('TableCreateReadSession')).toBe(sessions);
    await world.write('orders', orders(1, 15));
    world.time.advance(minutes(1));
    await world.refresh();
    expect(await all(world)).toEqual(upTo(16));
  });

  it('start a version later where the service counts the first among what it reads', async () => {
    const world = await aProject({ ...delta, options: { incremental: { includesStart: true, mode: 'cdc' } } });
    await world.refresh();
    world.time.advance(minutes(1));
    await world.write('orders', orders(5, 10));
    world.time.advance(minutes(1));

    await world.refresh();

    // This server does not: so the new version is passed over.
    expect(world.asked('TableCreateReadSession')).toBe(2);
    expect(await all(world)).toEqual(upTo(10));
  });

  it('are not asked for where the table reports no versions: it is read whole when it changes', async () => {
    const world = await aProject({ options: { incremental: true } });
    await world.refresh();
    await world.write('orders', orders(5, 10));
    world.time.advance(minutes(1));

    await world.refresh();

    expect(await all(world)).toEqual(upTo(15));
    expect(await paths(world)).toEqual(['orders/snapshot-2']);
  });

  it('begin anew when the table was made anew', async () => {
    const world = await aProject(delta);
    await world.refresh();
    await world.server.sql('DROP TABLE orders');
    await world.server.sql(delta.sql[0]!);
    await world.write('orders', orders(2));
    world.time.advance(minutes(1));

    await world.refresh();

    expect(await all(world)).toEqual([0, 1]);
    expect(await paths(world)).toEqual(['orders/snapshot-2']);
  });

  it('give way to a whole read if the service refuses them', async () => {
    const world = await aProject(delta);
    await world.refresh();
    await world.write('orders', orders(5, 10));
    world.time.advance(minutes(1));
    world.server.faults.add({
      action: 'TableCreateReadSession',
      fault: 'reply',
      status: 400,
      code: 'InvalidParameter',
      message: 'the version is too old',
    });

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(await all(world)).toEqual(upTo(10));
    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!]).toEqual([expect.stringContaining('it is read whole')]);
    expect(await all(world)).toEqual(upTo(15));
    expect(await paths(world)).toEqual(['orders/snapshot-3']);
  });
});

describe('what goes wrong', () => {
  it.each([
    ['a session that takes its time', { action: 'TableCreateReadSession', fault: 'slow-session', polls: 5 }],
    ['a session that fails', { action: 'TableCreateReadSession', fault: 'failed-session' }],
    ['a lost answer', { action: 'TableCreateReadSession', fault: 'reset-after' }],
    ['too many requests', { action: 'TableRead', fault: 'slot-exceeded', times: 3, retryAfter: 7 }],
    ['a server error', { action: 'TableRead', fault: 'internal-error', times: 6 }],
    ['an unavailable REST endpoint', { action: 'GetTable', fault: 'unavailable', times: 6 }],
    ['a body that is cut', { action: 'TableRead', fault: 'truncated-body', afterBytes: 400, times: 2 }],
    ['a connection that is cut', { action: 'TableRead', fault: 'cut-connection', afterBytes: 400, times: 2 }],
    ['an empty body', { action: 'TableRead', fault: 'empty-body', times: 2 }],
    ['too few rows', { action: 'TableRead', fault: 'fewer-rows', afterRows: 2 }],
    ['a lost route token', { action: 'TableGetReadSession', fault: 'lost-route-token', times: 2 }],
    ['members nobody knows', { action: 'TableGetReadSession', fault: 'extra-members', times: 9 }],
    ['a session that expires while it is read', { action: 'TableRead', fault: 'expired-session' }],
  ] as const)('outlives %s', async (_name, rule) => {
    const world = await aProject();
    world.server.faults.add(rule);

    let run = await world.refresh();
    if (run.state !== 'SUCCEEDED') run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(await ordersOf(world)).toEqual(upTo(10));
    expect(world.violations).toEqual([]);
  });

  it('rows that come twice are noticed, and land not even once', async () => {
    const world = await aProject();
    world.server.faults.add({ action: 'TableRead', fault: 'duplicate-rows', afterRows: 2, times: 99 });

    expect((await world.refresh()).state).toBe('PARTIAL');

    expect(await landedRows(world)).toEqual(new Map());
    const split = (await world.items('orders')).get('split-000000.arrows');
    expect(split).toMatchObject({ error: { code: 'MaxComputeRowCountMismatch' } });
  });

  it.each(['duplicate-rows', 'fewer-rows'] as const)(
    '%s in splits that nobody counts are noticed by their sum: the table stands as it was, and is read in another session',
    async (fault) => {
      const world = await aProject({ options: { split: { count: 5 } } });
      await world.refresh();
      await world.write('orders', orders(4, 10));
      world.time.advance(3_600_000);
      world.server.faults.add({ action: 'TableRead', fault, afterRows: 1 });

      expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { rows: 10, failed: 1, stale: 1 } });
      expect(await ordersOf(world)).toEqual(upTo(10));
      expect((await world.node('orders'))!.error).toMatchObject({
        code: 'RowCountMismatch',
        message: expect.stringContaining('14 rows'),
      });

      expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { rows: 14 } });
      expect(await ordersOf(world)).toEqual(upTo(14));
      expect(world.asked('TableCreateReadSession')).toBe(3);
      expect(world.violations).toEqual([]);
    },
  );

  it('a session that is over before its splits are read is opened again', async () => {
    const world = await aProject();
    world.server.faults.add({ action: 'TableRead', fault: 'reply', status: 404, code: 'NoSuchSession', times: 3 });

    expect((await world.refresh()).state).toBe('PARTIAL');
    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(world.asked('TableCreateReadSession')).toBe(2);
    expect(await ordersOf(world)).toEqual(upTo(10));
  });

  it('a session lives as long as it is read', async () => {
    const world = await aProject({ server: { settings: { sessionLifeMs: 3_600_000 } } });
    let reads = 0;
    world.faults = ({ port, method, args }) => {
      if (port === 'objects' && method === 'close' && String(args[0]).includes('/data/') && reads++ < 2)
        world.time.advance(minutes(50));
      return undefined;
    };

    await world.refresh();

    expect(await ordersOf(world)).toEqual(upTo(10));
    expect(world.asked('TableCreateReadSession')).toBe(1);
  });

  it('a table that is not there fails alone, and what it had landed stands', async () => {
    const world = await aProject({ options: { tables: ['orders', 'unheard_of'] } });

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { partitions: 3, failed: 1 } });
    expect(await world.node('unheard_of')).toMatchObject({ error: { code: 'MaxComputeNoSuchTable' } });
    await world.server.sql('DROP TABLE orders');
    world.time.advance(hours(1));
    await world.refresh();

    expect(await world.node('orders')).toMatchObject({ error: { code: 'MaxComputeNoSuchTable' } });
    expect(await ordersOf(world)).toEqual(upTo(10));
  });

  it('a filter that the service refuses fails with its words', async () => {
    const world = await aProject({ options: { filter: 'nobody knows' } });

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(await world.node('orders')).toMatchObject({ error: { code: expect.stringMatching(/^MaxCompute/) } });
  });

  it('keys that are none end the run, before anything was asked for, without showing them', async () => {
    const world = await aProject({ credential: 'no-colon-here' });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { message: expect.stringContaining('accessId:accessKey') } });
    expect(JSON.stringify(run)).not.toContain('no-colon-here');
    expect(world.asked('ListTables')).toBe(0);
  });

  it('keys that are refused end the run by name', async () => {
    const world = await aProject({ credential: '{"accessId":"somebody","accessKey":"wrong-key"}' });

    expect(await world.refresh()).toMatchObject({
      state: 'FAILED',
      error: { code: expect.stringMatching(/^MaxCompute/) },
    });
  });

  it.each([
    [{ tables: 'orders' }, '"tables"'],
    [{ tables: ['a.b'] }, '"tables"'],
    [{ tables: ['a', 'a'] }, 'twice'],
    [{ split: { rows: 0 } }, '"split.rows"'],
    [{ split: { rows: 1, count: 2 } }, 'exactly one'],
    [{ split: {} }, 'exactly one'],
    [{ partitions: ['2026'] }, '"partitions"'],
    [{ incremental: true, sessionPer: 'partition' }, '"incremental"'],
    [{ compression: 'gzip' }, '"compression"'],
    [{ endpoint: undefined }, '"endpoint"'],
    [{ where: 'a' }, '"where"'],
  ])('%j is refused where the pipeline is defined', (options, named) => {
    const given = { project: 'p', endpoint: 'http://localhost/api', ...options } as MaxComputeOptions;
    expect(() => maxcompute(given)).toThrow(named);
  });
});

describe('a long read', () => {
  const rows = 4000;
  const long = (options: Partial<MaxComputeOptions> = {}) =>
    aProject({
      sql: ['CREATE TABLE big (id BIGINT)'],
      options: { split: { rows: 1_000_000 }, batchRows: 100, ...options },
      sizes: { segmentBytes: 5000 },
      functionMs: minutes(2),
    });
  /** Each checkpoint takes half a minute. */
  const slow = (world: Awaited<ReturnType<typeof long>>) => {
    world.faults = ({ port, method }) => {
      if (port === 'partitions' && method === 'update') world.time.advance(30_000);
      return undefined;
    };
  };
  const ids = Array.from({ length: rows }, (_, id) => ({ id: BigInt(id) }));

  it.each([{ rows: 1_000_000 }, { bytes: 1_000_000_000 }] as const)(
    'goes on in another function behind its last whole batch, split by %j',
    async (split) => {
      const world = await long({ split });
      await world.write('big', ids);
      world.time.advance(minutes(1));
      slow(world);

      const run = await world.refresh();

      expect(run.state).toBe('SUCCEEDED');
      expect(await ordersOf(world, 'big')).toEqual(upTo(rows));
      expect(world.asked('TableRead')).toBeGreaterThan(1);
      const [entry] = [...(await world.manifest()).values()];
      expect(entry!.objects.length).toBeGreaterThan(1);
    },
  );

  it('lands each row once wherever its worker is killed', async () => {
    const world = await long();
    await world.write('big', ids);
    world.time.advance(minutes(1));
    let writes = 0;
    world.faults = (call) => (isOfRead(call) && ++writes % 5 === 0 && writes < 60 ? 'kill after' : undefined);

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(await ordersOf(world, 'big')).toEqual(upTo(rows));
    expect(world.violations).toEqual([]);
  });
});

const isOfRead = (call: PortCall) => isWrite(call) && call.step === 'read-bytes';

describe('a worker that is killed at any write', () => {
  it.each(['kill before', 'kill after'] as const)(
    '(%s): all rows land, none twice, and readers never see half a table',
    { timeout: 60_000 },
    async (fault) => {
      const count = await writesOf();
      for (let at = 0; at < count; at++) {
        const world = await aProject();
        await world.refresh();
        await world.write('orders', orders(3, 10));
        world.time.advance(minutes(1));
        let seen = 0;
        world.faults = (call) => (isWorkersWrite(call) && seen++ === at ? fault : undefined);

        const run = await world.refresh();

        expect(run.state, `${fault} write ${at}`).toBe('SUCCEEDED');
        expect(await ordersOf(world), `${fault} write ${at}`).toEqual(upTo(13));
        expect(world.violations).toEqual([]);
        await world.server.close();
      }
    },
  );

  async function writesOf(): Promise<number> {
    const world = await aProject();
    await world.refresh();
    await world.write('orders', orders(3, 10));
    world.time.advance(minutes(1));
    let seen = 0;
    world.faults = (call) => {
      if (isWorkersWrite(call)) seen += 1;
      return undefined;
    };
    await world.refresh();
    return seen;
  }
});

const isWorkersWrite = (call: PortCall) => isWrite(call) && call.step !== 'test';
