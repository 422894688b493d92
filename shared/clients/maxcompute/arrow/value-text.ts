import { withoutTrailing } from '../../../core/trailing.ts';
import { UnsupportedStreamError } from '../client-errors.ts';

/** Units a second, and how many digits of a second they are, by Arrow's numbers of time units. */
const UNITS = [
  { perSecond: 1, digits: 0 },
  { perSecond: 1_000, digits: 3 },
  { perSecond: 1_000_000, digits: 6 },
  { perSecond: 1_000_000_000, digits: 9 },
] as const;
const DAY_SECONDS = 86_400;

/** `2025-11-20T08:00:00.123`, without a zone; the fraction without zeros at its end. */
export function timestampText(value: bigint, unit: number): string {
  const { perSecond, digits } = UNITS[unit]!;
  let seconds: number;
  let fraction: number;
  const count = Number(value);
  if (Number.isSafeInteger(count)) {
    seconds = Math.floor(count / perSecond);
    fraction = count - seconds * perSecond;
  } else {
    seconds = Number(value / BigInt(perSecond));
    fraction = Number(value % BigInt(perSecond));
  }
  if (fraction < 0) {
    fraction += perSecond;
    seconds -= 1;
  }
  const days = Math.floor(seconds / DAY_SECONDS);
  const text = `${dateText(days)}T${timeOfDay(seconds - days * DAY_SECONDS)}`;
  return fraction === 0 ? text : `${text}.${withoutTrailing(String(fraction).padStart(digits, '0'), '0')}`;
}

/** Texts of days: most tables have few of them. */
const known = new Map<number, string>();
const KNOWN_MAX = 10_000;

/** `2025-11-20` of days since 1970. */
export function dateText(days: number): string {
  const text = known.get(days);
  if (text !== undefined) return text;
  const date = new Date(days * DAY_SECONDS * 1000);
  if (Number.isNaN(date.getTime())) throw new UnsupportedStreamError('a date or time is more than 270,000 years away');
  const told = date.toISOString().slice(0, -'T00:00:00.000Z'.length);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(days, told);
  return told;
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

function timeOfDay(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return `${TWO_DIGITS[hours]}:${TWO_DIGITS[minutes - hours * 60]}:${TWO_DIGITS[seconds - minutes * 60]}`;
}

/** `-12.50` of a little-endian integer of 4 or 8 words. */
export function decimalText(words: Uint32Array, scale: number): string {
  let value = 0n;
  for (let at = words.length - 1; at >= 0; at--) value = (value << 32n) | BigInt(words[at]!);
  value = BigInt.asIntN(words.length * 32, value);
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

const TIMESTAMP = /^([+-]?\d{4,6})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?)?Z?$/;

/** The count of units since 1970 that a text or `Date` stands for; undefined if it is neither, or finer than the unit. */
export function parseTimestamp(value: unknown, unit: number): bigint | undefined {
  const perSecond = BigInt(UNITS[unit]!.perSecond);
  if (typeof value === 'bigint') return value;
  if (value instanceof Date) {
    const ms = BigInt(value.getTime());
    return (ms * perSecond) % 1000n === 0n ? (ms * perSecond) / 1000n : undefined;
  }
  const match = typeof value === 'string' ? TIMESTAMP.exec(value) : null;
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = ''] = match;
  const ms = Date.parse(`${isoYear(year!)}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const nanos = BigInt(fraction.padEnd(9, '0'));
  const perNano = 1_000_000_000n / perSecond;
  if (Number.isNaN(ms) || nanos % perNano !== 0n) return undefined;
  return BigInt(ms / 1000) * perSecond + nanos / perNano;
}

function isoYear(year: string): string {
  return /^\d{4}$/.test(year)
    ? year
    : `${year.startsWith('-') ? '-' : '+'}${year.replace(/^[+-]/, '').padStart(6, '0')}`;
}

/** Days since 1970; undefined if it is no date. */
export function parseDate(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined;
  const seconds = parseTimestamp(typeof value === 'bigint' ? undefined : value, 0);
  return seconds !== undefined && seconds % 86_400n === 0n ? Number(seconds / 86_400n) : undefined;
}

/** The unscaled integer; undefined if it is no number, or has more digits behind the point than the column. */
export function parseDecimal(value: unknown, scale: number): bigint | undefined {
  const text =
    typeof value === 'string'
      ? value.trim()
      : typeof value === 'number' || typeof value === 'bigint'
        ? String(value)
        : '';
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || (match[2] === '' && (match[3] ?? '') === '')) return undefined;
  const fraction = withoutTrailing(match[3] ?? '', '0');
  if (fraction.length > scale) return undefined;
  const digits = BigInt(`${match[2]}${fraction.padEnd(scale, '0')}` || '0');
  return match[1] === '-' ? -digits : digits;
}
