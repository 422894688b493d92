import { CorruptStreamError, StreamTruncatedError } from '../client-errors.ts';
import type { ByteReader } from './byte-reader.ts';

export const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Sizes of the fields behind the descriptor of a frame, by the bits that tell them. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/**
 * Goes to the next frame: Node's unpacker does not say where one ended, and takes no second one from the same chunk.
 *
 * @returns its bytes, to be read to their end; undefined behind the last frame
 * @throws {StreamTruncatedError} not even one frame
 * @throws {CorruptStreamError} something else than a frame
 */
export async function nextFrame(input: ByteReader, isFirst: boolean): Promise<AsyncGenerator<Uint8Array> | undefined> {
  for (;;) {
    const start = await input.peek(4);
    if (start.byteLength === 0 && !isFirst) return undefined;
    if (start.byteLength < 4) throw new StreamTruncatedError('the zstd stream ended in the header of a frame');
    const magic = numberOf(start);
    if (magic === ZSTD_MAGIC) return frameBytes(input);
    if ((magic & 0xfffffff0) >>> 0 !== SKIPPABLE_MAGIC) {
      throw new CorruptStreamError(
        isFirst ? 'this is no zstd frame' : 'something that is not zstd follows a zstd frame',
      );
    }
    await exactly(input, 4);
    for await (const _ of passed(input, numberOf(await exactly(input, 4))));
  }
}

async function* frameBytes(input: ByteReader): AsyncGenerator<Uint8Array> {
  const start = await exactly(input, 5);
  const flags = start[4]!;
  const isSingleSegment = (flags & 32) !== 0;
  const contentSize = CONTENT_SIZE_BYTES[(flags >>> 6) as 0 | 1 | 2 | 3] || (isSingleSegment ? 1 : 0);
  const dictionaryId = DICTIONARY_ID_BYTES[(flags & 3) as 0 | 1 | 2 | 3];
  yield start;
  yield* passed(input, (isSingleSegment ? 0 : 1) + dictionaryId + contentSize);
  for (let isLast = false; !isLast; ) {
    const header = await exactly(input, 3);
    const block = header[0]! | (header[1]! << 8) | (header[2]! << 16);
    const type = (block >>> 1) & 3;
    if (type === BLOCK_RESERVED) throw new CorruptStreamError('a zstd block of an unknown type');
    isLast = (block & 1) !== 0;
    yield header;
    yield* passed(input, type === BLOCK_RLE ? 1 : block >>> 3);
  }
  if ((flags & 4) !== 0) yield* passed(input, 4);
}

async function* passed(input: ByteReader, count: number): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; ) {
    const piece = await input.some(left);
    if (!piece) throw new StreamTruncatedError('the zstd stream ended early');
    left -= piece.byteLength;
    yield piece;
  }
}

async function exactly(input: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await input.read(count);
  if (bytes.byteLength === count) return bytes;
  throw new StreamTruncatedError('the zstd stream ended early');
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
