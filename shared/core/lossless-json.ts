import { isEscaped, parseJson, SECRET_MARK, setMember } from './parse-json.ts';
import { withoutTrailing } from './trailing.ts';

/** What JSON says, with integers beyond ±(2^53 − 1) as `bigint`: identifiers are often 64 bits wide. */
export type LosslessValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | LosslessValue[]
  | { [member: string]: LosslessValue };
export type LosslessObject = { [member: string]: LosslessValue };

/**
 * As `JSON.parse`, but for integers that a `number` cannot hold, which become a `bigint`.
 *
 * @throws {SyntaxError} not JSON; its message may quote the text, so it is not to be shown
 */
export function parseLossless(text: string): LosslessValue {
  // Faster where no number is long enough to be beyond a double's exact range.
  if (text.search(LONG_DIGITS) < 0) return parseJson(text) as LosslessValue;
  return parseMarked(text, LONG_DIGITS, integerOf) as LosslessValue;
}

/** As `JSON.stringify`, with each `bigint` as the integer it is. */
export function stringifyLossless(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_member, inner: unknown) => (typeof inner === 'bigint' ? rawJson(String(inner)) : inner),
    indent,
  );
}

/** A number with more digits than a double keeps, as it was written. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** What `stringifyLossless` writes. */
  toJSON(): unknown {
    return rawJson(this.text);
  }
}

export type ExactValue = string | number | bigint | boolean | null | NumberText | ExactValue[] | ExactObject;
export type ExactObject = { [member: string]: ExactValue };

/**
 * As {@link parseLossless}, and a number with a point or an exponent, which a `number` would round, becomes a
 * {@link NumberText}.
 *
 * @throws {SyntaxError} not JSON; its message may quote the text, so it is not to be shown
 */
export function parseExact(text: string): ExactValue {
  if (text.search(MANY_DIGITS) < 0) return parseJson(text) as ExactValue;
  return parseMarked(text, MANY_DIGITS, numberOf) as ExactValue;
}

/** 2^53 has 16 digits. */
const LONG_DIGITS = /\d{16}/g;
/** Sixteen digits with a point among them, or an exponent that may be beyond a double's range. */
const MANY_DIGITS = /[\d.]{16}|\d[eE][+-]?\d{3}/g;
const INTEGER = /^-?\d+$/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

type NumberOf = (source: string) => unknown;

function integerOf(source: string): unknown {
  const value = Number(source);
  return Number.isSafeInteger(value) || !INTEGER.test(source) ? value : BigInt(source);
}

function numberOf(source: string): unknown {
  const value = Number(source);
  if (INTEGER.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  return isExact(source, value) ? value : new NumberText(source);
}

/** Stands before a number that became a string. It is no control character, which JSON would refuse, and takes one byte. */
const MARK = '\x7f';

/**
 * Parses with long numbers as marked strings, and turns those into what `toNumber` makes of them. A reviver would do, but is
 * called for every value: with identifiers of 17 digits, which some services have in every record, this is three times as fast.
 *
 * @param long finds a part of each number that may not be what a double says; global
 */
function parseMarked(text: string, long: RegExp, toNumber: NumberOf): unknown {
  const mark = text.includes(MARK) || text.includes('\\u007') ? SECRET_MARK : MARK;
  let marked = '';
  let from = 0;
  let quote = -1;
  let isInString = false;
  long.lastIndex = 0;
  for (let found = long.exec(text); found; found = long.exec(text)) {
    let start = found.index;
    let end = long.lastIndex;
    while (start > from && isNumberCode(text.charCodeAt(start - 1))) start -= 1;
    while (isNumberCode(text.charCodeAt(end))) end += 1;
    long.lastIndex = end;
    const source = text.slice(start, end);
    // What is no number stays as it is, for the parser to refuse.
    if (!NUMBER.test(source) || typeof toNumber(source) === 'number') continue;
    for (let next = text.indexOf('"', quote + 1); next >= 0 && next < start; next = text.indexOf('"', quote + 1)) {
      if (!isInString || !isEscaped(text, next)) isInString = !isInString;
      quote = next;
    }
    if (isInString) continue;
    marked += `${text.slice(from, start)}"${mark}${source}"`;
    from = end;
  }
  if (from === 0) return parseJson(text);
  return unmarked(parseJson(marked + text.slice(from)), mark, toNumber);
}

/** A digit, or one of `+-.Ee`. */
const isNumberCode = (code: number) =>
  (code >= 48 && code <= 57) || code === 46 || code === 45 || code === 43 || code === 101 || code === 69;

/** In place, and without recurring: a text may nest deeper than the stack. */
function unmarked(value: unknown, mark: string, toNumber: NumberOf): unknown {
  const root = [value];
  const waiting: (unknown[] | Record<string, unknown>)[] = [root];
  const meant = (inner: unknown): unknown => {
    if (typeof inner === 'string') return inner.startsWith(mark) ? toNumber(inner.slice(mark.length)) : inner;
    if (typeof inner === 'object' && inner !== null) waiting.push(inner as Record<string, unknown>);
    return inner;
  };
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (Array.isArray(next)) for (let at = 0; at < next.length; at++) next[at] = meant(next[at]);
    else {
      for (const name of Object.keys(next)) {
        const inner = next[name];
        const now = meant(inner);
        if (now !== inner) setMember(next, name, now);
      }
    }
  }
  return root[0];
}

/** Whether the shortest text of the double is the decimal that was written. */
function isExact(source: string, value: number): boolean {
  if (String(value) === source) return true;
  const { digits, exponent } = scientific(source);
  const kept = scientific(String(value));
  return Number.isFinite(value) && digits === kept.digits && (digits === '' || exponent === kept.exponent);
}

/** The significant digits without zeros at either end, and the power of ten of the first. */
function scientific(text: string): { digits: string; exponent: number } {
  const [, whole = '', fraction = '', power = '0'] = /^-?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = whole + fraction;
  const digits = all.replace(/^0+/, '');
  const exponent = whole.length - (all.length - digits.length) + Number(power);
  return { digits: withoutTrailing(digits, '0'), exponent };
}

// Part of the language since ES2025; the compiler's library does not know it yet.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };
