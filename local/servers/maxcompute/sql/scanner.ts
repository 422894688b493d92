import { badRequest } from '../errors.ts';

/** Reads a statement from left to right; names come out in lower case, as the service keeps them. */
export class Scanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Skips the words if they are next, in any letter case. */
  word(...words: readonly string[]): boolean {
    const from = this.#at;
    for (const word of words) {
      if (this.#match(new RegExp(`\\s*${word}(?![\\w$])`, 'iy'))) continue;
      this.#at = from;
      return false;
    }
    return true;
  }

  expectWord(...words: readonly string[]): void {
    if (!this.word(...words)) this.fail(words.join(' ').toUpperCase());
  }

  mark(mark: string): boolean {
    return this.#match(new RegExp(`\\s*${RegExp.escape(mark)}`, 'y')) !== undefined;
  }

  expectMark(mark: string): void {
    if (!this.mark(mark)) this.fail(`"${mark}"`);
  }

  /** A name, bare or in backticks. */
  name(): string {
    const found = this.#match(/\s*(?:`((?:[^`]|``)+)`|([\p{L}_][\p{L}\p{N}_$]*))/uy);
    if (!found) return this.fail('a name');
    return (found[1]?.replaceAll('``', '`') ?? found[2]!).toLowerCase();
  }

  /** A text in single or double quotes. */
  text(): string | undefined {
    const found = this.#match(/\s*(?:'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.|"")*)")/sy);
    if (!found) return undefined;
    const inner = found[1]?.replaceAll("''", "'") ?? found[2]!.replaceAll('""', '"');
    return inner.replaceAll(/\\(.)/gs, (_all, escaped: string) => ESCAPES[escaped] ?? escaped);
  }

  /** A number, as it is written. */
  number(): string | undefined {
    return this.#match(/\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?:BD|[LlDd])?(?![\w.])/y)?.[1];
  }

  /** Runs a reader of its own over what is left. */
  take<T>(read: (rest: string) => { readonly value: T; readonly length: number }): T {
    const { value, length } = read(this.#text.slice(this.#at));
    this.#at += length;
    return value;
  }

  list<T>(item: () => T): T[] {
    this.expectMark('(');
    const items = [item()];
    while (this.mark(',')) items.push(item());
    this.expectMark(')');
    return items;
  }

  /** What stands in brackets, or behind a NOT. */
  within<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) this.fail(`at most ${DEPTH_MAX} levels`);
    const inner = read();
    this.#depth -= 1;
    return inner;
  }

  get isAtEnd(): boolean {
    return /^[\s;]*$/.test(this.#text.slice(this.#at));
  }

  end(): void {
    if (!this.isAtEnd) this.fail('the end');
  }

  fail(wanted: string): never {
    const rest = this.#text.slice(this.#at).trim().slice(0, 30);
    throw badRequest(`ODPS-0130161: parse exception - expected ${wanted} at "${rest}"`, 'ODPS-0130161');
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }
}

const DEPTH_MAX = 200;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };
