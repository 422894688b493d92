/** One block of LZ4, without a frame around it. @throws if it is damaged */
export function lz4Block(input: Uint8Array, outputLength: number): Uint8Array {
  const output = new Uint8Array(outputLength);
  let from = 0;
  let to = 0;
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      let byte: number;
      do {
        byte = input[from++]!;
        length += byte;
      } while (byte === 255);
    }
    return length;
  };
  while (from < input.length) {
    const token = input[from++]!;
    const literals = lengthOf(token >> 4);
    if (!(from + literals <= input.length && to + literals <= outputLength))
      throw new Error('a literal is out of bounds');
    output.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    // The last sequence has literals only.
    if (from >= input.length) break;
    const distance = input[from]! | (input[from + 1]! << 8);
    from += 2;
    const length = lengthOf(token & 15) + 4;
    if (!(distance > 0 && distance <= to && to + length <= outputLength)) throw new Error('a match is out of bounds');
    // A match may overlap what it writes.
    if (distance >= length) output.copyWithin(to, to - distance, to - distance + length);
    else for (let index = 0; index < length; index++) output[to + index] = output[to + index - distance]!;
    to += length;
  }
  if (to !== outputLength) throw new Error('it has another length');
  return output;
}

/** The older codec `LZ4` of Parquet: blocks as Hadoop frames them, or one without anything around it. */
export function lz4Hadoop(input: Uint8Array, outputLength: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at + 8 <= input.length; ) {
    const expanded = view.getUint32(at);
    const packed = view.getUint32(at + 4);
    if (total + expanded > outputLength || at + 8 + packed > input.length) return lz4Block(input, outputLength);
    parts.push(lz4Block(input.subarray(at + 8, at + 8 + packed), expanded));
    total += expanded;
    at += 8 + packed;
  }
  return total === outputLength ? new Uint8Array(Buffer.concat(parts)) : lz4Block(input, outputLength);
}
