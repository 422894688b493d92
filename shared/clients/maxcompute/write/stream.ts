import type { RecordBatch } from 'apache-arrow';
import { messagesFrom } from '../arrow/encode.ts';
import { type Upload, UploadPacker } from '../arrow/groups.ts';
import { type ArrowMessage, messagesOf } from '../arrow/messages.ts';
import { checkSchema } from '../arrow/schema-check.ts';
import { SessionClosedError, WriteOutcomeUnknownError, WrongRowOffsetError } from '../client-errors.ts';
import { type Compression, Status } from '../enums.ts';
import { RequestTooLargeError } from '../errors.ts';
import { isOutcomeUnknown } from '../retry.ts';
import type { ActionOptions } from '../storage-base.ts';
import type { TableSchema } from '../tables/table-schema.ts';
import type { WriteApi } from '../write-api.ts';
import type { StreamState } from './session.ts';
import type { WriteStreamResponse } from './wire.ts';

export interface WriteStreamOptions {
  readonly schema: TableSchema | null;
  readonly accessToken: string | null;
  readonly rowOffset: number;
  readonly compression: Compression | undefined;
  readonly requestBytes: number;
  readonly onClosed: (isWhole: boolean) => void;
}

export interface WriteOptions extends ActionOptions {
  /** Told after each request, with the rows the service has of this stream by now: note where in your source that is. */
  readonly onWritten?: ((rowOffset: number) => void) | undefined;
  /** Compares the schema with that of the table before the first byte. Default true. */
  readonly checkSchema?: boolean | undefined;
}

/** A stream of a write session: rows are appended in order, in requests of bounded size. */
export class WriteStream {
  readonly #api: WriteApi;
  readonly #sessionId: string;
  readonly #options: WriteStreamOptions;
  #accessToken: string | null;
  #rowOffset: number;
  #status: Status = Status.RUNNING;
  #lastResponse: WriteStreamResponse | null = null;
  #broken: unknown;
  /** To go on elsewhere: see `WriteSession.resumeStream`. */
  readonly state: StreamState;

  constructor(api: WriteApi, sessionId: string, state: StreamState, options: WriteStreamOptions) {
    this.#api = api;
    this.#sessionId = sessionId;
    this.state = state;
    this.#options = options;
    this.#accessToken = options.accessToken;
    this.#rowOffset = options.rowOffset;
  }

  get streamId(): string {
    return this.state.streamId;
  }

  get streamVersion(): number {
    return this.state.streamVersion;
  }

  /** The columns that batches must have; null if the service did not say. */
  get schema(): TableSchema | null {
    return this.#options.schema;
  }

  get status(): Status {
    return this.#status;
  }

  /** Rows of this stream that the service has confirmed. */
  get rowOffset(): number {
    return this.#rowOffset;
  }

  /** Of the last request; null before the first. */
  get lastResponse(): WriteStreamResponse | null {
    return this.#lastResponse;
  }

  /**
   * Appends record batches of the `apache-arrow` package.
   *
   * @throws {SchemaMismatchError} nothing was sent
   * @throws {WriteOutcomeUnknownError} of a stream that is not exactly-once: raise its version, and write it again
   * @throws {WrongRowOffsetError} somebody else writes this stream
   */
  async writeBatches(
    batches: Iterable<RecordBatch> | AsyncIterable<RecordBatch>,
    options: WriteOptions = {},
  ): Promise<void> {
    await this.#write(messagesFrom(batches, this.#options.compression), options);
  }

  /** Appends the rows of an Arrow stream as they are, without decoding them. Errors as of {@link writeBatches}. */
  async writeArrow(bytes: AsyncIterable<Uint8Array>, options: WriteOptions = {}): Promise<void> {
    await this.#write(messagesOf(bytes), options);
  }

  /** Ends the stream, so that it counts in the commit. A stream is closed once. */
  async close(options: ActionOptions = {}): Promise<void> {
    this.#checkWritable();
    await this.#api.closeWriteStream({ sessionId: this.#sessionId, ...this.state }, options);
    this.#status = Status.OK;
    this.#options.onClosed(true);
  }

  /** Gives the stream up: it does not count in the commit, and a higher version may take its place. */
  discard(): void {
    this.#broken ??= new SessionClosedError(`stream ${this.streamId} was given up`);
    this.#options.onClosed(false);
  }

  /** One request is under way while the next is made up. */
  async #write(messages: AsyncIterable<ArrowMessage>, options: WriteOptions): Promise<void> {
    this.#checkWritable();
    const packer = new UploadPacker(this.#options.requestBytes);
    let sending: Promise<void> | undefined;
    const send = async (upload: Upload | undefined) => {
      await sending;
      if (!upload) return;
      sending = this.#upload(packer, upload, options);
      // Its failure is thrown by whoever waits for it; until then it must not count as unhandled.
      sending.catch(() => {});
    };
    try {
      for await (const message of messages) {
        if (message.kind === 'schema' && (options.checkSchema ?? true)) await checkSchema(message, this.schema);
        const full = packer.push(message);
        if (full) await send(full);
      }
      await send(packer.flush());
      await sending;
    } catch (error) {
      await sending?.catch(() => {});
      // A part of what was to be written is there: nobody may take the stream for whole, or write it all once more.
      if (sending) this.#broken ??= error;
      throw error;
    }
  }

  /** What the service finds too long is cut in two, between batches. */
  async #upload(packer: UploadPacker, upload: Upload, options: WriteOptions): Promise<void> {
    const { batches } = upload;
    try {
      await this.#send(upload, options);
    } catch (error) {
      if (!(error instanceof RequestTooLargeError) || batches.length < 2) throw error;
      const middle = Math.ceil(batches.length / 2);
      await this.#upload(packer, packer.uploadOf(batches.slice(0, middle)), options);
      await this.#upload(packer, packer.uploadOf(batches.slice(middle)), options);
    }
  }

  async #send({ pieces, rows }: Upload, options: WriteOptions): Promise<void> {
    const { exactlyOnce, tableId, schemaVersion } = this.state;
    const repeats = this.#api.newRepeats();
    for (;;) {
      const request = {
        sessionId: this.#sessionId,
        ...this.#reference,
        recordCount: rows,
        tableId: tableId ?? undefined,
        schemaVersion: schemaVersion ?? undefined,
        ...(exactlyOnce && { rowOffset: this.#rowOffset, accessToken: this.#accessToken ?? undefined }),
      };
      try {
        const response = await this.#api.writeRowsStream(request, pieces, options);
        this.#lastResponse = response;
        this.#advance(rows, exactlyOnce ? (response.exactlyOnceRowOffset ?? undefined) : undefined);
        break;
      } catch (error) {
        if (!isOutcomeUnknown(error)) throw error;
        if (!exactlyOnce) {
          const message = `stream ${this.streamId}: whether ${rows} rows were taken is not known`;
          throw new WriteOutcomeUnknownError(message, { cause: error });
        }
        if (await this.#wasTaken(rows, options)) break;
        // The same bytes at the same offset once more.
        if (!(await this.#api.mayRepeat(repeats, error, 'TableWrite', options))) throw error;
      }
    }
    options.onWritten?.(this.#rowOffset);
  }

  /** Asks the service where it stands. @throws {WrongRowOffsetError} neither before nor behind these rows */
  async #wasTaken(rows: number, options: ActionOptions): Promise<boolean> {
    const request = { sessionId: this.#sessionId, ...this.#reference, exactlyOnceMode: true };
    const { rowOffset, accessToken } = await this.#api.getWriteStream(request, options);
    this.#accessToken = accessToken ?? this.#accessToken;
    if (rowOffset === this.#rowOffset) return false;
    this.#advance(rows, rowOffset ?? undefined);
    return true;
  }

  /** @param told by the service; without it, its word is taken that it took all rows */
  #advance(rows: number, told = this.#rowOffset + rows): void {
    const expected = this.#rowOffset + rows;
    if (told !== expected) {
      const message = `stream ${this.streamId}: the service is at row ${told} instead of ${expected}`;
      throw new WrongRowOffsetError(message);
    }
    this.#rowOffset = expected;
  }

  get #reference() {
    return { streamId: this.state.streamId, streamVersion: this.state.streamVersion };
  }

  #checkWritable(): void {
    if (this.#status !== Status.RUNNING) throw new SessionClosedError(`stream ${this.streamId} is closed`);
    if (this.#broken === undefined) return;
    throw new SessionClosedError(`stream ${this.streamId} has failed: raise its version`, { cause: this.#broken });
  }
}
