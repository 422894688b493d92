import { InvalidInputError } from '../core/errors.ts';
import { isObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ColumnType, Field, StringFormat, TimeUnit } from './column-type.ts';

/**
 * A type as JSON, as people write it in a pipeline: `int`, `decimal(10,2)`, `string(255)`, `timestamp(ns)`,
 * `{ "list": "int" }`, `{ "map": "double" }` (its keys are strings; others with `"key"`), `{ "enum": ["a", "b"], "open": true }`,
 * `{ "struct": [{ "name": "a", "type": "int", "nullable": false }] }`.
 */
export type TypeJson = JsonValue;

export function typeToJson(type: ColumnType): string | JsonObject {
  switch (type.kind) {
    case 'int':
      return type.bits === 16 ? 'int16' : 'int';
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`;
    case 'string': {
      const text = type.maxLength === undefined ? 'string' : `string(${type.maxLength})`;
      return type.format ? `${text}:${type.format}` : text;
    }
    case 'time':
      return type.unit === 'us' ? 'time' : `time(${type.unit})`;
    case 'timestamp': {
      const name = type.zoned ? 'timestamp' : 'local-timestamp';
      return type.unit === 'us' ? name : `${name}(${type.unit})`;
    }
    case 'enum':
      return { enum: [...type.values], ...(type.open && { open: true }) };
    case 'list':
      return { list: typeToJson(type.item) };
    case 'map':
      return {
        map: typeToJson(type.value),
        ...(type.key.kind === 'string' && !type.key.maxLength ? {} : { key: typeToJson(type.key) }),
      };
    case 'struct':
      return { struct: type.fields.map(fieldToJson) };
    default:
      return type.kind;
  }
}

export function fieldToJson({ name, type, nullable, description }: Field): JsonObject {
  return { name, type: typeToJson(type), nullable, ...(description !== undefined && { description }) };
}

/** For messages: one line, also of nested types. */
export function typeText(type: ColumnType): string {
  const json = typeToJson(type);
  return typeof json === 'string' ? json : JSON.stringify(json);
}

const SIMPLE = /^([a-z][a-z0-9-]*)(?:\(\s*([a-z0-9]+)\s*(?:,\s*(\d+)\s*)?\))?(?::([a-z0-9]+))?$/;
const FORMATS: ReadonlySet<string> = new Set<StringFormat>(['uuid', 'ipv4', 'ipv6', 'ip', 'duration']);
const UNITS: Readonly<Record<string, TimeUnit>> = {
  __proto__: null as never,
  ms: 'ms',
  us: 'us',
  ns: 'ns',
};
/** What other systems call these; taken when reading only. */
const ALIASES: Readonly<Record<string, string>> = {
  __proto__: null as never,
  bool: 'boolean',
  int32: 'int',
  integer: 'int',
  int64: 'long',
  bigint: 'long',
  smallint: 'int16',
  number: 'double',
  text: 'string',
  varchar: 'string',
  binary: 'bytes',
  datetime: 'local-timestamp',
};
const PLAIN: ReadonlySet<string> = new Set(['boolean', 'long', 'float', 'double', 'bytes', 'date', 'json']);
/** What Parquet, Avro and the databases hold exactly. */
const PRECISION_MAX = 38;
const TYPE_DEPTH_MAX = 64;

/** @param at names the place in messages, such as `schema[2].type`. @throws {InvalidInputError} it is no type */
export function typeFromJson(json: unknown, at: string, depth = 0): ColumnType {
  if (depth > TYPE_DEPTH_MAX) throw new InvalidInputError(`${at}: types nest deeper than ${TYPE_DEPTH_MAX}`);
  if (typeof json === 'string') return simpleType(json, at);
  if (!isObject(json)) throw noType(at, json);
  if ('list' in json) return { kind: 'list', item: typeFromJson(json.list, `${at}.list`, depth + 1) };
  if ('map' in json) {
    const value = typeFromJson(json.map, `${at}.map`, depth + 1);
    return {
      kind: 'map',
      key: json.key === undefined ? { kind: 'string' } : typeFromJson(json.key, `${at}.key`, depth + 1),
      value,
    };
  }
  if ('enum' in json) {
    const { enum: values, open = false } = json;
    if (!Array.isArray(values) || values.some((value) => typeof value !== 'string') || typeof open !== 'boolean')
      throw new InvalidInputError(`${at}: "enum" must be an array of strings, and "open" true or false`);
    return { kind: 'enum', values: values as string[], open };
  }
  if (Array.isArray(json.struct))
    return { kind: 'struct', fields: fieldsFromJson(json.struct, `${at}.struct`, depth + 1) };
  throw noType(at, json);
}

/** @throws {InvalidInputError} a field that is none, or two of one name */
export function fieldsFromJson(list: readonly unknown[], at: string, depth = 0): Field[] {
  const names = new Set<string>();
  return list.map((json, index) => {
    const place = `${at}[${index}]`;
    if (!isObject(json) || typeof json.name !== 'string' || json.name === '')
      throw new InvalidInputError(`${place} must be an object with a "name" and a "type"`);
    const { name, type, nullable = true, description } = json;
    if (names.has(name)) throw new InvalidInputError(`${place}: there are two fields ${JSON.stringify(name)}`);
    names.add(name);
    if (typeof nullable !== 'boolean') throw new InvalidInputError(`${place}.nullable must be true or false`);
    return {
      name,
      type: typeFromJson(type, `${place}.type`, depth),
      nullable,
      ...(typeof description === 'string' && { description }),
    };
  });
}

function simpleType(text: string, at: string): ColumnType {
  const match = SIMPLE.exec(text.trim().toLowerCase());
  if (!match) throw noType(at, text);
  const [, given = '', first, second, format] = match;
  const name = ALIASES[given] ?? given;
  const digits = first === undefined ? undefined : Number(first);
  if (name === 'decimal' && digits !== undefined) return decimalType(digits, Number(second ?? 0), at);
  if (name === 'string' && (format === undefined || FORMATS.has(format)) && second === undefined) {
    if (digits !== undefined && !(Number.isInteger(digits) && digits > 0)) throw noType(at, text);
    return {
      kind: 'string',
      ...(digits !== undefined && { maxLength: digits }),
      ...(format !== undefined && { format: format as StringFormat }),
    };
  }
  if (format !== undefined || second !== undefined) throw noType(at, text);
  const unit = first === undefined ? 'us' : UNITS[first];
  if (unit && name === 'time') return { kind: 'time', unit };
  if (unit && (name === 'timestamp' || name === 'local-timestamp'))
    return { kind: 'timestamp', unit, zoned: name === 'timestamp' };
  if (first !== undefined) throw noType(at, text);
  if (name === 'int' || name === 'int16') return { kind: 'int', bits: name === 'int' ? 32 : 16 };
  if (PLAIN.has(name)) return { kind: name } as ColumnType;
  throw noType(at, text);
}

function decimalType(precision: number, scale: number, at: string): ColumnType {
  if (!(precision >= 1 && precision <= PRECISION_MAX && scale <= precision))
    throw new InvalidInputError(
      `${at}: decimal(p,s) takes a precision of 1 to ${PRECISION_MAX} and a scale up to it, got decimal(${precision},${scale})`,
    );
  return { kind: 'decimal', precision, scale };
}

function noType(at: string, json: unknown): InvalidInputError {
  const got = shown(json);
  return new InvalidInputError(
    `${at} must be a type such as "int", "long", "decimal(10,2)", "string", "timestamp" or { "list": "int" }, got ${got}`,
  );
}

/** What was got, if it can be shown at all: it may nest to any depth. */
function shown(json: unknown): string {
  if (typeof json !== 'object' || json === null) return (JSON.stringify(json) ?? String(json)).slice(0, 80);
  return Array.isArray(json)
    ? `an array of ${json.length}`
    : `an object with ${Object.keys(json).slice(0, 5).join(', ')}`;
}
