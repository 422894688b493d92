import { InvalidRequestError, SessionClosedError } from '../client-errors.ts';
import type { Compression } from '../enums.ts';
import type { ActionOptions } from '../storage-base.ts';
import type { WriteApi } from '../write-api.ts';
import { WriteStream } from './stream.ts';
import { checkStream } from './wire.ts';

export interface OpenWriteSessionOptions extends ActionOptions {
  /** Of one request, in bytes; a record batch is not cut, unless the service says that it is too long. Default 16 MiB. */
  readonly requestBytes?: number | undefined;
}

export interface OpenStreamOptions extends ActionOptions {
  /** Unique in its session. */
  readonly streamId: string | number;
  /** Raise it to write the stream again from its beginning. Default 1. */
  readonly streamVersion?: number | undefined;
  /** The service counts rows, so that a request whose answer was lost is neither lost nor taken twice. Default false. */
  readonly exactlyOnce?: boolean | undefined;
  /** Inside record batches that are written as such. Default: none. */
  readonly compression?: Compression | undefined;
}

/** What a stream needs to go on in another process. It holds no secret: the token is asked for again. */
export interface StreamState {
  readonly streamId: string;
  readonly streamVersion: number;
  readonly exactlyOnce: boolean;
  readonly tableId: string | null;
  readonly schemaVersion: string | null;
}

/** A write session: streams are written side by side, and become visible together or not at all. */
export class WriteSession {
  readonly #api: WriteApi;
  readonly #requestBytes: number;
  /** Versions of those that were closed here. */
  readonly #closed = new Map<string, number>();
  readonly #open = new Set<WriteStream>();
  #state: 'open' | 'committed' | 'aborted' = 'open';
  readonly id: string;

  constructor(api: WriteApi, id: string, { requestBytes = 16 * 1024 * 1024 }: OpenWriteSessionOptions) {
    if (!(requestBytes >= 1)) throw new InvalidRequestError(`requestBytes must be at least 1, got ${requestBytes}`);
    this.#api = api;
    this.id = id;
    this.#requestBytes = requestBytes;
  }

  /** Worth keeping together with the id. */
  get routeToken(): string | undefined {
    return this.#api.routeTokenOf(this.id);
  }

  /** What {@link commit} makes visible by default: the streams that were closed here. */
  get closedStreams(): { readonly streamId: string; readonly streamVersion: number }[] {
    return [...this.#closed].map(([streamId, streamVersion]) => ({ streamId, streamVersion }));
  }

  /**
   * Opens a stream. Nothing to write: open none.
   *
   * @throws {SessionClosedError} committed or aborted
   * @throws {MissingAccessTokenError} the service grants no exactly-once
   */
  async openStream(options: OpenStreamOptions): Promise<WriteStream> {
    this.#checkOpen();
    const { streamId, streamVersion = 1, exactlyOnce = false } = options;
    const request = { sessionId: this.id, streamId, streamVersion, exactlyOnceMode: exactlyOnce };
    const created = await this.#api.createWriteStream(request, options);
    const { tableId, schemaVersion, accessToken, dataSchema: schema } = created;
    const state: StreamState = { ...plain(streamId, streamVersion), exactlyOnce, tableId, schemaVersion };
    return this.#streamOf(state, { schema, accessToken, rowOffset: 0 }, options);
  }

  /**
   * Goes on with an exactly-once stream that another process began.
   *
   * @returns a stream whose `rowOffset` says how many rows the service has
   * @throws {InvalidRequestError} the stream is not exactly-once: where to go on cannot be asked
   */
  async resumeStream(
    state: StreamState,
    options: ActionOptions & Pick<OpenStreamOptions, 'compression'> = {},
  ): Promise<WriteStream> {
    this.#checkOpen();
    if (!state.exactlyOnce) {
      throw new InvalidRequestError('only an exactly-once stream goes on: raise the version, and write it again');
    }
    const request = { sessionId: this.id, ...state, exactlyOnceMode: true };
    const { rowOffset, accessToken, dataSchema: schema } = await this.#api.getWriteStream(request, options);
    return this.#streamOf(state, { schema, accessToken, rowOffset: rowOffset ?? 0 }, options);
  }

  /**
   * Makes the rows of all streams visible at once. Streams that were closed elsewhere are to be named.
   *
   * @throws {SessionClosedError} a stream is still open, or the session is over
   * @throws {CommitOutcomeUnknownError} keep the session's id, and look at the table
   */
  async commit(streams = this.closedStreams, options: ActionOptions = {}): Promise<void> {
    this.#checkOpen();
    const stillOpen = [...this.#open].map(({ streamId }) => streamId);
    if (stillOpen.length > 0) throw new SessionClosedError(`streams are still open: ${stillOpen.join(', ')}`);
    await this.#api.commitWriteSession(this.id, streams, options);
    this.#state = 'committed';
  }

  /** Discards everything. May be repeated. */
  async abort(options: ActionOptions = {}): Promise<void> {
    if (this.#state === 'committed') throw new SessionClosedError(`session ${this.id} is committed`);
    await this.#api.abortWriteSession(this.id, options);
    this.#state = 'aborted';
  }

  #streamOf(
    state: StreamState,
    at: { schema: WriteStream['schema']; accessToken: string | null; rowOffset: number },
    { compression }: Pick<OpenStreamOptions, 'compression'> = {},
  ): WriteStream {
    const stream = new WriteStream(this.#api, this.id, state, {
      ...at,
      compression,
      requestBytes: this.#requestBytes,
      onClosed: (isWhole) => {
        this.#open.delete(stream);
        if (isWhole) this.#closed.set(state.streamId, state.streamVersion);
      },
    });
    // The one that takes another's place is the one that counts.
    for (const other of this.#open) if (other.streamId === stream.streamId) this.#open.delete(other);
    this.#closed.delete(stream.streamId);
    this.#open.add(stream);
    return stream;
  }

  #checkOpen(): void {
    if (this.#state !== 'open') throw new SessionClosedError(`session ${this.id} is ${this.#state}`);
  }
}

function plain(streamId: string | number, streamVersion: number) {
  const { id, version } = checkStream({ sessionId: '', streamId, streamVersion });
  return { streamId: id, streamVersion: version };
}
