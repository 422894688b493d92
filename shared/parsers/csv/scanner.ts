import type { CsvSettings, LineEnding } from './options.ts';

export type Cell = string | null;

/** A record as the scanner found it. */
export interface Scanned {
  readonly cells: readonly Cell[];
  /** Why it is bad. */
  readonly reason?: string;
}

/** What one piece of text gave. */
export interface Scan {
  readonly records: Scanned[];
  /** Where each begins in the text, and where it ends, its line end included. */
  readonly starts: number[];
  readonly ends: number[];
  /** Where the next record begins; the text from there on is not complete. */
  readonly end: number;
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

interface Ends {
  readonly first: number;
  readonly second: number;
  /** The character that must follow `first`; 0 for none. */
  readonly pair: number;
}

const ENDS: Readonly<Record<LineEnding, Ends>> = {
  auto: { first: LF, second: CR, pair: 0 },
  lf: { first: LF, second: LF, pair: 0 },
  cr: { first: CR, second: CR, pair: 0 },
  crlf: { first: CR, second: CR, pair: LF },
  lfcr: { first: LF, second: LF, pair: CR },
  ff: { first: 12, second: 12, pair: 0 },
  vt: { first: 11, second: 11, pair: 0 },
  nel: { first: 0x85, second: 0x85, pair: 0 },
  ls: { first: 0x2028, second: 0x2028, pair: 0 },
  ps: { first: 0x2029, second: 0x2029, pair: 0 },
};

const UNTERMINATED = 'a quote is not closed';
const AFTER_QUOTE = 'something follows a closing quote';

/** Takes text of a delimited file apart. It keeps no state: what is not complete is given again with more behind it. */
export interface Scanner {
  /**
   * @param isLast nothing comes behind the text, so what stands at its end is complete
   * @param maxRecords stops behind so many
   */
  scan(text: string, from: number, isLast: boolean, maxRecords?: number): Scan;
  /** Where the text after the line that `from` is in begins; -1 if the line is not complete. */
  lineEnd(text: string, from: number, isLast: boolean): number;
  /** Follows a record that is dropped to its end. */
  newSkipper(): Skipper;
}

export interface Skipper {
  /** @returns where the record ends in the text, -1 if it goes on */
  skip(text: string): number;
}

export class CsvScanner implements Scanner {
  readonly #delimiter: string;
  readonly #delimiterCode: number;
  readonly #quote: string;
  readonly #quoteCode: number;
  readonly #escapeCode: number;
  readonly #doubleQuote: boolean;
  readonly #multiline: boolean;
  readonly #ends: Ends;
  readonly #isAuto: boolean;
  readonly #commentCode: number;
  readonly #trimStart: boolean;
  readonly #trimEnd: boolean;
  readonly #nulls: ReadonlySet<string> | undefined;
  // What one field's scan leaves: its text, and where the scan stands.
  #field: Cell = null;
  #at = 0;
  #reason: string | undefined;

  constructor(settings: CsvSettings) {
    this.#delimiter = settings.delimiter;
    this.#delimiterCode = settings.delimiter.charCodeAt(0);
    this.#quote = settings.quote;
    this.#quoteCode = settings.quote === '' ? -1 : settings.quote.charCodeAt(0);
    this.#escapeCode =
      settings.escape === undefined || settings.escape === settings.quote ? -1 : settings.escape.charCodeAt(0);
    this.#doubleQuote = settings.doubleQuote;
    this.#multiline = settings.multiline;
    this.#ends = ENDS[settings.lineEnding];
    this.#isAuto = settings.lineEnding === 'auto';
    this.#commentCode = settings.commentPrefix?.charCodeAt(0) ?? -1;
    this.#trimStart = settings.ignoreLeadingSpace;
    this.#trimEnd = settings.ignoreTrailingSpace;
    this.#nulls = settings.nullValues.length > 0 ? new Set(settings.nullValues) : undefined;
  }

  scan(text: string, from: number, isLast: boolean, maxRecords = Infinity): Scan {
    const scan: Scan & { end: number } = { records: [], starts: [], ends: [], end: 0 };
    const { length } = text;
    let start = from;
    while (start < length && scan.records.length < maxRecords) {
      const empty = this.#endAt(text, start, isLast);
      if (empty < 0) break;
      if (empty > 0) {
        // A blank line is no record.
        start += empty;
        continue;
      }
      const next =
        text.charCodeAt(start) === this.#commentCode
          ? this.lineEnd(text, start, isLast)
          : this.#record(text, start, isLast, scan);
      if (next < 0) break;
      start = next;
    }
    scan.end = start;
    return scan;
  }

  lineEnd(text: string, from: number, isLast: boolean): number {
    for (let at = from; at < text.length; at++) {
      const size = this.#endAt(text, at, isLast);
      if (size < 0) return -1;
      if (size > 0) return at + size;
    }
    return isLast ? text.length : -1;
  }

  newSkipper(): Skipper {
    let isQuoted = false;
    let isEscaped = false;
    return {
      skip: (text) => {
        for (let at = 0; at < text.length; at++) {
          const code = text.charCodeAt(at);
          if (isEscaped) isEscaped = false;
          else if (code === this.#escapeCode) isEscaped = true;
          else if (code === this.#quoteCode && this.#multiline) isQuoted = !isQuoted;
          else if (!isQuoted) {
            const size = this.#endAt(text, at, true);
            if (size > 0) return at + size;
          }
        }
        return -1;
      },
    };
  }

  /** How long the line end at `at` is: 0 if there is none, -1 if the next character must tell. */
  #endAt(text: string, at: number, isLast: boolean): number {
    const code = text.charCodeAt(at);
    const { first, second, pair } = this.#ends;
    if (code !== first && code !== second) return 0;
    if (pair === 0 && !(this.#isAuto && code === CR)) return 1;
    if (at + 1 >= text.length) return isLast ? (pair === 0 ? 1 : 0) : -1;
    const isPair = text.charCodeAt(at + 1) === (pair || LF);
    return isPair ? 2 : pair === 0 ? 1 : 0;
  }

  /** Scans one record. @returns where the next begins, or -1 if it is not complete */
  #record(text: string, start: number, isLast: boolean, scan: Scan): number {
    const cells: Cell[] = [];
    const delimiterLength = this.#delimiter.length;
    const quoteCode = this.#quoteCode;
    this.#reason = undefined;
    let at = start;
    for (;;) {
      const from = this.#trimStart ? skipSpace(text, at) : at;
      const isQuoted = text.charCodeAt(from) === quoteCode;
      const isComplete = isQuoted ? this.#quotedField(text, from, isLast) : this.#bareField(text, from, isLast);
      if (!isComplete) return -1;
      cells.push(this.#field);
      at = this.#at;
      if (at >= text.length) break;
      if (
        text.charCodeAt(at) === this.#delimiterCode &&
        (delimiterLength === 1 || text.startsWith(this.#delimiter, at))
      ) {
        at += delimiterLength;
        continue;
      }
      const size = this.#endAt(text, at, isLast);
      if (size < 0) return -1;
      at += size;
      break;
    }
    scan.records.push(this.#reason === undefined ? { cells } : { cells, reason: this.#reason });
    scan.starts.push(start);
    scan.ends.push(at);
    return at;
  }

  /** @returns false if the text ends before the field does */
  #bareField(text: string, from: number, isLast: boolean): boolean {
    const { length } = text;
    const { first, second, pair } = this.#ends;
    const delimiterCode = this.#delimiterCode;
    const isShort = this.#delimiter.length === 1;
    let at = from;
    let escapes = false;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code === delimiterCode) {
        if (isShort || text.startsWith(this.#delimiter, at)) break;
        // A delimiter of several characters may go on in the next piece.
        if (!isLast && at + this.#delimiter.length > length) return false;
      } else if (code === first || code === second) {
        if (pair === 0) break;
        const size = this.#endAt(text, at, isLast);
        if (size < 0) return false;
        if (size > 0) break;
      } else if (code === this.#escapeCode) {
        escapes = true;
        at += 1;
        if (at >= length && !isLast) return false;
      }
    }
    if (at >= length) {
      if (!isLast) return false;
      at = length;
    }
    let field = text.slice(from, at);
    if (escapes) field = this.#unescaped(field);
    if (this.#trimEnd) field = field.trimEnd();
    this.#field = this.#nulls?.has(field) ? null : field;
    this.#at = at;
    return true;
  }

  #quotedField(text: string, from: number, isLast: boolean): boolean {
    const { length } = text;
    let parts = '';
    let start = from + 1;
    const limit = this.#multiline ? length : this.#lineLimit(text, start, isLast);
    if (limit < 0) return false;
    for (let at = start; ; ) {
      let quote = text.indexOf(this.#quote, at);
      if (this.#escapeCode >= 0) quote = this.#unescapedQuote(text, at, quote);
      if (quote < 0 || quote >= limit) {
        if (limit === length && !isLast) return false;
        this.#reason = UNTERMINATED;
        this.#field = text.slice(from, limit);
        this.#at = limit;
        return true;
      }
      const after = quote + 1;
      if (after >= length && !isLast) return false;
      if (this.#doubleQuote && text.charCodeAt(after) === this.#quoteCode && after < limit) {
        parts += text.slice(start, after);
        start = after + 1;
        at = start;
        continue;
      }
      const field = parts + text.slice(start, quote);
      this.#field = this.#escapeCode >= 0 ? this.#unescaped(field) : field;
      return this.#afterQuote(text, after, isLast);
    }
  }

  /** Nothing but a delimiter or a line end may follow a closing quote. */
  #afterQuote(text: string, after: number, isLast: boolean): boolean {
    const at = this.#trimEnd ? skipSpace(text, after) : after;
    this.#at = at;
    if (at >= text.length) return isLast;
    if (text.startsWith(this.#delimiter, at)) return true;
    if (!isLast && at + this.#delimiter.length > text.length && this.#delimiter.startsWith(text.slice(at)))
      return false;
    const size = this.#endAt(text, at, isLast);
    if (size < 0) return false;
    if (size > 0) return true;
    this.#reason = AFTER_QUOTE;
    const field = this.#field;
    if (!this.#bareField(text, at, isLast)) return false;
    this.#field = field;
    return true;
  }

  /** Where the line ends, at the latest; -1 if the text does not tell yet. */
  #lineLimit(text: string, from: number, isLast: boolean): number {
    for (let at = from; at < text.length; at++) {
      const size = this.#endAt(text, at, isLast);
      if (size < 0) return -1;
      if (size > 0) return at;
    }
    return isLast ? text.length : -1;
  }

  #unescapedQuote(text: string, from: number, found: number): number {
    let quote = found;
    for (let at = from; quote >= 0 && at <= quote; at++) {
      if (text.charCodeAt(at) !== this.#escapeCode) continue;
      at += 1;
      if (at === quote) quote = text.indexOf(this.#quote, quote + 1);
    }
    return quote;
  }

  #unescaped(field: string): string {
    let plain = '';
    let from = 0;
    for (let at = 0; at < field.length; at++) {
      if (field.charCodeAt(at) !== this.#escapeCode) continue;
      plain += field.slice(from, at);
      at += 1;
      from = at;
    }
    return plain + field.slice(from);
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === SPACE || code === TAB; code = text.charCodeAt(at)) at += 1;
  return at;
}
