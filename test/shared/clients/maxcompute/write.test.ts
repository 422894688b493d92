import type { RecordBatch } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { MessageCutter } from '../../../../shared/clients/maxcompute/arrow/messages.ts';
import { Compression, type MaxComputeClientOptions, rowsOfBatch } from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure, socketError } from '../../../support/client-calls.ts';
import { inPieces, type Reply, refusal, type Sent, World } from './harness.ts';
import { batchesOf, streamOf } from './rows.ts';

let five: RecordBatch[];
beforeAll(async () => {
  five = await batchesOf(2, 2, 2, 2, 2);
});

const TABLE_SCHEMA = {
  DataColumns: [
    { columnType: { MemberName: 'id', ColumnId: 1, Type: 0, Nullable: true } },
    { columnType: { MemberName: 'v', ColumnId: 2, Type: 4, Nullable: true } },
  ],
};

/** What of the service matters here: one stream, with its rows and token. A test may answer in its place. */
class Service {
  rows: number[] = [];
  isClosed = false;
  isCommitted = false;
  tokens = 1;
  #before: (sent: Sent, service: Service) => Reply | Error | undefined | Promise<Reply | Error | undefined>;

  constructor(
    before: (sent: Sent, service: Service) => Reply | Error | undefined | Promise<Reply | Error | undefined> = () =>
      undefined,
  ) {
    this.#before = before;
  }

  readonly answer = async (sent: Sent): Promise<Reply | Error> =>
    (await this.#before(sent, this)) ?? this.proceed(sent);

  async proceed({ query, headers, body }: Sent): Promise<Reply> {
    switch (query.Action) {
      case 'TableCreateWriteSession':
        return { json: { SessionId: 'ws' }, headers: { 'x-odps-max-storage-route-token': 'rt-1' } };
      case 'TableCreateWriteStream': {
        const isExact = JSON.parse(body.toString()).ExactlyOnceMode === true;
        this.rows = [];
        return {
          json: {
            TableSchema: TABLE_SCHEMA,
            TableId: 'tid',
            SchemaVersion: 3,
            ...(isExact && { AccessToken: this.#token }),
          },
        };
      }
      case 'TableGetWriteStream':
        this.tokens++;
        return {
          json: { Status: this.isClosed ? 'CLOSED' : 'OPEN', RowOffset: this.rows.length, AccessToken: this.#token },
        };
      case 'TableWrite': {
        const token = headers.get('x-odps-max-storage-write-access-token');
        if (query.RowOffset !== undefined && (token !== this.#token || Number(query.RowOffset) !== this.rows.length)) {
          return refusal(409, 'RowOffsetConflict');
        }
        const ids = await idsOf(body);
        if (ids.length !== Number(query.Count)) return refusal(400, 'InvalidArgument', 'Count');
        this.rows.push(...ids);
        return { json: query.RowOffset === undefined ? {} : { ExactlyOnceRowOffset: this.rows.length } };
      }
      case 'TableCloseWriteStream':
        if (this.isClosed) return refusal(409, 'StatusConflict');
        this.isClosed = true;
        return { json: {} };
      case 'TableCommitWriteSession':
        this.isCommitted = true;
        return { json: {} };
      default:
        return { json: {} };
    }
  }

  get #token(): string {
    return `access-token-${this.tokens}`;
  }
}

async function idsOf(body: Uint8Array): Promise<number[]> {
  const world = new World(() => ({ body }));
  const ids: number[] = [];
  for await (const batch of world.table.readRowsStream({ sessionId: 's' })) {
    ids.push(...(await rowsOfBatch(batch)).map(({ id }) => Number(id)));
  }
  return ids;
}

async function open(
  service: Service,
  {
    exactlyOnce = false,
    requestBytes = 1,
    ...options
  }: { exactlyOnce?: boolean; requestBytes?: number } & MaxComputeClientOptions = {},
) {
  const world = new World(service.answer, options);
  const session = await world.table.openWriteSession({}, { requestBytes });
  const stream = await session.openStream({ streamId: 'a', exactlyOnce });
  return { world, session, stream };
}

const TEN = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('writing', () => {
  it.each([Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME])(
    'batches go out in requests of bounded size, in order, with their count (compression %i)',
    async (compression) => {
      const service = new Service();
      const world = new World(service.answer);
      const session = await world.table.openWriteSession({}, { requestBytes: 1 });
      const stream = await session.openStream({ streamId: 'a', compression });

      await stream.writeBatches(five);
      await stream.close();
      await session.commit();

      expect(service).toMatchObject({ rows: TEN, isClosed: true, isCommitted: true });
      expect(stream).toMatchObject({ rowOffset: 10, status: 'OK' });
      const writes = world.sent.filter(({ query }) => query.Action === 'TableWrite');
      expect(writes.map(({ query }) => query.Count)).toEqual(['2', '2', '2', '2', '2']);
      expect(writes[0]!.query).toMatchObject({ StreamId: 'a', StreamVersion: '1', TableId: 'tid', SchemaVersion: '3' });
      expect(writes[0]!.headers.get('content-encoding')).toBeNull();
      expect(writes[0]!.headers.get('content-length')).toBe(String(writes[0]!.body.byteLength));
      expect(world.sent.slice(1).every(({ headers }) => headers.get('x-odps-max-storage-route-token') === 'rt-1')).toBe(
        true,
      );
      expect(JSON.parse(world.sent.at(-1)!.body.toString())).toEqual({ StreamIds: ['a'], StreamVersions: [1] });
    },
  );

  it('an Arrow stream is cut into requests as it is', async () => {
    const service = new Service();
    const { world, stream } = await open(service);

    await stream.writeArrow(inPieces(streamOf(five), 33));

    expect(service.rows).toEqual(TEN);
    expect(world.sent.filter(({ query }) => query.Action === 'TableWrite')).toHaveLength(5);
  });

  it('what is too large for the service is cut in two', async () => {
    const service = new Service(({ query }) =>
      query.Action === 'TableWrite' && Number(query.Count) > 4 ? { status: 413, body: 'too large' } : undefined,
    );
    const { stream } = await open(service, { requestBytes: 1_000_000 });

    await stream.writeBatches(five);

    expect(service.rows).toEqual(TEN);
  });

  it('one batch that is too large is the caller’s to cut', async () => {
    const service = new Service(({ query }) => (query.Action === 'TableWrite' ? { status: 413 } : undefined));
    const { stream } = await open(service);

    expect(await failure(stream.writeBatches(five))).toMatchObject({ name: 'RequestTooLargeError', retryable: false });
  });

  it('a schema that does not fit is refused before the first byte, readably', async () => {
    const service = new Service();
    const { world, stream } = await open(service);
    const { tableFromArrays } = await import('apache-arrow');
    const { batches } = tableFromArrays({ id: Int32Array.of(1), w: ['x'] });

    const error = await failure(stream.writeBatches(batches));

    expect(error).toMatchObject({ name: 'SchemaMismatchError', retryable: false });
    expect(error.message).toContain(
      'id is Int32, which is not bigint; v (string) is missing; w is no column of the table',
    );
    expect(world.actions).not.toContain('TableWrite');
    await stream.writeBatches(five);
    expect(service.rows).toEqual(TEN);
  });

  it('rows that are counted wrong are refused before they are sent', async () => {
    const world = new World(() => undefined);
    const stream = { sessionId: 's', streamId: 'a' };

    expect(await failure(world.table.writeRowsStream(stream, Buffer.from('no arrow')))).toMatchObject({
      name: 'CorruptStreamError',
    });
    expect(await failure(world.table.writeRowsStream(stream, inPieces(Buffer.of(1), 1)))).toMatchObject({
      name: 'InvalidRequestError',
    });
    for (const streamVersion of [0, -1, 1.5]) {
      expect(await failure(world.table.createWriteStream({ ...stream, streamVersion }))).toMatchObject({
        name: 'InvalidRequestError',
      });
    }
    expect(world.sent).toEqual([]);
  });

  it('a plain write is sent again only if it was certainly not taken', async () => {
    const answers: (Reply | Error)[] = [refusal(429, 'FlowExceeded'), { status: 503 }, socketError('ECONNREFUSED')];
    const service = new Service(({ query }) => (query.Action === 'TableWrite' ? answers.shift() : undefined));
    const { stream } = await open(service);

    await stream.writeBatches(five);

    expect(service.rows).toEqual(TEN);
  });

  it.each([
    ['a lost connection', socketError('ECONNRESET')],
    ['500', refusal(500, 'InternalServerError')],
    ['502', { status: 502 }],
    ['408', { status: 408 }],
    ['success without a body', { body: '' }],
    ['success that is no JSON', { body: '<html>' }],
  ])('a plain write whose answer is %s must be written again as a whole', async (_name, answer) => {
    const service = new Service(({ query }) => (query.Action === 'TableWrite' ? answer : undefined));
    const { world, session, stream } = await open(service);

    expect(await failure(stream.writeBatches(five))).toMatchObject({
      name: 'WriteOutcomeUnknownError',
      retryable: false,
    });
    expect(world.actions.filter((action) => action === 'TableWrite')).toHaveLength(1);
    expect(await failure(stream.writeBatches(five))).toMatchObject({ name: 'SessionClosedError' });
    expect(await failure(stream.close())).toMatchObject({ name: 'SessionClosedError' });
    expect(await failure(session.commit())).toMatchObject({ name: 'SessionClosedError' });
    expect(service.isCommitted).toBe(false);

    const again = await session.openStream({ streamId: 'a', streamVersion: 2 });
    expect(again.streamVersion).toBe(2);
    await again.close();
    await session.commit();
    expect(JSON.parse(world.sent.at(-1)!.body.toString())).toEqual({ StreamIds: ['a'], StreamVersions: [2] });
  });
});

describe('exactly once', () => {
  const lost: [string, Reply | Error][] = [
    ['a lost connection', socketError('ECONNRESET')],
    ['500', refusal(500, 'InternalServerError')],
    ['success without a body', { body: '' }],
  ];

  it.each(lost.flatMap(([name, answer]) => [true, false].map((isTaken) => [name, isTaken, answer] as const)))(
    '%s: rows that were taken (%s) are not taken twice, and others not lost',
    async (_name, isTaken, answer) => {
      let writes = 0;
      const service = new Service(async (sent, self) => {
        if (sent.query.Action !== 'TableWrite' || ++writes !== 3) return undefined;
        if (isTaken) await self.proceed(sent);
        return answer;
      });
      const { world, stream } = await open(service, { exactlyOnce: true });
      const confirmed: number[] = [];

      await stream.writeBatches(five, { onWritten: (rowOffset) => void confirmed.push(rowOffset) });

      expect(service.rows).toEqual(TEN);
      expect(confirmed).toEqual([2, 4, 6, 8, 10]);
      const sent = world.sent.filter(({ query }) => query.Action === 'TableWrite');
      expect(sent).toHaveLength(isTaken ? 5 : 6);
      if (!isTaken) expect(sent[3]!.body.equals(sent[2]!.body)).toBe(true);
      expect(sent.at(-1)!.headers.get('x-odps-max-storage-write-access-token')).toBe('access-token-2');
    },
  );

  it('an offset that is neither before nor behind is somebody else’s', async () => {
    const service = new Service(({ query }, self) => {
      if (query.Action !== 'TableWrite') return undefined;
      self.rows.push(99);
      return socketError('ECONNRESET');
    });
    const { stream } = await open(service, { exactlyOnce: true });

    expect(await failure(stream.writeBatches(five))).toMatchObject({ name: 'WrongRowOffsetError', retryable: false });
  });

  it('an answer with another offset is an error, too', async () => {
    const service = new Service(({ query }) =>
      query.Action === 'TableWrite' ? { json: { ExactlyOnceRowOffset: 7 } } : undefined,
    );
    const { stream } = await open(service, { exactlyOnce: true });

    expect(await failure(stream.writeBatches(five))).toMatchObject({ name: 'WrongRowOffsetError' });
  });

  it('a conflict is told as it is', async () => {
    const service = new Service(({ query }) =>
      query.Action === 'TableWrite' ? refusal(409, 'RowOffsetConflict') : undefined,
    );
    const { stream } = await open(service, { exactlyOnce: true });

    expect(await failure(stream.writeBatches(five))).toMatchObject({ name: 'RowOffsetConflictError' });
  });

  it('without a token it was not granted', async () => {
    const service = new Service(({ query }) => (query.Action === 'TableCreateWriteStream' ? { json: {} } : undefined));

    expect(await failure(open(service, { exactlyOnce: true }))).toMatchObject({ name: 'MissingAccessTokenError' });
  });

  it('another process goes on where the service is, and only then', async () => {
    const service = new Service();
    const { session, stream, world } = await open(service, { exactlyOnce: true });
    await stream.writeBatches(five.slice(0, 2));
    const kept = JSON.parse(JSON.stringify({ id: session.id, routeToken: session.routeToken, state: stream.state }));
    expect(JSON.stringify(kept)).not.toContain('access-token');

    const other = await new World(service.answer).table.attachWriteSession(kept.id, { routeToken: kept.routeToken });
    const resumed = await other.resumeStream(kept.state);
    expect(resumed.rowOffset).toBe(4);
    await resumed.writeBatches(five.slice(2));
    expect(service.rows).toEqual(TEN);

    expect(await failure(other.resumeStream({ ...kept.state, exactlyOnce: false }))).toMatchObject({
      name: 'InvalidRequestError',
    });
    expect(world.actions).not.toContain('TableGetWriteStream');
  });

  it('the token is masked where the service repeats it', async () => {
    const service = new Service(({ query, headers }) =>
      query.Action === 'TableWrite'
        ? refusal(403, 'NoPermission', `bad ${headers.get('x-odps-max-storage-write-access-token')}`)
        : undefined,
    );
    const { stream } = await open(service, { exactlyOnce: true });

    expect((await failure(stream.writeBatches(five))).message).toBe('bad [redacted] (request REQ-1)');
  });
});

describe('close, commit, abort', () => {
  it('a close whose answer was lost is settled by asking', async () => {
    let isFirst = true;
    const service = new Service(async (sent, self) => {
      if (sent.query.Action !== 'TableCloseWriteStream' || !isFirst) return undefined;
      isFirst = false;
      await self.proceed(sent);
      return socketError('ECONNRESET');
    });
    const { session, stream } = await open(service);

    await stream.close();

    expect(session.closedStreams).toEqual([{ streamId: 'a', streamVersion: 1 }]);
  });

  it('a commit whose answer was lost is repeated with the same list', async () => {
    let attempts = 0;
    const service = new Service(({ query }) =>
      query.Action === 'TableCommitWriteSession' && ++attempts < 3 ? socketError('ECONNRESET') : undefined,
    );
    const { world, session, stream } = await open(service);
    await stream.close();

    await session.commit();

    const commits = world.sent.filter(({ query }) => query.Action === 'TableCommitWriteSession');
    expect(commits.map(({ body }) => body.toString())).toEqual(
      Array(3).fill('{"StreamIds":["a"],"StreamVersions":[1]}'),
    );
    expect(service.isCommitted).toBe(true);
    expect(await failure(session.commit())).toMatchObject({ name: 'SessionClosedError' });
    expect(await failure(session.abort())).toMatchObject({ name: 'SessionClosedError' });
    expect(await failure(session.openStream({ streamId: 'b' }))).toMatchObject({ name: 'SessionClosedError' });
  });

  it.each([
    ['not found', [socketError('ECONNRESET'), refusal(404, 'NoSuchSession')]],
    ['a conflict', [refusal(500, 'InternalServerError'), refusal(409, 'StatusConflict')]],
    ['nothing', Array(8).fill(socketError('ECONNRESET'))],
    ['no JSON', [{ body: '<html>' }]],
  ])('a commit whose answer was lost and then is %s leaves its outcome open', async (_name, answers) => {
    const world = new World(() => answers.shift());

    expect(await failure(world.table.commitWriteSession('ws', []))).toMatchObject({
      name: 'CommitOutcomeUnknownError',
      retryable: false,
    });
    expect(answers).toEqual([]);
  });

  it('a refusal alone is no open outcome', async () => {
    const world = new World(() => refusal(404, 'NoSuchSession'));

    expect(await failure(world.table.commitWriteSession('ws', []))).toMatchObject({ name: 'NoSuchSessionError' });
  });

  it('another transaction in the way is waited for', async () => {
    const answers = [refusal(409, 'MetaTransactionFailed'), { json: {} }];
    const world = new World(() => answers.shift());

    await world.table.commitWriteSession('ws', []);

    expect(world.slept).toEqual([500]);
  });

  it('an open stream keeps its session from being committed, until it is closed or given up', async () => {
    const { session, stream } = await open(new Service());

    expect((await failure(session.commit())).message).toBe('streams are still open: a');
    stream.discard();
    await session.commit();
  });

  it('an abort may be repeated', async () => {
    const { world, session } = await open(new Service());

    await session.abort();
    await session.abort();

    expect(world.actions.slice(-2)).toEqual(['TableAbortWriteSession', 'TableAbortWriteSession']);
    expect(await failure(session.commit())).toMatchObject({ name: 'SessionClosedError' });
  });
});

it('the source of an upload that fails leaves the stream unfinished', async () => {
  const service = new Service();
  const { stream } = await open(service);
  const bytes = streamOf(five);

  const error = await failure(stream.writeArrow(inPieces(bytes.subarray(0, -200), 50, new Error('disk'))));

  expect(error.message).toBe('disk');
  expect(await failure(stream.close())).toMatchObject({ name: 'SessionClosedError', cause: error });
});

it('a message cutter counts what a request holds', () => {
  const messages = [...new MessageCutter().push(streamOf(five))];

  expect(messages.map(({ kind, rows }) => [kind, rows])).toEqual([['schema', 0], ...Array(5).fill(['batch', 2])]);
  expect(collect).toBeTypeOf('function');
});
