/**
 * Text that comes in pieces, for a scanner that is written as if it were there. Where it needs more, it yields; the reader then
 * adds a window and goes on with it. What is before `keep` is let go.
 */
export class TextSource {
  text = '';
  at = 0;
  /** From here on the scanner still wants the text. */
  keep = 0;
  isOver = false;
  /** Characters that were let go. */
  dropped = 0;

  add(text: string): void {
    const { keep } = this;
    this.text = keep >= this.text.length ? text : this.text.slice(keep) + text;
    this.dropped += keep;
    this.at -= keep;
    this.keep = 0;
  }
}

/** Asks for more text. */
export const NEED = Symbol('need');
export type Need = typeof NEED;

const SPACE = 32;
const RECORD_SEPARATOR = 0x1e;

/** @returns the next character's code, not passed over; -1 at the end of the input */
export function* peek(source: TextSource): Generator<Need, number> {
  for (;;) {
    const { text } = source;
    for (; source.at < text.length; source.at++) {
      const code = text.charCodeAt(source.at);
      // Tab, line feed, carriage return, space; and what JSON text sequences have between their texts.
      if (code > SPACE || (code !== SPACE && code !== 9 && code !== 10 && code !== 13 && code !== RECORD_SEPARATOR))
        return code;
    }
    source.keep = source.at;
    if (source.isOver) return -1;
    yield NEED;
  }
}

export interface ScannedValue {
  /** Undefined if it is longer than allowed. */
  readonly text: string | undefined;
  /** Where it began, in characters of the whole input. */
  readonly start: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const COMMA = 44;

/** What is kept of a value that is too long, to tell whether a quote is escaped. */
const TAIL_CHARS = 4096;

/**
 * Passes over one value, whose first character is next. Only brackets and strings are looked at: whether it is JSON is for the
 * parser. A value that ends with the input is returned as far as it goes.
 */
export function* scanValue(source: TextSource, maxChars: number): Generator<Need, ScannedValue> {
  source.keep = source.at;
  const start = source.dropped + source.at;
  let isTooLong = false;
  let depth = 0;
  let isInString = false;
  for (;;) {
    const { text } = source;
    let at = source.at;
    let isDone = false;
    while (at < text.length && !isDone) {
      if (isInString) {
        const quote = text.indexOf('"', at);
        if (quote < 0) {
          at = text.length;
          break;
        }
        at = quote + 1;
        if (isEscaped(text, quote)) continue;
        isInString = false;
        isDone = depth === 0;
        continue;
      }
      const code = text.charCodeAt(at);
      if (code === QUOTE) isInString = true;
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        // A number or a word ends before the bracket that closes what it is in.
        if (depth === 0) break;
        depth -= 1;
        isDone = depth === 0;
      } else if (depth === 0 && (code === COMMA || code <= SPACE)) break;
      at += 1;
    }
    source.at = at;
    if (at - source.keep > maxChars) isTooLong = true;
    const isEnd = isDone || at < text.length || source.isOver;
    if (isEnd) {
      const value = isTooLong ? undefined : text.slice(source.keep, at);
      source.keep = at;
      return { text: value, start };
    }
    if (isTooLong) source.keep = Math.max(source.keep, at - TAIL_CHARS);
    yield NEED;
  }
}

function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (at >= 0 && text.charCodeAt(at) === BACKSLASH) at -= 1;
  return (quote - at) % 2 === 0;
}
