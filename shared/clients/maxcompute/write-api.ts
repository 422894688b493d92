import { MessageCutter } from './arrow/messages.ts';
import {
  CommitOutcomeUnknownError,
  InvalidRequestError,
  MissingAccessTokenError,
  UnparsableReplyError,
} from './client-errors.ts';
import { ConflictError, NoSuchObjectError } from './errors.ts';
import { JsonReader } from './json.ts';
import { ReadApi } from './read-api.ts';
import { isOutcomeUnknown } from './retry.ts';
import type { ActionOptions } from './storage-base.ts';
import { parseTableSchema, type TableSchema } from './tables/table-schema.ts';
import type { Body } from './upload-body.ts';
import { type OpenWriteSessionOptions, WriteSession } from './write/session.ts';
import {
  type CloseWriteStreamRequest,
  type CloseWriteStreamResponse,
  type CreateWriteSessionRequest,
  type CreateWriteSessionResponse,
  type CreateWriteStreamRequest,
  type CreateWriteStreamResponse,
  closeWriteStreamBody,
  commitBody,
  createWriteSessionBody,
  type GetWriteSessionResponse,
  type GetWriteStreamRequest,
  type GetWriteStreamResponse,
  parseCloseWriteStream,
  parseGetWriteSession,
  parseGetWriteStream,
  parseWriteRows,
  parseWriteSession,
  parseWriteStream,
  type StreamReference,
  streamBody,
  streamQuery,
  type WriteStreamRequest,
  type WriteStreamResponse,
} from './write/wire.ts';

/** Writing: sessions, streams, rows. All throw `InstanceReadOnlyError` where the target is a SQL instance. */
export class WriteApi extends ReadApi {
  /** `GET`, where a service takes nothing else. Default `POST`, with the same query and a body as well. */
  getWriteStreamMethod: 'GET' | 'POST' = 'POST';

  /** Nothing is visible before the session is committed; one that is left alone expires. */
  async createWriteSession(
    request: CreateWriteSessionRequest = {},
    options: ActionOptions = {},
  ): Promise<CreateWriteSessionResponse> {
    this.checkIsTable();
    const call = this.call({
      action: 'TableCreateWriteSession',
      json: createWriteSessionBody(request),
      isWrite: true,
    });
    const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const session = parseWriteSession(json, reply);
    if (session.sessionId === null) throw new UnparsableReplyError(`${call.label}: the answer names no session`);
    this.tokens.adopt(session.sessionId, session.routeToken);
    this.#warn(call.label, session.warningMessage);
    return session;
  }

  async getWriteSession(sessionId: string, options: ActionOptions = {}): Promise<GetWriteSessionResponse> {
    this.checkIsTable();
    const call = this.call({
      action: 'TableGetWriteSession',
      query: { SessionId: sessionId },
      // Version 2 is asked without, so that a client that has lost the token gets it back.
      routeToken: options.routeToken ?? (this.isV3 ? this.tokens.of(sessionId) : undefined),
      isWrite: true,
    });
    const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const session = parseGetWriteSession(json, reply);
    this.tokens.adopt(sessionId, session.routeToken);
    this.#warn(call.label, session.warningMessage);
    return session;
  }

  /** @returns how many rows below this staging id can be seen, in streaming modes; null if there are none */
  async getMinUncommittedStagingId(sessionId: string, options: ActionOptions = {}): Promise<string | null> {
    return (await this.getWriteSession(sessionId, options)).minUncommittedStagingId;
  }

  /** The columns that rows of this session must have, with the ids of blob columns. */
  async getWriteSchema(sessionId: string, options: ActionOptions = {}): Promise<TableSchema> {
    this.checkIsTable();
    const call = this.call({
      action: 'TableGetWriteSchema',
      query: { SessionId: sessionId },
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
    });
    const { json } = await this.caller.sendForJson(call, this.signalOf(options));
    const schema = new JsonReader(json, call.label).object('TableSchema');
    if (!schema) throw new UnparsableReplyError(`${call.label}: the answer holds no TableSchema`);
    return parseTableSchema(schema);
  }

  /**
   * Makes all rows of the streams visible at once. All streams must be closed. Whatever happens on the way, the same commit
   * is repeated until it is answered.
   *
   * @param streams those that count; name them all, since some tables refuse a commit without the list
   * @throws {CommitOutcomeUnknownError} an answer was lost, and the session is not there to be asked again
   */
  async commitWriteSession(
    sessionId: string,
    streams?: readonly Omit<StreamReference, 'sessionId'>[],
    options: ActionOptions = {},
  ): Promise<{ readonly requestId: string }> {
    this.checkIsTable();
    let unknown: unknown;
    const call = this.call({
      action: 'TableCommitWriteSession',
      query: { SessionId: sessionId },
      json: commitBody(streams),
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
      replay: 'commit',
      onFailure: (error) => {
        if (isOutcomeUnknown(error)) unknown = error;
      },
    });
    try {
      const { reply } = await this.caller.sendForJson(call, this.signalOf(options));
      return { requestId: reply.requestId };
    } catch (error) {
      const isLost = isOutcomeUnknown(error);
      const isSettled = !isLost && !(error instanceof NoSuchObjectError || error instanceof ConflictError);
      if (unknown === undefined || isSettled) throw error;
      const cause = isLost ? error : unknown;
      throw new CommitOutcomeUnknownError(`session ${sessionId} may have been committed: look at the table`, { cause });
    }
  }

  /** Discards all streams. May be repeated. @throws {ConflictError} the session is committed */
  async abortWriteSession(sessionId: string, options: ActionOptions = {}): Promise<{ readonly requestId: string }> {
    this.checkIsTable();
    const call = this.call({
      action: 'TableAbortWriteSession',
      query: { SessionId: sessionId },
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
    });
    const { reply } = await this.caller.sendForJson(call, this.signalOf(options));
    this.tokens.forget(sessionId);
    return { requestId: reply.requestId };
  }

  /** Also replaces what a lower version of the stream has written. @throws {MissingAccessTokenError} */
  async createWriteStream(
    request: CreateWriteStreamRequest,
    options: ActionOptions = {},
  ): Promise<CreateWriteStreamResponse> {
    this.checkIsTable();
    const { sessionId, exactlyOnceMode } = request;
    const call = this.call({
      action: 'TableCreateWriteStream',
      query: { SessionId: sessionId },
      json: streamBody(request),
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
    });
    const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const stream = parseWriteStream(json, reply);
    if (exactlyOnceMode && stream.accessToken === null) {
      throw new MissingAccessTokenError(
        `${call.label}: exactly-once was asked for, but the service gave no access token`,
      );
    }
    this.tokens.adopt(sessionId, stream.routeToken);
    return stream;
  }

  /** How a stream stands; with `exactlyOnceMode`, the row offset and a token to go on with. */
  async getWriteStream(request: GetWriteStreamRequest, options: ActionOptions = {}): Promise<GetWriteStreamResponse> {
    this.checkIsTable();
    const call = this.call({
      action: 'TableGetWriteStream',
      method: this.getWriteStreamMethod,
      query: { ...streamQuery(request), ExactlyOnceMode: request.exactlyOnceMode ? 'true' : undefined },
      json: streamBody(request),
      routeToken: options.routeToken ?? this.tokens.of(request.sessionId),
      isWrite: true,
    });
    const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const stream = parseGetWriteStream(json, reply);
    this.tokens.adopt(request.sessionId, stream.routeToken);
    return stream;
  }

  /**
   * Appends rows with one request. It is sent again only where the service has certainly not taken it.
   *
   * @param body one complete Arrow stream; its rows are counted unless `recordCount` says how many there are
   * @throws {InvalidRequestError} bytes that can be counted and are not as many rows
   */
  async writeRowsStream(
    request: WriteStreamRequest,
    body: Exclude<Body, string>,
    options: ActionOptions = {},
  ): Promise<WriteStreamResponse> {
    this.checkIsTable();
    const { rowOffset = -1, accessToken, sessionId } = request;
    const call = this.call({
      action: 'TableWrite',
      query: {
        ...streamQuery(request),
        Count: String(request.recordCount ?? countRows(body)),
        RowOffset: rowOffset >= 0 ? String(rowOffset) : undefined,
        TableId: request.tableId,
        SchemaVersion: request.schemaVersion,
      },
      headers: { 'x-odps-max-storage-write-access-token': accessToken },
      body,
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
      replay: 'unprocessed',
      secret: accessToken,
    });
    const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const written = parseWriteRows(json, reply);
    this.tokens.adopt(sessionId, written.routeToken);
    this.#warn(call.label, written.warningMessage);
    return written;
  }

  /** Ends a stream, so that it can be committed. One that is closed already is left as it is. */
  async closeWriteStream(
    request: CloseWriteStreamRequest,
    options: ActionOptions = {},
  ): Promise<CloseWriteStreamResponse> {
    this.checkIsTable();
    const { sessionId } = request;
    const call = this.call({
      action: 'TableCloseWriteStream',
      query: { SessionId: sessionId },
      json: closeWriteStreamBody(request),
      routeToken: options.routeToken ?? this.tokens.of(sessionId),
      isWrite: true,
    });
    try {
      const { json, reply } = await this.caller.sendForJson(call, this.signalOf(options));
      const closed = parseCloseWriteStream(json, reply);
      this.#warn(call.label, closed.warningMessage);
      return closed;
    } catch (error) {
      // A repeated call may meet the stream that the first one has closed.
      if (!(error instanceof ConflictError)) throw error;
      const { status, requestId } = await this.getWriteStream(request, options);
      if (status?.toUpperCase() !== 'CLOSED') throw error;
      return { warningMessage: null, requestId };
    }
  }

  /** A write session with its streams. */
  async openWriteSession(
    request: CreateWriteSessionRequest = {},
    options: OpenWriteSessionOptions = {},
  ): Promise<WriteSession> {
    const { sessionId } = await this.createWriteSession(request, options);
    return new WriteSession(this, sessionId!, options);
  }

  /** A session that was made before, here or elsewhere: its streams can be written, and it can be committed or aborted. */
  async attachWriteSession(sessionId: string, options: OpenWriteSessionOptions = {}): Promise<WriteSession> {
    this.tokens.adopt(sessionId, options.routeToken);
    if (options.routeToken === undefined && this.tokens.of(sessionId) === undefined) {
      await this.getWriteSession(sessionId, options);
    }
    return new WriteSession(this, sessionId, options);
  }

  #warn(action: string, message: string | null): void {
    if (message) this.settings.logger.warn('the service warns', { action, message });
  }
}

function countRows(body: Exclude<Body, string>): number {
  const isBytes = body instanceof Uint8Array;
  if (!isBytes && !Array.isArray(body)) {
    throw new InvalidRequestError('the rows of a stream cannot be counted: say how many as recordCount');
  }
  const cutter = new MessageCutter();
  let rows = 0;
  for (const piece of isBytes ? [body] : (body as readonly Uint8Array[])) {
    for (const message of cutter.push(piece)) rows += message.rows;
  }
  cutter.end();
  return rows;
}
