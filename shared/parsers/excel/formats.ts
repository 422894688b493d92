import { dateOfDays, timestampText } from '../../records/temporal.ts';

/** What a number means by its format. */
export type DateKind = 'date' | 'time' | 'timestamp';

/** Formats that have no text in the file. */
const BUILT_IN: Readonly<Record<number, DateKind>> = {
  14: 'date',
  15: 'date',
  16: 'date',
  17: 'date',
  18: 'time',
  19: 'time',
  20: 'time',
  21: 'time',
  22: 'timestamp',
  45: 'time',
  46: 'time',
  47: 'time',
};

/** @param code the format's text, if it has one. @returns undefined for a number */
export function dateKind(id: number, code: string | undefined): DateKind | undefined {
  if (code === undefined) return BUILT_IN[id];
  // Only the part for positive numbers, without texts, colours, conditions; elapsed time such as [h] stays.
  const plain = code
    .split(';')[0]!
    .replaceAll(/"[^"]*"|\\.|_.|\*./g, '')
    .replaceAll(/\[(?!(?:h+|m+|s+)\])[^\]]*\]/gi, '')
    .toLowerCase();
  if (/general|[#?]|0(?!\.?0*$)/.test(plain) && !/[ymdhs]/.test(plain)) return undefined;
  const hasDate = /[yd]|mmm/.test(plain);
  const hasTime = /[hs]/.test(plain);
  if (hasDate) return hasTime ? 'timestamp' : 'date';
  if (hasTime) return 'time';
  return /m/.test(plain) ? 'date' : undefined;
}

const DAY_MS = 86_400_000;
/** Day 0 of the two calendars, in days since 1970. The first counts a 29 February 1900 that never was. */
const EPOCH_1900_DAYS = -25_569;
const EPOCH_1904_DAYS = -24_107;

/**
 * The date, time or timestamp that a number of days is; text of ISO 8601.
 *
 * @returns the number itself where there is none: it is negative, or beyond the year 9999
 */
export function dateText(days: number, kind: DateKind, is1904: boolean): string | number {
  if (days < 0 || days >= 2_958_466) return days;
  // Excel keeps days in a double, which is good for about a tenth of a millisecond.
  let whole = Math.floor(days);
  let ms = Math.round((days - whole) * DAY_MS);
  if (ms === DAY_MS) {
    whole += 1;
    ms = 0;
  }
  const since1970 = is1904 ? whole + EPOCH_1904_DAYS : whole + EPOCH_1900_DAYS + (whole < 60 ? 1 : 0);
  const hasDate = kind !== 'time' || whole > 0;
  if (!hasDate) return timestampText(Math.floor(ms / 1000), (ms % 1000) * 1_000_000, false).slice(11);
  if (ms === 0 && kind === 'date') return dateOfDays(since1970);
  return timestampText(since1970 * 86_400 + Math.floor(ms / 1000), (ms % 1000) * 1_000_000, false);
}
