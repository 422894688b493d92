import { InvalidRequestError } from '../client-errors.ts';

/** A type as tables declare it: `map<string,decimal(10,2)>`, in parts. */
export interface DeclaredType {
  /** Small letters. */
  readonly name: string;
  /** Numbers in parentheses, or behind the type of a vector. */
  readonly sizes: readonly number[];
  /** Of an array or vector its element, of a map key and value, of a struct its named members. */
  readonly parts: readonly { readonly name: string; readonly type: DeclaredType }[];
}

/** @throws {InvalidRequestError} no such type, naming where it goes wrong */
export function parseDeclaredType(text: string): DeclaredType {
  const parser = new TypeParser(text);
  const type = parser.type();
  parser.end();
  return type;
}

const PART_NAMES: Readonly<Record<string, readonly string[] | undefined>> = {
  __proto__: null as never,
  array: ['element'],
  vector: ['element'],
  map: ['key', 'value'],
};

/** No table nests as deep as that. */
const DEPTH_MAX = 100;

class TypeParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  type(): DeclaredType {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw this.#wrong(`at most ${DEPTH_MAX} levels`);
    const type = this.#type();
    this.#depth -= 1;
    return type;
  }

  #type(): DeclaredType {
    const name = this.#take(/\s*([a-z_]\w*)\s*/iy, 'a type').toLowerCase();
    if (this.#accept('<')) {
      return name === 'struct' ? this.#struct() : this.#nested(name);
    }
    const sizes: number[] = [];
    if (this.#accept('(')) {
      do sizes.push(Number(this.#take(/\s*(\d+)\s*/y, 'a number')));
      while (this.#accept(','));
      this.#expect(')');
    }
    return { name, sizes, parts: [] };
  }

  end(): void {
    if (this.#at < this.#text.length) throw this.#wrong('the end');
  }

  #nested(name: string): DeclaredType {
    const names = PART_NAMES[name];
    if (!names) throw this.#wrong('an array, map, struct or vector');
    const parts: { name: string; type: DeclaredType }[] = [];
    for (const [index, part] of names.entries()) {
      if (index > 0) this.#expect(',');
      parts.push({ name: part, type: this.type() });
    }
    const sizes = name === 'vector' && this.#accept(',') ? [Number(this.#take(/\s*(\d+)\s*/y, 'a number'))] : [];
    this.#expect('>');
    return { name, sizes, parts };
  }

  #struct(): DeclaredType {
    const parts: { name: string; type: DeclaredType }[] = [];
    do {
      const name = this.#take(/\s*(`(?:[^`]|``)*`|[^\s:,<>()]+)\s*/y, 'a member');
      this.#expect(':');
      parts.push({ name: name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name, type: this.type() });
      // A comment, or that it may not be null, says nothing about the values.
      this.#skip(/\s*(?:not\s+null)?\s*(?:comment\s+(?:'[^']*'|"[^"]*"))?\s*/iy);
    } while (this.#accept(','));
    this.#expect('>');
    return { name: 'struct', sizes: [], parts };
  }

  #take(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) throw this.#wrong(what);
    this.#at = pattern.lastIndex;
    return found[1]!;
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (pattern.test(this.#text)) this.#at = pattern.lastIndex;
  }

  #accept(char: string): boolean {
    this.#skip(/\s*/y);
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    this.#skip(/\s*/y);
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) throw this.#wrong(JSON.stringify(char));
  }

  #wrong(what: string): Error {
    const text = this.#text.length > 200 ? `${this.#text.slice(0, 200)}…` : this.#text;
    return new InvalidRequestError(`the type ${JSON.stringify(text)} should have ${what} at ${this.#at}`);
  }
}
