import type { Random } from '../simulation/random.ts';

export interface MutateOptions {
  readonly words: readonly Uint8Array[];
  readonly maxBytes: number;
  readonly maxPumpedBytes: number;
}

/** One input that differs from `input` in a few places, or crosses it with another. */
export function mutated(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  { words, maxBytes, maxPumpedBytes }: MutateOptions,
): Uint8Array {
  let bytes = Buffer.from(input);
  for (let left = 1 << random.int(0, 4); left > 0; left--) bytes = once(random, bytes, other, words);
  // Repeated a thousand times, what is harmless once may be slow, deep or large.
  if (random.chance(PUMP_SHARE)) {
    bytes = random.chance(0.5) ? pumped(random, bytes, maxPumpedBytes) : nested(random, bytes, maxPumpedBytes);
  } else if (bytes.length > Math.max(maxBytes, input.length))
    bytes = bytes.subarray(0, Math.max(maxBytes, input.length));
  return bytes;
}

const PUMP_SHARE = 1 / 400;

function once(random: Random, bytes: Buffer, other: Uint8Array, words: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes);
  const at = random.int(0, Math.max(0, copy.length - 1));
  const kind = random.int(0, words.length > 0 ? 12 : 9);
  if (copy.length === 0) return inserted(copy, 0, Uint8Array.of(random.int(0, 255)));
  switch (kind) {
    case 0:
      copy[at]! ^= 1 << random.int(0, 7);
      return copy;
    case 1:
      copy[at] = random.int(0, 255);
      return copy;
    case 2:
      copy[at] = random.pick(INTERESTING_BYTES);
      return copy;
    case 3:
      return removed(copy, at, length(random, copy.length - at));
    case 4:
      return inserted(copy, at, Buffer.from(Array.from({ length: random.int(1, 8) }, () => random.int(0, 255))));
    case 5: {
      const from = random.int(0, copy.length - 1);
      return inserted(copy, at, copy.subarray(from, from + length(random, copy.length - from)));
    }
    case 6:
      return withNumber(random, copy, at);
    case 7:
      return withDigits(random, copy);
    case 8: {
      const from = random.int(0, Math.max(0, other.length - 1));
      const piece = other.subarray(from, from + length(random, Math.max(1, other.length - from)));
      return random.chance(0.5) ? inserted(copy, at, piece) : overwritten(copy, at, piece);
    }
    case 9:
      return random.chance(0.5) ? copy.subarray(0, at) : inserted(copy.subarray(0, at), at, other.subarray(at));
    case 10:
      return overwritten(copy, at, random.pick(words));
    default:
      return inserted(copy, at, random.pick(words));
  }
}

const INTERESTING_BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d];
const INTERESTING_NUMBERS = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  255n,
  32767n,
  65535n,
  2147483647n,
  -2147483648n,
  4294967295n,
].concat([9007199254740991n, 9007199254740992n, 9223372036854775807n, -9223372036854775808n]);
const INTERESTING_DIGITS = [
  '0',
  '-1',
  '1e999',
  '1e-999',
  '99999999',
  '4294967296',
  '9007199254740993',
  '-0',
  '0.1',
].concat(['18446744073709551616', '99999999999999999999999999999999999999999', '1e21', 'NaN', 'Infinity']);

/** Mostly short. */
const length = (random: Random, max: number) =>
  random.chance(0.7) ? random.int(1, Math.min(8, max)) : random.int(1, max);

function withNumber(random: Random, copy: Buffer<ArrayBuffer>, at: number): Buffer<ArrayBuffer> {
  const width = random.pick([2, 4, 8].filter((bytes) => bytes <= copy.length));
  if (width === undefined) return copy;
  const start = Math.min(at, copy.length - width);
  const view = new DataView(copy.buffer, copy.byteOffset + start, width);
  const little = random.chance(0.7);
  const now = width === 2 ? BigInt(view.getUint16(0, little)) : width === 4 ? BigInt(view.getUint32(0, little)) : 0n;
  const value = random.chance(0.5) ? random.pick(INTERESTING_NUMBERS) : now + BigInt(random.int(-16, 16));
  if (width === 2) view.setUint16(0, Number(BigInt.asUintN(16, value)), little);
  else if (width === 4) view.setUint32(0, Number(BigInt.asUintN(32, value)), little);
  else view.setBigUint64(0, BigInt.asUintN(64, value), little);
  return copy;
}

/** Puts another number where digits stand. */
function withDigits(random: Random, copy: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const found = [...copy.toString('latin1').matchAll(/\d+/g)];
  if (found.length === 0) return copy;
  const { index, 0: digits } = random.pick(found);
  return inserted(removed(copy, index, digits.length), index, Buffer.from(random.pick(INTERESTING_DIGITS)));
}

function pumped(random: Random, bytes: Buffer, maxBytes: number): Buffer<ArrayBuffer> {
  if (bytes.length === 0) return Buffer.alloc(0);
  const from = random.int(0, bytes.length - 1);
  const piece = bytes.subarray(from, from + random.int(1, Math.min(16, bytes.length - from)));
  const times = Math.max(1, Math.floor(maxBytes / 4 ** random.int(0, 3) / piece.length));
  return inserted(bytes, from, Buffer.alloc(piece.length * times, piece));
}

/** Wraps a piece, mostly the whole or what is between two marks, in thousands of brackets that close again. */
function nested(random: Random, bytes: Buffer, maxBytes: number): Buffer<ArrayBuffer> {
  const marks = [...bytes.toString('latin1').matchAll(/[{}[\]()<>:,"'\s]/g)].map(({ index }) => index);
  const places = [0, bytes.length, ...marks, ...marks.map((at) => at + 1)];
  const [from = 0, to = 0] = [random.pick(places), random.pick(places)].sort((one, other) => one - other);
  const [open, close] = random.pick(BRACKETS);
  const times = Math.max(1, Math.floor(maxBytes / 4 ** random.int(0, 3) / (open.length + close.length)));
  const inner = bytes.subarray(from, to);
  const wrapped = Buffer.concat([Buffer.from(open.repeat(times)), inner, Buffer.from(close.repeat(times))]);
  return Buffer.concat([bytes.subarray(0, from), wrapped, bytes.subarray(to)]);
}

const BRACKETS = [
  ['[', ']'],
  ['{"a":', '}'],
  ['[{"\\n":', '}]'],
  ['(', ')'],
  ['array<', '>'],
  ['map<int,', '>'],
  ['struct<a:', '>'],
  ['<a>', '</a>'],
  ['not (', ')'],
] as const;

function removed(bytes: Buffer, at: number, count: number): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
}

function inserted(bytes: Uint8Array, at: number, piece: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

function overwritten(bytes: Buffer<ArrayBuffer>, at: number, piece: Uint8Array): Buffer<ArrayBuffer> {
  bytes.set(piece.subarray(0, Math.max(0, bytes.length - at)), at);
  return bytes;
}
