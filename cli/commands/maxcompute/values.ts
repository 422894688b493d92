import type { Row, RowValue, WriteColumn } from '../../../shared/clients/maxcompute/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { type LosslessObject, type LosslessValue, parseLossless } from '../../../shared/core/lossless-json.ts';

/** Of columns by name, as they are declared. */
export type Declared = Readonly<Record<string, string | null>>;

/**
 * A row as JSON: whole numbers with all their digits, binary as base64, a blob's reference as text, maps as objects if their
 * keys are texts, else as lists of pairs.
 */
export function jsonOfRow(row: Row, declared: Declared = {}): LosslessObject {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, jsonOf(value, declared[name] === 'blob')]),
  );
}

function jsonOf(value: RowValue, isBlob = false): LosslessValue {
  if (value === null || typeof value !== 'object') {
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  }
  if (value instanceof Uint8Array)
    return isBlob ? Buffer.from(value).toString() : Buffer.from(value).toString('base64');
  if (value instanceof Map) {
    const entries = [...value].map(([key, inner]) => [jsonOf(key), jsonOf(inner)] as const);
    if (entries.every(([key]) => typeof key === 'string')) return Object.fromEntries(entries) as LosslessObject;
    return entries.map(([key, inner]) => [key, inner]);
  }
  if (Array.isArray(value)) return value.map((inner: RowValue) => jsonOf(inner));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, jsonOf(inner as RowValue)]));
}

/** A value in a table's cell. */
export function cellText(value: LosslessValue): string {
  if (value === null) return '';
  if (typeof value === 'object')
    return JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
  return String(value);
}

/**
 * A line of JSON as a row: what {@link jsonOfRow} makes, read back by the columns of the table.
 *
 * @throws {InvalidInputError} naming the line, and the column if it is at fault, but no value
 */
export function rowOfJson(text: string, columns: readonly WriteColumn[], line: number): Row {
  let parsed: LosslessValue;
  try {
    parsed = parseLossless(text);
  } catch {
    throw new InvalidInputError(`line ${line}: no JSON`);
  }
  if (!isObject(parsed)) throw new InvalidInputError(`line ${line}: no JSON object`);
  const known = new Map(columns.map((column) => [column.name, column]));
  const unknown = Object.keys(parsed).find((name) => !known.has(name));
  if (unknown !== undefined) throw new InvalidInputError(`line ${line}: ${unknown} is no column of the table`);
  return Object.fromEntries(
    columns.map((column) => [column.name, rowValue(parsed[column.name] ?? null, column, line)]),
  );
}

const FLOATS = ['float', 'double'];

function rowValue(value: LosslessValue, column: WriteColumn, line: number): RowValue {
  const { typeName, parts, name } = column;
  if (value === null) return null;
  const wrong = () => new InvalidInputError(`line ${line}: column ${name} is ${column.type}`);
  switch (typeName) {
    case 'binary':
    case 'blob':
      if (typeof value !== 'string') throw wrong();
      return new Uint8Array(Buffer.from(value, 'base64'));
    case 'array':
      if (!Array.isArray(value)) throw wrong();
      return value.map((inner) => rowValue(inner, parts[0]!, line));
    case 'map': {
      const pairs = Array.isArray(value) ? value : isObject(value) ? Object.entries(value) : undefined;
      if (!pairs?.every((pair) => Array.isArray(pair) && pair.length === 2)) throw wrong();
      return new Map(
        (pairs as [LosslessValue, LosslessValue][]).map(([key, inner]) => [
          rowValue(key, parts[0]!, line),
          rowValue(inner, parts[1]!, line),
        ]),
      );
    }
    case 'struct':
    case 'interval_day_time':
      if (!isObject(value)) throw wrong();
      if (typeName !== 'struct') return value as RowValue;
      return Object.fromEntries(parts.map((part) => [part.name, rowValue(value[part.name] ?? null, part, line)]));
    default:
      if (FLOATS.includes(typeName) && typeof value !== 'object') return Number(value);
      if (typeName === 'decimal' && typeof value !== 'object') return String(value);
      return value as RowValue;
  }
}

const isObject = (value: LosslessValue | undefined): value is LosslessObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
