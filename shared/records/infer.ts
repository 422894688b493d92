import { type ExactValue, NumberText } from '../core/lossless-json.ts';
import {
  BOOLEAN,
  type ColumnType,
  DATE,
  DOUBLE,
  type Field,
  INT,
  INT_RANGE,
  JSON_TEXT,
  LOCAL_TIMESTAMP,
  LONG,
  LONG_MAX,
  LONG_MIN,
  STRING,
  TIME,
  TIMESTAMP,
} from './column-type.ts';
import { canonicalDate, canonicalTime, fractionDigits, parseTimestamp } from './temporal.ts';
import { UNKNOWN, widen } from './widen.ts';

export interface InferenceOptions {
  /** What integers beyond 64 bits, and longs beside doubles that a double would round, become. Default `string`. */
  readonly bigNumbers?: 'string' | 'number';
}

/**
 * The type of a column from some of its values, widened by each: int → long → double → string, date → timestamp → string.
 * What a type would not give back is not inferred: `007` is text.
 */
export class ColumnInference {
  readonly #bigNumbers: 'string' | 'number';
  #type: ColumnType = UNKNOWN;
  #nullable = false;
  #beyondDouble = false;
  #nonFinite = false;

  constructor({ bigNumbers = 'string' }: InferenceOptions = {}) {
    this.#bigNumbers = bigNumbers;
  }

  /** A cell of a text format: numbers and booleans are told by how they look. */
  addText(text: string | null): void {
    if (text === null) this.#nullable = true;
    else if (this.#type !== STRING) this.#add(this.#typeOfText(text));
  }

  /** A value of JSON: text may still be a date, a time or a timestamp. */
  addValue(value: ExactValue | undefined): void {
    if (value === null || value === undefined) this.#nullable = true;
    else this.#add(this.#typeOfValue(value, 0));
  }

  /** The record had no such field. */
  addMissing(): void {
    this.#nullable = true;
  }

  result(): { readonly type: ColumnType; readonly nullable: boolean } {
    let type = this.#type;
    if (this.#nonFinite) type = isNumber(type) ? DOUBLE : STRING;
    if (type.kind === 'double' && this.#beyondDouble && this.#bigNumbers === 'string') type = STRING;
    return { type, nullable: this.#nullable };
  }

  #add(type: ColumnType): void {
    if (type !== this.#type) this.#type = widen(this.#type, type);
  }

  #typeOfText(text: string): ColumnType {
    const first = text.charCodeAt(0);
    // Nothing that begins like this is anything but text.
    if (first > 57 && first !== UPPER_I && first !== UPPER_N && !MAYBE_WORD.has(first)) return STRING;
    if (NUMBER.test(text)) return INTEGER.test(text) ? this.#typeOfInteger(text) : DOUBLE;
    if (NON_FINITE.has(text)) {
      this.#nonFinite = true;
      return UNKNOWN;
    }
    if (/^(?:true|false)$/i.test(text)) return BOOLEAN;
    return temporalType(text);
  }

  #typeOfInteger(text: string): ColumnType {
    if (text.length < 10) return INT;
    if (text.length > 20) return this.#beyond();
    const value = Number(text);
    return Number.isSafeInteger(value) ? typeOfSafe(value) : this.#typeOfBig(BigInt(text));
  }

  #typeOfBig(value: bigint): ColumnType {
    this.#beyondDouble = true;
    return value >= LONG_MIN && value <= LONG_MAX ? LONG : this.#beyond();
  }

  #beyond(): ColumnType {
    return this.#bigNumbers === 'string' ? STRING : DOUBLE;
  }

  #typeOfValue(value: ExactValue, depth: number): ColumnType {
    if (value === null) return UNKNOWN;
    if (typeof value === 'string') return temporalType(value);
    if (typeof value === 'number') return Number.isInteger(value) ? typeOfSafe(value) : DOUBLE;
    if (typeof value === 'boolean') return BOOLEAN;
    if (typeof value === 'bigint') return this.#typeOfBig(value);
    if (value instanceof NumberText) return DOUBLE;
    if (depth >= DEPTH_MAX) return JSON_TEXT;
    if (Array.isArray(value)) {
      let item: ColumnType = UNKNOWN;
      for (const one of value) item = widen(item, this.#typeOfValue(one, depth + 1));
      return { kind: 'list', item };
    }
    const entries = Object.entries(value);
    // An object that is used as a dictionary, or says nothing.
    if (entries.length === 0 || entries.length > FIELDS_MAX) return JSON_TEXT;
    const fields = entries.map(
      ([name, one]): Field => ({ name, type: this.#typeOfValue(one, depth + 1), nullable: true }),
    );
    return { kind: 'struct', fields };
  }
}

const UPPER_I = 73;
const UPPER_N = 78;
/** t T f F i n */
const MAYBE_WORD: ReadonlySet<number> = new Set([116, 84, 102, 70, 105, 110]);
/** Without zeros in front, which a number would lose. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$|^-?\.\d+$/;
const INTEGER = /^(?!-0$)-?\d+$/;
export const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['nan', Number.NaN],
  ['Infinity', Infinity],
  ['inf', Infinity],
  ['-Infinity', -Infinity],
  ['-inf', -Infinity],
]);
const FIELDS_MAX = 200;
const DEPTH_MAX = 16;
const TIMESTAMP_NS: ColumnType = { ...TIMESTAMP, unit: 'ns' };
const LOCAL_TIMESTAMP_NS: ColumnType = { ...LOCAL_TIMESTAMP, unit: 'ns' };
const TIME_NS: ColumnType = { ...TIME, unit: 'ns' };

function typeOfSafe(value: number): ColumnType {
  if (value >= INT_RANGE[32].min && value <= INT_RANGE[32].max) return INT;
  return Number.isSafeInteger(value) ? LONG : DOUBLE;
}

function temporalType(text: string): ColumnType {
  const { length } = text;
  const first = text.charCodeAt(0);
  // Digits, or a sign before a long year.
  if (length < 8 || length > 40 || first > 57 || first < 43) return STRING;
  if (length <= 18 && text.charCodeAt(2) === 58) {
    if (!canonicalTime(text)) return STRING;
    return fractionDigits(text) > 6 ? TIME_NS : TIME;
  }
  if (canonicalDate(text)) return DATE;
  const found = length > 12 ? parseTimestamp(text) : undefined;
  if (!found) return STRING;
  const isFine = fractionDigits(found.text) > 6;
  if (found.zoned) return isFine ? TIMESTAMP_NS : TIMESTAMP;
  return isFine ? LOCAL_TIMESTAMP_NS : LOCAL_TIMESTAMP;
}

const isNumber = ({ kind }: ColumnType) => kind === 'int' || kind === 'long' || kind === 'float' || kind === 'double';
