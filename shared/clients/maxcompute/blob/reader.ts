import { isObject } from '../../../core/json.ts';
import { CorruptStreamError, StreamTruncatedError, withRequestId } from '../client-errors.ts';
import { ByteReader } from '../codec/byte-reader.ts';

/** One blob that was read. */
export interface BlobRecord {
  readonly data: Buffer;
  readonly mimeType: string | null;
  /** From API version 3 on. */
  readonly customFileName: string | null;
}

const JSON_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Blobs one after the other, each as a stream. Iterate for whole {@link BlobRecord}s; or call `next`, then `read` or
 * `chunks`, where blobs may be large. What of a blob is not read is passed over.
 */
export class BlobReader implements AsyncDisposable {
  readonly #bytes: ByteReader;
  readonly #count: number;
  readonly #isFramed: boolean;
  #started = 0;
  /** Of the blob at hand; undefined where only the end of the body tells. */
  #left: number | undefined = 0;
  #hasFooter = false;
  #mimeType: string | null = null;
  #customFileName: string | null = null;
  /** Empty if nothing was sent. */
  readonly requestId: string;

  /** @param bytes unpacked, without checksums @param count how many blobs must come */
  constructor(bytes: AsyncIterable<Uint8Array>, count: number, isFramed: boolean, requestId = '') {
    this.#bytes = new ByteReader(tagged(bytes, requestId));
    this.requestId = requestId;
    this.#count = count;
    this.#isFramed = isFramed;
  }

  /** Of the blob at hand; null if the service does not say. */
  get mimeType(): string | null {
    return this.#mimeType;
  }

  get customFileName(): string | null {
    return this.#customFileName;
  }

  /**
   * Goes to the next blob.
   *
   * @returns false behind the last one
   * @throws {StreamTruncatedError} fewer blobs than were asked for, or half of one
   * @throws {CorruptStreamError} a frame that is none
   */
  async next(): Promise<boolean> {
    await this.#finish();
    if (this.#started === this.#count) {
      await this.close();
      return false;
    }
    this.#started++;
    if (!this.#isFramed) this.#left = undefined;
    else await this.#readHeader();
    return true;
  }

  /** At most so many bytes of the blob at hand, all of its rest by default; empty at its end. */
  async read(maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (let missing = maxBytes; missing > 0; ) {
      const piece = await this.#some(missing);
      if (!piece) break;
      pieces.push(piece);
      missing -= piece.byteLength;
    }
    return Buffer.concat(pieces);
  }

  /** The rest of the blob at hand, as it comes. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.#some(Number.POSITIVE_INFINITY);
      if (!piece) return;
      yield piece;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BlobRecord> {
    try {
      while (await this.next()) {
        const data = await this.read();
        // Its footer is read before it is given on, so that half a frame is never a blob.
        await this.#finish();
        yield { data, mimeType: this.#mimeType, customFileName: this.#customFileName };
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#bytes.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #some(max: number): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    const piece = await this.#bytes.some(Math.min(max, this.#left ?? max));
    if (this.#left === undefined) {
      if (!piece) this.#left = 0;
      return piece;
    }
    if (!piece) throw this.#truncated(`${this.#left} bytes before the end of its data`);
    this.#left -= piece.byteLength;
    return piece;
  }

  /** Passes over what is left of the blob at hand. */
  async #finish(): Promise<void> {
    while (await this.#some(Number.POSITIVE_INFINITY));
    if (!this.#hasFooter) return;
    this.#hasFooter = false;
    await this.#readJson('footer');
  }

  async #readHeader(): Promise<void> {
    const header = await this.#readJson('header');
    this.#mimeType = textOf(header.ContentType);
    this.#customFileName = textOf(header.CustomFileName);
    this.#left = await this.#readLength('data', Number.MAX_SAFE_INTEGER);
    this.#hasFooter = true;
  }

  async #readJson(what: string): Promise<Record<string, unknown>> {
    const length = await this.#readLength(what, JSON_MAX_BYTES);
    const bytes = await this.#bytes.read(length);
    if (bytes.byteLength < length) throw this.#truncated(`in its ${what}`);
    try {
      const parsed: unknown = length === 0 ? {} : JSON.parse(Buffer.from(bytes).toString());
      if (isObject(parsed)) return parsed;
    } catch {
      // The parser's message would quote the bytes.
    }
    throw this.#corrupt(`the ${what} of blob ${this.#started - 1} is no JSON object`);
  }

  async #readLength(what: string, max: number): Promise<number> {
    const bytes = await this.#bytes.read(8);
    if (bytes.byteLength < 8) throw this.#truncated(`before the length of its ${what}`);
    const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
    if (length >= 0n && length <= BigInt(max)) return Number(length);
    throw this.#corrupt(`the ${what} of blob ${this.#started - 1} has an impossible length: ${length}`);
  }

  #truncated(where: string): Error {
    const error = new StreamTruncatedError(`blob ${this.#started - 1} of ${this.#count} ended ${where}`);
    return withRequestId(error, this.requestId);
  }

  #corrupt(message: string): Error {
    return withRequestId(new CorruptStreamError(message), this.requestId);
  }
}

async function* tagged(bytes: AsyncIterable<Uint8Array>, requestId: string): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw withRequestId(error, requestId);
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
