import type { RecordBatch } from 'apache-arrow';
import { pause } from '../../transport/abort.ts';
import { batchesOf } from '../arrow/decode.ts';
import { type ArrowMessage, END_MARKER, joined, messagesOf } from '../arrow/messages.ts';
import {
  ConnectionFailedError,
  CorruptStreamError,
  RowCountMismatchError,
  SessionClosedError,
  StreamTruncatedError,
  withRequestId,
} from '../client-errors.ts';
import { ByteReader } from '../codec/byte-reader.ts';
import { type ContentCoding, parseContentCoding, unpackContent } from '../codec/content-coding.ts';
import { LZ4_MAGIC } from '../codec/lz4-frame.ts';
import { ZSTD_MAGIC } from '../codec/zstd-frames.ts';
import { Status } from '../enums.ts';
import type { Reply } from '../reply-body.ts';
import { Repeats } from '../retry.ts';
import type { Settings } from '../settings.ts';

/** How the rows behind a stream are asked for. */
export interface RowSource {
  readonly label: string;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Sends the request for all but the first so many rows, which are known already. */
  open(skipRows: number): Promise<Reply>;
  /** Undefined where nobody can know. */
  readonly expectedRows: number | undefined;
  /** More is an error, fewer are not. */
  readonly maxRows?: number | undefined;
  /** Whether a broken stream goes on behind the last whole batch. */
  readonly resumes: boolean;
}

/**
 * Rows of a session, a split or a preview: as Arrow record batches by iterating, or as the bytes of an Arrow stream by
 * {@link RowStream.bytes}. Either way it can be read once, in constant memory, and at its end the rows have been counted.
 */
export class RowStream implements AsyncIterable<RecordBatch> {
  readonly #source: RowSource;
  #status: Status = Status.RUNNING;
  #isTaken = false;
  #rowCount = 0;
  #requestId = '';
  #routeToken: string | null = null;
  #hasEndMarker = false;

  constructor(source: RowSource) {
    this.#source = source;
  }

  /** `RUNNING`, or `OK` once all has been read. */
  get status(): Status {
    return this.#status;
  }

  /** Rows in the whole batches that came so far. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Of the last request; empty before the first. */
  get requestId(): string {
    return this.#requestId;
  }

  get routeToken(): string | null {
    return this.#routeToken;
  }

  /**
   * Record batches of the `apache-arrow` package.
   *
   * @throws {StreamTruncatedError} the stream keeps ending early; {@link EmptyBodyError} not a byte came
   * @throws {RowCountMismatchError} more rows than the session counts; fewer are a truncated stream
   * @throws {CorruptStreamError} no Arrow, or buffers that do not unpack
   */
  [Symbol.asyncIterator](): AsyncGenerator<RecordBatch> {
    return batchesOf(this.messages());
  }

  /**
   * The Arrow stream as the service made it, packed buffers included; what packed the body as a whole is off. A message is
   * given on once it is whole. Errors as in iterating, but for what only decoding finds.
   */
  async *bytes(): AsyncGenerator<Uint8Array> {
    for await (const { chunks } of this.messages()) yield* chunks;
    if (this.#hasEndMarker) yield END_MARKER;
  }

  /** The messages of the Arrow stream, without its end marker: to count rows, or cut the stream, without decoding it. */
  async *messages(): AsyncGenerator<ArrowMessage> {
    if (this.#isTaken) throw new SessionClosedError(`${this.#source.label}: a row stream can be read once`);
    this.#isTaken = true;
    const { label, settings, signal, expectedRows, maxRows } = this.#source;
    const limit = expectedRows ?? maxRows ?? Number.POSITIVE_INFINITY;
    const repeats = new Repeats(settings.retry, settings.random, settings.clock().getTime());
    let schema: Uint8Array | undefined;
    for (;;) {
      const reply = await this.#open();
      try {
        const state: { hasEndMarker?: boolean } = {};
        for await (const message of messagesOf(await unpacked(reply), state)) {
          if (message.kind === 'schema') {
            const bytes = joined(message.chunks, 0, message.bytes);
            if (schema && !Buffer.from(bytes).equals(schema)) {
              throw new CorruptStreamError(`${label}: a second answer has another schema`);
            }
            if (schema) continue;
            schema = bytes;
          }
          if (this.#rowCount + message.rows > limit) throw this.#tooMany(limit);
          yield message;
          this.#rowCount += message.rows;
          if (message.rows > 0) repeats.progress(settings.clock().getTime());
        }
        this.#hasEndMarker = state.hasEndMarker ?? false;
        if (expectedRows !== undefined && this.#rowCount < expectedRows) {
          throw new StreamTruncatedError(`${label}: only ${this.#rowCount} of ${expectedRows} rows came`);
        }
        break;
      } catch (error) {
        signal.throwIfAborted();
        if (expectedRows === 0 && error instanceof StreamTruncatedError && schema === undefined) break;
        if (!(await this.#mayResume(error, repeats))) throw withRequestId(error, this.#requestId);
        if (this.#rowCount > 0 && this.#rowCount === expectedRows) {
          // All rows are there; only the end marker got lost.
          this.#hasEndMarker = true;
          break;
        }
      }
    }
    this.#status = Status.OK;
  }

  async #open(): Promise<Reply> {
    const reply = await this.#source.open(this.#rowCount);
    this.#requestId = reply.requestId;
    this.#routeToken = reply.routeToken ?? this.#routeToken;
    return reply;
  }

  async #mayResume(error: unknown, repeats: Repeats): Promise<boolean> {
    const { settings, label, resumes, signal } = this.#source;
    if (!resumes || !isPassing(error)) return false;
    const failure = new ConnectionLost(error);
    const waitMs = repeats.waitBefore(failure, 'free', settings.clock().getTime());
    if (waitMs === undefined) return false;
    settings.logger.warn('the read is resumed', { action: label, rows: this.#rowCount, waitMs, error });
    settings.onRetry({ action: label, failures: repeats.count, waitMs, error });
    await pause(settings.sleep, waitMs, signal);
    return true;
  }

  #tooMany(limit: number): Error {
    return new RowCountMismatchError(`${this.#source.label}: more than ${limit} rows came`);
  }
}

/** What a second request may mend: bytes that are missing or wrong. */
function isPassing(error: unknown): boolean {
  const kinds = [ConnectionFailedError, StreamTruncatedError, CorruptStreamError];
  return kinds.some((Kind) => error instanceof Kind) && (error as { retryable?: boolean }).retryable === true;
}

/** Whatever broke a body, it is repeated as a lost connection is. */
class ConnectionLost extends ConnectionFailedError {
  override readonly retryable = true;
  constructor(cause: unknown) {
    super('the body broke off', { cause });
  }
}

/**
 * The Arrow stream of a body. Clients and servers disagree whether a codec packs the buffers or the body, with or without a
 * `Content-Encoding`: its first bytes tell.
 */
async function unpacked({ body, headers }: Reply): Promise<AsyncIterable<Uint8Array>> {
  const reader = new ByteReader(body);
  const start = await reader.peek(4);
  const coding = codingOf(start) ?? parseContentCoding(headers.get('content-encoding'));
  return unpackContent(reader.rest(), coding);
}

function codingOf(start: Uint8Array): ContentCoding | undefined {
  if (start.byteLength < 4) return 'identity';
  switch (new DataView(start.buffer, start.byteOffset, 4).getUint32(0, true)) {
    case 0xffffffff:
      return 'identity';
    case ZSTD_MAGIC:
      return 'zstd';
    case LZ4_MAGIC:
      return 'lz4';
    default:
      return undefined;
  }
}
