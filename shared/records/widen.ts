import { type ColumnType, DOUBLE, type Field, JSON_TEXT, STRING } from './column-type.ts';
import type { Schema } from './schema.ts';

/** The type of what has no value yet: any other type takes its place. It is a string as long as none does. */
export const UNKNOWN: ColumnType = Object.freeze({ kind: 'string' });

/**
 * The type that holds the values of both: int → long → double → string, date → timestamp → string, and what is nested
 * beside what is not → json. Where neither holds the other without loss (a decimal and a double, an instant and a time of
 * no zone) it is string.
 */
export function widen(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b || b === UNKNOWN) return a;
  if (a === UNKNOWN) return b;
  if (a.kind === b.kind) return widenSame(a, b);
  if (isNested(a) || isNested(b)) return JSON_TEXT;
  return widenScalars(a, b) ?? widenScalars(b, a) ?? STRING;
}

const isNested = ({ kind }: ColumnType) => kind === 'list' || kind === 'map' || kind === 'struct' || kind === 'json';

function widenSame(a: ColumnType, b: ColumnType): ColumnType {
  if (a.kind === 'int' && b.kind === 'int') return a.bits >= b.bits ? a : b;
  if (a.kind === 'decimal' && b.kind === 'decimal')
    return decimalOf(Math.max(a.precision - a.scale, b.precision - b.scale), Math.max(a.scale, b.scale));
  if (a.kind === 'string' && b.kind === 'string') {
    const maxLength = a.maxLength && b.maxLength ? Math.max(a.maxLength, b.maxLength) : undefined;
    const format = a.format === b.format ? a.format : undefined;
    return { kind: 'string', ...(maxLength && { maxLength }), ...(format && { format }) };
  }
  if (a.kind === 'time' && b.kind === 'time') return { kind: 'time', unit: finer(a.unit, b.unit) };
  if (a.kind === 'timestamp' && b.kind === 'timestamp')
    return a.zoned === b.zoned ? { kind: 'timestamp', zoned: a.zoned, unit: finer(a.unit, b.unit) } : STRING;
  if (a.kind === 'enum' && b.kind === 'enum')
    return { kind: 'enum', values: [...new Set([...a.values, ...b.values])], open: a.open || b.open };
  if (a.kind === 'list' && b.kind === 'list') {
    const item = widen(a.item, b.item);
    return item === a.item ? a : item === b.item ? b : { kind: 'list', item };
  }
  if (a.kind === 'map' && b.kind === 'map')
    return { kind: 'map', key: widen(a.key, b.key), value: widen(a.value, b.value) };
  if (a.kind === 'struct' && b.kind === 'struct') {
    const fields = mergeFields(a.fields, b.fields);
    return fields === a.fields ? a : { kind: 'struct', fields };
  }
  return a;
}

function widenScalars(a: ColumnType, b: ColumnType): ColumnType | undefined {
  if (a.kind === 'int') {
    if (b.kind === 'long' || b.kind === 'double') return b;
    // A float has 24 bits.
    if (b.kind === 'float') return a.bits === 16 ? b : DOUBLE;
    if (b.kind === 'decimal') return decimalOf(Math.max(a.bits === 16 ? 5 : 10, b.precision - b.scale), b.scale);
  }
  if (a.kind === 'long') {
    if (b.kind === 'double' || b.kind === 'float') return DOUBLE;
    if (b.kind === 'decimal') return decimalOf(Math.max(19, b.precision - b.scale), b.scale);
  }
  if (a.kind === 'float' && b.kind === 'double') return DOUBLE;
  if (a.kind === 'date' && b.kind === 'timestamp') return b;
  return undefined;
}

const PRECISION_MAX = 38;

function decimalOf(integerDigits: number, scale: number): ColumnType {
  const precision = integerDigits + scale;
  return precision > PRECISION_MAX ? STRING : { kind: 'decimal', precision, scale };
}

const finer = <U extends string>(a: U, b: U): U => (UNIT_ORDER.indexOf(a) >= UNIT_ORDER.indexOf(b) ? a : b);
const UNIT_ORDER: readonly string[] = ['ms', 'us', 'ns'];

/** The fields of both by name, those of `a` first; one that is not in both is nullable. @returns `a` itself if it says it all */
export function mergeFields(a: readonly Field[], b: readonly Field[]): readonly Field[] {
  const others = new Map(b.map((field) => [field.name, field]));
  let isSame = true;
  const merged = a.map((field) => {
    const other = others.get(field.name);
    others.delete(field.name);
    const type = other ? widen(field.type, other.type) : field.type;
    const nullable = field.nullable || !other || other.nullable;
    const description = field.description ?? other?.description;
    if (type === field.type && nullable === field.nullable && description === field.description) return field;
    isSame = false;
    return { name: field.name, type, nullable, ...(description !== undefined && { description }) };
  });
  if (isSame && others.size === 0) return a;
  for (const field of others.values()) merged.push(field.nullable ? field : { ...field, nullable: true });
  return merged;
}

/** A schema that holds the records of both: columns of `b` that are new come behind, nullable. The key stays if it is the same. */
export function mergeSchemas(a: Schema, b: Schema): Schema {
  const columns = mergeFields(a.columns, b.columns);
  if (columns === a.columns) return a;
  const { key, ...rest } = a;
  const sameKey = key && b.key && key.join('\0') === b.key.join('\0');
  return { ...rest, columns, ...(key && (sameKey || !b.key) && { key }) };
}

/** Whether every value of `from` is one of `to` as well, once converted. */
export function isWidening(from: ColumnType, to: ColumnType): boolean {
  return JSON.stringify(widen(from, to)) === JSON.stringify(to);
}
