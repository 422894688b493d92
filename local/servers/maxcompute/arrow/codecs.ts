import { pipeline, Readable } from 'node:stream';
import { createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CompressionType, compressionRegistry } from 'apache-arrow';
import { compressFrameSync, compressSync, decompressFrameSync } from 'lz4-napi';

export type Codec = 'zstd' | 'lz4';

let isRegistered = false;

/** Arrow's library knows of compressed buffers, and has no codec of its own. */
export function registerCodecs(): void {
  if (isRegistered) return;
  isRegistered = true;
  compressionRegistry.set(CompressionType.LZ4_FRAME, {
    encode: (data: Uint8Array) => compressFrameSync(asBuffer(data)),
    decode: (data: Uint8Array) => decompressFrameSync(asBuffer(data)),
  });
  compressionRegistry.set(CompressionType.ZSTD, {
    encode: (data: Uint8Array) => zstdCompressSync(data),
    decode: (data: Uint8Array) => zstdDecompressSync(data),
  });
}

export const COMPRESSION_TYPES: Readonly<Record<Codec, CompressionType>> = {
  zstd: CompressionType.ZSTD,
  lz4: CompressionType.LZ4_FRAME,
};

const asBuffer = (data: Uint8Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** The tokens of HTTP headers, old and new. */
const TOKENS: Readonly<Record<string, Codec>> = {
  zstd: 'zstd',
  'x-lz4-frame': 'lz4',
  'x-odps-lz4-frame': 'lz4',
  lz4_frame: 'lz4',
};
export const HTTP_TOKENS: Readonly<Record<Codec, string>> = { zstd: 'zstd', lz4: 'x-lz4-frame' };

/** The first codec of an `Accept-Encoding` list that is known here; `identity`, `gzip` and the like mean none. */
export function acceptedCodec(header: string | undefined): Codec | undefined {
  for (const token of (header ?? '').split(',')) {
    const codec = TOKENS[token.split(';')[0]!.trim().toLowerCase()];
    if (codec) return codec;
  }
  return undefined;
}

/** A whole body as one frame, in constant memory. */
export async function* compressBody(codec: Codec, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (codec === 'lz4') return yield* lz4Frame(body);
  const zstd = createZstdCompress();
  // Whoever stops reading ends the source too, and its files with it.
  pipeline(Readable.from(body, { objectMode: false }), zstd, () => {});
  yield* zstd as AsyncIterable<Uint8Array>;
}

/** Version 1, independent blocks of at most 64 KiB, no checksums; the last byte is the header's own checksum. */
const LZ4_HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82);
const LZ4_BLOCK_BYTES = 65_536;
const STORED = 0x8000_0000;

async function* lz4Frame(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield LZ4_HEADER;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += LZ4_BLOCK_BYTES) {
      const block = asBuffer(chunk.subarray(at, at + LZ4_BLOCK_BYTES));
      // The library puts the length in front, which a frame has no place for.
      const compressed = compressSync(block).subarray(4);
      const isSmaller = compressed.length < block.length;
      const framed = Buffer.alloc(4 + (isSmaller ? compressed.length : block.length));
      framed.writeUInt32LE(isSmaller ? compressed.length : (block.length | STORED) >>> 0);
      (isSmaller ? compressed : block).copy(framed, 4);
      yield framed;
    }
  }
  yield new Uint8Array(4);
}
