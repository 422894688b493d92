import type { SchemaElement } from 'hyparquet';
import { type ColumnType, type Field, LONG_MAX, LONG_MIN, type Value } from '../records/column-type.ts';
import { unscaledOf } from '../records/decimal.ts';
import type { Schema } from '../records/schema.ts';
import { daysOfDate, microsOfTimestamp, nanosOfTime, nanosOfTimestamp } from '../records/temporal.ts';

/** How one column is written: the elements of its schema, itself first, and what the library takes for a value. */
export interface ParquetField {
  readonly elements: readonly SchemaElement[];
  /** Of what is not null. */
  encode(value: Exclude<Value, null>): unknown;
}

export function parquetSchema({ columns }: Schema): { elements: SchemaElement[]; fields: ParquetField[] } {
  const fields = columns.map(parquetField);
  const root: SchemaElement = { name: 'schema', num_children: columns.length };
  return { elements: [root, ...fields.flatMap(({ elements }) => elements)], fields };
}

const parquetField = ({ name, type, nullable }: Field): ParquetField => named(name, type, nullable);

type Meaning = Pick<SchemaElement, 'type' | 'converted_type' | 'logical_type' | 'type_length' | 'precision' | 'scale'>;

function named(name: string, type: ColumnType, nullable: boolean): ParquetField {
  const base = { name, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED' } as const;
  if (type.kind === 'list') {
    const item = named('element', type.item, true);
    const elements: SchemaElement[] = [
      { ...base, converted_type: 'LIST', logical_type: { type: 'LIST' }, num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      ...item.elements,
    ];
    return { elements, encode: (value) => (value as readonly Value[]).map(orNull(item)) };
  }
  if (type.kind === 'map') {
    const key = named('key', type.key, false);
    const value = named('value', type.value, true);
    const encodeValue = orNull(value);
    const elements: SchemaElement[] = [
      { ...base, converted_type: 'MAP', logical_type: { type: 'MAP' }, num_children: 1 },
      { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
      ...key.elements,
      ...value.elements,
    ];
    return {
      elements,
      encode: (map) =>
        [...(map as ReadonlyMap<Exclude<Value, null>, Value>)].map(([one, item]) => ({
          key: key.encode(one),
          value: encodeValue(item),
        })),
    };
  }
  if (type.kind === 'struct' && type.fields.length > 0) {
    const fields = type.fields.map((field) => ({ name: field.name, ...parquetField(field) }));
    const encoders = fields.map(orNull);
    return {
      elements: [{ ...base, num_children: fields.length }, ...fields.flatMap(({ elements }) => elements)],
      encode: (value) => {
        const given = value as Readonly<Record<string, Value>>;
        return Object.fromEntries(fields.map((field, at) => [field.name, encoders[at]!(given[field.name] ?? null)]));
      },
    };
  }
  const { encode, ...meaning } = leaf(type);
  return { elements: [{ ...base, ...meaning }], encode };
}

const orNull =
  ({ encode }: ParquetField) =>
  (value: Value): unknown =>
    value === null ? null : encode(value);

type Leaf = Meaning & Pick<ParquetField, 'encode'>;

const asIs = (value: unknown) => value;
const TEXT: Leaf = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' }, encode: asIs };
const UNITS = { ms: 'MILLIS', us: 'MICROS', ns: 'NANOS' } as const;

function leaf(type: ColumnType): Leaf {
  switch (type.kind) {
    case 'boolean':
      return { type: 'BOOLEAN', encode: asIs };
    case 'int':
      return type.bits === 16
        ? {
            type: 'INT32',
            converted_type: 'INT_16',
            logical_type: { type: 'INTEGER', bitWidth: 16, isSigned: true },
            encode: asIs,
          }
        : { type: 'INT32', encode: asIs };
    case 'long':
      return { type: 'INT64', encode: asIs };
    case 'float':
      return { type: 'FLOAT', encode: asIs };
    case 'double':
      return { type: 'DOUBLE', encode: asIs };
    case 'decimal':
      return decimalLeaf(type.precision, type.scale);
    case 'bytes':
      return { type: 'BYTE_ARRAY', encode: asIs };
    case 'date':
      return {
        type: 'INT32',
        converted_type: 'DATE',
        logical_type: { type: 'DATE' },
        encode: (value) => daysOfDate(value as string),
      };
    case 'time':
      return timeLeaf(type.unit);
    case 'timestamp':
      return timestampLeaf(type.unit, type.zoned);
    case 'json':
      return { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' }, encode: asIs };
    case 'struct':
      // Parquet has no group of nothing.
      return { ...TEXT, encode: () => '{}' };
    default:
      return TEXT;
  }
}

function decimalLeaf(precision: number, scale: number): Leaf {
  const common = {
    converted_type: 'DECIMAL',
    logical_type: { type: 'DECIMAL', precision, scale },
    precision,
    scale,
    encode: (value: unknown) => unscaledOf(value as string),
  } as const;
  if (precision <= 18) return { type: 'INT64', ...common };
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, ...common };
}

function timeLeaf(unit: 'ms' | 'us' | 'ns'): Leaf {
  const logical_type = { type: 'TIME', isAdjustedToUTC: false, unit: UNITS[unit] } as const;
  const nanosOf = (value: unknown) => nanosOfTime(value as string);
  if (unit === 'ms') return { type: 'INT32', logical_type, encode: (value) => Number(nanosOf(value) / 1_000_000n) };
  return { type: 'INT64', logical_type, encode: (value) => nanosOf(value) / (unit === 'us' ? 1000n : 1n) };
}

function timestampLeaf(unit: 'ms' | 'us' | 'ns', zoned: boolean): Leaf {
  const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: zoned, unit: UNITS[unit] } as const;
  // The older marks mean an instant, and only these units have one.
  const older =
    zoned && unit !== 'ns'
      ? ({ converted_type: unit === 'us' ? 'TIMESTAMP_MICROS' : 'TIMESTAMP_MILLIS' } as const)
      : {};
  const count = {
    ms: (value: unknown) => nanosOfTimestamp(value as string) / 1_000_000n,
    us: (value: unknown) => microsOfTimestamp(value as string),
    ns: (value: unknown) => nanosOfTimestamp(value as string),
  }[unit];
  return { type: 'INT64', ...older, logical_type, encode: (value) => within64(count(value)) };
}

/** A timestamp far away has more than 64 bits of nanoseconds; the library would cut it. */
function within64(count: bigint): bigint {
  if (count >= LONG_MIN && count <= LONG_MAX) return count;
  throw new RangeError('it has more than 64 bits');
}

/** The element as the library is to write its values: of json it would make text once more. */
export function asWritten(element: SchemaElement): SchemaElement {
  return element.converted_type === 'JSON'
    ? { ...element, converted_type: 'UTF8', logical_type: { type: 'STRING' } }
    : element;
}
