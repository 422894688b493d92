import { pause } from '../transport/abort.ts';
import {
  SessionExpiredError,
  SessionFailedError,
  SessionNotReadyError,
  UnparsableReplyError,
} from './client-errors.ts';
import { SessionStatus, toContentCoding } from './enums.ts';
import { RowStream } from './read/row-stream.ts';
import { type OpenReadSessionOptions, ReadSession } from './read/session.ts';
import {
  type CreateReadSessionRequest,
  type CreateReadSessionResponse,
  createReadSessionBody,
  type PreviewTableRequest,
  parseReadSession,
  previewTableBody,
  type ReadStreamRequest,
  readStreamBody,
  readStreamQuery,
} from './read/wire.ts';
import { withFirstByte } from './reply-body.ts';
import { type ActionOptions, StorageBase } from './storage-base.ts';

export interface GetReadSessionOptions extends ActionOptions {
  /** Makes the session live longer. Default false. */
  readonly refresh?: boolean | undefined;
}

export interface ReadOptions extends ActionOptions {
  /** Rows that must come; another number is an error. Default: only what came is checked. */
  readonly expectedRows?: number | undefined;
  /** A stream that breaks goes on behind its last whole batch. Default true. */
  readonly resume?: boolean | undefined;
}

export interface WaitOptions extends ActionOptions {
  /** Milliseconds until the first look; each next one comes after 1.5 times as long. Default 1,000. */
  readonly pollMinMs?: number | undefined;
  /** Default 10,000. */
  readonly pollMaxMs?: number | undefined;
  /** Milliseconds in all. Default one hour. */
  readonly limitMs?: number | undefined;
}

/** How a SQL instance is asked for its rows. `minimal` is what most clients send; `table` what is sent for a table. */
export type InstanceDialect = 'minimal' | 'table';

/**
 * Reading: sessions, row streams, previews. Every method may throw, besides what it names: a `ServiceError` of the class of
 * its code; `ConnectionFailedError` once repeating did not help; `UnparsableReplyError`; the reason of an aborted `signal`.
 */
export class ReadApi extends StorageBase {
  /** Default `minimal`. Which one the service prefers is not published; it is known to take both. */
  instanceDialect: InstanceDialect = 'minimal';

  /**
   * Has the service cut a table into splits. The session may still be INIT: see {@link waitForReadSession}.
   *
   * @throws {InvalidRequestError} before anything is sent
   */
  async createReadSession(
    request: CreateReadSessionRequest = {},
    options: ActionOptions = {},
  ): Promise<CreateReadSessionResponse> {
    const action = `${this.#kind}CreateReadSession`;
    const json = this.#isMinimal ? { EnableLimit: false } : createReadSessionBody(request);
    const call = this.call({ action, json });
    const { json: answer, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const session = parseReadSession(answer, action, { ...reply, isInstance: this.isInstance });
    if (session.sessionId === null) throw new UnparsableReplyError(`${action}: the answer names no session`);
    this.tokens.adopt(session.sessionId, session.routeToken);
    return session;
  }

  async getReadSession(sessionId: string, options: GetReadSessionOptions = {}): Promise<CreateReadSessionResponse> {
    const action = `${this.#kind}GetReadSession`;
    const query = { SessionId: sessionId, session_refresh: options.refresh ? 'true' : undefined };
    const call = this.call({ action, query, method: this.#isMinimal ? 'GET' : 'POST', routeToken: options.routeToken });
    const { json: answer, reply } = await this.caller.sendForJson(call, this.signalOf(options));
    const session = parseReadSession(answer, action, { ...reply, isInstance: this.isInstance });
    this.tokens.adopt(sessionId, session.routeToken);
    return session;
  }

  /**
   * Looks at a session until it can be read.
   *
   * @param known what is known of it already, so that one that is ready costs no call
   * @throws {SessionNotReadyError} the time is over; ask again later
   * @throws {SessionFailedError} with the service's reason; {@link SessionExpiredError}
   */
  async waitForReadSession(
    sessionId: string,
    options: WaitOptions = {},
    known?: CreateReadSessionResponse,
  ): Promise<CreateReadSessionResponse> {
    const { pollMinMs = 1000, pollMaxMs = 10_000, limitMs = 3_600_000 } = options;
    const { clock, sleep, random } = this.settings;
    const endMs = clock().getTime() + limitMs;
    let session = known ?? (await this.getReadSession(sessionId, options));
    for (let pollMs = pollMinMs; !isReady(session); pollMs = Math.min(pollMaxMs, pollMs * 1.5)) {
      // From half to all of it, so that many who wait do not ask together.
      const waitMs = Math.round(pollMs * (0.5 + random() / 2));
      if (clock().getTime() + waitMs > endMs) {
        throw new SessionNotReadyError(`session ${sessionId} is still being prepared`);
      }
      await pause(sleep, waitMs, this.signalOf(options));
      session = await this.getReadSession(sessionId, options);
    }
    return session;
  }

  /** Rows of a split, a range of rows, or the whole session. Nothing is sent before the stream is read. */
  readRowsStream(request: ReadStreamRequest, options: ReadOptions = {}): RowStream {
    const signal = this.signalOf(options);
    readStreamQuery(request);
    const { expectedRows } = options;
    return new RowStream({
      label: `${this.#kind}Read`,
      settings: this.settings,
      signal,
      expectedRows,
      maxRows: request.rowCount || undefined,
      resumes: options.resume ?? true,
      open: (skipRows) => {
        const rest = restOf(request, skipRows, this.isInstance);
        const call = this.call({
          action: `${this.#kind}Read`,
          query: { SessionId: request.sessionId, ...readStreamQuery(rest) },
          json: this.#isMinimal ? instanceReadBody(rest) : readStreamBody(rest),
          headers: { 'Accept-Encoding': toContentCoding(request.compression ?? 0) ?? 'identity' },
          routeToken: options.routeToken ?? this.tokens.of(request.sessionId),
        });
        // A stream that is not resumed is at least begun again while not a byte has come.
        return this.caller.send(call, signal, options.resume === false ? withFirstByte : async (reply) => reply);
      },
    });
  }

  /** Some rows of a table, without a session. @throws {InstanceReadOnlyError} the target is an instance */
  previewTable(request: PreviewTableRequest = {}, options: ActionOptions = {}): RowStream {
    this.checkIsTable();
    const signal = this.signalOf(options);
    const { limit, partition } = request;
    const query = { Limit: limit === undefined ? undefined : String(limit), Partition: partition };
    const call = this.call({ action: 'TablePreview', query, json: previewTableBody(request) });
    return new RowStream({
      label: 'TablePreview',
      settings: this.settings,
      signal,
      expectedRows: undefined,
      maxRows: limit,
      // Which rows a second answer has, nobody says.
      resumes: false,
      open: () => this.caller.send(call, signal, withFirstByte),
    });
  }

  /** Makes a session, waits until it can be read, and gives its splits. */
  async openReadSession(
    request: CreateReadSessionRequest = {},
    options: OpenReadSessionOptions = {},
  ): Promise<ReadSession> {
    const created = await this.createReadSession(request, options);
    const ready = await this.waitForReadSession(created.sessionId!, options, created);
    return new ReadSession(this, created.sessionId!, ready, request);
  }

  /**
   * A session that was made before, here or elsewhere.
   *
   * @param request what it was made with: split mode, number and filter decide what can be checked
   */
  async attachReadSession(
    sessionId: string,
    request: CreateReadSessionRequest = {},
    options: OpenReadSessionOptions = {},
  ): Promise<ReadSession> {
    this.tokens.adopt(sessionId, options.routeToken);
    return new ReadSession(this, sessionId, await this.waitForReadSession(sessionId, options), request);
  }

  get #kind(): 'Instance' | 'Table' {
    return this.isInstance ? 'Instance' : 'Table';
  }

  get #isMinimal(): boolean {
    return this.isInstance && this.instanceDialect === 'minimal';
  }
}

function isReady(session: CreateReadSessionResponse): boolean {
  const { sessionStatus, sessionStatusText, sessionId, message } = session;
  if (sessionStatus === SessionStatus.NORMAL) return true;
  if (sessionStatus === SessionStatus.INIT) return false;
  const reason = `session ${sessionId ?? ''} is ${sessionStatusText ?? 'in no state'}${message ? `: ${message}` : ''}`;
  throw new (sessionStatus === SessionStatus.EXPIRED ? SessionExpiredError : SessionFailedError)(reason);
}

/** What is left to ask for: a split skips rows, a range begins later. */
function restOf(request: ReadStreamRequest, skipRows: number, isInstance: boolean): ReadStreamRequest {
  if (skipRows === 0) return request;
  const { splitIndex, rowOffset, rowCount } = request;
  if (splitIndex === undefined && (rowOffset !== undefined || rowCount || isInstance)) {
    return {
      ...request,
      rowOffset: (rowOffset ?? 0) + skipRows,
      rowCount: rowCount ? rowCount - skipRows : undefined,
    };
  }
  return { ...request, skipRowNum: Math.max(0, request.skipRowNum ?? 0) + skipRows };
}

function instanceReadBody({ dataColumns }: ReadStreamRequest): object {
  return { TaskName: 'AnonymousSQLTask', QueryId: 0, EnableLimit: false, Columns: dataColumns ?? [] };
}
