/*
 * Stands in for `node:zlib` below `shared/landing/` while histories run: the same formats, without looking for anything to compress,
 * and without another thread, whose answers would come when they come. What it writes any gunzip or zstd reads; it reads
 * only what it wrote.
 */
import { Transform, type TransformCallback } from 'node:stream';

// The real one, also where this stands in for it.
const { crc32, constants } = process.getBuiltinModule('node:zlib');

export { constants };

// gzip (RFC 1952) around stored blocks (RFC 1951, 3.2.4).

const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const STORED_MAX_BYTES = 0xffff;
const BLOCK_HEADER_BYTES = 5;
const GZIP_TRAILER_BYTES = 8;

export function gzipSync(data: Uint8Array): Buffer {
  const blocks = Math.max(1, Math.ceil(data.length / STORED_MAX_BYTES));
  const out = Buffer.allocUnsafe(GZIP_HEADER.length + blocks * BLOCK_HEADER_BYTES + data.length + GZIP_TRAILER_BYTES);
  let to = GZIP_HEADER.copy(out);
  for (let block = 0; block < blocks; block++) {
    const piece = data.subarray(block * STORED_MAX_BYTES, (block + 1) * STORED_MAX_BYTES);
    out[to] = block === blocks - 1 ? 1 : 0;
    out.writeUInt16LE(piece.length, to + 1);
    out.writeUInt16LE(~piece.length & 0xffff, to + 3);
    out.set(piece, to + BLOCK_HEADER_BYTES);
    to += BLOCK_HEADER_BYTES + piece.length;
  }
  out.writeUInt32LE(crc32(data), to);
  out.writeUInt32LE(data.length, to + 4);
  return out;
}

/** @throws {Error} it is not whole */
export function gunzipSync(data: Uint8Array): Buffer {
  const gzip = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const pieces: Buffer[] = [];
  let at = GZIP_HEADER.length;
  for (let last = false; !last; ) {
    last = gzip.readUInt8(at) === 1;
    const length = gzip.readUInt16LE(at + 1);
    at += BLOCK_HEADER_BYTES;
    pieces.push(gzip.subarray(at, at + length));
    at += length;
  }
  const out = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  if (gzip.readUInt32LE(at) !== crc32(out) || at + GZIP_TRAILER_BYTES !== gzip.length)
    throw new Error('incorrect data check');
  return out;
}

// zstd (RFC 8878): a frame of raw blocks, without a checksum.

const ZSTD_HEADER = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
const RAW_MAX_BYTES = 128 * 1024;

function zstdSync(data: Uint8Array): Buffer {
  const parts: Uint8Array[] = [ZSTD_HEADER];
  let at = 0;
  do {
    const piece = data.subarray(at, at + RAW_MAX_BYTES);
    at += piece.length;
    const header = Buffer.alloc(3);
    header.writeUIntLE((piece.length << 3) | (at >= data.length ? 1 : 0), 0, 3);
    parts.push(header, piece);
  } while (at < data.length);
  return Buffer.concat(parts);
}

function unzstdSync(data: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = ZSTD_HEADER.length;
  for (let last = false; !last; ) {
    const header = data.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3;
    pieces.push(data.subarray(at, at + (header >> 3)));
    at += header >> 3;
  }
  if (at !== data.length) throw new Error('the frame ends too early');
  return Buffer.concat(pieces);
}

/** Gathers all that comes, and gives it out at the end. */
class AtEnd extends Transform {
  readonly #pieces: Buffer[] = [];
  readonly #make: (whole: Buffer) => Buffer;

  constructor(make: (whole: Buffer) => Buffer) {
    super();
    this.#make = make;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pieces.push(Buffer.from(chunk));
    done();
  }

  override _flush(done: TransformCallback): void {
    try {
      done(null, this.#make(Buffer.concat(this.#pieces)));
    } catch (error) {
      done(error as Error);
    }
  }
}

export const createGzip = () => new AtEnd(gzipSync);
export const createGunzip = () => new AtEnd(gunzipSync);
export const createZstdCompress = () => new AtEnd(zstdSync);
export const createZstdDecompress = () => new AtEnd(unzstdSync);

type Callback = (error: Error | null, result: Buffer) => void;

export const gzip = (data: Uint8Array, _options: object, done: Callback): void => done(null, gzipSync(data));
export const gunzip = (data: Uint8Array, _options: object, done: Callback): void => done(null, gunzipSync(data));
