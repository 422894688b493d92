import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { decodeLz4Frame } from '../arrow/lz4-decode.ts';
import { badRequest } from '../errors.ts';

/** @throws {ServiceError} MalformedDataStream */
export async function* unlz4(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* decodeLz4Frame(body);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw badRequest(`the body is no LZ4 frame: ${cause.message}`, 'MalformedDataStream');
    throw cause;
  }
}

/** @throws {ServiceError} MalformedDataStream */
export async function* unzstd(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const zstd = createZstdDecompress();
  pipeline(Readable.from(body, { objectMode: false }), zstd, () => {});
  try {
    yield* zstd as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (/^Z(STD)?_|^ERR_(_)?ZSTD/.test(code))
      throw badRequest(`the body is no zstd frame: ${code}`, 'MalformedDataStream');
    throw cause;
  }
}
