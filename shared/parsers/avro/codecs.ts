import { inflateRaw, zstdDecompress } from 'node:zlib';
import { snappyUncompress } from 'hyparquet';
import { bunzip2 } from '../input/bzip2.ts';
import { BLOCK_MAX_BYTES } from './container.ts';

type Codec = (data: Buffer, callback: (error: Error | null, result?: Buffer) => void) => void;

/** Bigger pieces than the default of 16 KiB: each one costs a turn of the event loop. */
const OUTPUT = { maxOutputLength: BLOCK_MAX_BYTES, chunkSize: 256 * 1024 };

/** How blocks are expanded; none to more than a block may be. A map: the file says the name, and `constructor` is one too. */
export const DECODERS: ReadonlyMap<string, Codec> = new Map<string, Codec>([
  ['null', (data, callback) => callback(null, data)],
  ['deflate', (data, callback) => inflateRaw(data, OUTPUT, callback)],
  ['zstandard', (data, callback) => zstdDecompress(data, OUTPUT, callback)],
  ['snappy', (data, callback) => settle(unpackSnappy(data), callback)],
  ['bzip2', (data, callback) => settle(unpackBzip2(data), callback)],
]);

function settle(unpacked: Promise<Buffer>, callback: Parameters<Codec>[1]): void {
  unpacked.then(
    (result) => callback(null, result),
    (error: Error) => callback(error),
  );
}

async function unpackSnappy(data: Buffer): Promise<Buffer> {
  // Behind the block are four bytes of checksum.
  const packed = data.subarray(0, -4);
  const output = new Uint8Array(snappyLength(packed));
  snappyUncompress(packed, output);
  return Buffer.from(output.buffer);
}

async function unpackBzip2(data: Buffer): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bunzip2(once(data), 'a block')) {
    length += part.length;
    if (length > BLOCK_MAX_BYTES) throw tooLong();
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}

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
  if (length > BLOCK_MAX_BYTES) throw tooLong();
  return length;
}

/** As zlib says it. */
const tooLong = () =>
  Object.assign(new Error(`a block expands to more than ${BLOCK_MAX_BYTES} bytes`), { code: 'ERR_BUFFER_TOO_LARGE' });
