import type { JsonObject } from '../../../../shared/core/json.ts';
import { type Engine, newToken } from '../engine.ts';
import { badRequest, conflict } from '../errors.ts';
import { json, type Reply } from '../replies.ts';
import type { TableName } from '../tables/catalog.ts';
import { writeSchema } from '../tables/schemas.ts';
import { removeSegment } from '../tables/segment.ts';
import { ACCESS_TOKEN, ROUTE_TOKEN, type StorageRequest, wholeNumber } from './request.ts';
import { Sessions } from './sessions.ts';
import { receiveRows, type Uploaded, uploadColumns } from './upload.ts';
import { WriteSession, type WriteStream } from './write-session.ts';

/** The session of streaming writes that nobody created. */
const AUTO_SESSION = 'default';

/** Write sessions and their streams. */
export class WriteActions {
  readonly sessions = new Sessions<WriteSession>();
  readonly #auto = new Map<object, WriteSession>();
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async createSession(request: StorageRequest, name: TableName): Promise<Reply> {
    const table = this.#engine.catalog.get(name);
    const body = await request.json();
    const flags = body.inner('Flags');
    const mode = request.query.get('WriteMode') ?? 'Batch';
    if (mode === 'BatchCompatible')
      throw badRequest('WriteMode BatchCompatible is another protocol, which this server does not speak');
    const of = {
      spec: body.text('PartialPartitionSpec'),
      overwrites: flags.flag('overwrite'),
      isStreaming: mode.startsWith('Streaming'),
    };
    const session = this.sessions.add(new WriteSession(table, of, this.#engine), this.#engine.clock.nowMs());
    return this.#reply(request, session, { SessionId: session.id });
  }

  getSession(request: StorageRequest, name: TableName): Reply {
    const session = this.#session(request, name);
    const streams = Object.fromEntries([...session.streams].map(([id, { version }]) => [id, version]));
    return this.#reply(request, session, { Streams: streams, WarningMessage: null, MinUncommittedStagingId: '0' });
  }

  writeSchema(request: StorageRequest, name: TableName): Reply {
    const session = this.#routed(request, name);
    return json({ TableSchema: this.#schema(session) });
  }

  async createStream(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#open(request, name);
    const body = await request.json();
    const id = body.textOrNumber('StreamId');
    if (id === undefined || id === '') throw badRequest('StreamId is missing');
    const stream = await session.createStream(id, body.number('StreamVersion'), body.flag('ExactlyOnceMode'));
    return this.#reply(request, session, this.#describe(session, stream));
  }

  /** Everything may come in the query, in the body, or in both. */
  async getStream(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#routed(request, name);
    const body = await request.json();
    const id = request.query.get('StreamId') ?? body.textOrNumber('StreamId');
    const version = wholeNumber(request.query, 'StreamVersion') ?? body.number('StreamVersion');
    const stream = session.stream(id, version);
    if (stream.isExactlyOnce) stream.accessToken = newToken('at');
    return this.#reply(request, session, {
      ...this.#describe(session, stream),
      Status: stream.state,
      status: stream.state === 'OPEN' ? 0 : 1,
      RecordCount: stream.rows,
      recordCount: stream.rows,
      ByteSize: stream.bytes,
      ErrorCode: null,
      ErrorMessage: null,
      LatestSchemaVersion: session.table.record.schemaVersion,
      ...(stream.isExactlyOnce && { RowOffset: stream.rows }),
    });
  }

  async write(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#open(request, name);
    const { table, levels } = session;
    const { query } = request;
    const stream = session.stream(query.get('StreamId'), wholeNumber(query, 'StreamVersion') ?? 0);
    const offset = wholeNumber(query, 'RowOffset');
    stream.checkWrite(offset, request.header(ACCESS_TOKEN));
    const { blobs, settings, bareDecimalBits, clock } = this.#engine;
    const uploaded = await receiveRows(request.body, {
      ...{ record: table.record, segmentFolder: table.segmentFolder, levels, bareDecimalBits, blobs },
      maxBytes: settings.maxWriteBytes,
      isHashed: stream.isExactlyOnce,
    });
    const remove = () => discard(session, uploaded);
    try {
      const count = wholeNumber(query, 'Count') ?? 0;
      if (settings.countMustAgree && count > 0 && count !== uploaded.rows) {
        throw badRequest(`Count is ${count}, the body has ${uploaded.rows} rows`);
      }
      // What held before the body may not hold after it.
      if (session.stream(stream.id, stream.version) !== stream) throw conflict(`stream ${stream.id} was replaced`);
      session.checkOpen(clock.nowMs());
      stream.checkWrite(offset, request.header(ACCESS_TOKEN));
      if (stream.isReplay(offset, uploaded)) await remove();
      else {
        stream.append(uploaded);
        if (session.isStreaming) await session.publish(uploaded, clock.nowMs());
      }
    } catch (error) {
      await remove();
      throw error;
    }
    return this.#reply(request, session, {
      CommitMessage: `${stream.id}-${stream.version}-${stream.rows}`,
      WarningMessage: null,
      ...(stream.isExactlyOnce && { ExactlyOnceRowOffset: stream.rows }),
      ...(session.isStreaming && { StagingId: String(table.record.version) }),
    });
  }

  async closeStream(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#open(request, name);
    const body = await request.json();
    const stream = session.stream(body.textOrNumber('StreamId'), body.number('StreamVersion'));
    if (stream.state === 'CLOSED' && this.#engine.settings.closedTwice === 'conflict') {
      throw conflict(`stream ${stream.id} is closed already`);
    }
    stream.state = 'CLOSED';
    return json({});
  }

  async commit(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#routed(request, name);
    const body = await request.json();
    const ids = body.texts('StreamIds');
    const versions = body.texts('StreamVersions').map(Number);
    if (ids.length !== versions.length)
      throw badRequest(`${ids.length} StreamIds and ${versions.length} StreamVersions`);
    const listed = body.has('StreamIds') ? ids.map((id, at) => ({ id, version: versions[at]! })) : undefined;
    await session.commit(listed, this.#engine.clock.nowMs());
    return json({});
  }

  async abort(request: StorageRequest, name: TableName): Promise<Reply> {
    await this.#routed(request, name).abort();
    return json({});
  }

  /** The session that a blob is uploaded in, which must be open. */
  openFor(request: StorageRequest, name: TableName): WriteSession {
    const session = this.#session(request, name);
    session.checkOpen(this.#engine.clock.nowMs());
    session.stream(request.query.get('StreamId'), wholeNumber(request.query, 'StreamVersion') ?? 0);
    return session;
  }

  #session(request: StorageRequest, name: TableName): WriteSession {
    const id = request.query.get('SessionId');
    if (id === AUTO_SESSION) return this.#autoSession(name);
    const session = this.sessions.get(id);
    const { at } = session.table;
    if (
      at.table !== name.table.toLowerCase() ||
      at.project !== name.project.toLowerCase() ||
      at.schema !== name.schema.toLowerCase()
    ) {
      throw badRequest(`session ${session.id} is of another table than ${name.table}`);
    }
    if (request.faults.some(({ fault }) => fault === 'expired-session'))
      session.expiresAtMs = this.#engine.clock.nowMs();
    return session;
  }

  #autoSession(name: TableName): WriteSession {
    const table = this.#engine.catalog.get(name);
    const found = this.#auto.get(table);
    if (found && !found.isExpired(this.#engine.clock.nowMs())) return found;
    const session = new WriteSession(table, { spec: '', overwrites: false, isStreaming: true }, this.#engine);
    this.#auto.set(table, session);
    return session;
  }

  #routed(request: StorageRequest, name: TableName): WriteSession {
    const session = this.#session(request, name);
    const isStrict =
      this.#engine.settings.routeTokens === 'strict' ||
      request.faults.some(({ fault }) => fault === 'route-token-required');
    if (isStrict) session.checkRoute(request.header(ROUTE_TOKEN));
    return session;
  }

  #open(request: StorageRequest, name: TableName): WriteSession {
    const session = this.#routed(request, name);
    session.checkOpen(this.#engine.clock.nowMs());
    return session;
  }

  #schema({ table, levels }: WriteSession): JsonObject {
    return writeSchema(uploadColumns(table.record, levels), table.record);
  }

  #describe(session: WriteSession, stream: WriteStream): JsonObject {
    return {
      TableSchema: this.#schema(session),
      TableId: session.table.record.tableId,
      SchemaVersion: session.table.record.schemaVersion,
      ...(stream.isExactlyOnce && { AccessToken: stream.accessToken }),
    };
  }

  #reply({ faults }: StorageRequest, session: WriteSession, body: JsonObject): Reply {
    if (faults.some(({ fault }) => fault === 'new-route-token')) session.routeToken = newToken('rt');
    return json(body, { [ROUTE_TOKEN]: session.routeToken });
  }
}

const discard = async ({ table }: WriteSession, { segments }: Uploaded): Promise<void> => {
  for (const { id } of segments) await removeSegment(table.segmentFolder, id);
};
