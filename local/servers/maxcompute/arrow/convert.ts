import { type Data, DataType, makeData, Timestamp, TimeUnit } from 'apache-arrow';
import { gather, type Run } from './gather.ts';

/** What of a column does not fit the type it should have. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError';
}

/**
 * The same values in another Arrow type: other units of timestamps, large strings for plain ones and back, decimals of another
 * width, dictionaries resolved, and lists, maps and structs of those. Lists and maps may name their children as they like.
 *
 * @param path names the column in errors
 * @throws {ConversionError} if the type is another one, or a value does not fit
 */
export function convert(data: Data, to: DataType, path: string): Data {
  const from = data.type as DataType;
  if (DataType.isDictionary(from)) return convert(resolved(data, path), to, path);
  if (DataType.isTimestamp(to)) {
    if (DataType.isTimestamp(from)) return withUnit(data, from.unit, to);
    // Some clients hold a timestamp as seconds and nanoseconds.
    if (isSecondsAndNanos(from)) return withUnit(joined(data), TimeUnit.NANOSECOND, to);
  }
  if (DataType.isDecimal(to) && DataType.isDecimal(from) && from.scale === to.scale) return ofWidth(data, to, path);
  if (isText(from) && isText(to)) return asText(data, to, path);
  if ((DataType.isBinary(to) || isText(to)) && (DataType.isBinary(from) || DataType.isLargeBinary(from))) {
    if (DataType.isBinary(to)) return asText(data, to, path);
  }
  if (DataType.isList(to) && DataType.isList(from)) {
    const child = convert(data.children[0]!, to.children[0]!.type, `${path}.element`);
    return rebuilt(data, to, { valueOffsets: data.valueOffsets, child });
  }
  if (DataType.isMap(to) && DataType.isMap(from)) {
    const entries = data.children[0]!;
    const entryType = to.children[0]!.type;
    const children = ['key', 'value'].map((part, index) =>
      convert(entries.children[index]!, entryType.children[index]!.type, `${path}.${part}`),
    );
    return rebuilt(data, to, { valueOffsets: data.valueOffsets, child: rebuilt(entries, entryType, { children }) });
  }
  if (DataType.isStruct(to) && DataType.isStruct(from) && from.children.length === to.children.length) {
    const children = to.children.map((field, index) => {
      const at = from.children.findIndex(({ name }) => name.toLowerCase() === field.name.toLowerCase());
      if (at === -1) throw new ConversionError(`${path} has no member ${field.name}: got ${from}`);
      return convert(data.children[at] ?? data.children[index]!, field.type, `${path}.${field.name}`);
    });
    return rebuilt(data, to, { children });
  }
  if (String(from) === String(to)) return rebuilt(data, to, { data: data.values, children: data.children });
  throw new ConversionError(`${path} must be ${to}, got ${from}`);
}

function rebuilt(data: Data, type: DataType, parts: object): Data {
  const { length } = data;
  const validity =
    data.nullCount > 0
      ? { nullCount: data.nullCount, nullBitmap: data.nullBitmap }
      : { nullCount: 0, nullBitmap: null };
  return makeData({ type, offset: 0, length, ...validity, ...parts } as never);
}

const isText = (type: DataType): boolean => DataType.isUtf8(type) || DataType.isLargeUtf8(type);

function asText(data: Data, to: DataType, path: string): Data {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const isWide = DataType.isLargeUtf8(to);
  if (isWide === offsets instanceof BigInt64Array)
    return rebuilt(data, to, { valueOffsets: offsets, data: data.values });
  const length = data.length + 1;
  if (offsets instanceof BigInt64Array) {
    if (length > 0 && offsets[length - 1]! > 0x7fff_ffffn)
      throw new ConversionError(`${path} is too large for one batch`);
    const narrow = Int32Array.from({ length }, (_, index) => Number(offsets[index]));
    return rebuilt(data, to, { valueOffsets: narrow, data: data.values });
  }
  const wide = BigInt64Array.from({ length }, (_, index) => BigInt(offsets[index]!));
  return rebuilt(data, to, { valueOffsets: wide, data: data.values });
}

const PER_SECOND: Readonly<Record<TimeUnit, bigint>> = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
};

function withUnit(data: Data, unit: TimeUnit, to: Timestamp): Data {
  const values = data.values as BigInt64Array;
  if (unit === to.unit) return rebuilt(data, to, { data: values });
  const [from, into] = [PER_SECOND[unit], PER_SECOND[to.unit]];
  const converted = new BigInt64Array(data.length);
  if (into > from) {
    const factor = into / from;
    for (let row = 0; row < converted.length; row++) converted[row] = values[row]! * factor;
  } else {
    const factor = from / into;
    // Rounded down, before 1970 too.
    for (let row = 0; row < converted.length; row++) {
      const value = values[row]!;
      converted[row] = value < 0n ? -((-value + factor - 1n) / factor) : value / factor;
    }
  }
  return rebuilt(data, to, { data: converted });
}

const isSecondsAndNanos = (type: DataType): boolean =>
  DataType.isStruct(type) && type.children.map(({ name }) => name).join() === 'sec,nano';

function joined(data: Data): Data {
  const [seconds, nanos] = data.children.map(({ values }) => values) as [BigInt64Array, Int32Array];
  const values = new BigInt64Array(data.length);
  for (let row = 0; row < values.length; row++) values[row] = seconds[row]! * 1_000_000_000n + BigInt(nanos[row]!);
  return rebuilt(data, new Timestamp(TimeUnit.NANOSECOND, null), { data: values });
}

const WORD_BITS = 32;

function ofWidth(data: Data, to: DataType & { bitWidth: number; precision: number }, path: string): Data {
  const from = data.type as DataType & { bitWidth: number };
  const values = data.values as Uint32Array;
  if (from.bitWidth === to.bitWidth) return rebuilt(data, to, { data: values });
  const [has, wants] = [from.bitWidth / WORD_BITS, to.bitWidth / WORD_BITS];
  const converted = new Uint32Array(data.length * wants);
  for (let row = 0; row < data.length; row++) {
    const sign = values[row * has + Math.min(has, wants) - 1]! >>> 31 ? 0xffff_ffff : 0;
    for (let word = 0; word < Math.max(has, wants); word++) {
      const value = word < has ? values[row * has + word]! : sign;
      if (word < wants) converted[row * wants + word] = value;
      else if (value !== sign && data.getValid(row)) throw new ConversionError(`${path} row ${row} does not fit ${to}`);
    }
  }
  return rebuilt(data, to, { data: converted });
}

function resolved(data: Data, path: string): Data {
  const [values, ...more] = data.dictionary?.data ?? [];
  if (!values || more.length > 0) throw new ConversionError(`${path} has a dictionary in several parts`);
  const indices = data.values as Int32Array;
  const runs: Run[] = [];
  for (let row = 0; row < data.length; row++) {
    const index = data.getValid(row) ? Number(indices[row]) : 0;
    runs.push([index, index + 1]);
  }
  const column = gather(values, values.length === 0 ? [] : runs);
  return rebuilt(data, column.type, {
    valueOffsets: column.valueOffsets,
    data: column.values,
    ...(column.children.length > 0 && { children: column.children }),
  });
}
