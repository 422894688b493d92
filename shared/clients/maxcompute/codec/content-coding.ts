import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createInflate, createZstdCompress, createZstdDecompress } from 'node:zlib';
import {
  ChecksumMismatchError,
  CorruptStreamError,
  MaxComputeClientError,
  StreamTruncatedError,
  UnsupportedStreamError,
} from '../client-errors.ts';
import { Compression } from '../enums.ts';
import { ByteReader } from './byte-reader.ts';
import { packFrame, unpackFrames } from './lz4-frame.ts';
import { nextFrame } from './zstd-frames.ts';

/** What a body is packed with as a whole. */
export type ContentCoding = 'identity' | 'zstd' | 'lz4' | 'deflate' | 'gzip';

const SPELLINGS: Readonly<Record<string, ContentCoding | undefined>> = {
  __proto__: null as never,
  '': 'identity',
  identity: 'identity',
  zstd: 'zstd',
  'x-lz4-frame': 'lz4',
  'x-odps-lz4-frame': 'lz4',
  lz4_frame: 'lz4',
  deflate: 'deflate',
  gzip: 'gzip',
};

/** Reads a `Content-Encoding`. @throws {UnsupportedStreamError} a coding nobody asked for */
export function parseContentCoding(header: string | null): ContentCoding {
  const coding = SPELLINGS[(header ?? '').trim().toLowerCase()];
  if (coding === undefined) throw new UnsupportedStreamError(`the content coding ${JSON.stringify(header)} is unknown`);
  return coding;
}

/**
 * Unpacks a body, in constant memory.
 *
 * @throws {StreamTruncatedError} {@link CorruptStreamError} {@link ChecksumMismatchError}; what the source throws, it throws
 */
export function unpackContent(bytes: AsyncIterable<Uint8Array>, coding: ContentCoding): AsyncIterable<Uint8Array> {
  switch (coding) {
    case 'identity':
      return bytes;
    case 'lz4':
      return fromReader(bytes, unpackFrames);
    case 'zstd':
      return fromReader(bytes, unpackZstd);
    case 'deflate':
      return unzip(bytes, createInflate(OUTPUT), coding);
    case 'gzip':
      return unzip(bytes, createGunzip(OUTPUT), coding);
  }
}

/** Packs a body as one frame. */
export function packContent(bytes: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === Compression.LZ4_FRAME) return packFrame(bytes);
  if (compression === Compression.UNCOMPRESSED) return bytes;
  return piped(bytes, createZstdCompress());
}

/** Bigger pieces than the default of 16 KiB: each one costs a turn of the event loop. */
const OUTPUT = { chunkSize: 128 * 1024 };

async function* fromReader(
  bytes: AsyncIterable<Uint8Array>,
  unpack: (reader: ByteReader) => AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(bytes);
  try {
    yield* unpack(reader);
  } finally {
    await reader.close();
  }
}

async function* unpackZstd(input: ByteReader): AsyncGenerator<Uint8Array> {
  for (let isFirst = true; ; isFirst = false) {
    const frame = await nextFrame(input, isFirst);
    if (!frame) return;
    try {
      yield* piped(frame, createZstdDecompress(OUTPUT));
    } catch (error) {
      throw zipError(error, 'zstd');
    }
  }
}

async function* unzip(
  bytes: AsyncIterable<Uint8Array>,
  unpacker: Transform & { readonly bytesWritten: number },
  coding: ContentCoding,
): AsyncGenerator<Uint8Array> {
  let fed = 0;
  let isOver = false;
  const counted = async function* () {
    for await (const chunk of bytes) {
      fed += chunk.byteLength;
      yield chunk;
    }
    isOver = true;
  };
  try {
    yield* piped(counted(), unpacker);
  } catch (error) {
    throw zipError(error, coding);
  }
  // The unpacker stops in silence at what does not look like another frame.
  if (!isOver || unpacker.bytesWritten !== fed) {
    throw new CorruptStreamError(`something that is not ${coding} follows the end of the ${coding} stream`);
  }
}

async function* piped(bytes: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  // With a callback, an error of the source reaches the reader below, and leaving early ends the source.
  pipeline(Readable.from(bytes), transform, () => {});
  for await (const chunk of transform) yield chunk as Uint8Array;
}

function zipError(error: unknown, coding: ContentCoding): unknown {
  const { code } = error as { code?: unknown };
  if (error instanceof MaxComputeClientError || typeof code !== 'string') return error;
  if (code === 'Z_BUF_ERROR') return new StreamTruncatedError(`the ${coding} stream ended early`, { cause: error });
  if (code === 'ZSTD_error_checksum_wrong') {
    return new ChecksumMismatchError(`the checksum of the ${coding} stream does not fit`, { cause: error });
  }
  if (!/^(Z_|ZSTD_)/.test(code)) return error;
  return new CorruptStreamError(`the ${coding} stream does not unpack`, { cause: error });
}
