import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';
import { signClassic, stringToSign } from '../../../../shared/clients/maxcompute/auth/signature.ts';
import {
  arrowSchemaOf,
  BlobWriteItem,
  batchOfRows,
  blobColumnIds,
  ChecksumType,
  Compression,
  changeStamp,
  MaxComputeClient,
  type MaxComputeClientOptions,
  type Row,
  type RowStream,
  type RowValue,
  rowsOfBatch,
  SplitMode,
  type StorageApi,
} from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { World } from './harness.ts';

const RETRY = {
  throttled: { repeats: 5, firstMs: 1, maxMs: 2 },
  transient: { repeats: 5, firstMs: 1, maxMs: 2 },
  deadlineMs: 10_000,
};

let server: MaxComputeServer;
let client: MaxComputeClient;
let tables = 0;

function clientOf(options: MaxComputeClientOptions = {}): MaxComputeClient {
  const { url, project, credentials } = server;
  const { accessId, accessKey } = credentials;
  return new MaxComputeClient({
    endpoint: `${url}/api`,
    project,
    credentials: { accessId, accessKey },
    retry: RETRY,
    ...options,
  });
}

beforeAll(async () => {
  server = await startMaxComputeServer();
  client = clientOf();
});
afterAll(() => server.close());
beforeEach(() => {
  server.faults.clear();
  server.settings.readCompression = 'buffers';
});

/** A table of its own; rows in several streams if asked. */
async function tableWith(columns: string, rows: readonly Row[] = [], { partition = '', properties = '' } = {}) {
  const name = `t${++tables}`;
  await server.sql(`CREATE TABLE ${server.project}.\`${name}\` (${columns}) ${partition} ${properties};`);
  const api = client.table(name);
  if (rows.length > 0) await write(api, rows);
  return api;
}

async function write(
  api: StorageApi,
  rows: readonly Row[],
  {
    exactlyOnce = false,
    requestBytes = 2000,
    batchRows = 100,
    compression = Compression.UNCOMPRESSED as Compression,
    spec = '',
  } = {},
): Promise<void> {
  const session = await api.openWriteSession({ partialPartitionSpec: spec }, { requestBytes });
  const stream = await session.openStream({ streamId: 's1', exactlyOnce, compression });
  const schema = await arrowSchemaOf(stream.schema!);
  const batches = async function* () {
    for (let at = 0; at < rows.length; at += batchRows) yield batchOfRows(schema, rows.slice(at, at + batchRows));
  };
  await stream.writeBatches(batches());
  await stream.close();
  await session.commit();
}

async function rowsOf(stream: RowStream, declared?: Record<string, string>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of stream) rows.push(...(await rowsOfBatch(batch, declared)));
  return rows;
}

const simple = (count: number) => Array.from({ length: count }, (_, id) => ({ id: BigInt(id), v: `value ${id}` }));

describe('against the local server', () => {
  const TYPES: Record<string, readonly [string, ...RowValue[]]> = {
    a: ['bigint', 2n ** 63n - 1n, -(2n ** 63n)],
    b: ['int', 2 ** 31 - 1, -1],
    c: ['smallint', -32768, 1],
    d: ['tinyint', 127, -128],
    e: ['double', -2.25, 1e300],
    f: ['float', 1.5, -0.25],
    g: ['boolean', true, false],
    h: ['string', '杭州', ''],
    i: ['char(3)', 'abc', 'x'],
    j: ['varchar(10)', 'abc', 'xyz'],
    k: ['binary', new Uint8Array([0, 255]), new Uint8Array()],
    l: ['date', '2025-11-20', '1969-12-31'],
    m: ['datetime', '2025-11-20T08:00:00.123', '1969-12-31T23:59:59.999'],
    n: ['timestamp', '2025-11-20T08:00:00.123456789', '1969-12-31T23:59:59.999999999'],
    o: ['timestamp_ntz', '2025-11-20T08:00:00', '2000-01-01T00:00:00'],
    p: ['decimal(10,2)', '12345678.90', '-0.01'],
    q: ['decimal', '-1.000000000000000001', '0.000000000000000000'],
    r: ['array<bigint>', [1n, null, 3n], []],
    s: [
      'map<string,bigint>',
      new Map<RowValue, RowValue>([
        ['k1', 1n],
        ['k2', null],
      ]),
      new Map(),
    ],
    t: ['struct<x:bigint,y:string>', { x: 1n, y: 'z' }, { x: null, y: null }],
    u: ['interval_day_time', { sec: 86_400n, nano: 5 }, { sec: -1n, nano: 999_999_999 }],
    w: ['array<struct<x:string,y:array<bigint>>>', [{ x: 'a', y: [1n] }, null], []],
  };
  const columns = Object.entries(TYPES)
    .map(([name, [type]]) => `${name} ${type}`)
    .join(', ');
  const rows: Row[] = [1, 2, 3].map((at) =>
    Object.fromEntries(Object.entries(TYPES).map(([name, values]) => [name, values[at] ?? null])),
  );

  it.each([
    [Compression.UNCOMPRESSED, 'buffers'],
    [Compression.ZSTD, 'buffers'],
    [Compression.LZ4_FRAME, 'buffers'],
    [Compression.ZSTD, 'body'],
    [Compression.LZ4_FRAME, 'body'],
  ] as const)('every type goes in and comes out (compression %i, of %s)', async (compression, layer) => {
    server.settings.readCompression = layer;
    const api = await tableWith(columns);
    await write(api, rows, { compression });

    const session = await api.openReadSession();
    const read = await rowsOf(session.read(session.split(0), { compression }));

    expect(read).toEqual(rows);
  });

  it.each([
    [{ splitMode: SplitMode.SIZE, splitNumber: 10 * 1024 * 1024 }],
    [{ splitMode: SplitMode.PARALLELISM, splitNumber: 3 }],
    [{ splitMode: SplitMode.ROW_OFFSET, splitNumber: 300 }],
    [{ splitMode: SplitMode.BUCKET }],
  ])('splits of %o hold all rows once', async (splitOptions) => {
    const partition = splitOptions.splitMode === SplitMode.BUCKET ? 'CLUSTERED BY (id) INTO 4 BUCKETS' : '';
    const api = await tableWith('id bigint, v string', simple(1000), { partition });

    const session = await api.openReadSession({ splitOptions });
    const all: Row[] = [];
    for (const split of session.splits()) all.push(...(await rowsOf(session.read(split))));

    session.checkTotal(all.length);
    expect(all.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(simple(1000).map(({ id }) => Number(id)));
  });

  it.each([
    ['a cut connection', { fault: 'cut-connection' }],
    ['a truncated body', { fault: 'truncated-body' }],
    ['fewer rows than there are', { fault: 'fewer-rows', afterRows: 150 }],
  ] as const)('a read with %s goes on, decoded and raw', async (_name, fault) => {
    const api = await tableWith('id bigint, v string', simple(1000));
    const session = await api.openReadSession({ splitOptions: { splitMode: SplitMode.ROW_OFFSET, splitNumber: 1000 } });
    const whole = Buffer.concat(await collect(session.read(session.split(0), { maxBatchRows: 100 }).bytes()));
    const rule = { action: 'TableRead', times: 2, ...(!('afterRows' in fault) && { afterBytes: 9000 }), ...fault };

    server.faults.add(rule);
    expect(await rowsOf(session.read(session.split(0), { maxBatchRows: 100 }))).toEqual(simple(1000));
    server.faults.clear();
    server.faults.add(rule);
    const landed = Buffer.concat(await collect(session.read(session.split(0), { maxBatchRows: 100 }).bytes()));
    // Batches that were cut shorter stay shorter.
    if (!('afterRows' in fault)) expect(landed.equals(whole)).toBe(true);
    const world = new World(() => ({ body: landed }));
    expect(await rowsOf(world.table.readRowsStream({ sessionId: 's' }))).toEqual(simple(1000));
  });

  it.each([
    ['an empty body', { fault: 'empty-body' }, 'EmptyBodyError'],
    ['rows twice', { fault: 'duplicate-rows', afterRows: 50 }, 'RowCountMismatchError'],
    ['an expired session', { fault: 'expired-session' }, /NoSuch|Expired|Status|ServiceError/],
  ] as const)('a read with %s, again and again, is a named error', async (_name, fault, name) => {
    const api = await tableWith('id bigint, v string', simple(200));
    const session = await api.openReadSession({ splitOptions: { splitMode: SplitMode.ROW_OFFSET, splitNumber: 200 } });
    server.faults.add({ action: 'TableRead', times: 100, ...fault });

    const error = await failure(rowsOf(session.read(session.split(0))));

    expect(error.name).toMatch(name);
  });

  it('filters, columns, and partitions with their columns', async () => {
    const api = await tableWith('id bigint, v string', [], { partition: 'PARTITIONED BY (pt string)' });
    for (const pt of ['a', 'b']) {
      await server.sql(
        `ALTER TABLE ${server.project}.\`${api.target.split('.').at(-1)}\` ADD IF NOT EXISTS PARTITION (pt='${pt}');`,
      );
      await write(api, simple(10), { spec: `pt=${pt}` });
    }

    const session = await api.openReadSession({
      requiredDataColumns: ['id'],
      requiredPartitionColumns: ['pt'],
      requiredPartitions: ['pt=b'],
      filterPredicate: 'id >= 7',
    });
    const read = (await Promise.all([...session.splits()].map((split) => rowsOf(session.read(split))))).flat();

    expect(read).toEqual([7n, 8n, 9n].map((id) => ({ id, pt: 'b' })));
    const partitions = await collect(client.listPartitions(api.target.split('.').at(-1)!));
    expect(partitions.map(({ spec }) => spec)).toEqual(['pt=a', 'pt=b']);
    expect(await rowsOf(api.previewTable({ limit: 3, partition: 'pt=a', columns: ['id'] }))).toHaveLength(3);
  });

  it.each([['reset-before'], ['reset-after'], ['error-after'], ['empty-body'], ['internal-error']] as const)(
    'exactly once whatever happens: %s',
    async (fault) => {
      const api = await tableWith('id bigint, v string');
      server.faults.add({ action: 'TableWrite', fault, nth: 2 }, { action: 'TableWrite', fault, nth: 5 });
      server.faults.add({ action: 'TableCommitWriteSession', fault }, { action: 'TableCloseWriteStream', fault });

      await write(api, simple(1000), { exactlyOnce: true });

      const session = await api.openReadSession();
      expect(await rowsOf(session.read(session.split(0)))).toEqual(simple(1000));
    },
  );

  it('without exactly-once a lost answer is an error, and a higher version replaces what was written', async () => {
    const api = await tableWith('id bigint, v string');
    server.faults.add({ action: 'TableWrite', fault: 'reset-after', nth: 2 });
    const session = await api.openWriteSession({}, { requestBytes: 1 });
    const first = await session.openStream({ streamId: 's' });
    const schema = await arrowSchemaOf(first.schema!);
    const batches = [await batchOfRows(schema, simple(5)), await batchOfRows(schema, simple(5))];

    expect(await failure(first.writeBatches(batches))).toMatchObject({ name: 'WriteOutcomeUnknownError' });
    const second = await session.openStream({ streamId: 's', streamVersion: 2 });
    await second.writeBatches(batches);
    await second.close();
    expect(await collectRows(api)).toEqual([]);
    await session.commit();

    expect(await collectRows(api)).toHaveLength(10);
  });

  it('an aborted session leaves nothing, and cannot be committed', async () => {
    const api = await tableWith('id bigint, v string');
    const session = await api.openWriteSession();
    const stream = await session.openStream({ streamId: 's' });
    await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), simple(5))]);
    await stream.close();

    await session.abort();
    await session.abort();

    expect(await collectRows(api)).toEqual([]);
    await failure(api.commitWriteSession(session.id, [{ streamId: 's' }]));
  });

  it('a body above the limit of the service is cut', async () => {
    const api = await tableWith('id bigint, v string');
    server.settings.maxWriteBytes = 4000;

    await write(api, simple(1000), { requestBytes: 1_000_000, batchRows: 50 });
    server.settings.maxWriteBytes = Number.POSITIVE_INFINITY;

    expect(server.rowCount(api.target.split('.').at(-1)!)).toBe(1000);
  });

  it('blobs, by one, by many, packed and not', async () => {
    const api = await tableWith('id bigint, data blob', [], {
      properties: "TBLPROPERTIES ('table.format.version' = '2', 'transactional' = 'true')",
    });
    const session = await api.openWriteSession();
    const stream = await session.openStream({ streamId: 's' });
    const columnIndex = blobColumnIds(stream.schema!).get('data')!;
    const where = { sessionId: session.id, streamId: 's', columnIndex };
    const blobs: Buffer[] = [
      Buffer.from('one'),
      Buffer.alloc(100_000, 'two '),
      Buffer.alloc(0),
      Buffer.alloc(4096, 'x'),
    ];
    const uploaded = [
      await api.writeBlobStream(where, blobs[0]!),
      await api.writeBlobStream({ ...where, compression: Compression.ZSTD }, blobs[1]!),
    ].map(({ blobReference }) => blobReference!);
    const batch = await api.writeBlobBatch(where, [
      new BlobWriteItem(blobs[2]!, { columnIndex, checksumType: ChecksumType.MD5 }),
      new BlobWriteItem(blobs[3]!, { columnIndex, checksumType: ChecksumType.CRC32, mimeType: 'text/plain' }),
    ]);
    uploaded.push(...batch.blobReferences!);
    const rowsToWrite = uploaded.map((reference, id) => ({ id: BigInt(id), data: Buffer.from(reference, 'base64') }));
    await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), rowsToWrite)]);
    await stream.close();
    await session.commit();

    const read = await api.openReadSession({ splitOptions: { splitMode: SplitMode.ROW_OFFSET, splitNumber: 100 } });
    const references = (await rowsOf(read.read(read.split(0)))).map(({ data }) => data as Uint8Array);
    for (const compression of [Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME]) {
      const got = await collect(await api.readBlobs({ blobReferences: references, compression }));
      expect(got.map(({ data }) => data.equals(blobs.shift()!) || data.byteLength)).toEqual([true, true, true, true]);
      blobs.push(...got.map(({ data }) => data));
      for (const [index, reference] of references.entries()) {
        const [one] = await collect(await api.readBlobs({ blobReferences: [reference], compression }));
        expect(one!.data.equals(blobs[index]!)).toBe(true);
      }
    }
    await failure(api.readBlob(uploaded[0]!));
  });

  it.each([
    ['version 4', { region: 'cn-hangzhou' }],
    ['version 3 of the protocol', { apiVersion: '3' }],
    ['the global fetch', { fetch }],
  ])('with %s', async (_name, options) => {
    const api = await tableWith('id bigint, v string', simple(10));
    const other = clientOf(options).table(api.target.split('.').at(-1)!);
    await write(other, simple(5), { exactlyOnce: true });

    expect(await collectRows(other)).toHaveLength(15);
  });

  it('a SELECT that has run is read by ranges', async () => {
    const api = await tableWith('id bigint, v string', simple(1000));
    const { url, project, credentials } = server;
    const statement = `SELECT id, v FROM ${project}.\`${api.target.split('.').at(-1)}\`;`;
    const task = `<SQL><Name>AnonymousSQLTask</Name><Query><![CDATA[${statement}]]></Query></SQL>`;
    const resource = `/projects/${project}/instances`;
    const headers = { 'Content-Type': 'application/xml', Date: new Date().toUTCString() };
    const text = stringToSign({ method: 'POST', resource, query: {}, headers });
    const Authorization = signClassic(credentials.accessId, credentials.accessKey, text);
    const body = `<Instance><Job><Priority>9</Priority><Tasks>${task}</Tasks></Job></Instance>`;
    const reply = await fetch(`${url}/api${resource}`, {
      method: 'POST',
      headers: { ...headers, Authorization },
      body,
    });
    const instance = client.instance(reply.headers.get('location')!.split('/').at(-1)!);

    for (const instanceDialect of ['minimal', 'table'] as const) {
      instance.instanceDialect = instanceDialect;
      const session = await instance.openReadSession();
      expect(session.recordCount).toBe(1000);
      expect(await rowsOf(session.read(session.split(0)))).toEqual(simple(1000));
      const some = instance.readRowsStream({ sessionId: session.id, rowOffset: 10, rowCount: 5 }, { expectedRows: 5 });
      expect(await rowsOf(some)).toEqual(simple(1000).slice(10, 15));
    }
  });

  it('every call that needs the route token has it, also when it changes', async () => {
    server.settings.routeTokens = 'strict';
    try {
      for (const fault of ['warning', 'new-route-token'] as const) {
        server.faults.add({ action: '*', fault, times: 1000 });
        const api = await tableWith('id bigint, v string');
        await write(api, simple(300), { exactlyOnce: true });
        expect(await collectRows(api)).toHaveLength(300);
        server.faults.clear();
      }
      // Another process has the session's id alone.
      const api = await tableWith('id bigint, v string');
      const session = await api.openWriteSession();
      const other = await clientOf().table(api.target.split('.').at(-1)!).attachWriteSession(session.id);
      const stream = await other.openStream({ streamId: 's' });
      await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), simple(5))]);
      await stream.close();
      await other.commit();
      expect(await collectRows(api)).toHaveLength(5);
    } finally {
      server.settings.routeTokens = 'lenient';
    }
  });

  it('a session that has expired is refused by name, and a new one counts as many rows', async () => {
    const api = await tableWith('id bigint, v string', simple(10));
    const session = await api.openReadSession();
    server.advance(25 * 3_600_000);

    const error = await failure(rowsOf(session.read(session.split(0))));
    expect(error).toMatchObject({ retryable: false, requestId: expect.stringMatching(/./) });
    expect(await collectRows(api)).toHaveLength(10);
  });

  it('with a bearer token', async () => {
    const api = await tableWith('id bigint, v string', simple(10));
    const other = clientOf({ credentials: { bearerToken: server.bearerToken() } });

    expect(await collectRows(other.table(api.target.split('.').at(-1)!))).toHaveLength(10);
  });

  it('a wrong key is refused as such', async () => {
    const { accessId } = server.credentials;
    const other = clientOf({ credentials: { accessId, accessKey: 'another' } });

    const error = await failure(other.table('t').createReadSession());

    expect(error).toMatchObject({ status: expect.any(Number), retryable: false });
    expect(error.name).toMatch(/SignatureNotMatch|Unauthorized|AuthorizationRequired/);
  });

  it('a table says what it is, and when it changed', async () => {
    const api = await tableWith("id bigint COMMENT 'the key', v string", simple(10));
    const name = api.target.split('.').at(-1)!;

    const before = await client.getTable(name);
    expect(before.columns.map(({ name: column, type }) => [column, type.toLowerCase()])).toEqual([
      ['id', 'bigint'],
      ['v', 'string'],
    ]);
    server.advance(5000);
    await write(api, simple(1));

    expect(changeStamp(await client.getTable(name), server.now()).text).not.toBe(
      changeStamp(before, server.now()).text,
    );
    expect(await failure(client.getTable('nowhere'))).toMatchObject({
      name: expect.stringMatching(/^NoSuch/),
      status: 404,
    });
  });

  async function collectRows(api: StorageApi): Promise<Row[]> {
    const session = await api.openReadSession();
    const parts = await Promise.all([...session.splits()].map((split) => rowsOf(session.read(split))));
    return parts.flat();
  }
});
