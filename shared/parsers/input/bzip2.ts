import { CorruptInputError } from '../errors.ts';
import { BitReader } from './bit-reader.ts';

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
const GROUP_SYMBOLS = 50;
const CODE_BITS_MAX = 20;

/**
 * Unpacks bzip2, of one stream or several, a block of at most 900 kB at a time.
 *
 * @throws {CorruptInputError} it is damaged, or ends early
 */
export async function* bunzip2(chunks: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const bits = new BitReader(chunks, () => new CorruptInputError(`${label}: its compressed data ends early`));
  const damaged = () => new CorruptInputError(`${label}: its compressed data is damaged`);
  try {
    yield* streams(bits, damaged);
  } finally {
    await bits.close();
  }
}

async function* streams(bits: BitReader, damaged: () => Error): AsyncGenerator<Uint8Array> {
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst && !(await bits.hasMore())) return;
    // The block's decoder asks for bits without waiting, so a whole one is read ahead of it.
    await bits.fill(BLOCK_BYTES_MAX);
    const level = bits.read(24) === 0x425a68 ? bits.read(8) - 0x30 : 0;
    if (level < 1 || level > 9) throw damaged();
    let streamCrc = 0;
    for (;;) {
      await bits.fill(BLOCK_BYTES_MAX);
      const magic = bits.read(24) * 0x1000000 + bits.read(24);
      const crc = bits.read(16) * 0x10000 + bits.read(16);
      if (magic === END_MAGIC) {
        if (crc !== streamCrc >>> 0) throw damaged();
        break;
      }
      if (magic !== BLOCK_MAGIC) throw damaged();
      const block = readBlock(bits, level * 100_000, damaged);
      for (const piece of expand(block)) yield piece;
      if (block.crc() !== crc) throw damaged();
      streamCrc = ((streamCrc << 1) | (streamCrc >>> 31)) ^ crc;
    }
    bits.alignToByte();
  }
}

/** More than a block can take: 900,000 symbols of 20 bits, and its tables. */
const BLOCK_BYTES_MAX = 2_300_000;

interface Block {
  readonly next: Uint32Array;
  readonly length: number;
  readonly first: number;
  crcState: number;
  crc(): number;
}

function readBlock(bits: BitReader, maxLength: number, damaged: () => Error): Block {
  if (bits.read(1) === 1) throw damaged();
  const origin = bits.read(24);
  const symbols = readSymbols(bits);
  if (symbols.length === 0) throw damaged();
  const endOfBlock = symbols.length + 1;
  const { selectors, tables } = readTables(bits, symbols.length + 2, damaged);

  // Undoes the move-to-front and the runs of zeros, and counts the bytes for the transform.
  const bytes = new Uint32Array(maxLength);
  const counts = new Uint32Array(256);
  let length = 0;
  let runLength = 0;
  let runBit = 1;
  let left = 0;
  let selector = -1;
  let table: Table = tables[0]!;
  const flush = () => {
    if (length + runLength > maxLength) throw damaged();
    const byte = symbols[0]!;
    counts[byte]! += runLength;
    bytes.fill(byte, length, length + runLength);
    length += runLength;
    runLength = 0;
    runBit = 1;
  };
  for (;;) {
    if (left === 0) {
      selector += 1;
      left = GROUP_SYMBOLS;
      const chosen = tables[selectors[selector] ?? -1];
      if (!chosen) throw damaged();
      table = chosen;
    }
    left -= 1;
    const symbol = decodeSymbol(bits, table, damaged);
    if (symbol <= 1) {
      runLength += runBit << symbol;
      runBit <<= 1;
      if (runLength > maxLength) throw damaged();
      continue;
    }
    if (runLength > 0) flush();
    if (symbol === endOfBlock) break;
    if (length >= maxLength) throw damaged();
    const index = symbol - 1;
    const byte = symbols[index]!;
    symbols.copyWithin(1, 0, index);
    symbols[0] = byte;
    counts[byte]! += 1;
    bytes[length++] = byte;
  }
  if (origin >= length) throw damaged();

  // The inverse of the Burrows-Wheeler transform, as a chain of links in the upper 24 bits.
  const sums = new Uint32Array(256);
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    sums[byte] = sum;
    sum += counts[byte]!;
  }
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]! & 0xff;
    bytes[sums[byte]!]! |= at << 8;
    sums[byte]! += 1;
  }
  return {
    next: bytes,
    length,
    first: bytes[origin]! >>> 8,
    crcState: -1,
    crc() {
      return ~this.crcState >>> 0;
    },
  };
}

function readSymbols(bits: BitReader): Uint8Array {
  const symbols: number[] = [];
  const used = bits.read(16);
  for (let high = 0; high < 16; high++) {
    if ((used & (0x8000 >> high)) === 0) continue;
    const low = bits.read(16);
    for (let bit = 0; bit < 16; bit++) if ((low & (0x8000 >> bit)) !== 0) symbols.push(high * 16 + bit);
  }
  return Uint8Array.from(symbols);
}

interface Table {
  readonly minBits: number;
  readonly maxBits: number;
  /** The largest code of each length, -1 for none, and where its symbols begin. */
  readonly limits: Int32Array;
  readonly bases: Int32Array;
  readonly permutation: Uint16Array;
}

function readTables(bits: BitReader, symbolCount: number, damaged: () => Error) {
  const tableCount = bits.read(3);
  const selectorCount = bits.read(15);
  if (tableCount < 2 || tableCount > 6 || selectorCount < 1) throw damaged();
  const order = [0, 1, 2, 3, 4, 5].slice(0, tableCount);
  const selectors = new Uint8Array(selectorCount);
  for (let at = 0; at < selectorCount; at++) {
    let index = 0;
    while (bits.read(1) === 1) if (++index >= tableCount) throw damaged();
    const [chosen] = order.splice(index, 1) as [number];
    order.unshift(chosen);
    selectors[at] = chosen;
  }
  const tables: Table[] = [];
  for (let at = 0; at < tableCount; at++) {
    const lengths = new Uint8Array(symbolCount);
    let length = bits.read(5);
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      while (bits.read(1) === 1) length += bits.read(1) === 1 ? -1 : 1;
      if (length < 1 || length > CODE_BITS_MAX) throw damaged();
      lengths[symbol] = length;
    }
    tables.push(newTable(lengths));
  }
  return { selectors, tables };
}

function newTable(lengths: Uint8Array): Table {
  const limits = new Int32Array(CODE_BITS_MAX + 2).fill(-1);
  const bases = new Int32Array(CODE_BITS_MAX + 2);
  const permutation = new Uint16Array(lengths.length);
  const counts = new Uint16Array(CODE_BITS_MAX + 2);
  for (const length of lengths) counts[length]! += 1;
  let code = 0;
  let index = 0;
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    bases[length] = index - code;
    for (let symbol = 0; symbol < lengths.length; symbol++)
      if (lengths[symbol] === length) permutation[index++] = symbol;
    code += counts[length]!;
    if (counts[length]! > 0) limits[length] = code - 1;
    code <<= 1;
  }
  return { minBits: Math.min(...lengths), maxBits: Math.max(...lengths), limits, bases, permutation };
}

function decodeSymbol(bits: BitReader, table: Table, damaged: () => Error): number {
  let length = table.minBits;
  let code = bits.read(length);
  while (code > table.limits[length]!) {
    length += 1;
    if (length > table.maxBits) throw damaged();
    code = (code << 1) | bits.read(1);
  }
  const symbol = table.permutation[code + table.bases[length]!];
  if (symbol === undefined) throw damaged();
  return symbol;
}

const PIECE_BYTES = 128 * 1024;

/** Follows the chain, undoes the runs of four and more, and sums. */
function* expand(block: Block): Generator<Uint8Array> {
  const { next, length } = block;
  let crc = block.crcState;
  let at = block.first;
  let piece = new Uint8Array(PIECE_BYTES);
  let size = 0;
  let last = -1;
  let same = 0;
  for (let count = 0; count < length; count++) {
    const entry = next[at]!;
    const byte = entry & 0xff;
    at = entry >>> 8;
    let times = 1;
    let written = byte;
    if (same === 4) {
      times = byte;
      written = last;
      same = 0;
    } else {
      same = byte === last ? same + 1 : 1;
      last = byte;
    }
    if (size + times > PIECE_BYTES) {
      yield piece.subarray(0, size);
      piece = new Uint8Array(PIECE_BYTES);
      size = 0;
    }
    for (; times > 0; times--) {
      piece[size++] = written;
      crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ written) & 0xff]!;
    }
  }
  block.crcState = crc;
  if (size > 0) yield piece.subarray(0, size);
}

/** Of the polynomial 0x04c11db7, the highest bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});
