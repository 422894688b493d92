import { inflateRaw, zstdDecompress } from 'node:zlib';
import { snappyUncompress } from 'hyparquet';
import { bunzip2 } from '../input/bzip2.ts';
import { BLOCK_MAX_BYTES } from './container.ts';

type Codec = (data: Buffer, callback: (error: Error | null, result?: Buffer) => void) => void;

/** How blocks are expanded; none to more than a block may be. */
export const DECODERS: Readonly<Record<string, Codec>> = {
  null: (data, callback) => callback(null, data),
  deflate: (data, callback) => inflateRaw(data, { maxOutputLength: BLOCK_MAX_BYTES }, callback),
  zstandard: (data, callback) => zstdDecompress(data, { maxOutputLength: BLOCK_MAX_BYTES }, callback),
  snappy(data, callback) {
    try {
      // Behind the block are four bytes of checksum.
      const packed = data.subarray(0, -4);
      const output = new Uint8Array(snappyLength(packed));
      snappyUncompress(packed, output);
      callback(null, Buffer.from(output.buffer));
    } catch (error) {
      callback(error as Error);
    }
  },
  bzip2(data, callback) {
    Array.fromAsync(bunzip2(once(data), 'a block')).then(
      (parts) => callback(null, Buffer.concat(parts)),
      (error: Error) => callback(error),
    );
  },
};

async function* once(data: Uint8Array) {
  yield data;
}

/** The length that a block of Snappy begins with. */
function snappyLength(packed: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = packed[at]!;
    length += (byte & 127) * 128 ** at;
    if (byte < 128) break;
  }
  if (length > BLOCK_MAX_BYTES) throw new Error(`a block expands to ${length} bytes`);
  return length;
}
