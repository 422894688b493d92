import type { SchemaElement, SchemaTree } from 'hyparquet';
import {
  BOOLEAN,
  BYTES,
  type ColumnType,
  DATE,
  DOUBLE,
  decimal,
  FLOAT,
  INT,
  JSON_TEXT,
  LONG,
  STRING,
  type TimeUnit,
  type Value,
} from '../../records/column-type.ts';
import { decimalOfUnscaled } from '../../records/decimal.ts';
import { dateOfDays, timeOfNanos, timestampOfMicros, timestampOfNanos } from '../../records/temporal.ts';
import { BAD_TEXT } from '../input/encoding.ts';

/** How the values of one node become ours. Null is for the caller. */
export interface ParquetDecoder {
  readonly type: ColumnType;
  decode(raw: unknown): Value;
}

export interface DecodeOptions {
  /** Timestamps of the deprecated INT96; else their twelve bytes. */
  readonly int96AsTimestamp: boolean;
}

const asIs = (raw: unknown) => raw as Value;

/**
 * How a column, or a field in it, is read. The library would make lossy values of decimals and times, so it is not told about
 * their meaning (see {@link withoutMeaning}); that is done here.
 */
export function parquetDecoder(node: SchemaTree, options: DecodeOptions): ParquetDecoder {
  const { element, children } = node;
  if (children.length === 0) return leafDecoder(element, options);
  if (isAnnotated(element, 'LIST') && children.length === 1) return listDecoder(children[0]!, options);
  if (isMap(node)) return mapDecoder(children[0]!, options);
  return structDecoder(node, options);
}

/** As `parquetDecoder`, but a repeated node without an annotation is a list of what it holds. */
function fieldDecoder(node: SchemaTree, options: DecodeOptions): ParquetDecoder {
  const inner = parquetDecoder(node, options);
  return node.element.repetition_type === 'REPEATED' ? listOf(inner) : inner;
}

export const isNullable = ({ element }: SchemaTree) => element.repetition_type === 'OPTIONAL';

const isAnnotated = ({ converted_type, logical_type }: SchemaElement, name: 'LIST' | 'MAP') =>
  converted_type === name || logical_type?.type === name;

const isMap = ({ element, children }: SchemaTree) =>
  (isAnnotated(element, 'MAP') || element.converted_type === 'MAP_KEY_VALUE') && children[0]?.children.length === 2;

function listDecoder(repeated: SchemaTree, options: DecodeOptions): ParquetDecoder {
  // Of three levels the middle one is only there to be repeated; in files of two it is the item itself.
  const [only] = repeated.children;
  return listOf(repeated.children.length === 1 ? fieldDecoder(only!, options) : parquetDecoder(repeated, options));
}

function listOf(item: ParquetDecoder): ParquetDecoder {
  const decode = nullable(item);
  return { type: { kind: 'list', item: item.type }, decode: (raw) => (raw as readonly unknown[]).map(decode) };
}

function mapDecoder(entry: SchemaTree, options: DecodeOptions): ParquetDecoder {
  const [keyNode, valueNode] = entry.children as [SchemaTree, SchemaTree];
  const key = fieldDecoder(keyNode, options);
  const value = fieldDecoder(valueNode, options);
  const decodeValue = nullable(value);
  const entries = entry.element.name;
  return {
    type: { kind: 'map', key: key.type, value: value.type },
    decode(raw) {
      const pairs = ((raw as Record<string, unknown>)[entries] ?? []) as readonly Record<string, unknown>[];
      return new Map(
        pairs.map((pair) => [key.decode(pair[keyNode.element.name]), decodeValue(pair[valueNode.element.name])]),
      );
    },
  };
}

function structDecoder({ children }: SchemaTree, options: DecodeOptions): ParquetDecoder {
  const fields = children.map((child) => {
    const decoder = fieldDecoder(child, options);
    return { name: child.element.name, nullable: isNullable(child), decoder, decode: nullable(decoder) };
  });
  return {
    type: {
      kind: 'struct',
      fields: fields.map(({ name, nullable: mayBeNull, decoder }) => ({
        name,
        nullable: mayBeNull,
        type: decoder.type,
      })),
    },
    decode(raw) {
      const given = raw as Record<string, unknown>;
      return Object.fromEntries(fields.map(({ name, decode }) => [name, decode(given[name])]));
    },
  };
}

const nullable =
  ({ decode }: ParquetDecoder) =>
  (raw: unknown): Value =>
    raw === null || raw === undefined ? null : decode(raw);

/** The top-level column of a node: repeated ones are lists. */
export const columnDecoder = fieldDecoder;

function leafDecoder(element: SchemaElement, options: DecodeOptions): ParquetDecoder {
  const { type, converted_type: converted, logical_type: logical } = element;
  const name = logical?.type;
  if (converted === 'DECIMAL' || name === 'DECIMAL') return decimalDecoder(element);
  if (type === 'BOOLEAN') return { type: BOOLEAN, decode: asIs };
  if (type === 'FLOAT') return { type: FLOAT, decode: asIs };
  if (type === 'DOUBLE') return { type: DOUBLE, decode: asIs };
  if (type === 'INT96') return int96Decoder(options);
  if (type === 'INT32' || type === 'INT64') return integerDecoder(element);
  if (name === 'UUID') return { type: { kind: 'string', format: 'uuid' }, decode: (raw) => uuidOf(raw as Uint8Array) };
  if (name === 'FLOAT16') return { type: FLOAT, decode: (raw) => float16Of(raw as Uint8Array) };
  if (converted === 'JSON' || name === 'JSON') return { type: JSON_TEXT, decode: asIs };
  if (isText(element)) return { type: STRING, decode: asIs };
  return { type: BYTES, decode: (raw) => (raw as Uint8Array).slice() };
}

const isText = ({ converted_type: converted, logical_type: logical }: SchemaElement) =>
  converted === 'UTF8' ||
  converted === 'ENUM' ||
  converted === 'JSON' ||
  /^(?:STRING|ENUM|JSON)$/.test(logical?.type ?? '');

function integerDecoder({ type, converted_type: converted, logical_type: logical }: SchemaElement): ParquetDecoder {
  if (converted === 'DATE' || logical?.type === 'DATE')
    return { type: DATE, decode: (raw) => dateOfDays(raw as number) };
  if (logical?.type === 'TIMESTAMP') return timestampDecoder(UNITS[logical.unit], logical.isAdjustedToUTC);
  if (converted === 'TIMESTAMP_MILLIS') return timestampDecoder('ms', true);
  if (converted === 'TIMESTAMP_MICROS') return timestampDecoder('us', true);
  if (logical?.type === 'TIME') return timeDecoder(UNITS[logical.unit]);
  if (converted === 'TIME_MILLIS') return timeDecoder('ms');
  if (converted === 'TIME_MICROS') return timeDecoder('us');
  const bits =
    logical?.type === 'INTEGER'
      ? logical.bitWidth
      : Number(/\d+$/.exec(converted ?? '')?.[0] ?? (type === 'INT32' ? 32 : 64));
  const isUnsigned = logical?.type === 'INTEGER' ? !logical.isSigned : converted?.startsWith('UINT') === true;
  if (isUnsigned && bits === 64)
    return { type: decimal(20, 0), decode: (raw) => String(BigInt.asUintN(64, BigInt(raw as bigint))) };
  if (isUnsigned && bits === 32) return { type: LONG, decode: (raw) => BigInt((raw as number) >>> 0) };
  if (bits < 16 || (bits === 16 && !isUnsigned)) return { type: { kind: 'int', bits: 16 }, decode: asIs };
  return type === 'INT32' ? { type: INT, decode: asIs } : { type: LONG, decode: (raw) => BigInt(raw as bigint) };
}

const UNITS: Readonly<Record<'MILLIS' | 'MICROS' | 'NANOS', TimeUnit>> = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' };

function timestampDecoder(unit: TimeUnit, zoned: boolean): ParquetDecoder {
  const type = { kind: 'timestamp', unit, zoned } as const;
  if (unit === 'ns') return { type, decode: (raw) => timestampOfNanos(raw as bigint, zoned) };
  if (unit === 'us') return { type, decode: (raw) => timestampOfMicros(raw as bigint, zoned) };
  return { type, decode: (raw) => timestampOfMicros((raw as bigint) * 1000n, zoned) };
}

function timeDecoder(unit: TimeUnit): ParquetDecoder {
  const nanos = { ms: 1_000_000n, us: 1000n, ns: 1n }[unit];
  return { type: { kind: 'time', unit }, decode: (raw) => timeOfNanos(BigInt(raw as number) * nanos) };
}

function int96Decoder({ int96AsTimestamp }: DecodeOptions): ParquetDecoder {
  // The library has made nanoseconds of it.
  if (int96AsTimestamp) return timestampDecoder('ns', true);
  return { type: BYTES, decode: (raw) => int96Bytes(raw as bigint) };
}

function int96Bytes(nanos: bigint): Uint8Array {
  const dayNanos = 86_400_000_000_000n;
  const day = nanos >= 0n ? nanos / dayNanos : -((dayNanos - 1n - nanos) / dayNanos);
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, nanos - day * dayNanos, true);
  view.setInt32(8, Number(day) + 2_440_588, true);
  return bytes;
}

function decimalDecoder({ precision, scale, logical_type: logical }: SchemaElement): ParquetDecoder {
  const digits = (logical?.type === 'DECIMAL' ? logical.precision : precision) ?? 38;
  const behind = (logical?.type === 'DECIMAL' ? logical.scale : scale) ?? 0;
  return {
    type: decimal(digits, behind),
    decode: (raw) => decimalOfUnscaled(raw instanceof Uint8Array ? signedOf(raw) : BigInt(raw as number), behind),
  };
}

/** A signed integer, its highest byte first. */
export function signedOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

export function uuidOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function float16Of(bytes: Uint8Array): number {
  const half = bytes[0]! | (bytes[1]! << 8);
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export const textFromBytes = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  // Whether it was text is looked at only where it may not have been.
  return text.includes('\ufffd') && !Buffer.from(text).equals(bytes) ? BAD_TEXT : text;
};

/** The element as the library shall see it: text stays text, lists stay lists, and the rest has no meaning but its own type. */
export function withoutMeaning(given: SchemaElement): SchemaElement {
  const { converted_type: _converted, logical_type: _logical, ...element } = given;
  if (given.num_children) return isAnnotated(given, 'LIST') ? { ...element, converted_type: 'LIST' } : element;
  return isText(given) ? { ...element, converted_type: 'UTF8' } : element;
}
