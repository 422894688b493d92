import { type Data, DataType, makeData } from 'apache-arrow';

/** Rows `[start, end)` of a column, or entries of a list's child. */
export type Run = readonly [start: number, end: number];

export const runsLength = (runs: readonly Run[]): number => runs.reduce((sum, [start, end]) => sum + end - start, 0);

/**
 * Copies runs of one column into a new one that starts at 0 and shares nothing with it. `data` must start at 0 itself, as
 * whatever was read from a message does.
 */
export function gather(data: Data, runs: readonly Run[]): Data {
  const { type } = data;
  const length = runsLength(runs);
  const validity = data.nullCount > 0 ? { nullCount: -1, nullBitmap: gatherBits(data.nullBitmap, runs) } : noNulls;
  const base = { type, offset: 0, length, ...validity };
  if (DataType.isStruct(type)) {
    return makeData({ ...base, children: data.children.map((child) => gather(child, runs)) } as never);
  }
  if (DataType.isList(type) || DataType.isMap(type)) {
    const { offsets, childRuns } = gatherOffsets(data.valueOffsets as Int32Array, runs, length);
    return makeData({ ...base, valueOffsets: offsets, child: gather(data.children[0]!, childRuns) } as never);
  }
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const { offsets, childRuns } = gatherOffsets(data.valueOffsets as Int32Array, runs, length);
    return makeData({ ...base, valueOffsets: offsets, data: gatherValues(data.values, childRuns, 1) } as never);
  }
  if (DataType.isBool(type)) return makeData({ ...base, data: gatherBits(data.values, runs) } as never);
  return makeData({ ...base, data: gatherValues(data.values, runs, data.stride) } as never);
}

const noNulls = { nullCount: 0, nullBitmap: null };

type Values = Uint8Array & { readonly constructor: new (length: number) => Uint8Array };

/** Of any typed array; `stride` elements make a value. */
function gatherValues(values: ArrayLike<unknown>, runs: readonly Run[], stride: number): ArrayLike<unknown> {
  const from = values as Values;
  const gathered = new from.constructor(runsLength(runs) * stride);
  let at = 0;
  for (const [start, end] of runs) {
    gathered.set(from.subarray(start * stride, end * stride), at);
    at += (end - start) * stride;
  }
  return gathered;
}

function gatherOffsets(from: Int32Array, runs: readonly Run[], length: number) {
  const offsets = new Int32Array(length + 1);
  const childRuns: Run[] = [];
  let row = 0;
  let at = 0;
  for (const [start, end] of runs) {
    const shift = at - from[start]!;
    for (let index = start; index < end; index++) {
      offsets[row] = from[index]! + shift;
      row += 1;
    }
    at = from[end]! + shift;
    if (from[end]! > from[start]!) childRuns.push([from[start]!, from[end]!]);
  }
  offsets[length] = at;
  return { offsets, childRuns };
}

function gatherBits(bits: Uint8Array, runs: readonly Run[]): Uint8Array {
  const gathered = new Uint8Array(Math.ceil(runsLength(runs) / 64) * 8);
  let at = 0;
  for (const [start, end] of runs) {
    let from = start;
    if (start % 8 === 0 && at % 8 === 0) {
      const whole = (end - start) >> 3;
      gathered.set(bits.subarray(start >> 3, (start >> 3) + whole), at >> 3);
      from += whole * 8;
      at += whole * 8;
    }
    for (; from < end; from++, at++) {
      if ((bits[from >> 3]! >> (from & 7)) & 1) gathered[at >> 3]! |= 1 << (at & 7);
    }
  }
  return gathered;
}

/** A column of so many nulls, for rows older than it. */
export function nulls(type: DataType, length: number): Data {
  const base = { type, offset: 0, length, nullCount: length, nullBitmap: new Uint8Array(Math.ceil(length / 64) * 8) };
  if (DataType.isStruct(type)) {
    return makeData({ ...base, children: type.children.map((field) => nulls(field.type, length)) } as never);
  }
  if (DataType.isList(type) || DataType.isMap(type)) {
    const child = nulls(type.children[0]!.type, 0);
    return makeData({ ...base, valueOffsets: new Int32Array(length + 1), child } as never);
  }
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    return makeData({ ...base, valueOffsets: new Int32Array(length + 1), data: new Uint8Array(0) } as never);
  }
  if (DataType.isLargeUtf8(type)) {
    return makeData({ ...base, valueOffsets: new BigInt64Array(length + 1), data: new Uint8Array(0) } as never);
  }
  if (DataType.isBool(type)) return makeData({ ...base, data: new Uint8Array(Math.ceil(length / 64) * 8) } as never);
  const { ArrayType } = type as DataType & { ArrayType: new (length: number) => ArrayLike<unknown> };
  const stride = DataType.isDecimal(type) ? type.bitWidth / 32 : 1;
  return makeData({ ...base, data: new ArrayType(length * stride) } as never);
}
