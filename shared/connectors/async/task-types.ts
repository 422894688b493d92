import { isObject, type JsonValue } from '../../core/json.ts';

/** What a template may declare an input or output as. `blob(uri)` and `dataset(uri, format)` are `blob` and `dataset`. */
export type ParsedType = { readonly kind: Simple } | { readonly kind: 'list' | 'map'; readonly of: ParsedType };

const SIMPLE = ['integer', 'float', 'string', 'boolean', 'datetime', 'duration', 'blob', 'dataset', 'json'] as const;
type Simple = (typeof SIMPLE)[number];

const NESTED_MAX = 16;

/** @returns undefined if the text is no type */
export function parseTaskType(text: string, depth = 0): ParsedType | undefined {
  const type = text.trim();
  const [, kind, inner] = /^(list|map)\s*<(.*)>$/s.exec(type) ?? [];
  if (kind !== undefined && inner !== undefined) {
    const of = depth < NESTED_MAX ? parseTaskType(inner, depth + 1) : undefined;
    return of && { kind: kind as 'list' | 'map', of };
  }
  const name = /^(blob|dataset)\s*\([^()<>]*\)$/.exec(type)?.[1] ?? type;
  return (SIMPLE as readonly string[]).includes(name) ? { kind: name as Simple } : undefined;
}

/** What was wrong with a value, and where in it: `[2]`, `.a`, or nothing for the whole. */
export class WrongValue extends Error {
  readonly at: string;
  constructor(at: string, expected: string, got: unknown) {
    super(`must be ${expected}, got ${shown(got)}`);
    this.at = at;
  }
}

/**
 * The value as a connector gets it: numbers and booleans that came as text become what they are, but for an integer beyond
 * ±(2^53 − 1), which stays the text of its digits.
 *
 * @throws {WrongValue}
 */
export function convertValue(type: ParsedType, value: JsonValue, at = ''): JsonValue {
  switch (type.kind) {
    case 'list':
      if (!Array.isArray(value)) throw new WrongValue(at, 'a list', value);
      return value.map((item, index) => convertValue(type.of, item, `${at}[${index}]`));
    case 'map':
      if (!isObject(value)) throw new WrongValue(at, 'a map', value);
      return Object.fromEntries(
        Object.entries(value as Record<string, JsonValue>).map(([key, item]) => [
          key,
          convertValue(type.of, item, `${at}.${key}`),
        ]),
      );
    default:
      return CONVERT[type.kind](value, at);
  }
}

const CONVERT: Readonly<Record<Simple, (value: JsonValue, at: string) => JsonValue>> = {
  integer(value, at) {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    if (typeof value !== 'string' || !/^[+-]?\d{1,19}$/.test(value) || !isInt64(BigInt(value))) {
      throw new WrongValue(at, 'a whole number of 64 bits (beyond 2^53 as text)', value);
    }
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(BigInt(value));
  },
  float(value, at) {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) throw new WrongValue(at, 'a number', value);
    return number;
  },
  string(value, at) {
    if (typeof value !== 'string') throw new WrongValue(at, 'a text', value);
    return value;
  },
  boolean(value, at) {
    if (typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    throw new WrongValue(at, 'true or false', value);
  },
  datetime(value, at) {
    if (typeof value === 'string' && DATETIME.test(value) && !Number.isNaN(Date.parse(value))) return value;
    throw new WrongValue(at, 'a time as 2026-01-31T12:00:00Z', value);
  },
  duration(value, at) {
    if (typeof value === 'string' && DURATION.test(value)) return value;
    throw new WrongValue(at, 'a duration as 10s or 1.5s', value);
  },
  blob: located,
  dataset: located,
  json: (value) => value,
};

const DATETIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/i;
const DURATION = /^-?\d{1,12}(\.\d{1,9})?s$/;
const isInt64 = (value: bigint) => BigInt.asIntN(64, value) === value;

/** A URI, or an object with one and what else is known of it. */
function located(value: JsonValue, at: string): JsonValue {
  const uri = isObject(value) ? value.uri : value;
  if (typeof uri === 'string' && uri !== '') return value;
  throw new WrongValue(at, 'a URI, or an object with a uri', value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
