import { crc32 } from 'node:zlib';

/**
 * What one upload appends to a partition, as it lies in a segment file: a header, then a frame a record. All numbers are
 * little-endian.
 *
 * ```
 * header   0  uint32  bytes of all frames       8  float64  number of the first record in its partition, from 0
 *          4  uint32  CRC-32 of what follows    16 float64  write time, ms since 1970
 *                                               24 uint32   records
 *                                               28 uint32   bytes of their data
 * frame    0  uint32  bytes of the key plus 1; 0: no key
 *          4  uint32  bytes of the data;   then key and data
 * ```
 */
export const BLOCK_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 8;

export interface BlockHeader {
  readonly frameBytes: number;
  readonly first: number;
  readonly timeMs: number;
  readonly count: number;
  readonly dataBytes: number;
}

/** Writes the header of a block whose frames are in place, and with it the checksum. */
export function sealBlock(block: Buffer, header: Omit<BlockHeader, 'frameBytes'>): void {
  block.writeUInt32LE(block.length - BLOCK_HEADER_BYTES, 0);
  block.writeDoubleLE(header.first, 8);
  block.writeDoubleLE(header.timeMs, 16);
  block.writeUInt32LE(header.count, 24);
  block.writeUInt32LE(header.dataBytes, 28);
  block.writeUInt32LE(crc32(block.subarray(8)), 4);
}

/** The header at `at`, or undefined if no whole and sound block begins there: the process was killed while it wrote. */
export function blockAt(file: Buffer, at: number): BlockHeader | undefined {
  if (at + BLOCK_HEADER_BYTES > file.length) return undefined;
  const frameBytes = file.readUInt32LE(at);
  const end = at + BLOCK_HEADER_BYTES + frameBytes;
  if (end > file.length || crc32(file.subarray(at + 8, end)) !== file.readUInt32LE(at + 4)) return undefined;
  return {
    frameBytes,
    first: file.readDoubleLE(at + 8),
    timeMs: file.readDoubleLE(at + 16),
    count: file.readUInt32LE(at + 24),
    dataBytes: file.readUInt32LE(at + 28),
  };
}

/** A record where it lies in the bytes that were read. The ranges are half-open; `keyStart` is -1 if it has no key. */
export interface StoredRecord {
  /** Its number in the partition, from 0. */
  readonly index: number;
  readonly timeMs: number;
  readonly bytes: Buffer;
  readonly keyStart: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

/**
 * Walks the blocks of `bytes` and hands out the records from number `from` on.
 *
 * @param take returns false to stop
 * @returns false if it was stopped
 */
export function walkBlocks(bytes: Buffer, from: number, take: (record: StoredRecord) => boolean): boolean {
  for (let at = 0; at < bytes.length; ) {
    const end = at + BLOCK_HEADER_BYTES + bytes.readUInt32LE(at);
    const timeMs = bytes.readDoubleLE(at + 16);
    let index = bytes.readDoubleLE(at + 8);
    for (at += BLOCK_HEADER_BYTES; at < end; index++) {
      const keyMark = bytes.readUInt32LE(at);
      const keyStart = at + FRAME_HEADER_BYTES;
      const dataStart = keyStart + Math.max(0, keyMark - 1);
      const dataEnd = dataStart + bytes.readUInt32LE(at + 4);
      at = dataEnd;
      if (index < from) continue;
      if (!take({ index, timeMs, bytes, keyStart: keyMark === 0 ? -1 : keyStart, dataStart, dataEnd })) return false;
    }
  }
  return true;
}
