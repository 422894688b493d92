import type { Data, DataType } from 'apache-arrow';
import { InvalidRequestError } from '../client-errors.ts';
import type { Arrow } from './library.ts';
import type { RowValue } from './rows.ts';
import { parseDate, parseDecimal, parseTimestamp } from './value-text.ts';

type Values = readonly (RowValue | Date)[];

/**
 * A column of values, as Arrow holds it.
 *
 * @throws {InvalidRequestError} a value that the type cannot hold; the message names column and row, not the value
 */
export function columnData(arrow: Arrow, type: DataType, values: Values, name: string): Data {
  const { DataType, makeData } = arrow;
  const length = values.length;
  const nulls = nullsOf(values);
  const wrong = (index: number): Error =>
    new InvalidRequestError(`column ${name}, row ${index}: ${values[index]?.constructor?.name} is no ${type}`);
  const fill = <T extends { [index: number]: unknown }>(target: T, convert: (value: RowValue | Date) => unknown): T => {
    for (let index = 0; index < length; index++) {
      const value = values[index] ?? null;
      if (value === null) continue;
      const converted = convert(value);
      if (converted === undefined) throw wrong(index);
      target[index] = converted;
    }
    return target;
  };
  const flat = (data: unknown) => makeData({ type, length, ...nulls, data } as never) as unknown as Data;

  if (DataType.isBool(type)) {
    const bits = new Uint8Array(Math.ceil(length / 8));
    values.forEach((value, index) => {
      if (value !== null && typeof value !== 'boolean') throw wrong(index);
      if (value === true) bits[index >> 3]! |= 1 << (index & 7);
    });
    return flat(bits);
  }
  if (DataType.isInt(type)) {
    if (type.bitWidth === 64) return flat(fill(new BigInt64Array(length), toInt64));
    const max = 2 ** (type.bitWidth - 1);
    const fits = (value: RowValue | Date) =>
      typeof value === 'number' && Number.isInteger(value) && value >= -max && value < max ? value : undefined;
    return flat(fill(new type.ArrayType(length) as Int32Array, fits));
  }
  if (DataType.isFloat(type)) {
    return flat(
      fill(new type.ArrayType(length) as Float64Array, (value) => (typeof value === 'number' ? value : undefined)),
    );
  }
  if (DataType.isDate(type)) return flat(fill(new Int32Array(length), parseDate));
  if (DataType.isTimestamp(type)) {
    return flat(fill(new BigInt64Array(length), (value) => parseTimestamp(value, type.unit)));
  }
  if (DataType.isDecimal(type)) return flat(decimals(type, values, wrong));
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    return makeData({
      type: type as never,
      length,
      ...nulls,
      ...packed(values, DataType.isUtf8(type), wrong),
    } as never);
  }
  if (DataType.isStruct(type)) {
    const rows = values.map((value, index) => {
      if (value === null) return null;
      if (typeof value !== 'object' || Array.isArray(value) || value instanceof Map) throw wrong(index);
      return value as { readonly [member: string]: RowValue };
    });
    const children = type.children.map((child) =>
      columnData(
        arrow,
        child.type,
        rows.map((row) => row?.[child.name] ?? null),
        `${name}.${child.name}`,
      ),
    );
    return makeData({ type, length, ...nulls, children } as never) as unknown as Data;
  }
  if (DataType.isList(type) || DataType.isMap(type)) {
    const entry = DataType.isMap(type) ? type.children[0]!.type.children.map((child) => child.name) : undefined;
    const { valueOffsets, items } = lists(values, entry, wrong);
    const child = columnData(arrow, type.children[0]!.type, items, `${name}[]`);
    return makeData({ type: type as never, length, ...nulls, valueOffsets, child } as never);
  }
  throw new InvalidRequestError(`column ${name}: rows cannot be made into ${type}`);
}

function nullsOf(values: Values): { nullCount: number; nullBitmap?: Uint8Array } {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 64) * 8);
  let nullCount = 0;
  values.forEach((value, index) => {
    if (value === null || value === undefined) nullCount++;
    else nullBitmap[index >> 3]! |= 1 << (index & 7);
  });
  return nullCount === 0 ? { nullCount } : { nullCount, nullBitmap };
}

function toInt64(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined;
}

function decimals(
  type: { readonly bitWidth: number; readonly scale: number; readonly precision: number },
  values: Values,
  wrong: (index: number) => Error,
): Uint32Array {
  const words = type.bitWidth / 32;
  const packed = new Uint32Array(values.length * words);
  const limit = 10n ** BigInt(type.precision);
  values.forEach((value, index) => {
    if (value === null) return;
    const parsed = parseDecimal(value, type.scale);
    if (parsed === undefined || parsed >= limit || parsed <= -limit) throw wrong(index);
    let rest = BigInt.asUintN(type.bitWidth, parsed);
    for (let word = 0; word < words; word++, rest >>= 32n) packed[index * words + word] = Number(rest & 0xffffffffn);
  });
  return packed;
}

function packed(values: Values, isText: boolean, wrong: (index: number) => Error) {
  const pieces = values.map((value, index) => {
    if (value === null) return NOTHING;
    if (isText && typeof value === 'string') return Buffer.from(value);
    if (!isText && value instanceof Uint8Array) return value;
    throw wrong(index);
  });
  const valueOffsets = new Int32Array(values.length + 1);
  let end = 0;
  pieces.forEach((piece, index) => {
    end += piece.byteLength;
    valueOffsets[index + 1] = end;
  });
  return { valueOffsets, data: new Uint8Array(Buffer.concat(pieces, end)) };
}

const NOTHING = new Uint8Array(0);

/** @param entry names of key and value, of a map */
function lists(values: Values, entry: readonly string[] | undefined, wrong: (index: number) => Error) {
  const valueOffsets = new Int32Array(values.length + 1);
  const items: RowValue[] = [];
  values.forEach((value, index) => {
    if (value instanceof Map && entry) {
      for (const [key, inner] of value) items.push({ [entry[0]!]: key, [entry[1]!]: inner });
    } else if (Array.isArray(value) && !entry) for (const item of value) items.push(item);
    else if (value !== null) throw wrong(index);
    valueOffsets[index + 1] = items.length;
  });
  return { valueOffsets, items };
}
