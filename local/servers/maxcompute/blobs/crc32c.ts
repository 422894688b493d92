/** CRC-32C (Castagnoli), reflected, as `e3069283` is of `123456789`. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** @param before the checksum of what came before these bytes */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let index = 0; index < bytes.length; index++) crc = TABLE[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const BLOCK_BYTES = 4096;

/** Blocks of 4096 bytes, the last one shorter, each followed by its checksum. */
export async function* withChecksums(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes =
      rest.length > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const blocks: Uint8Array[] = [];
    let at = 0;
    for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES)
      blocks.push(...checked(bytes.subarray(at, at + BLOCK_BYTES)));
    rest = Buffer.from(bytes.subarray(at));
    if (blocks.length > 0) yield Buffer.concat(blocks);
  }
  if (rest.length > 0) yield Buffer.concat(checked(rest));
}

function checked(block: Uint8Array): [Uint8Array, Uint8Array] {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32c(block));
  return [block, checksum];
}
