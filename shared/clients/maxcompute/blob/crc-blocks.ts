import { ChecksumMismatchError, CorruptStreamError } from '../client-errors.ts';
import { crc32c } from '../codec/crc32c.ts';

const DATA_BYTES = 4096;
const BLOCK_BYTES = DATA_BYTES + 4;

/**
 * Takes the checksums out of a blob's body: after each 4096 bytes, and after the rest, come 4 of CRC-32C. Bytes are given
 * on only once theirs fits.
 *
 * @throws {ChecksumMismatchError} which block
 * @throws {CorruptStreamError} a rest that is too short to hold a byte and a checksum
 */
export async function* withoutCrcs(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  let blocks = 0;
  for await (const chunk of bytes) {
    const all = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = Math.floor(all.byteLength / BLOCK_BYTES);
    if (whole > 0) {
      const output = Buffer.allocUnsafe(whole * DATA_BYTES);
      for (let block = 0; block < whole; block++) {
        const data = checked(all, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES, blocks++);
        output.set(data, block * DATA_BYTES);
      }
      yield output;
    }
    // The chunk's memory may be used again by whoever made it.
    rest = Uint8Array.prototype.slice.call(all, whole * BLOCK_BYTES);
  }
  if (rest.byteLength === 0) return;
  if (rest.byteLength <= 4) throw new CorruptStreamError(`the last block of a blob has only ${rest.byteLength} bytes`);
  yield checked(rest, 0, rest.byteLength, blocks);
}

function checked(all: Uint8Array, from: number, to: number, block: number): Uint8Array {
  const end = to - 4;
  const stored = (all[end]! | (all[end + 1]! << 8) | (all[end + 2]! << 16) | (all[end + 3]! << 24)) >>> 0;
  if (crc32c(all, from, end) === stored) return all.subarray(from, end);
  throw new ChecksumMismatchError(`the CRC-32C of block ${block} of a blob does not fit`);
}
