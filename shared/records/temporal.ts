/**
 * Dates, times and timestamps as text. Each value has one canonical form (see `ColumnType`), of the proleptic Gregorian
 * calendar with a year 0; years beyond four digits have a sign and at least six. A JavaScript Date would lose the digits
 * behind the millisecond, and the years beyond ±271,821.
 */

const DATE = /^(\d{4}|[+-]\d{4,9})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[zZ])?$/;
const TIMESTAMP =
  /^((?:\d{4}|[+-]\d{4,9})-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?))?(?: ?([zZ]|[+-]\d\d(?::?\d\d)?| ?UTC))?$/;

const DAY_SECONDS = 86_400;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** @returns undefined if `text` is no date of ISO 8601 that exists */
export function canonicalDate(text: string): string | undefined {
  if (text.length === 10 && isCanonicalDate(text)) return text;
  const match = DATE.exec(text);
  if (!match) return undefined;
  const year = Number(match[1]);
  return isDate(year, Number(match[2]), Number(match[3])) ? `${yearText(year)}-${match[2]}-${match[3]}` : undefined;
}

/** @returns undefined if `text` is no time of a day; seconds may be missing, and a `Z` is taken for nothing */
export function canonicalTime(text: string): string | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, hour, minute, second = '00', fraction] = match;
  if (!(hour! <= '23' && minute! <= '59' && second <= '59')) return undefined;
  return `${hour}:${minute}:${second}${fractionText(fraction)}`;
}

export interface ParsedTimestamp {
  readonly text: string;
  readonly zoned: boolean;
}

/**
 * A timestamp of ISO 8601, with a `T` or a space, with `Z`, an offset or neither; a date alone is its midnight.
 *
 * @returns in UTC with `Z` if it has a zone; undefined if it is none, or does not exist
 */
export function parseTimestamp(text: string): ParsedTimestamp | undefined {
  const plain = canonicalSuffix(text);
  if (plain !== undefined) return { text, zoned: plain };
  const match = TIMESTAMP.exec(text);
  if (!match) return undefined;
  const date = canonicalDate(match[1]!);
  const time = match[2] === undefined ? '00:00:00' : canonicalTime(match[2]);
  if (date === undefined || time === undefined) return undefined;
  const zone = match[3]?.trim();
  if (zone === undefined) return { text: `${date}T${time}`, zoned: false };
  const offset = offsetSeconds(zone);
  if (offset === undefined) return undefined;
  return { text: offset === 0 ? `${date}T${time}Z` : shifted(date, time, -offset), zoned: true };
}

/** Digits of the second's fraction. */
export function fractionDigits(text: string): number {
  const point = text.lastIndexOf('.');
  return point < 0 ? 0 : text.length - point - (text.endsWith('Z') ? 2 : 1);
}

/** Days since 1970-01-01 of a canonical date. */
export function daysOfDate(date: string): number {
  const end = date.length;
  return daysOf(Number(date.slice(0, end - 6)), Number(date.slice(end - 5, end - 3)), Number(date.slice(end - 2)));
}

export function dateOfDays(days: number): string {
  const { year, month, day } = civilOf(days);
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/** Nanoseconds since midnight of a canonical time. */
export function nanosOfTime(time: string): bigint {
  return BigInt(secondsOf(time)) * 1_000_000_000n + BigInt(time.slice(9).padEnd(9, '0'));
}

export function timeOfNanos(nanos: bigint): string {
  return timeText(Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n));
}

/** Nanoseconds since 1970 (UTC, or of no zone) of a canonical timestamp, of any year. */
export function nanosOfTimestamp(text: string): bigint {
  const { seconds, nanos } = partsOf(text);
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

/** Microseconds since 1970; what is finer is cut off. */
export function microsOfTimestamp(text: string): bigint {
  const { seconds, nanos } = partsOf(text);
  const micros = seconds * 1_000_000 + Math.floor(nanos / 1000);
  return Number.isSafeInteger(micros)
    ? BigInt(micros)
    : BigInt(seconds) * 1_000_000n + BigInt(Math.floor(nanos / 1000));
}

export function timestampOfNanos(nanos: bigint, zoned: boolean): string {
  const wholeSeconds = nanos >= 0n ? nanos / 1_000_000_000n : -((999_999_999n - nanos) / 1_000_000_000n);
  return timestampText(Number(wholeSeconds), Number(nanos - wholeSeconds * 1_000_000_000n), zoned);
}

export function timestampOfMicros(micros: bigint, zoned: boolean): string {
  const count = Number(micros);
  if (!Number.isSafeInteger(count)) return timestampOfNanos(micros * 1000n, zoned);
  const wholeSeconds = Math.floor(count / 1_000_000);
  return timestampText(wholeSeconds, (count - wholeSeconds * 1_000_000) * 1000, zoned);
}

/** @param seconds since 1970, a whole number. @param nanos of that second */
export function timestampText(seconds: number, nanos: number, zoned: boolean): string {
  const days = Math.floor(seconds / DAY_SECONDS);
  return `${dateOfDays(days)}T${timeText(seconds - days * DAY_SECONDS, nanos)}${zoned ? 'Z' : ''}`;
}

function partsOf(text: string): { seconds: number; nanos: number } {
  const at = text.indexOf('T', 8);
  const end = text.endsWith('Z') ? text.length - 1 : text.length;
  const days = daysOfDate(text.slice(0, at));
  const fraction = text.slice(at + 10, end);
  return {
    seconds: days * DAY_SECONDS + secondsOf(text.slice(at + 1, at + 9)),
    nanos: fraction === '' ? 0 : Number(fraction.padEnd(9, '0')),
  };
}

const secondsOf = (time: string) => twoAt(time, 0) * 3600 + twoAt(time, 3) * 60 + twoAt(time, 6);

function shifted(date: string, time: string, bySeconds: number): string {
  const { seconds, nanos } = partsOf(`${date}T${time}`);
  return timestampText(seconds + bySeconds, nanos, true);
}

function offsetSeconds(zone: string): number | undefined {
  if (!/\d/.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60);
}

const fractionText = (fraction: string | undefined) => {
  const digits = fraction?.replace(/0+$/, '');
  return digits ? `.${digits}` : '';
};

function timeText(seconds: number, nanos: number): string {
  const hour = Math.floor(seconds / 3600);
  const minute = Math.floor((seconds % 3600) / 60);
  const whole = `${two(hour)}:${two(minute)}:${two(seconds % 60)}`;
  return nanos === 0 ? whole : whole + fractionText(String(nanos).padStart(9, '0'));
}

const two = (count: number) => (count < 10 ? `0${count}` : String(count));

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return (year < 0 ? '-' : '+') + String(Math.abs(year)).padStart(6, '0');
}

const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= (month === 2 && isLeap(year) ? 29 : DAYS_IN_MONTH[month - 1]!);
}

/** Days since 1970-01-01, by eras of 400 years that begin in March, so that the leap day is the last. */
function daysOf(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civilOf(days: number): { year: number; month: number; day: number } {
  const shiftedDays = days + 719_468;
  const era = Math.floor(shiftedDays / 146_097);
  const dayOfEra = shiftedDays - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

// What nearly every value looks like is recognised without a regular expression: this is the hot path of the parsers.

const MINUS = 45;
const COLON = 58;
const POINT = 46;
const UPPER_T = 84;
const UPPER_Z = 90;

function isCanonicalDate(text: string): boolean {
  if (text.charCodeAt(4) !== MINUS || text.charCodeAt(7) !== MINUS) return false;
  const century = twoAt(text, 0);
  const year = twoAt(text, 2);
  const month = twoAt(text, 5);
  const day = twoAt(text, 8);
  return century >= 0 && year >= 0 && isDate(century * 100 + year, month, day);
}

/** @returns whether a canonical timestamp has its `Z`; undefined if the text is not canonical yet */
function canonicalSuffix(text: string): boolean | undefined {
  const { length } = text;
  if (length < 19 || text.charCodeAt(10) !== UPPER_T || !isCanonicalDate(text)) return undefined;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return undefined;
  const hour = twoAt(text, 11);
  const minute = twoAt(text, 14);
  const second = twoAt(text, 17);
  if (!(hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59)) return undefined;
  const zoned = text.charCodeAt(length - 1) === UPPER_Z;
  const end = zoned ? length - 1 : length;
  if (end === 19) return zoned;
  if (text.charCodeAt(19) !== POINT || end === 20 || end > 29) return undefined;
  for (let at = 20; at < end; at++) if (digitAt(text, at) < 0) return undefined;
  return digitAt(text, end - 1) === 0 ? undefined : zoned;
}

function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 48;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

/** Two digits as a number, or a negative one if they are none. */
function twoAt(text: string, at: number): number {
  const tens = digitAt(text, at);
  const ones = digitAt(text, at + 1);
  return tens < 0 || ones < 0 ? -1 : tens * 10 + ones;
}
