import { withoutTrailing } from '../../../core/trailing.ts';
import { UnsupportedStreamError } from '../client-errors.ts';

/** Units a second, by Arrow's numbers of time units. */
const PER_SECOND = [1n, 1_000n, 1_000_000n, 1_000_000_000n] as const;

/** `2025-11-20T08:00:00.123`, without a zone; the fraction without zeros at its end. */
export function timestampText(value: bigint, unit: number): string {
  const perSecond = PER_SECOND[unit]!;
  let seconds = value / perSecond;
  let fraction = value % perSecond;
  if (fraction < 0n) {
    fraction += perSecond;
    seconds -= 1n;
  }
  const digits =
    fraction === 0n
      ? ''
      : `.${String(fraction)
          .padStart(String(perSecond).length - 1, '0')
          .replace(/0+$/, '')}`;
  return `${isoSeconds(seconds)}${digits}`;
}

/** `2025-11-20` of days since 1970. */
export function dateText(days: number): string {
  return isoSeconds(BigInt(days) * 86_400n).slice(0, -'T00:00:00'.length);
}

function isoSeconds(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) throw new UnsupportedStreamError('a date or time is more than 270,000 years away');
  return date.toISOString().replace(/\.000Z$/, '');
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
  const perSecond = PER_SECOND[unit]!;
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
