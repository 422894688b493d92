import { ByteReader } from './byte-reader.ts';

const MAGIC = 0x184d2204;
const WINDOW_BYTES = 65_536;

/**
 * Decodes an LZ4 frame block by block, linked blocks included, so that a body of any size passes in constant memory. Checksums are
 * skipped: what is in the frame has checksums of its own.
 *
 * @throws {RangeError} if the frame is not one, or ends early
 */
export async function* decodeLz4Frame(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(body);
  const head = await reader.take(6);
  if (head.readUInt32LE(0) !== MAGIC) throw new RangeError('not an LZ4 frame');
  const flags = head[4]!;
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasContentChecksum = (flags & 0x04) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  await reader.take((hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0) + 1);
  const blockBytes = 1 << (8 + 2 * ((head[5]! >> 4) & 7));
  // What earlier blocks left, which a linked block refers to, and the block after it.
  const window = Buffer.alloc(WINDOW_BYTES + blockBytes);
  let filled = 0;
  for (;;) {
    const size = (await reader.take(4)).readUInt32LE(0);
    if (size === 0) break;
    const block = await reader.take(size & 0x7fff_ffff);
    if (hasBlockChecksum) await reader.take(4);
    if (filled > WINDOW_BYTES) {
      window.copyWithin(0, filled - WINDOW_BYTES, filled);
      filled = WINDOW_BYTES;
    }
    const end = size >>> 31 ? filled + block.copy(window, filled) : decodeBlock(block, window, filled);
    yield Buffer.from(window.subarray(filled, end));
    filled = end;
  }
  if (hasContentChecksum) await reader.take(4);
}

/** @returns where the decoded bytes end in `to` */
function decodeBlock(block: Uint8Array, to: Buffer, start: number): number {
  let from = 0;
  let at = start;
  const more = (length: number): number => {
    let sum = length;
    if (length !== 15) return sum;
    for (;;) {
      const byte = block[from++];
      if (byte === undefined) throw new RangeError('an LZ4 block ends early');
      sum += byte;
      if (byte !== 255) return sum;
    }
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = more(token >> 4);
    if (from + literals > block.length || at + literals > to.length) throw new RangeError('an LZ4 block ends early');
    to.set(block.subarray(from, from + literals), at);
    from += literals;
    at += literals;
    if (from === block.length) break;
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    const length = more(token & 15) + 4;
    if (!(distance >= 1 && distance <= at) || at + length > to.length)
      throw new RangeError('an LZ4 match is out of range');
    if (distance >= length) to.copyWithin(at, at - distance, at - distance + length);
    else for (let index = 0; index < length; index++) to[at + index] = to[at + index - distance]!;
    at += length;
  }
  return at;
}
