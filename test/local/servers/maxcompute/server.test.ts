import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromArrays, tableFromIPC } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';
import { Api, fixture, idsOf, numbers } from './api.ts';

const CREDENTIALS = { accessId: 'TESTACCESSKEYID0', accessKey: 'TestSecretAccessKey0123456789ab' };

let server: MaxComputeServer;
let api: Api;

beforeEach(async () => {
  server = await startMaxComputeServer({
    project: 'demo_project',
    credentials: CREDENTIALS,
    sql: [
      'CREATE TABLE t (id BIGINT, name STRING)',
      'CREATE TABLE p (id BIGINT, name STRING) PARTITIONED BY (pt STRING)',
      "CREATE TABLE v (id BIGINT, name STRING) TBLPROPERTIES ('transactional'='true')",
    ],
  });
  api = new Api(server);
});

afterEach(async () => {
  await server.close();
});

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, at) => start + at);

describe('reading', () => {
  it.each([
    [{}, 1],
    [{ SplitOptions: { SplitMode: 'Size', SplitNumber: 30_000 } }, 2],
    [{ SplitOptions: { SplitMode: 'Parallelism', SplitNumber: 3 } }, 3],
    [{ SplitOptions: { SplitMode: 'Parallelism', SplitNumber: 20_000 } }, 5000],
    [{ SplitOptions: { SplitMode: 'Size', CrossPartition: false } }, 1],
    [{ SplitMaxFileNum: 1 }, 2],
  ])('%j gives every row once', async (body, splits) => {
    await api.write('t', numbers(0, 4500));
    await api.write('t', numbers(4500, 5000));

    const session = await api.readSession('t', body);

    expect(session).toMatchObject({ SessionStatus: 'NORMAL', SplitsCount: splits, RecordCount: 5000 });
    if (splits < 100) expect(await api.ids('t', body)).toEqual(range(0, 5000));
  });

  it('gives row ranges, and none beyond the rows', async () => {
    await api.write('t', numbers(0, 5000));
    const session = await api.readSession('t', { SplitOptions: { SplitMode: 'RowOffset', SplitNumber: 1000 } });
    const id = session.SessionId!;

    expect(session).toMatchObject({ SplitMode: 'RowOffset', SplitsCount: 0, RecordCount: 5000 });
    expect(idsOf(await api.read('t', id, { Offset: '4095', Count: '3' }))).toEqual([4095, 4096, 4097]);
    expect(idsOf(await api.read('t', id, { Count: '2' }))).toEqual([0, 1]);
    expect(idsOf(await api.read('t', id, { Offset: '4999' }))).toEqual([4999]);
    expect(idsOf(await api.read('t', id, {}))).toHaveLength(5000);
    const wrong: Record<string, string>[] = [
      { Offset: '5001' },
      { Offset: '4000', Count: '1001' },
      { Index: '0' },
      { Offset: '-1' },
    ];
    for (const query of wrong) {
      expect(await api.read('t', id, query)).toMatchObject({ status: 400 });
    }
  });

  it('skips rows, and keeps batches within what is asked', async () => {
    await api.write('t', numbers(0, 5000));
    const { SessionId: id } = await api.readSession('t');

    const answer = await api.read('t', id!, { Index: '0' }, { body: { SkipRowNum: 4090, MaxBatchRows: 100 } });
    const small = await api.read('t', id!, { Index: '0' }, { body: { MaxBatchRawSize: 10_000 } });

    expect(idsOf(answer)).toEqual(range(4090, 5000));
    expect(
      tableFromIPC(answer.bytes)
        .batches.map(({ numRows }) => numRows)
        .every((rows) => rows <= 100),
    ).toBe(true);
    expect(tableFromIPC(small.bytes).batches.length).toBeGreaterThan(8);
    expect(idsOf(small)).toHaveLength(5000);
  });

  it('refuses a split that is not there, a format it does not have, and columns of nobody', async () => {
    await api.write('t', numbers(0, 10));
    const { SessionId: id } = await api.readSession('t');

    expect(await api.read('t', id!, { Index: '1' })).toMatchObject({ status: 400, json: { Code: 'InvalidArgument' } });
    expect(await api.read('t', id!, { Index: '0' }, { body: { DataFormat: { Type: 'Csv' } } })).toMatchObject({
      status: 400,
    });
    expect(await api.read('t', id!, { Index: '0' }, { body: { DataColumns: ['x'] } })).toMatchObject({ status: 400 });
    expect(await api.read('t', 'rs-nothing', { Index: '0' })).toMatchObject({
      status: 404,
      json: { Code: 'NoSuchSession' },
    });
    expect(await api.table('TableCreateReadSession', 'nothing')).toMatchObject({
      status: 404,
      json: { Code: 'NoSuchTable' },
    });
  });

  it.each(
    fixture<{ read_sessions?: unknown; cases?: readonly { name: string; json_exact?: string }[] }>(
      'session_request_json',
    ).cases ?? [],
  )('takes the request $name as it is', async ({ json_exact: body = '{}' }) => {
    const { status, json } = await api.table('TableCreateReadSession', 't', { body });

    expect(status === 200 || json.Code === 'InvalidArgument' || json.Code === 'InvalidPartitionSpec').toBe(true);
  });

  it('counts INIT polls down, and tells why a session failed', async () => {
    server.faults.add(
      { action: 'TableCreateReadSession', fault: 'slow-session', polls: 2 },
      { action: 'TableCreateReadSession', fault: 'failed-session', message: 'no', nth: 2 },
    );
    const slow = await api.readSession('t');
    const statuses = [slow.SessionStatus!];
    for (let poll = 0; poll < 3; poll++) {
      statuses.push(
        (await api.table('TableGetReadSession', 't', { query: { SessionId: slow.SessionId! } })).json.SessionStatus!,
      );
    }

    expect(statuses).toEqual(['INIT', 'INIT', 'INIT', 'NORMAL']);
    expect(await api.readSession('t')).toMatchObject({ SessionStatus: 'CRITICAL', Message: 'no' });
  });

  it('lets sessions expire, and extends them', async () => {
    await api.write('t', numbers(0, 10));
    const { SessionId: id } = await api.readSession('t');
    const get = async (refresh: string) =>
      (await api.table('TableGetReadSession', 't', { query: { SessionId: id!, session_refresh: refresh } })).json
        .SessionStatus;

    server.advance(24 * 3_600_000);

    expect(await get('false')).toBe('EXPIRED');
    expect(await api.read('t', id!, { Index: '0' })).toMatchObject({ status: 409, json: { Code: 'StatusConflict' } });
    expect(await get('true')).toBe('NORMAL');
    expect(idsOf(await api.read('t', id!, { Index: '0' }))).toHaveLength(10);
  });

  it.each(['zstd', 'x-lz4-frame', 'gzip, zstd', 'identity'])('accepts %s', async (encoding) => {
    await api.write('t', numbers(0, 5000));
    const { SessionId: id } = await api.readSession('t');

    const plain = await api.read('t', id!, { Index: '0' });
    const answer = await api.read('t', id!, { Index: '0' }, { headers: { 'accept-encoding': encoding } });

    expect(idsOf(answer)).toEqual(range(0, 5000));
    expect(answer.bytes.length < plain.bytes.length).toBe(encoding !== 'identity');
  });

  it('gives nulls for columns that are younger than the rows', async () => {
    await api.write('t', numbers(0, 2));
    await server.sql('ALTER TABLE t ADD COLUMNS (more ARRAY<STRUCT<a:BIGINT>>)');

    const { SessionId: id } = await api.readSession('t');
    const table = tableFromIPC((await api.read('t', id!, { Index: '0' })).bytes);

    expect(table.toArray().map((row) => row.toJSON())).toEqual([
      { id: 0n, name: 'n0', more: null },
      { id: 1n, name: 'n1', more: null },
    ]);
  });

  it('splits a clustered table by its buckets, and no other', async () => {
    await server.sql('CREATE TABLE c (id BIGINT, name STRING) CLUSTERED BY (id) INTO 4 BUCKETS');
    await api.write('c', numbers(0, 400));
    await api.write('c', numbers(400, 800));
    const bucket = { SplitOptions: { SplitMode: 'Bucket' } };

    const session = await api.readSession('c', bucket);
    const splits = await Promise.all(
      [0, 1, 2, 3].map(async (index) => idsOf(await api.read('c', session.SessionId!, { Index: String(index) }))),
    );

    expect(session).toMatchObject({ SplitsCount: 4, SplitBucketId: [0, 1, 2, 3], RecordCount: 800 });
    expect(splits.flat().sort((a, b) => a - b)).toEqual(range(0, 800));
    expect(await api.ids('c', { ...bucket, RequiredBucketIds: ['3', 1] })).toEqual([...splits[1]!, ...splits[3]!]);
    expect(await api.table('TableCreateReadSession', 't', { body: bucket })).toMatchObject({ status: 400 });
  });

  it.each(['zstd', 'x-lz4-frame'])('compresses a body as a whole if it is set to (%s)', async (encoding) => {
    server.settings.readCompression = 'body';
    await api.write('t', numbers(0, 5000));
    const { SessionId: id } = await api.readSession('t');

    const { bytes, headers } = await api.read('t', id!, { Index: '0' }, { headers: { 'accept-encoding': encoding } });

    expect(headers.get('content-encoding')).toBe(encoding);
    // What fetches for this test decodes what it knows by itself.
    const magic = encoding === 'zstd' ? [0x28, 0xb5, 0x2f, 0xfd] : [0x04, 0x22, 0x4d, 0x18];
    expect([JSON.stringify(magic), JSON.stringify([255, 255, 255, 255])]).toContain(
      JSON.stringify([...bytes.subarray(0, 4)]),
    );
  });

  it('does not read on in a table that was dropped', async () => {
    await api.write('t', numbers(0, 10));
    const { SessionId: id } = await api.readSession('t');

    await server.sql('DROP TABLE t');

    expect(await api.read('t', id!, { Index: '0' })).toMatchObject({ status: 404, json: { Code: 'NoSuchTable' } });
  });

  it('lets a transactional table be read by row ranges only, with its version', async () => {
    await api.write('v', numbers(0, 3));
    const rows = { SplitOptions: { SplitMode: 'RowOffset', SplitNumber: 10 } };

    expect(await api.table('TableCreateReadSession', 'v')).toMatchObject({ status: 400 });
    expect(await api.readSession('v', rows)).toMatchObject({ LatestVersion: 2, RecordCount: 3 });
    await api.write('v', numbers(3, 5));
    const since = { ...rows, IncrementalRead: true, IncrementalReadOptions: { StartVersion: 2, EndVersion: 3 } };
    expect(await api.readSession('v', since)).toMatchObject({ LatestVersion: 3, RecordCount: 2 });
    expect(await api.readSession('t')).not.toHaveProperty('LatestVersion');
  });
});

describe('writing', () => {
  it('shows rows when they are committed, and not before', async () => {
    const session = await api.open('t');
    await api.table('TableCreateWriteStream', 't', {
      query: { SessionId: session },
      body: { StreamId: 's', StreamVersion: 1 },
    });
    await api.rows('t', session, numbers(0, 10));
    const commit = () =>
      api.table('TableCommitWriteSession', 't', {
        query: { SessionId: session },
        body: { StreamIds: ['s'], StreamVersions: [1] },
      });

    expect(await commit()).toMatchObject({ status: 409, json: { Code: 'StatusConflict' } });
    expect(server.rowCount('t')).toBe(0);
    await api.close('t', session);
    expect(await api.rows('t', session, numbers(10, 20))).toMatchObject({ status: 409 });
    expect(await commit()).toMatchObject({ status: 200 });
    expect(await commit()).toMatchObject({ status: 200 });
    expect(server.rowCount('t')).toBe(10);
    expect(await api.table('TableAbortWriteSession', 't', { query: { SessionId: session } })).toMatchObject({
      status: 409,
    });
  });

  it('leaves nothing of what is refused or aborted', async () => {
    const session = await api.open('t');
    await api.table('TableCreateWriteStream', 't', {
      query: { SessionId: session },
      body: { StreamId: 's', StreamVersion: 1 },
    });
    const query = { SessionId: session, StreamId: 's', StreamVersion: '1' };
    const broken = api.table('TableWrite', 't', { query, body: new Uint8Array(100) });
    const wrong = api.rows('t', session, tableFromArrays({ id: BigInt64Array.of(1n) }));
    const count = api.rows('t', session, numbers(0, 10), { query: { Count: '11' } });

    expect(await broken).toMatchObject({ status: 400, json: { Code: 'MalformedDataStream' } });
    expect(await wrong).toMatchObject({ status: 400, json: { Message: expect.stringContaining('no column name') } });
    expect(await count).toMatchObject({ status: 400, json: { Message: expect.stringContaining('Count is 11') } });
    const get = await api.table('TableGetWriteStream', 't', { method: 'GET', query });
    expect(get.json).toMatchObject({ Status: 'OPEN', status: 0, RecordCount: 0, recordCount: 0 });
    await api.rows('t', session, numbers(0, 10));
    await api.table('TableAbortWriteSession', 't', { query: { SessionId: session } });
    await api.table('TableAbortWriteSession', 't', { query: { SessionId: session } });
    const [folder] = (await readdir(join(server.folder, 'tables'))).filter((name) => name.startsWith('t-'));
    expect(await readdir(join(server.folder, 'tables', folder!, 'segments'))).toEqual([]);
  });

  it('keeps exactly-once rows to their offsets', async () => {
    const session = await api.open('t');
    const body = { StreamId: 's', StreamVersion: 1, ExactlyOnceMode: true };
    const created = await api.table('TableCreateWriteStream', 't', { query: { SessionId: session }, body });
    const first = numbers(0, 10);
    const send = (offset: number, rows = first, token = created.json.AccessToken!) =>
      api.rows('t', session, rows, {
        query: { RowOffset: String(offset) },
        headers: { 'x-odps-max-storage-write-access-token': token },
      });

    expect(await send(0)).toMatchObject({ status: 200, json: { ExactlyOnceRowOffset: 10 } });
    expect(await send(0)).toMatchObject({ status: 200, json: { ExactlyOnceRowOffset: 10 } });
    expect(await send(0, numbers(5, 15))).toMatchObject({ status: 409, json: { Code: 'RowOffsetConflict' } });
    expect(await send(11)).toMatchObject({ status: 409, json: { Code: 'RowOffsetConflict' } });
    expect(await send(10, numbers(10, 20))).toMatchObject({ json: { ExactlyOnceRowOffset: 20 } });
    const query = { SessionId: session, StreamId: 's', StreamVersion: '1', ExactlyOnceMode: 'true' };
    const got = await api.table('TableGetWriteStream', 't', { query });
    expect(got.json).toMatchObject({ RowOffset: 20, AccessToken: expect.any(String) });
    expect(await send(20, numbers(20, 21))).toMatchObject({ status: 403 });
    expect(await send(20, numbers(20, 21), got.json.AccessToken!)).toMatchObject({ status: 200 });
    await api.close('t', session);
    await api.table('TableCommitWriteSession', 't', { query: { SessionId: session } });
    expect(await api.ids('t')).toEqual(range(0, 21));
  });

  it('writes what was sent twice at once only once', async () => {
    const session = await api.open('t');
    const body = { StreamId: 's', StreamVersion: 1, ExactlyOnceMode: true };
    const { json } = await api.table('TableCreateWriteStream', 't', { query: { SessionId: session }, body });
    const headers = { 'x-odps-max-storage-write-access-token': json.AccessToken as string };

    const same = numbers(0, 1000);
    const answers = await Promise.all(
      [1, 2, 3].map(() => api.rows('t', session, same, { query: { RowOffset: '0' }, headers })),
    );

    expect(answers.map(({ status, json: { ExactlyOnceRowOffset: offset } }) => [status, offset])).toEqual([
      [200, 1000],
      [200, 1000],
      [200, 1000],
    ]);
  });

  it('makes the partitions that rows name, and overwrites those alone', async () => {
    const rows = (ids: number[], pts: string[]) =>
      tableFromArrays({ id: BigInt64Array.from(ids, BigInt), name: ids.map(String), pt: pts });
    await api.write('p', rows([1, 2, 3], ['a', 'b', 'a']));
    await api.write('p', rows([4], ['b']), { overwrite: true });
    await api.write('p', numbers(9, 10), { spec: 'pt=c' });

    expect(await api.ids('p', { RequiredPartitions: ["pt='a'"] })).toEqual([1, 3]);
    expect(await api.ids('p', { RequiredPartitions: ['pt=b'] })).toEqual([4]);
    expect(await api.ids('p')).toEqual([1, 3, 4, 9]);
    await api.write('p', numbers(0, 0), { spec: 'pt=a', overwrite: true });
    expect(await api.ids('p')).toEqual([4, 9]);
  });

  it('keeps what is committed in its folder, and nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'landfall-mc-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const options = { folder, project: 'demo_project', credentials: CREDENTIALS };
    const first = await startMaxComputeServer({ ...options, sql: ['CREATE TABLE k (id BIGINT, name STRING)'] });
    const before = new Api(first);
    await before.write('k', numbers(0, 10));
    const session = await before.open('k');
    await before.table('TableCreateWriteStream', 'k', {
      query: { SessionId: session },
      body: { StreamId: 's', StreamVersion: 1 },
    });
    await before.rows('k', session, numbers(10, 20));
    await first.close();

    await using second = await startMaxComputeServer(options);

    expect(await new Api(second).ids('k')).toEqual(range(0, 10));
    const [table] = await readdir(join(folder, 'tables'));
    expect(await readdir(join(folder, 'tables', table!, 'segments'))).toHaveLength(2);
    expect(existsSync(folder)).toBe(true);
  });

  it('answers 413 above its limit', async () => {
    server.settings.maxWriteBytes = 1000;
    const session = await api.open('t');
    await api.table('TableCreateWriteStream', 't', {
      query: { SessionId: session },
      body: { StreamId: 's', StreamVersion: 1 },
    });

    const { status, bytes } = await api.rows('t', session, numbers(0, 1000));

    expect([status, Buffer.from(bytes).toString()]).toEqual([413, 'Request Entity Too Large']);
  });

  it('describes nested columns by ids that a client can follow', async () => {
    await server.sql('CREATE TABLE n (a BIGINT, b MAP<STRING,ARRAY<BLOB>>, c STRUCT<x:INT,y:BLOB>)');
    const session = await api.open('n');

    const { json } = await api.table('TableGetWriteSchema', 'n', { query: { SessionId: session } });

    const paths = (of: ColumnType, path: string): [string, number][] => {
      const words = of.Type === 17 ? ['element'] : of.Type === 18 ? ['key', 'value'] : [];
      const inner = of.SubTypes.flatMap((child, at) => paths(child, `${path}.${child.MemberName || words[at]}`));
      return [[path, of.ColumnId], ...inner];
    };
    const schema = json.TableSchema as unknown as { DataColumns: { columnType: ColumnType }[] };
    const ids = Object.fromEntries(schema.DataColumns.flatMap(({ columnType: type }) => paths(type, type.MemberName)));
    expect(ids).toEqual({ a: 1, b: 2, 'b.key': 3, 'b.value': 4, 'b.value.element': 5, c: 6, 'c.x': 7, 'c.y': 8 });
  });
});

interface ColumnType {
  readonly MemberName: string;
  readonly ColumnId: number;
  readonly Type: number;
  readonly SubTypes: readonly ColumnType[];
}

describe('faults', () => {
  it.each([
    ['slot-exceeded', 429, 'SlotExceeded'],
    ['qps-exceeded', 429, 'QPSExceeded'],
    ['flow-exceeded', 429, 'FlowExceeded'],
    ['internal-error', 500, 'InternalServerError'],
    ['unavailable', 503, 'ServiceUnavailable'],
    ['credentials-expired', 401, 'AuthenticationRequestExpired'],
  ] as const)('%s', async (fault, status, code) => {
    server.faults.add({ action: 'TableCreateReadSession', fault, ...(status === 429 && { retryAfter: 2 }) });

    const struck = await api.table('TableCreateReadSession', 't');

    expect(struck).toMatchObject({ status, json: { Code: code, RequestId: struck.headers.get('x-odps-request-id') } });
    expect(struck.headers.get('retry-after')).toBe(status === 429 ? '2' : null);
    expect(await api.table('TableCreateReadSession', 't')).toMatchObject({ status: 200 });
  });

  it('carry out a request whose answer is lost', async () => {
    const session = await api.open('t');
    server.faults.add(
      { action: 'TableCreateWriteStream', fault: 'reset-after' },
      { action: 'TableCommitWriteSession', fault: 'error-after', status: 502 },
    );
    const create = () =>
      api.table('TableCreateWriteStream', 't', {
        query: { SessionId: session },
        body: { StreamId: 's', StreamVersion: 1 },
      });
    const commit = () => api.table('TableCommitWriteSession', 't', { query: { SessionId: session } });

    await expect(create()).rejects.toThrow();
    expect(await create()).toMatchObject({ status: 200 });
    await api.rows('t', session, numbers(0, 5));
    await api.close('t', session);
    expect(await commit()).toMatchObject({ status: 502 });
    expect(server.rowCount('t')).toBe(5);
    expect(await commit()).toMatchObject({ status: 200 });
    expect(server.rowCount('t')).toBe(5);
    expect(server.calls.filter(({ status }) => status === 0)).toMatchObject([
      { action: 'TableCreateWriteStream', faults: ['reset-after'] },
    ]);
  });

  it.each([
    ['empty-body', {}, 0],
    ['truncated-body', { afterBytes: 5000 }, 5000],
  ] as const)('%s ends a read as if it were whole', async (fault, more, length) => {
    await api.write('t', numbers(0, 5000));
    const { SessionId: id } = await api.readSession('t');
    server.faults.add({ action: 'TableRead', fault, ...more });

    const { status, bytes } = await api.read('t', id!, { Index: '0' });

    expect([status, bytes.length]).toEqual([200, length]);
  });

  it('cut a read, give fewer rows, or some twice', async () => {
    await api.write('t', numbers(0, 5000));
    const { SessionId: id } = await api.readSession('t');
    server.faults.add(
      { action: 'TableRead', fault: 'cut-connection', afterBytes: 5000 },
      { action: 'TableRead', fault: 'fewer-rows', afterRows: 7, nth: 2 },
      { action: 'TableRead', fault: 'duplicate-rows', afterRows: 2, nth: 3 },
    );

    await expect(api.read('t', id!, { Index: '0' })).rejects.toThrow();
    expect(idsOf(await api.read('t', id!, { Index: '0' }))).toEqual(range(0, 7));
    expect(idsOf(await api.read('t', id!, { Index: '0' }))).toEqual([...range(0, 5000), 0, 1]);
  });

  it('lose, move and demand route tokens', async () => {
    const header = 'x-odps-max-storage-route-token';
    server.settings.routeTokens = 'strict';
    server.faults.add(
      { action: 'TableCreateWriteSession', fault: 'lost-route-token', nth: 2 },
      { action: 'TableGetWriteSession', fault: 'new-route-token' },
    );
    const created = await api.table('TableCreateWriteSession', 't');
    const session = created.json.SessionId!;
    const commit = (token?: string) =>
      api.table('TableCommitWriteSession', 't', {
        query: { SessionId: session },
        headers: token ? { [header]: token } : {},
      });

    expect(await commit()).toMatchObject({ status: 503, json: { Code: 'ServiceUnavailable' } });
    const moved = await api.table('TableGetWriteSession', 't', { query: { SessionId: session } });
    expect(await commit(created.headers.get(header)!)).toMatchObject({ status: 503 });
    expect(await commit(moved.headers.get(header)!)).toMatchObject({ status: 200 });
    expect((await api.table('TableCreateWriteSession', 't')).headers.get(header)).toBeNull();
  });
});

describe('signatures and the REST endpoint', () => {
  it('refuses a request that is not signed, in the form of the endpoint', async () => {
    const storage = await fetch(
      `${server.url}/api/storage/v2?Action=TablePreview&Target=projects.demo_project.tables.t`,
      { method: 'POST' },
    );
    const rest = await fetch(`${server.url}/api/projects/demo_project/tables/t`);

    expect([storage.status, rest.status]).toEqual([401, 401]);
    expect(await storage.json()).toMatchObject({
      Code: 'Unauthorized',
      Message: expect.stringContaining('invalid or missing'),
      RequestId: expect.any(String),
      HostId: expect.any(String),
    });
    expect(await rest.text()).toMatch(
      /<Error><Code>Unauthorized<\/Code><Message>.+<\/Message><RequestId>\w+<\/RequestId><HostId>/,
    );
  });

  it.each(['', '/api'])('describes tables and partitions with %s in front', async (prefix) => {
    await api.write('p', numbers(0, 3), { spec: 'pt=a' });
    const get = async (path: string) =>
      Buffer.from((await api.send('GET', `${prefix}/projects/demo_project${path}`)).bytes).toString();

    const table = await get('/tables/p');
    expect(table).toContain('<Name>p</Name>');
    const schema = JSON.parse(
      /<Schema format="Json">(.*)<\/Schema>/.exec(table)![1]!.replaceAll('&quot;', '"'),
    ) as object;
    expect(schema).toMatchObject({
      recordNum: 3,
      columns: [{ name: 'id', type: 'bigint' }, { name: 'name' }],
      partitionKeys: [{ name: 'pt' }],
    });
    expect(await get('/tables/p?partitions&expectmarker=true')).toContain(
      '<Marker></Marker><MaxItems>1000</MaxItems><Partition><Column Name="pt" Value="a"/>',
    );
    expect(await get('/tunnel?service')).toBe(new URL(server.url).host);
    expect(await get('/tables/nothing')).toContain('<Code>NoSuchTable</Code>');
  });

  it('runs a job and gives its rows', async () => {
    await api.write('t', numbers(0, 100));
    const job =
      '<Instance><Job><Tasks><SQL><Name>Q</Name><Query><![CDATA[SELECT id FROM t WHERE id > 9 LIMIT 50;]]></Query></SQL></Tasks></Job></Instance>';

    const created = await api.send('POST', '/api/projects/demo_project/instances', {}, job);
    const id = created.headers.get('location')!.split('/').at(-1)!;
    const status = await api.send('GET', `/api/projects/demo_project/instances/${id}?taskstatus`);
    const target = `projects.demo_project.instances.${id}`;
    const session = await api.action('InstanceCreateReadSession', target, { body: { EnableLimit: false } });
    const query = { SessionId: session.json.DownloadID!, Offset: '40', Count: '100' };
    const rows = await api.action('InstanceRead', target, { query });

    expect([created.status, created.bytes.length]).toEqual([201, 0]);
    expect(Buffer.from(status.bytes).toString()).toContain('<Status>Success</Status>');
    expect(session.json).toMatchObject({
      Status: 'normal',
      RecordCount: 50,
      TableSchema: { DataColumns: [{}] },
      DataSchema: { DataColumns: [{ Name: 'id' }] },
    });
    expect(idsOf(rows)).toEqual(range(50, 60));
    expect(await api.action('InstanceGetReadSession', target, { method: 'GET', query })).toMatchObject({
      json: { RecordCount: 50 },
    });
  });
});

describe('the control plane', () => {
  const post = async (what: string, body: object) => {
    const response = await fetch(`${server.url}/_control/${what}`, { method: 'POST', body: JSON.stringify(body) });
    return { status: response.status, json: await response.json() };
  };

  it('changes settings, adds faults, runs statements and tells of tables', async () => {
    expect(await post('settings', { readCompression: 'body' })).toMatchObject({
      status: 200,
      json: { readCompression: 'body' },
    });
    expect(await post('sql', { sql: 'CREATE TABLE c (a INT)' })).toMatchObject({ status: 200 });
    expect(await post('faults', { faults: [{ action: 'TableRead', fault: 'empty-body' }] })).toMatchObject({
      status: 200,
    });
    expect(await (await fetch(`${server.url}/_control/tables/c`)).json()).toMatchObject({ rows: 0, version: 1 });
  });

  it.each([
    ['settings', { readCompression: 'none' }, 'must be buffers or body'],
    ['settings', { what: 1 }, 'unknown setting what'],
    ['faults', { faults: [{ action: 'Nothing', fault: 'delay' }] }, 'action must be'],
    ['faults', { faults: [{ action: 'TableRead', fault: 'what' }] }, 'unknown fault'],
    ['faults', { faults: [{ action: 'TableRead', fault: 'delay', afterRows: 1 }] }, 'delay takes no afterRows'],
    ['sql', { sql: 'INSERT' }, 'parse exception'],
  ])('refuses %s %j', async (what, body, says) => {
    const { status, json } = await post(what, body);

    expect(status).toBe(400);
    expect(json).toMatchObject({ message: expect.stringContaining(says) });
  });
});
