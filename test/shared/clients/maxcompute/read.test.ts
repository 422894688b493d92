import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Compression,
  changeStamp,
  NO_RETRY,
  type RowStream,
  rowsOfBatch,
  type SplitMode,
} from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure, socketError } from '../../../support/client-calls.ts';
import { ACCESS_ID, inPieces, refusal, SECRET, type Sent, script, World } from './harness.ts';
import { batchesOf, streamOf } from './rows.ts';

const session = (json: object) => ({ json: { SessionId: 'rs', SessionStatus: 'NORMAL', ...json } });
let tenRows: Buffer;
/** Five batches of two rows each. */
let batches: Awaited<ReturnType<typeof batchesOf>>;

beforeAll(async () => {
  batches = await batchesOf(2, 2, 2, 2, 2);
  tenRows = streamOf(batches);
});

async function idsOf(stream: RowStream): Promise<number[]> {
  const ids: number[] = [];
  for await (const batch of stream) ids.push(...(await rowsOfBatch(batch)).map(({ id }) => Number(id)));
  return ids;
}

describe('read sessions', () => {
  it('are waited for, ever longer, and then have splits', async () => {
    const init = { json: { SessionId: 'rs', SessionStatus: 'INIT' } };
    const world = new World(
      script({
        TableCreateReadSession: [init],
        TableGetReadSession: [init, init, session({ SplitsCount: 2, SplitMode: 'Size' })],
      }),
    );

    const read = await world.table.openReadSession();

    expect(world.slept).toEqual([750, 1125, 1688]);
    expect([...read.splits()]).toEqual([{ index: 0 }, { index: 1 }]);
  });

  it('that are not ready in time can be asked for later, by their id', async () => {
    const world = new World(() => ({ json: { SessionId: 'rs', SessionStatus: 'INIT' } }));

    const error = await failure(world.table.openReadSession({}, { limitMs: 10_000 }));

    expect(error).toMatchObject({ name: 'SessionNotReadyError', retryable: true });
    expect(error.message).toContain('rs');
  });

  it.each([
    ['CRITICAL', 'SessionFailedError'],
    ['EXPIRED', 'SessionExpiredError'],
    ['COMMITTED', 'SessionFailedError'],
    ['SOMETHING', 'SessionFailedError'],
  ])('%s is a %s with the reason of the service', async (SessionStatus, name) => {
    const world = new World(() => session({ SessionStatus, Message: 'split planning failed' }));

    expect(await failure(world.table.openReadSession())).toMatchObject({
      name,
      retryable: false,
      message: expect.stringContaining('split planning failed'),
    });
  });

  it.each<[SplitMode, number | undefined, object, unknown[]]>([
    ['Size', undefined, { SplitsCount: 2 }, [{ index: 0 }, { index: 1 }]],
    ['Parallelism', 3, { SplitsCount: 3 }, [{ index: 0 }, { index: 1 }, { index: 2 }]],
    [
      'Bucket',
      undefined,
      { SplitsCount: 2, SplitBucketId: [4, 9] },
      [
        { index: 0, bucketId: 4 },
        { index: 1, bucketId: 9 },
      ],
    ],
    [
      'RowOffset',
      4,
      { RecordCount: 10 },
      [
        { index: 0, rowOffset: 0, rowCount: 4 },
        { index: 1, rowOffset: 4, rowCount: 4 },
        { index: 2, rowOffset: 8, rowCount: 2 },
      ],
    ],
  ])('splits in %s mode', async (splitMode, splitNumber, told, expected) => {
    const world = new World(() => session({ SplitMode: splitMode, ...told }));

    const read = await world.table.openReadSession({ splitOptions: { splitMode, splitNumber } });

    expect([...read.splits()]).toEqual(expected);
    for (const index of [-1, expected.length, 0.5]) {
      expect(await failure(() => read.split(index))).toMatchObject({ name: 'SplitIndexOutOfRangeError' });
    }
  });

  it.each([-1, null])('ranges of rows that the service does not count (%o) are one', async (RecordCount) => {
    const world = new World(({ query }) =>
      query.Action === 'TableRead' ? { body: tenRows } : session({ SplitMode: 'RowOffset', RecordCount }),
    );

    const read = await world.table.openReadSession({
      splitOptions: { splitMode: 'RowOffset', splitNumber: 4 },
      filterPredicate: 'id < 10',
    });

    const [split, ...others] = read.splits();
    expect([split, others]).toEqual([{ index: 0, rowOffset: 0 }, []]);
    expect(await idsOf(read.read(split!))).toHaveLength(10);
    expect(world.sent[1]!.query).not.toHaveProperty('Count');
  });

  it.each(['Parallelism', 'RowOffset'] as const)(
    '%s needs a number: the default is one of bytes',
    async (splitMode) => {
      const world = new World(() => session({}));

      expect(await failure(world.table.openReadSession({ splitOptions: { splitMode } }))).toMatchObject({
        name: 'InvalidRequestError',
      });
      expect(world.sent).toEqual([]);
    },
  );

  it('keep their route tokens apart', async () => {
    const world = new World(({ query }: Sent) => {
      if (query.Action !== 'TableCreateReadSession') return { body: tenRows };
      const id = `rs-${world.sent.length}`;
      return { ...session({ SessionId: id }), headers: { 'x-odps-max-storage-route-token': `token-${id}` } };
    });
    const [one, two] = [await world.table.createReadSession(), await world.table.createReadSession()];

    for (const { sessionId } of [one, two]) {
      await collect(world.table.readRowsStream({ sessionId: sessionId! }).bytes());
    }

    const tokens = world.sent.slice(2).map(({ headers }) => headers.get('x-odps-max-storage-route-token'));
    expect(tokens).toEqual(['token-rs-1', 'token-rs-2']);
    expect(world.table.routeTokenOf('rs-1')).toBe('token-rs-1');
  });

  it('know when they are about to expire, and can be refreshed', async () => {
    const world = new World(({ query }) =>
      session({ ExpirationTime: query.session_refresh ? 1_763_712_000_000 : 1_763_628_600 }),
    );
    const read = await world.table.openReadSession();
    const createdAt = new Date('2025-11-20T08:00:00Z');

    expect(read.isExpiring(createdAt, new Date('2025-11-20T08:30:00Z'))).toBe(false);
    expect(read.isExpiring(createdAt, new Date('2025-11-20T08:40:00Z'))).toBe(true);
    await read.refresh();
    expect(read.info.expirationTime).toEqual(new Date('2025-11-21T08:00:00Z'));
  });

  it('are attached to by their id and token', async () => {
    const world = new World(({ query }) =>
      query.Action === 'TableRead' ? { body: tenRows } : session({ SplitsCount: 1 }),
    );

    const read = await world.table.attachReadSession('rs', {}, { routeToken: 'kept' });
    await collect(read.read(read.split(0)).bytes());

    expect(world.sent.map(({ headers }) => headers.get('x-odps-max-storage-route-token'))).toEqual(['kept', 'kept']);
  });

  it('count the rows of all splits together, but under a filter', async () => {
    const world = new World(() => session({ RecordCount: 100, SplitsCount: 4 }));
    const all = await world.table.openReadSession();
    const some = await world.table.openReadSession({ filterPredicate: 'id > 3' });

    expect(() => all.checkTotal(100)).not.toThrow();
    expect(await failure(() => all.checkTotal(99))).toMatchObject({ name: 'RowCountMismatchError' });
    expect(() => some.checkTotal(7)).not.toThrow();
  });
});

describe('row streams', () => {
  const range = { sessionId: 'rs', rowOffset: 20, rowCount: 10 };

  it.each([
    ['a range', range, { Offset: '26', Count: '4' }, 0],
    ['a range to the end', { sessionId: 'rs', rowOffset: 20 }, { Offset: '26' }, 0],
    ['a split', { sessionId: 'rs', splitIndex: 3 }, { Index: '3' }, 6],
    ['a split that skips', { sessionId: 'rs', splitIndex: 3, skipRowNum: 100 }, { Index: '3' }, 106],
    ['the session', { sessionId: 'rs' }, {}, 6],
  ])('%s that breaks goes on behind its last whole batch', async (_name, request, where, skip) => {
    // Cut within the fourth batch.
    const first = tenRows.subarray(0, streamOf(batches.slice(0, 3)).byteLength + 20);
    const rest = streamOf(batches.slice(3));
    const broken = () => ({ body: inPieces(first, 100, socketError('ECONNRESET')) });
    const answers = () => script({ TableRead: [broken(), refusal(503, 'ServiceUnavailable'), { body: rest }] });

    const world = new World(answers());
    expect(await idsOf(world.table.readRowsStream(request, { expectedRows: 10 }))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    const { Action, Target, SessionId, curr_project, ...query } = world.sent[2]!.query;
    expect(query).toEqual(where);
    expect(JSON.parse(world.sent[2]!.body.toString()).SkipRowNum).toBe(skip);

    const raw = new World(answers());
    const landed = Buffer.concat(await collect(raw.table.readRowsStream(request).bytes()));
    expect(landed.equals(tenRows)).toBe(true);
  });

  it('a stream that keeps breaking ends in an error, with whole batches counted', async () => {
    const cut = tenRows.subarray(0, tenRows.byteLength - 100);
    const world = new World(() => ({ body: cut }), { retry: NO_RETRY });
    const stream = world.table.readRowsStream(range);

    expect(await failure(idsOf(stream))).toMatchObject({ name: 'StreamTruncatedError', retryable: true });
    expect(stream).toMatchObject({ rowCount: 8, status: 'RUNNING' });
  });

  it('fewer rows than there must be are asked for, then missed', async () => {
    const world = new World(() => ({ body: streamOf(batches.slice(0, 1)) }), { retry: NO_RETRY });

    expect(await failure(idsOf(world.table.readRowsStream(range, { expectedRows: 10 })))).toMatchObject({
      name: 'StreamTruncatedError',
      message: 'TableRead: only 2 of 10 rows came',
    });
  });

  it('more rows than were asked for are an error', async () => {
    const world = new World(() => ({ body: tenRows }));

    const error = await failure(idsOf(world.table.readRowsStream({ sessionId: 'rs', rowOffset: 0, rowCount: 9 })));

    expect(error).toMatchObject({ name: 'RowCountMismatchError', retryable: false });
    expect(world.sent).toHaveLength(1);
  });

  it('an empty body is truncated, but where there are no rows', async () => {
    const world = new World(() => ({ body: '' }), { retry: NO_RETRY });

    expect(await failure(idsOf(world.table.readRowsStream(range)))).toMatchObject({ name: 'EmptyBodyError' });
    expect(await idsOf(world.table.readRowsStream(range, { expectedRows: 0 }))).toEqual([]);
    expect(await collect(world.table.readRowsStream(range, { expectedRows: 0 }).bytes())).toEqual([]);
  });

  it('a second answer with other columns is not mixed in', async () => {
    const other = Buffer.from(tenRows);
    other.write('w', other.indexOf('v'));
    const world = new World(
      script({ TableRead: [{ body: tenRows.subarray(0, -100) }, { body: other }, { body: other }] }),
      { retry: { ...NO_RETRY, transient: { repeats: 1, firstMs: 1, maxMs: 1 }, deadlineMs: 100 } },
    );

    expect(await failure(idsOf(world.table.readRowsStream(range)))).toMatchObject({ name: 'CorruptStreamError' });
  });

  it('are read once, and end their request when they are left', async () => {
    let isClosed = false;
    const body = (async function* () {
      try {
        yield* inPieces(tenRows, 50);
      } finally {
        isClosed = true;
      }
    })();
    const world = new World(() => ({ body }));
    const stream = world.table.readRowsStream(range);

    for await (const _ of stream) break;

    expect(isClosed).toBe(true);
    expect(await failure(collect(stream.bytes()))).toMatchObject({ name: 'SessionClosedError' });
  });

  it.each([[{ splitIndex: -1 }], [{ rowOffset: 1.5 }], [{ rowCount: -1 }]])(
    '%o is refused before anything is sent',
    async (wrong) => {
      const world = new World(() => undefined);

      expect(await failure(() => world.table.readRowsStream({ sessionId: 'rs', ...wrong }))).toMatchObject({
        name: 'InvalidRequestError',
      });
    },
  );

  it('an abort ends a body that has fallen silent', async () => {
    const stop = new AbortController();
    const body = (async function* () {
      yield tenRows.subarray(0, 50);
      stop.abort(new Error('enough'));
      throw stop.signal.reason;
    })();
    const world = new World(() => ({ body }));

    expect((await failure(idsOf(world.table.readRowsStream(range, { signal: stop.signal })))).message).toBe('enough');
  });

  it('never holds more than a message', async () => {
    const [schema] = [streamOf(batches.slice(0, 1))];
    let produced = 0;
    let received = 0;
    let ahead = 0;
    const body = (async function* () {
      yield schema!.subarray(0, -8);
      const batch = tenRows.subarray(schema!.byteLength - 8, streamOf(batches.slice(0, 2)).byteLength - 8);
      for (let round = 0; round < 5000; round++) {
        produced += batch.byteLength;
        ahead = Math.max(ahead, produced - received);
        yield batch;
      }
    })();
    const world = new World(() => ({ body }));

    for await (const chunk of world.table.readRowsStream({ sessionId: 'rs' }).bytes()) received += chunk.byteLength;

    expect(received).toBeGreaterThan(1_000_000);
    expect(ahead).toBeLessThan(5000);
  });
});

describe('previews and instances', () => {
  it('a preview has at most its limit, and is not resumed', async () => {
    const world = new World(() => ({ body: tenRows }));

    expect(await failure(idsOf(world.table.previewTable({ limit: 5 })))).toMatchObject({
      name: 'RowCountMismatchError',
    });
    expect(await idsOf(world.table.previewTable({ limit: 50, columns: ['id'] }))).toHaveLength(10);
  });

  it('an instance is one range of rows', async () => {
    const world = new World(({ query }) =>
      query.Action === 'InstanceRead'
        ? { body: tenRows }
        : { json: { DownloadID: 'dl', Status: 'normal', RecordCount: 10 } },
    );

    const read = await world.client.instance('i1').openReadSession();
    const [split, ...others] = read.splits();

    expect(others).toEqual([]);
    expect(await idsOf(read.read(split!))).toHaveLength(10);
    expect(world.sent[1]!.query).toMatchObject({ SessionId: 'dl', Offset: '0', Count: '10' });
  });

  it('an instance cannot be written, nor previewed', async () => {
    const world = new World(() => undefined);
    const api = world.client.instance('i1');
    const stream = { sessionId: 's', streamId: '1', columnIndex: 1 };

    for (const call of [
      () => api.previewTable(),
      () => api.createWriteSession(),
      () => api.getWriteSession('s'),
      () => api.getWriteSchema('s'),
      () => api.commitWriteSession('s'),
      () => api.abortWriteSession('s'),
      () => api.createWriteStream(stream),
      () => api.getWriteStream(stream),
      () => api.writeRowsStream(stream, tenRows),
      () => api.closeWriteStream(stream),
      () => api.writeBlobStream(stream, tenRows),
      () => api.writeBlobBatch(stream, []),
    ]) {
      expect(await failure(async () => call())).toMatchObject({ name: 'InstanceReadOnlyError' });
    }
    expect(world.sent).toEqual([]);
  });

  it('compression is asked for by its token', async () => {
    const world = new World(() => ({ body: tenRows }));
    for (const compression of [Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME]) {
      await collect(world.table.readRowsStream({ sessionId: 's', compression }).bytes());
    }

    expect(world.sent.map(({ headers }) => headers.get('accept-encoding'))).toEqual([
      'identity',
      'zstd',
      'x-lz4-frame',
    ]);
  });
});

describe('tables', () => {
  const schema = {
    columns: [{ name: 'id', type: 'bigint', comment: 'a < b' }],
    partitionKeys: [{ name: 'pt', type: 'string' }],
    createTime: 1_763_600_000,
    lastModifiedTime: 1_763_625_590,
    lastDDLTime: 1_763_600_100,
    recordNum: 12,
    size: 3456,
    isVirtualView: false,
    tableProperties: { transactional: 'true' },
  };
  const table = `<?xml version="1.0"?><Table><Name>orders</Name><TableId>abc</TableId><Schema format="Json"><![CDATA[${JSON.stringify(schema)}]]></Schema><Comment>R &amp; D</Comment><Owner>me</Owner><Type>MANAGED_TABLE</Type><CreationTime>Thu, 20 Nov 2025 00:53:20 GMT</CreationTime></Table>`;

  it('are described', async () => {
    const world = new World(() => ({ body: table }));

    expect(await world.client.getTable('orders')).toEqual({
      name: 'orders',
      tableId: 'abc',
      comment: 'R & D',
      owner: 'me',
      type: 'MANAGED_TABLE',
      columns: [{ name: 'id', type: 'bigint', comment: 'a < b', nullable: true }],
      partitionKeys: [{ name: 'pt', type: 'string', comment: null, nullable: true }],
      creationTime: new Date(1_763_600_000_000),
      lastModifiedTime: new Date(1_763_625_590_000),
      lastDdlTime: new Date(1_763_600_100_000),
      recordCount: 12,
      sizeBytes: 3456,
      isView: false,
      properties: { transactional: 'true' },
      answeredAt: null,
    });
    expect(world.sent[0]).toMatchObject({ method: 'GET', path: '/api/projects/demo_project/tables/orders' });
  });

  it('are signed for without the path of the endpoint', async () => {
    const world = new World(() => ({ body: table }));

    await world.client.getTable({ schema: 's1', table: 'orders' });

    expect(world.sent[0]!.path).toBe('/api/projects/demo_project/schemas/s1/tables/orders');
    const text = [
      ...['GET', '', '', 'Thu, 20 Nov 2025 08:00:00 GMT', 'x-odps-user-agent:vector-client/1.0'],
      '/projects/demo_project/schemas/s1/tables/orders?curr_project=demo_project',
    ];
    const signature = createHmac('sha1', SECRET).update(text.join('\n')).digest('base64');
    expect(world.sent[0]!.headers.get('authorization')).toBe(`ODPS ${ACCESS_ID}:${signature}`);
  });

  it('have partitions, page by page', async () => {
    const page = (marker: string, ...values: string[]) =>
      `<Partitions><Marker>${marker}</Marker><MaxItems>2</MaxItems>${values
        .map(
          (value) =>
            `<Partition><Column Name="pt" Value="${value}"/><Column Name="r" Value="x"/><CreationTime>1763600000</CreationTime><LastModifiedTime>1763600001</LastModifiedTime></Partition>`,
        )
        .join('')}</Partitions>`;
    const world = new World(({ query }) => ({
      body: query.marker ? page('', '3') : page('next', '1', '&quot;2&quot;'),
    }));

    const partitions = await collect(world.client.listPartitions('orders'));

    expect(partitions.map(({ spec }) => spec)).toEqual(['pt=1,r=x', 'pt="2",r=x', 'pt=3,r=x']);
    expect(partitions[0]).toMatchObject({ values: { pt: '1', r: 'x' }, lastModifiedTime: new Date(1_763_600_001_000) });
    expect(world.sent.map(({ query }) => query)).toEqual([
      { partitions: '', expectmarker: 'true', curr_project: 'demo_project' },
      { partitions: '', expectmarker: 'true', marker: 'next', curr_project: 'demo_project' },
    ]);
  });

  it('are listed page by page, and the service’s own time is told', async () => {
    const page = (marker: string, ...names: string[]) =>
      `<Tables><Marker>${marker}</Marker>${names.map((name) => `<Table><Name>${name}</Name><Type>VIEW</Type></Table>`).join('')}</Tables>`;
    const world = new World(({ query }) => ({
      body: query.marker ? page('', 'c') : page('b', 'a', 'b'),
      headers: { date: 'Thu, 20 Nov 2025 08:00:07 GMT' },
    }));

    expect(await collect(world.client.listTables('s1'))).toEqual(
      ['a', 'b', 'c'].map((name) => ({ name, type: 'VIEW' })),
    );
    expect(world.sent.map(({ path }) => path)).toEqual(Array(2).fill('/api/projects/demo_project/schemas/s1/tables'));
    const dated = new World(() => ({ body: table, headers: { date: 'Thu, 20 Nov 2025 08:00:07 GMT' } }));
    expect((await dated.client.getTable('orders')).answeredAt).toEqual(new Date('2025-11-20T08:00:07Z'));
  });

  it('have a stamp of when they changed, that settles', async () => {
    const world = new World(() => ({ body: table }));
    const metadata = await world.client.getTable('orders');

    expect(changeStamp(metadata, new Date(1_763_625_591_000))).toMatchObject({ isSettled: false });
    expect(changeStamp(metadata, new Date(1_763_625_592_000))).toEqual({
      text: '2025-11-20T07:59:50.000Z/2025-11-20T00:55:00.000Z',
      isSettled: true,
    });
  });

  it.each(['', '<Table><Name>x</Name>', '<Table><Schema>{</Schema></Table>', '<a/><b/>', '{"Name":"x"}'])(
    '%o is no table',
    async (body) => {
      const world = new World(() => ({ body }));

      expect(await failure(world.client.getTable('orders'))).toMatchObject({ name: 'UnparsableReplyError' });
    },
  );
});
