import { CorruptStreamError } from '../client-errors.ts';

/**
 * Unpacks one LZ4 block.
 *
 * @param output room for the block, behind what it may refer back to
 * @param from where in `output` the block's own bytes begin
 * @returns where in `output` they end
 * @throws {CorruptStreamError} a length or distance that leaves its buffer
 */
export function unpackBlock(input: Uint8Array, output: Uint8Array, from: number): number {
  const inputEnd = input.byteLength;
  let read = 0;
  let written = from;
  while (read < inputEnd) {
    const token = input[read++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more) {
        if (read >= inputEnd) throw broken('a length');
        more = input[read++]!;
      }
    }
    if (literals > 0) {
      const end = read + literals;
      if (end > inputEnd || written + literals > output.byteLength) throw broken('literals');
      if (literals < SHORT_BYTES) while (read < end) output[written++] = input[read++]!;
      else {
        output.set(input.subarray(read, end), written);
        written += literals;
        read = end;
      }
    }
    // The last sequence has literals alone.
    if (read === inputEnd) return written;
    if (read + 2 > inputEnd) throw broken('a distance');
    const distance = input[read]! | (input[read + 1]! << 8);
    read += 2;
    if (distance === 0 || distance > written) throw broken('a distance');
    let length = (token & 15) + 4;
    if (length === 19) {
      for (let more = 255; more === 255; length += more) {
        if (read >= inputEnd) throw broken('a length');
        more = input[read++]!;
      }
    }
    if (written + length > output.byteLength) throw broken('a match');
    const end = written + length;
    let source = written - distance;
    if (distance >= length && length >= SHORT_BYTES) {
      output.copyWithin(written, source, source + length);
      written = end;
    } else while (written < end) output[written++] = output[source++]!;
  }
  throw broken('the end of the block');
}

/** Below, a loop is faster than a call. */
const SHORT_BYTES = 32;

function broken(what: string): Error {
  return new CorruptStreamError(`the LZ4 block does not unpack: ${what} is out of bounds`);
}

/** The most bytes that packing may yield. */
export function packedBound(length: number): number {
  return length + Math.floor(length / 255) + 16;
}

const HASH_BITS = 14;

/** Packs one block, fast rather than small. @returns where in `output` it ends */
export function packBlock(input: Uint8Array, output: Uint8Array, from: number): number {
  const table = new Int32Array(1 << HASH_BITS).fill(-1);
  const matchLimit = input.byteLength - 5;
  const searchLimit = input.byteLength - 12;
  let written = from;
  let anchor = 0;
  let at = 0;
  let misses = 0;
  while (at < searchLimit) {
    const sequence = word(input, at);
    const slot = Math.imul(sequence, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = table[slot]!;
    table[slot] = at;
    if (candidate < 0 || at - candidate > 0xffff || word(input, candidate) !== sequence) {
      // What does not pack is passed over ever faster.
      at += 1 + (misses++ >>> 6);
      continue;
    }
    let matched = 4;
    while (at + matched < matchLimit && input[candidate + matched] === input[at + matched]) matched++;
    written = putSequence(input, anchor, at, output, written, matched - 4);
    const distance = at - candidate;
    output[written++] = distance & 255;
    output[written++] = distance >>> 8;
    written = putLength(output, written, matched - 4 - 15);
    at += matched;
    anchor = at;
    misses = 0;
  }
  return putSequence(input, anchor, input.byteLength, output, written, 0);
}

/** The token and the literals. */
function putSequence(
  input: Uint8Array,
  from: number,
  to: number,
  output: Uint8Array,
  at: number,
  match: number,
): number {
  const literals = to - from;
  output[at] = (Math.min(literals, 15) << 4) | Math.min(match, 15);
  const start = putLength(output, at + 1, literals - 15);
  output.set(input.subarray(from, to), start);
  return start + literals;
}

function putLength(output: Uint8Array, at: number, rest: number): number {
  if (rest < 0) return at;
  let left = rest;
  let end = at;
  for (; left >= 255; left -= 255) output[end++] = 255;
  output[end++] = left;
  return end;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
