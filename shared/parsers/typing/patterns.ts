import { InvalidInputError } from '../../core/errors.ts';
import { canonicalDate, canonicalTime, parseTimestamp, timestampOfNanos } from '../../records/temporal.ts';

/** What a text of a pattern says: ISO 8601, with a zone if the pattern has one; undefined if it does not match. */
export type PatternReader = (text: string) => string | undefined;

const EPOCHS: Readonly<Record<string, bigint>> = {
  __proto__: null as never,
  epochSeconds: 1_000_000_000n,
  epochMillis: 1_000_000n,
  epochMicros: 1000n,
};

type Part =
  | 'year'
  | 'shortYear'
  | 'month'
  | 'monthName'
  | 'day'
  | 'hour'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'half'
  | 'zone';

const TOKENS: Readonly<Record<string, readonly [Part | undefined, string]>> = {
  __proto__: null as never,
  yyyy: ['year', String.raw`\d{4}`],
  yy: ['shortYear', String.raw`\d{2}`],
  MMMM: ['monthName', '[A-Za-z]+'],
  MMM: ['monthName', '[A-Za-z]{3}'],
  MM: ['month', String.raw`\d{2}`],
  M: ['month', String.raw`\d{1,2}`],
  dd: ['day', String.raw`\d{2}`],
  d: ['day', String.raw`\d{1,2}`],
  EEEE: [undefined, '[A-Za-z]+'],
  EEE: [undefined, '[A-Za-z]{3}'],
  HH: ['hour', String.raw`\d{2}`],
  H: ['hour', String.raw`\d{1,2}`],
  hh: ['hour', String.raw`\d{2}`],
  h: ['hour', String.raw`\d{1,2}`],
  mm: ['minute', String.raw`\d{2}`],
  m: ['minute', String.raw`\d{1,2}`],
  ss: ['second', String.raw`\d{2}`],
  s: ['second', String.raw`\d{1,2}`],
  a: ['half', '[AaPp][Mm]'],
  X: ['zone', String.raw`(?:Z|[+-]\d\d(?::?\d\d)?)`],
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** @throws {InvalidInputError} a letter that means nothing, or the same part twice */
export function checkPattern(pattern: string, at: string): void {
  compilePattern(pattern, at);
}

export function patternReader(pattern: string): PatternReader {
  const unit = EPOCHS[pattern];
  if (unit !== undefined) return (text) => epochText(text, unit);
  const regex = compilePattern(pattern, 'format');
  return (text) => {
    const groups = regex.exec(text)?.groups;
    return groups && isoOf(groups);
  };
}

function epochText(text: string, unit: bigint): string | undefined {
  const match = /^(-?\d{1,18})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const whole = BigInt(match[1]!) * unit;
  // The fraction of a second, or of a millisecond; what is finer than a nanosecond does not fit.
  const scaled = BigInt((match[2] ?? '').padEnd(9, '0')) * unit;
  if (scaled % 1_000_000_000n !== 0n) return undefined;
  const part = scaled / 1_000_000_000n;
  return timestampOfNanos(text.startsWith('-') ? whole - part : whole + part, true);
}

function compilePattern(pattern: string, at: string): RegExp {
  if (pattern in EPOCHS) return /^$/;
  const seen = new Set<string>();
  let source = '';
  for (const [token] of pattern.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|./gs)) {
    if (token.startsWith("'") && token.length > 1) {
      source += RegExp.escape(token === "''" ? "'" : token.slice(1, -1).replaceAll("''", "'"));
      continue;
    }
    if (!/[A-Za-z]/.test(token)) {
      source += RegExp.escape(token);
      continue;
    }
    const found = /^S+$/.test(token)
      ? (['fraction', String.raw`\d{${token.length === 1 ? '1,9' : Math.min(token.length, 9)}}`] as const)
      : (TOKENS[token] ?? (/^X+$/.test(token) ? TOKENS.X : undefined));
    // The letters of ISO 8601 itself need no quotes.
    if (!found && (token === 'T' || token === 'Z')) {
      source += token;
      continue;
    }
    if (!found) throw new InvalidInputError(`${at}: "format" has "${token}", which means nothing`);
    const [part, digits] = found;
    if (part && seen.has(part)) throw new InvalidInputError(`${at}: "format" has its ${part} twice`);
    if (part) seen.add(part);
    source += part ? `(?<${part}>${digits})` : digits;
  }
  return new RegExp(`^${source}$`);
}

function isoOf(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const { zone = '', fraction, second = '0', minute = '0', half, hour } = groups;
  const date = dateOf(groups);
  if (hour === undefined && date !== undefined) return canonicalDate(date);
  let hours = Number(hour ?? 0);
  if (half) {
    if (hours < 1 || hours > 12) return undefined;
    hours = (hours % 12) + (/^p/i.test(half) ? 12 : 0);
  }
  const time = `${two(hours)}:${two(minute)}:${two(second)}${fraction ? `.${fraction}` : ''}`;
  return date === undefined ? canonicalTime(time) : parseTimestamp(`${date}T${time}${zone}`)?.text;
}

function dateOf(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const { shortYear, monthName, month, day = '1' } = groups;
  // As POSIX has it: 69 to 99 are of the last century.
  const year = groups.year ?? (shortYear && (shortYear >= '69' ? `19${shortYear}` : `20${shortYear}`));
  if (year === undefined) return undefined;
  const named = monthName === undefined ? undefined : MONTHS.indexOf(monthName.slice(0, 3).toLowerCase()) + 1;
  return `${year}-${two(named ?? month ?? '1')}-${two(day)}`;
}

const two = (value: string | number) => String(value).padStart(2, '0');
