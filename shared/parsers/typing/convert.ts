import { isObject, setMember } from '../../core/json.ts';
import {
  type ExactObject,
  type ExactValue,
  NumberText,
  parseExact,
  stringifyLossless,
} from '../../core/lossless-json.ts';
import {
  type ColumnType,
  type EnumType,
  type Field,
  type StringType,
  UNIT_DIGITS,
  type Value,
} from '../../records/column-type.ts';
import { canonicalDate, canonicalTime, fractionDigits } from '../../records/temporal.ts';
import { instantConverter } from './convert-instant.ts';
import { decimalConverter, doubleConverter, intConverter, longConverter } from './convert-number.ts';
import { type Converter, INVALID, type RawMode } from './converter.ts';
import { patternReader } from './patterns.ts';
import type { ColumnRule } from './rules.ts';

export interface ConvertOptions {
  readonly mode: RawMode;
  readonly rule?: ColumnRule;
  /** What the values are already, where the format tells: json is its text then, also where it is nested. */
  readonly native?: ColumnType;
  /** Unknown fields of a struct are dropped; else such a value is invalid. */
  readonly dropUnknown?: boolean;
}

export function converterOf(type: ColumnType, options: ConvertOptions): Converter {
  const { rule = {} } = options;
  const convert = plainConverter(type, options);
  if (!rule.trim) return convert;
  return (raw) => convert(typeof raw === 'string' ? raw.trim() : raw);
}

function plainConverter(type: ColumnType, options: ConvertOptions): Converter {
  const { rule = {}, mode } = options;
  switch (type.kind) {
    case 'boolean':
      return booleanConverter(rule);
    case 'int':
      return intConverter(type.bits, rule);
    case 'long':
      return longConverter(rule);
    case 'float':
    case 'double':
      return doubleConverter(type.kind, rule);
    case 'decimal':
      return decimalConverter(type.precision, type.scale, rule);
    case 'string':
      return stringConverter(type);
    case 'enum':
      return enumConverter(type);
    case 'bytes':
      return bytesOf;
    case 'date':
      return dateConverter(rule);
    case 'time':
      return timeConverter(UNIT_DIGITS[type.unit], rule);
    case 'timestamp':
      return instantConverter(type, rule);
    case 'json':
      return mode === 'text' || options.native?.kind === 'json' ? checkedJsonText : jsonTextOf;
    default: {
      const inner = nestedConverter(type, { ...options, rule: {}, mode: 'value' });
      return mode === 'text' ? (raw) => (typeof raw === 'string' ? ofJsonText(raw, inner) : inner(raw)) : inner;
    }
  }
}

const TRUE_VALUES = ['true', 'True', 'TRUE'];
const FALSE_VALUES = ['false', 'False', 'FALSE'];

function booleanConverter({ trueValues = TRUE_VALUES, falseValues = FALSE_VALUES }: ColumnRule): Converter {
  const known = new Map<unknown, boolean>([
    ...falseValues.map((text) => [text, false] as const),
    ...trueValues.map((text) => [text, true] as const),
  ]);
  return (raw) => {
    if (typeof raw === 'boolean') return raw;
    return known.get(typeof raw === 'number' ? String(raw) : raw) ?? INVALID;
  };
}

function stringConverter({ maxLength = Infinity }: StringType): Converter {
  return (raw) => {
    const text = typeof raw === 'string' ? raw : textOf(raw);
    // A lone surrogate is no text, and marks bytes that were none; see `BAD_TEXT`.
    if (!text.isWellFormed()) return INVALID;
    return text.length > maxLength && [...text].length > maxLength ? INVALID : text;
  };
}

/** A value that is not text, as text that says the same. */
export function textOf(raw: unknown): string {
  if (raw instanceof NumberText) return raw.text;
  if (typeof raw === 'number' || typeof raw === 'bigint' || typeof raw === 'boolean') return String(raw);
  if (typeof raw === 'string') return raw;
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  return jsonTextOf(raw);
}

function enumConverter({ values, open }: EnumType): Converter {
  const known = new Set<unknown>(values);
  return (raw) => {
    if (known.has(raw)) return raw as string;
    return open && typeof raw === 'string' && raw.isWellFormed() ? raw : INVALID;
  };
}

/** Each part is one loop over a set: groups of four would take stack for every group. */
const BASE64 = /^([A-Za-z0-9+/]*)(={0,2})$/;

function bytesOf(raw: unknown): Uint8Array | typeof INVALID {
  if (raw instanceof Uint8Array) return raw;
  return typeof raw === 'string' && isBase64(raw) ? new Uint8Array(Buffer.from(raw, 'base64')) : INVALID;
}

function isBase64(text: string): boolean {
  const [, digits, padding] = BASE64.exec(text) ?? [];
  if (digits === undefined || digits.length % 4 === 1) return false;
  return padding === '' || (digits.length + padding!.length) % 4 === 0;
}

function dateConverter({ format }: ColumnRule): Converter {
  const read = format === undefined ? canonicalDate : patternReader(format);
  return (raw) => {
    const text = typeof raw === 'string' ? read(raw) : undefined;
    // A pattern may have a time in it as well, or a zone.
    return (format === undefined || text === undefined ? text : canonicalDate(text.replace(/T.*$/, ''))) ?? INVALID;
  };
}

function timeConverter(maxDigits: number, { format }: ColumnRule): Converter {
  const read = format === undefined ? canonicalTime : patternReader(format);
  return (raw) => {
    const text = typeof raw === 'string' ? read(raw) : undefined;
    return text === undefined || text.length < 8 || fractionDigits(text) > maxDigits ? INVALID : text;
  };
}

function checkedJsonText(raw: unknown): string | typeof INVALID {
  if (typeof raw !== 'string') return jsonTextOf(raw);
  try {
    JSON.parse(raw);
    return raw.isWellFormed() ? raw : INVALID;
  } catch {
    return INVALID;
  }
}

function jsonTextOf(raw: unknown): string {
  if (raw instanceof Map) return jsonTextOf([...raw]);
  try {
    return JSON.stringify(raw);
  } catch {
    // It holds a bigint.
    return stringifyLossless(raw);
  }
}

function ofJsonText(text: string, inner: Converter): Value | typeof INVALID {
  try {
    const value = parseExact(text);
    return value === null ? null : inner(value);
  } catch {
    return INVALID;
  }
}

function nestedConverter(type: ColumnType, options: ConvertOptions): Converter {
  const native = options.native?.kind === type.kind ? options.native : undefined;
  const inner = (of: ColumnType, was: ColumnType | undefined) => {
    const { native: _outer, ...rest } = options;
    return converterOf(of, { ...rest, ...(was && { native: was }) });
  };
  if (type.kind === 'list') return listConverter(inner(type.item, native?.kind === 'list' ? native.item : undefined));
  if (type.kind === 'struct') {
    const known = new Map(native?.kind === 'struct' ? native.fields.map((field) => [field.name, field.type]) : []);
    const fields = type.fields.map((field) => ({ ...field, convert: inner(field.type, known.get(field.name)) }));
    return structConverter(fields, options.dropUnknown === true);
  }
  if (type.kind !== 'map') return () => INVALID;
  const was = native?.kind === 'map' ? native : undefined;
  return mapConverter(inner(type.key, was?.key), inner(type.value, was?.value), type.key.kind === 'string');
}

function listConverter(convert: Converter): Converter {
  return (raw) => {
    if (!Array.isArray(raw)) return INVALID;
    const items: Value[] = [];
    for (const item of raw as ExactValue[]) {
      const value = item === null || item === undefined ? null : convert(item);
      if (value === INVALID) return INVALID;
      items.push(value);
    }
    return items;
  };
}

function mapConverter(convertKey: Converter, convert: Converter, isTextKey: boolean): Converter {
  return (raw) => {
    const isPairs = Array.isArray(raw) && raw.every((pair) => Array.isArray(pair) && pair.length === 2);
    const entries: Iterable<readonly [unknown, unknown]> | undefined =
      raw instanceof Map
        ? raw
        : isPairs
          ? (raw as [unknown, unknown][])
          : isTextKey && isObject(raw)
            ? Object.entries(raw)
            : undefined;
    if (!entries) return INVALID;
    const map = new Map<Value, Value>();
    for (const [key, item] of entries) {
      const name = key === null ? INVALID : convertKey(key);
      const value = item === null || item === undefined ? null : convert(item);
      if (name === INVALID || value === INVALID || map.has(name)) return INVALID;
      map.set(name, value);
    }
    return map;
  };
}

function structConverter(converters: readonly (Field & { convert: Converter })[], dropUnknown: boolean): Converter {
  return (raw) => {
    if (!isObject(raw) || raw instanceof Map || raw instanceof NumberText) return INVALID;
    const given = raw as ExactObject;
    const struct: Record<string, Value> = {};
    let found = 0;
    for (const { name, nullable, convert } of converters) {
      const isThere = Object.hasOwn(given, name);
      if (isThere) found += 1;
      const item = isThere ? given[name] : null;
      const value = item === null || item === undefined ? null : convert(item);
      if (value === INVALID || (value === null && !nullable)) return INVALID;
      setMember(struct, name, value);
    }
    return found < Object.keys(given).length && !dropUnknown ? INVALID : struct;
  };
}
