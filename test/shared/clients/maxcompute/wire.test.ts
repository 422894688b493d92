import { describe, expect, it } from 'vitest';
import { unpackContent } from '../../../../shared/clients/maxcompute/codec/content-coding.ts';
import {
  BlobWriteItem,
  ChecksumType,
  Compression,
  type StorageApi,
} from '../../../../shared/clients/maxcompute/index.ts';
import { collect } from '../../../support/client-calls.ts';
import { cameled, fixture, script, snaked, TARGET, World } from './harness.ts';

interface WireRequest {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly body_utf8?: string;
  readonly body_base64?: string;
}

const { requests } = fixture<{ requests: WireRequest[] }>('wire_requests');

const TOKEN = { 'x-odps-max-storage-route-token': 'rt-0001' };
const readSession = (SessionId: string) => ({ headers: TOKEN, json: { SessionId, SessionStatus: 'NORMAL' } });
const writeSession = { headers: TOKEN, json: { SessionId: 'ws-1a896e0a' } };
const arrow = fixture<{ streams: { name: string; stream_base64: string }[] }>('arrow_streams').streams;
const rows = Buffer.from(arrow.find(({ name }) => name === 'schema_only_no_rows')!.stream_base64, 'base64');
const references = { json: { BlobReference: 'YQ==', BlobReferences: ['YQ==', 'Yg=='] } };
const stream = { sessionId: 'ws-1a896e0a', streamId: 'stream-1', streamVersion: 1 };

/** Each operation of the capture, made by our client; and how the request may differ. */
const OPERATIONS: Record<
  string,
  { call: (api: StorageApi, world: World) => Promise<unknown>; after?: string; options?: object; isInstance?: boolean }
> = {
  create_read_session: { call: (api) => api.createReadSession({ requiredPartitions: ['pt=1'] }) },
  get_read_session: { call: (api) => api.getReadSession('rs-4919613c') },
  'get_read_session(refresh=True)': { call: (api) => api.getReadSession('rs-4919613c', { refresh: true }) },
  create_write_session: { call: (api) => api.createWriteSession({ partialPartitionSpec: 'pt=1' }) },
  get_write_session: { call: (api) => api.getWriteSession('ws-1a896e0a') },
  create_write_stream: { call: (api) => api.createWriteStream(stream), after: 'write' },
  'write_blob_stream(uncompressed)': {
    call: (api) =>
      api.writeBlobStream({ ...stream, partitionValues: ['pt=1'], columnIndex: 2 }, Buffer.from('hello world')),
  },
  'write_blob_stream(zstd)': {
    call: (api) =>
      api.writeBlobStream({ ...stream, columnIndex: 2, compression: Compression.ZSTD }, Buffer.from('hello world')),
  },
  'write_blob_stream(lz4)': {
    call: (api) =>
      api.writeBlobStream(
        { ...stream, columnIndex: 2, compression: Compression.LZ4_FRAME },
        Buffer.from('hello world'),
      ),
  },
  write_blob_batch: {
    call: (api) =>
      api.writeBlobBatch(stream, [
        new BlobWriteItem(Buffer.from('first'), { columnIndex: 2, checksumType: ChecksumType.CRC32 }),
        new BlobWriteItem(Buffer.from('second'), {
          columnIndex: 2,
          checksumType: ChecksumType.MD5,
          mimeType: 'image/png',
        }),
      ]),
  },
  'write_rows_stream(arrow, uncompressed)': {
    call: (api) => api.writeRowsStream({ ...stream, recordCount: 3 }, rows),
    after: 'write',
  },
  'write_rows_stream(arrow, exactly-once, lz4 buffers)': {
    call: (api) => api.writeRowsStream({ ...stream, recordCount: 3, rowOffset: 0, accessToken: 'at-0001' }, rows),
    after: 'write',
  },
  get_write_stream: {
    call: (api) => {
      api.getWriteStreamMethod = 'GET';
      return api.getWriteStream({ ...stream, exactlyOnceMode: true });
    },
    after: 'write',
  },
  close_write_stream: { call: (api) => api.closeWriteStream(stream), after: 'write' },
  commit_write_session: { call: (api) => api.commitWriteSession('ws-1a896e0a'), after: 'write' },
  'commit_write_session(streams)': { call: (api) => api.commitWriteSession('ws-1a896e0a', [stream]), after: 'write' },
  abort_write_session: { call: (api) => api.abortWriteSession('ws-1a896e0a'), after: 'write' },
  'read_rows_stream(split)': {
    call: (api) => collect(api.readRowsStream({ sessionId: 'rs-4919613c', splitIndex: 0 }).bytes()),
    after: 'rs-4919613c',
  },
  'read_rows_stream(row range, zstd)': {
    call: (api) =>
      collect(
        api
          .readRowsStream({
            ...{ sessionId: 'rs-59910d30', rowOffset: 0, rowCount: 2, maxBatchRows: 1024, maxBatchRawSize: 1048576 },
            ...{ dataColumns: ['a'], compression: Compression.ZSTD },
          })
          .bytes(),
      ),
    after: 'rs-59910d30',
  },
  'read_rows_stream(lz4; row_count 0 is not sent)': {
    call: (api) =>
      collect(
        api
          .readRowsStream({ sessionId: 'rs-59910d30', rowOffset: 0, rowCount: 0, compression: Compression.LZ4_FRAME })
          .bytes(),
      ),
    after: 'rs-59910d30',
  },
  'preview_table()': { call: (api) => collect(api.previewTable().bytes()) },
  'preview_table(limit,partition,columns)': {
    call: (api) => collect(api.previewTable({ limit: 15, partition: 'pt=1', columns: ['a'] }).bytes()),
  },
  'read_blobs(one)': { call: (api) => api.readBlobs({ blobReferences: ['blobref0000'] }) },
  'read_blobs(two, bytes reference decoded as UTF-8)': {
    call: (api) => api.readBlobs({ blobReferences: ['blobref0000', Buffer.from('blobref0003')] }),
  },
  'read_blobs(lz4)': {
    call: (api) => api.readBlobs({ blobReferences: ['blobref0000'], compression: Compression.LZ4_FRAME }),
  },
  'create_read_session(quota_name, tags)': {
    call: (api) => api.createReadSession(),
    options: { quotaName: 'pay-as-you-go', tags: ['team=a', 'env=test'] },
  },
  'instance create_read_session': { call: (api) => api.createReadSession(), isInstance: true },
  'instance get_read_session': { call: (api) => api.getReadSession('rs-69d8581a'), isInstance: true },
  'instance read_rows_stream': {
    call: (api) => collect(api.readRowsStream({ sessionId: 'rs-69d8581a' }).bytes()),
    isInstance: true,
    after: 'rs-69d8581a',
  },
  'v3 create_write_session': {
    call: (api) => api.createWriteSession({ partialPartitionSpec: 'pt=1' }),
    options: { apiVersion: '3' },
  },
  'v3 get_write_session': {
    call: (api) => api.getWriteSession('ws-f0bf8d5c', { routeToken: 'rt-0001' }),
    options: { apiVersion: '3' },
  },
  'newer-client create_write_session(overwrite)': {
    call: (api) => api.createWriteSession({ partialPartitionSpec: 'pt=1', flags: { overwrite: true } }),
    options: { apiVersion: '3' },
  },
  'newer-client create_write_stream(exactly once)': {
    call: (api) =>
      api.createWriteStream({ ...stream, sessionId: 'ws-5d5d13fd', exactlyOnceMode: true }, { routeToken: 'rt-0001' }),
    options: { apiVersion: '3' },
  },
  'newer-client write(exactly once)': {
    call: (api) =>
      api.writeRowsStream(
        {
          ...{ ...stream, sessionId: 'ws-5d5d13fd', recordCount: 3, rowOffset: 0 },
          ...{ accessToken: 'at-0001', tableId: 'tid', schemaVersion: '1' },
        },
        rows,
        { routeToken: 'rt-0001' },
      ),
    options: { apiVersion: '3' },
  },
  'newer-client get_write_stream': {
    call: (api) =>
      api.getWriteStream({ ...stream, sessionId: 'ws-5d5d13fd', exactlyOnceMode: true }, { routeToken: 'rt-0001' }),
    options: { apiVersion: '3' },
  },
  'newer-client close_write_stream': {
    call: (api) => api.closeWriteStream({ ...stream, sessionId: 'ws-5d5d13fd' }, { routeToken: 'rt-0001' }),
    options: { apiVersion: '3' },
  },
  'newer-client commit': {
    call: (api) => api.commitWriteSession('ws-5d5d13fd', undefined, { routeToken: 'rt-0001' }),
    options: { apiVersion: '3' },
  },
  'newer-client instance create_read_session': {
    call: (api) => api.createReadSession(),
    isInstance: true,
    options: { apiVersion: '3' },
  },
  'newer-client instance read': {
    call: (api) => collect(api.readRowsStream({ sessionId: 'rs-b9d425cb', rowOffset: 0, rowCount: 1 }).bytes()),
    isInstance: true,
    options: { apiVersion: '3' },
  },
  'tunnel router lookup': {
    call: (_api, { client }) => client.table('orders').createReadSession(),
    options: { tunnelEndpoint: undefined, quotaName: 'q1' },
  },
};

function answer(body: object | undefined) {
  return { headers: TOKEN, ...body };
}

describe('requests, as they were captured from the vendor’s client', () => {
  it.each(requests.map((one) => [one.operation, one] as const))('%s', async (operation, one) => {
    const { call, after, options = {}, isInstance = false } = OPERATIONS[operation]!;
    const world = new World(({ path, query }) => {
      if (path.endsWith('/tunnel')) return { body: 'tunnel.example.com' };
      const action = query.Action!;
      if (/(Read|Preview)$/.test(action)) return action === 'BlobRead' ? {} : { body: rows };
      if (action.endsWith('ReadSession')) return answer(readSession(query.SessionId ?? after ?? 'rs-1'));
      if (action === 'TableCreateWriteSession') return writeSession;
      if (action === 'TableWriteBlob')
        return operation.includes('batch') ? references : { json: { BlobReference: 'YQ==' } };
      return answer({ json: { AccessToken: 'at-0001' } });
    }, options);
    const api = isInstance ? world.client.instance('20250420000000000abc') : world.table;
    if (isInstance && !operation.startsWith('newer')) api.instanceDialect = 'table';
    if (after === 'write') await api.createWriteSession();
    else if (after) await api.createReadSession();
    world.sent.length = 0;

    await call(api, world);

    const sent = world.sent[0]!;
    const { Target, ...query } = one.query;
    const isRouter = one.path.endsWith('/tunnel');
    expect(sent.method).toBe(one.method);
    expect(sent.path).toBe(isRouter ? `/api${one.path}` : one.path);
    expect(sent.query).toEqual({
      ...query,
      ...(Target && { Target: Target.endsWith('.tables.orders') ? TARGET : Target }),
    });
    for (const [name, value] of Object.entries(one.headers)) {
      if (/^(transfer-encoding|user-agent)$/i.test(name)) continue;
      expect(sent.headers.get(name), name).toBe(value);
    }
    expect(sent.headers.get('x-odps-user-agent')).toBe('vector-client/1.0');
    const isUpload = operation.startsWith('write_') || operation.includes('write(');
    if (one.body_utf8) expect(JSON.parse(sent.body.toString())).toEqual(JSON.parse(one.body_utf8));
    else if (operation === 'write_blob_batch' || (operation.includes('uncompressed') && operation.includes('blob'))) {
      expect(sent.body.toString('base64')).toBe(one.body_base64);
    } else if (!isUpload) expect(sent.body.toString()).toBe('');
  });

  it('a blob that is packed unpacks to what it was', async () => {
    for (const compression of [Compression.ZSTD, Compression.LZ4_FRAME]) {
      const world = new World(() => references);
      const data = Buffer.from('hello world, hello world, hello world, hello world').toString().repeat(20_000);

      await world.table.writeBlobStream({ ...stream, columnIndex: 2, compression }, Buffer.from(data));

      const packed = world.sent[0]!.body;
      const coding = compression === Compression.ZSTD ? 'zstd' : 'lz4';
      const chunks = (async function* () {
        for (let at = 0; at < packed.byteLength; at += 1000) yield packed.subarray(at, at + 1000);
      })();
      expect(packed.byteLength).toBeLessThan(data.length / 10);
      expect(Buffer.concat(await collect(unpackContent(chunks, coding))).toString() === data).toBe(true);
    }
  });
});

interface BodyCase {
  readonly name: string;
  readonly class: string;
  readonly options?: Record<string, unknown>;
  readonly json: unknown;
  readonly client_json?: unknown;
}

describe('bodies of session requests', () => {
  const { legacy_v2_client: cases } = fixture<{ legacy_v2_client: BodyCase[] }>('session_request_json');
  const sessions = cases.filter((one) => one.class.endsWith('SessionRequest'));

  it.each(sessions.map((one) => [one.class, one.name, one] as const))('%s: %s', async (kind, _name, one) => {
    const world = new World(() => ({ json: { SessionId: 's', SessionStatus: 'NORMAL' } }));

    if (kind === 'CreateReadSessionRequest') await world.table.createReadSession(cameled(one.options));
    else
      await world.table.createWriteSession({ ...(cameled(one.options) as object), flags: one.options?.flags } as never);

    expect(JSON.parse(world.sent[0]!.body.toString())).toEqual(one.client_json ?? one.json);
  });

  it.each([
    [
      'ReadStreamRequest(table body)',
      'tuned',
      (api: StorageApi) =>
        collect(
          api
            .readRowsStream({
              sessionId: 's',
              maxBatchRows: 1024,
              skipRowNum: 100,
              maxBatchRawSize: 8388608,
              dataColumns: ['id', 'name'],
            })
            .bytes(),
        ),
    ],
    [
      'CommitWriteSession body',
      'chosen_streams',
      (api: StorageApi) =>
        api.commitWriteSession('s', [
          { streamId: 'stream-1', streamVersion: 1 },
          { streamId: 'stream-2', streamVersion: 3 },
        ]),
    ],
    [
      'PreviewTableRequest body',
      'limit_partition_columns',
      (api: StorageApi) =>
        collect(api.previewTable({ limit: 15, partition: 'pt=20230101', columns: ['a', 'b'] }).bytes()),
    ],
    [
      'ReadBlobRequest body',
      'two_refs',
      (api: StorageApi) => api.readBlobs({ blobReferences: ['blob_ref_1', 'blob_ref_2'] }),
    ],
    [
      'CreateWriteStreamRequest',
      'exactly_once',
      (api: StorageApi) => api.createWriteStream({ sessionId: 's', streamId: 'stream-1', exactlyOnceMode: true }),
    ],
    [
      'CloseWriteStreamRequest',
      'defaults',
      (api: StorageApi) => api.closeWriteStream({ sessionId: 'ws-1', streamId: 'stream-1' }),
    ],
  ] as const)('%s: %s', async (kind, name, call) => {
    const one = cases.find((candidate) => candidate.class === kind && candidate.name === name)!;
    const world = new World(({ query }) =>
      /Read$|Preview/.test(query.Action!) ? { body: rows } : { json: { AccessToken: 'at' } },
    );

    await call(world.table);

    expect(JSON.parse(world.sent[0]!.body.toString())).toEqual(one.json);
  });
});

interface ResponseCase {
  readonly name: string;
  readonly class: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
  readonly parsed: Record<string, unknown>;
  readonly expected?: Record<string, unknown>;
}

describe('replies', () => {
  const { cases } = fixture<{ cases: ResponseCase[] }>('responses');
  const calls: Record<string, (api: StorageApi) => Promise<unknown>> = {
    CreateReadSessionResponse: (api) => api.createReadSession(),
    CreateWriteSessionResponse: (api) => api.createWriteSession(),
    GetWriteSessionResponse: (api) => api.getWriteSession('ws-1'),
    CreateWriteStreamResponse: (api) => api.createWriteStream(stream),
    GetWriteStreamResponse: (api) => api.getWriteStream(stream),
    CloseWriteStreamResponse: (api) => api.closeWriteStream(stream),
    WriteStreamResponse: (api) => api.writeRowsStream(stream, rows),
  };

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
    const world = new World(() => ({ headers: one.headers, json: one.body }));
    const api = name === 'instance_session' ? world.client.instance('i1') : world.table;
    const call =
      one.class !== 'WriteBlobResponse'
        ? calls[one.class]!
        : name === 'blob_single'
          ? (blobs: StorageApi) => blobs.writeBlobStream({ ...stream, columnIndex: 1 }, Buffer.from('hello world'))
          : (blobs: StorageApi) =>
              blobs.writeBlobBatch(stream, [new BlobWriteItem(Buffer.of(1)), new BlobWriteItem(Buffer.of(2))]);

    const response = snaked(await call(api)) as Record<string, unknown>;

    for (const [member, value] of Object.entries({ ...one.parsed, ...one.expected })) {
      expect(plain(response[member]), member).toEqual(expectedOf(member, value));
    }
  });

  /** Texts and numbers as the golden data has them; members that we leave out as null. */
  function plain(value: unknown): unknown {
    if (value instanceof Date) return value.getTime() / 1000;
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, plain(inner)]));
  }

  function expectedOf(member: string, value: unknown): unknown {
    if (member === 'data_schema' && typeof value === 'object' && value !== null && 'DataColumns' in value) {
      return expect.objectContaining({
        data_columns: expect.arrayContaining([expect.objectContaining({ name: 'b', column_id: 2, type: 'blob' })]),
      });
    }
    const isText = /^(status|schema_version|latest_schema_version|table_id)$/.test(member);
    return isText && typeof value === 'number' ? String(value) : value;
  }

  it('a status nobody knows is UNKNOWN, with its text', async () => {
    const world = new World(() => ({ json: { SessionId: 's', SessionStatus: 'Paused', Something: {} } }));

    expect(await world.table.createReadSession()).toMatchObject({
      sessionStatus: 'UNKNOWN',
      sessionStatusText: 'Paused',
    });
  });

  it('64-bit versions survive, and a count beyond 2^53 is an error', async () => {
    const world = new World(
      script({
        TableCreateReadSession: [
          { body: '{"SessionId":"s","LatestVersion":9223372036854775807}' },
          { body: '{"SessionId":"s","RecordCount":9223372036854775807}' },
        ],
      }),
    );

    expect((await world.table.createReadSession()).latestVersion).toBe(9223372036854775807n);
    await expect(world.table.createReadSession()).rejects.toMatchObject({ name: 'UnparsableReplyError' });
  });

  it.each([
    ['an HTML page', '<html>busy</html>', /no JSON object: <html>busy/],
    ['a list', '[]', /no JSON object/],
    ['no session id', '{}', /names no session/],
  ])('%s in place of a session', async (_name, body, message) => {
    const world = new World(() => ({ body }), { retry: { ...NONE } });

    await expect(world.table.createReadSession()).rejects.toMatchObject({
      name: 'UnparsableReplyError',
      message: expect.stringMatching(message),
    });
  });

  it('a 200 without a body is asked for again, and then an error of its own', async () => {
    const world = new World(() => ({ body: '' }));

    await expect(world.table.createReadSession()).rejects.toMatchObject({ name: 'EmptyBodyError', retryable: true });
    expect(world.sent).toHaveLength(8);
  });
});

const NONE = {
  throttled: { repeats: 0, firstMs: 0, maxMs: 0 },
  transient: { repeats: 0, firstMs: 0, maxMs: 0 },
  deadlineMs: 0,
};
