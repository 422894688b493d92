import { NumberText } from '../../core/lossless-json.ts';
import { INT_RANGE, LONG_MAX, LONG_MIN } from '../../records/column-type.ts';
import { canonicalDecimal } from '../../records/decimal.ts';
import { NON_FINITE } from '../../records/infer.ts';
import { type Converter, INVALID } from './converter.ts';
import type { ColumnRule } from './rules.ts';

const ZERO = 48;
const MINUS = 45;
const PLUS = 43;
/** So many digits are always exact in a number. */
const SAFE_DIGITS = 15;

/** The integer that a text of at most 15 digits says; undefined if it says none, or more digits. */
function smallInteger(text: string): number | undefined {
  const { length } = text;
  const first = text.charCodeAt(0);
  const start = first === MINUS || first === PLUS ? 1 : 0;
  if (length === start || length > SAFE_DIGITS + start) return undefined;
  let value = 0;
  for (let at = start; at < length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return first === MINUS ? 0 - value : value;
}

const INTEGER = /^[+-]?\d{1,400}$/;
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

export function intConverter(bits: 16 | 32, rule: ColumnRule): Converter {
  const { min, max } = INT_RANGE[bits];
  const clean = cleaner(rule);
  return (raw) => {
    let value: number | undefined;
    if (typeof raw === 'string') value = smallInteger(clean(raw));
    else if (typeof raw === 'number') value = raw;
    else if (typeof raw === 'bigint') value = Number(raw);
    return value !== undefined && value >= min && value <= max && Number.isInteger(value) ? value + 0 : INVALID;
  };
}

export function longConverter(rule: ColumnRule): Converter {
  const clean = cleaner(rule);
  return (raw) => {
    if (typeof raw === 'number') return Number.isSafeInteger(raw) ? BigInt(raw) : INVALID;
    let value: bigint | undefined;
    if (typeof raw === 'bigint') value = raw;
    else if (typeof raw === 'string') {
      const text = clean(raw);
      const small = smallInteger(text);
      if (small !== undefined) return BigInt(small);
      if (INTEGER.test(text)) value = BigInt(text.startsWith('+') ? text.slice(1) : text);
    }
    return value !== undefined && value >= LONG_MIN && value <= LONG_MAX ? value : INVALID;
  };
}

export function doubleConverter(kind: 'float' | 'double', rule: ColumnRule): Converter {
  const clean = cleaner(rule);
  const round = kind === 'float' ? Math.fround : (value: number) => value;
  return (raw) => {
    if (typeof raw === 'number') return finite(round(raw), Number.isFinite(raw));
    if (typeof raw === 'bigint') return finite(round(Number(raw)), true);
    const given = raw instanceof NumberText ? raw.text : raw;
    if (typeof given !== 'string') return INVALID;
    const text = clean(given);
    if (NUMBER.test(text)) return finite(round(Number(text)), true);
    return NON_FINITE.get(text) ?? INVALID;
  };
}

/** A number that is beyond the type's range does not fit: it would become infinite. */
const finite = (value: number, wasFinite: boolean): number | typeof INVALID =>
  wasFinite && !Number.isFinite(value) ? INVALID : value;

export function decimalConverter(precision: number, scale: number, rule: ColumnRule): Converter {
  const clean = cleaner(rule);
  return (raw) => {
    let text: string;
    if (typeof raw === 'string') text = clean(raw);
    else if (typeof raw === 'number' || typeof raw === 'bigint') text = String(raw);
    else if (raw instanceof NumberText) text = raw.text;
    else return INVALID;
    return canonicalDecimal(text, precision, scale) ?? INVALID;
  };
}

/** Takes the separators of thousands out, and makes the decimal separator a point. */
function cleaner(rule: ColumnRule): (text: string) => string {
  const { thousandsSeparator } = rule;
  // Who writes thousands with a point writes the fraction with a comma.
  const decimalSeparator = rule.decimalSeparator ?? (thousandsSeparator === '.' ? ',' : '.');
  if (thousandsSeparator === undefined && decimalSeparator === '.') return (text) => text;
  return (text) => {
    const point = text.indexOf(decimalSeparator);
    const whole = point < 0 ? text : text.slice(0, point);
    const grouped = thousandsSeparator === undefined ? whole : withoutGroups(whole, thousandsSeparator);
    return point < 0 ? grouped : `${grouped}.${text.slice(point + 1)}`;
  };
}

/** `1,234,567` is a number, `1,2,3` is not: only groups of three are taken for thousands. */
function withoutGroups(text: string, separator: string): string {
  const [first = '', ...groups] = text.split(separator);
  const isGrouped = /^[+-]?\d{1,3}$/.test(first) && groups.every((group) => /^\d{3}$/.test(group));
  return isGrouped ? first + groups.join('') : text;
}
