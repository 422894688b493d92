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
  // Three times as fast where no number is long enough to be beyond a double's exact range.
  if (!LONG_DIGITS.test(text)) return JSON.parse(text) as LosslessValue;
  return JSON.parse(text, keepInteger) as LosslessValue;
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
  if (!MANY_DIGITS.test(text)) return JSON.parse(text) as ExactValue;
  return JSON.parse(text, keepNumber) as ExactValue;
}

/** 2^53 has 16 digits. */
const LONG_DIGITS = /\d{16}/;
/** Sixteen digits with a point among them, or an exponent that may be beyond a double's range. */
const MANY_DIGITS = /[\d.]{16}|\d[eE][+-]?\d{3}/;
const INTEGER = /^-?\d+$/;

function keepInteger(_member: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
}

function keepNumber(_member: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  const { source } = context;
  if (source.length < 6 && Number.isFinite(value)) return value;
  if (INTEGER.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  return isExact(source, value) ? value : new NumberText(source);
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
  return { digits: digits.replace(/0+$/, ''), exponent: whole.length - (all.length - digits.length) + Number(power) };
}

// Part of the language since ES2025; the compiler's library does not know it yet.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };
