import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { InvalidRequestError, SourceLengthError } from '../client-errors.ts';
import { ChecksumType } from '../enums.ts';

export interface BlobWriteOptions {
  /** Like `['pt=20230101']`. */
  readonly partitionValues?: readonly string[] | undefined;
  /** The id that the service gave the column. Default 0, which no table has: see `blobColumnIds`. */
  readonly columnIndex?: number | undefined;
  /** Base64 of an Arrow stream with the key columns of the row, for tables with a primary key. */
  readonly distributionKey?: string | undefined;
  readonly mimeType?: string | undefined;
  readonly checksumType?: ChecksumType | undefined;
  /** Bytes of a source that cannot say it. */
  readonly size?: number | undefined;
  /** Sent from API version 3 on. */
  readonly customFileName?: string | undefined;
}

/** Bytes, a `Blob` or file handle's blob, or any stream whose `size` is given. */
export type BlobSource = Uint8Array | Blob | AsyncIterable<Uint8Array>;

/** Where {@link BlobWriteItem.writeFrameTo} writes; what it returns is waited for. */
export interface FrameTarget {
  write(bytes: Uint8Array): unknown;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * One blob of a batch, as a frame: length and JSON of the header, length and bytes of the data, length and JSON of the
 * footer; lengths are 64 bits, little-endian.
 */
export class BlobWriteItem {
  readonly data: BlobSource;
  readonly partitionValues: readonly string[];
  readonly columnIndex: number;
  readonly distributionKey: string | undefined;
  readonly mimeType: string | undefined;
  readonly checksumType: ChecksumType;
  readonly customFileName: string | undefined;
  readonly #size: number | undefined;

  constructor(data: BlobSource, options: BlobWriteOptions = {}) {
    this.data = data;
    this.partitionValues = options.partitionValues ?? [];
    this.columnIndex = options.columnIndex ?? 0;
    this.distributionKey = options.distributionKey;
    this.mimeType = options.mimeType;
    this.checksumType = options.checksumType ?? ChecksumType.NONE;
    this.customFileName = options.customFileName;
    this.#size = options.size;
  }

  /** Bytes of the data. @throws {InvalidRequestError} a stream whose `size` nobody gave */
  get size(): number {
    if (this.data instanceof Uint8Array) return this.data.byteLength;
    if (this.#size !== undefined) return this.#size;
    if (this.data instanceof Blob) return this.data.size;
    throw new InvalidRequestError('the size of a stream cannot be told: give it as size');
  }

  /** Whether the frame can be made twice. */
  get isReplayable(): boolean {
    return this.data instanceof Uint8Array || this.data instanceof Blob;
  }

  /** The whole frame. @throws {InvalidRequestError} the data is a stream */
  serialize(isV3 = true): Buffer {
    if (!(this.data instanceof Uint8Array)) throw new InvalidRequestError('only bytes can be serialised at once');
    const checksum = this.#checksum();
    checksum.update(this.data);
    return Buffer.concat([this.#head(isV3), this.data, footer(checksum)]);
  }

  /** Writes the frame, in pieces of at most 256 KiB. @throws {SourceLengthError} the source is not as long as it said */
  async writeFrameTo(target: FrameTarget, isV3 = true): Promise<void> {
    for await (const piece of this.frame(isV3)) await target.write(piece);
  }

  /** The frame in pieces. @throws {SourceLengthError} the source is not as long as it said */
  async *frame(isV3 = true): AsyncGenerator<Uint8Array> {
    const { size } = this;
    yield this.#head(isV3);
    const checksum = this.#checksum();
    let sent = 0;
    for await (const chunk of this.#chunks()) {
      sent += chunk.byteLength;
      if (sent > size) break;
      checksum.update(chunk);
      for (let at = 0; at < chunk.byteLength; at += CHUNK_BYTES) yield chunk.subarray(at, at + CHUNK_BYTES);
    }
    if (sent !== size) {
      throw new SourceLengthError(`a blob of ${size} bytes has ${sent > size ? 'more' : `only ${sent}`}`);
    }
    yield footer(checksum);
  }

  /** All frames in one piece; empty for no items. */
  static writeBlobs(items: readonly BlobWriteItem[], isV3 = true): Buffer {
    return Buffer.concat(items.map((item) => item.serialize(isV3)));
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    if (this.data instanceof Uint8Array) yield this.data;
    else yield* this.data instanceof Blob ? this.data.stream() : this.data;
  }

  #head(isV3: boolean): Buffer {
    const header = jsonBytes({
      PartitionValues: this.partitionValues,
      ColumnIndex: this.columnIndex,
      DistributionKey: this.distributionKey,
      ContentType: this.mimeType,
      CustomFileName: isV3 ? this.customFileName : undefined,
    });
    return Buffer.concat([int64(header.byteLength), header, int64(this.size)]);
  }

  #checksum(): Checksum {
    return new Checksum(this.checksumType);
  }
}

class Checksum {
  readonly #type: ChecksumType;
  readonly #md5;
  #crc32 = 0;

  constructor(type: ChecksumType) {
    this.#type = type;
    this.#md5 = type === ChecksumType.MD5 ? createHash('md5') : undefined;
  }

  update(bytes: Uint8Array): void {
    this.#md5?.update(bytes);
    if (this.#type === ChecksumType.CRC32) this.#crc32 = crc32(bytes, this.#crc32);
  }

  members(): object {
    const isCrc = this.#type === ChecksumType.CRC32;
    return { Type: this.#type, Crc32: isCrc ? this.#crc32 : undefined, MD5: this.#md5?.digest('hex') };
  }
}

function footer(checksum: Checksum): Buffer {
  const json = jsonBytes({ Checksum: checksum });
  return Buffer.concat([int64(json.byteLength), json]);
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}

/** As the vendor's client writes it: with spaces, and in ASCII. */
function jsonBytes(value: object): Buffer {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(spacedJson(value).replaceAll(/[\u0080-\uffff]/g, escaped));
}

function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (value instanceof Checksum) return spacedJson(value.members());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}: ${spacedJson(inner)}`).join(', ')}}`;
}
