/** A column type as declared in SQL. */
export type SqlType =
  | { readonly kind: PlainKind }
  | { readonly kind: 'decimal'; readonly precision?: number; readonly scale?: number }
  | { readonly kind: 'char' | 'varchar'; readonly length: number }
  | { readonly kind: 'array' | 'vector'; readonly element: SqlType; readonly size?: number }
  | { readonly kind: 'map'; readonly key: SqlType; readonly value: SqlType }
  | { readonly kind: 'struct'; readonly members: readonly { readonly name: string; readonly type: SqlType }[] };

/** With the number the service has for each in a write schema. */
export const PLAIN_CODES = {
  bigint: 0,
  double: 1,
  boolean: 2,
  datetime: 3,
  string: 4,
  tinyint: 6,
  smallint: 7,
  int: 8,
  binary: 11,
  date: 12,
  timestamp: 13,
  float: 14,
  interval_year_month: 15,
  interval_day_time: 16,
  json: 20,
  timestamp_ntz: 21,
  blob: 22,
  variant: 23,
} as const;
type PlainKind = keyof typeof PLAIN_CODES;

const SYNONYMS: Readonly<Record<string, PlainKind>> = { integer: 'int', long: 'bigint', bool: 'boolean' };

/**
 * Reads a declared type, such as `array<struct<x:string,y:decimal(10,2)>>`, in any letter case.
 *
 * @throws {SyntaxError} naming what is not understood
 */
export function parseType(text: string): SqlType {
  const reader = new TypeReader(text);
  const type = reader.type();
  reader.end();
  return type;
}

/** Reads a declared type at the beginning of `text`, and how long it is there. */
export function parseTypeAt(text: string): { readonly type: SqlType; readonly length: number } {
  const reader = new TypeReader(text);
  const type = reader.type();
  return { type, length: reader.length };
}

const DEPTH_MAX = 100;
const SHOWN_MAX_CHARS = 200;

class TypeReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  type(): SqlType {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) this.#fail(`at most ${DEPTH_MAX} levels`);
    const type = this.#type();
    this.#depth -= 1;
    return type;
  }

  #type(): SqlType {
    const kind = this.#word().toLowerCase();
    switch (kind) {
      case 'decimal': {
        const [precision, scale = 0] = this.#numbers();
        return precision === undefined ? { kind } : { kind, precision, scale };
      }
      case 'char':
      case 'varchar':
        return { kind, length: this.#numbers()[0] ?? this.#fail('a length in parentheses') };
      case 'array':
        return this.#nested(() => ({ kind, element: this.type() }));
      case 'vector':
        return this.#nested(() => {
          const element = this.type();
          this.#expect(',');
          return { kind, element, size: Number(this.#word()) };
        });
      case 'map':
        return this.#nested(() => {
          const key = this.type();
          this.#expect(',');
          return { kind, key, value: this.type() };
        });
      case 'struct':
        return this.#nested(() => {
          const members = [this.#member()];
          while (this.#skip(',')) members.push(this.#member());
          return { kind, members };
        });
      default: {
        const plain = SYNONYMS[kind] ?? kind;
        if (Object.hasOwn(PLAIN_CODES, plain)) return { kind: plain as PlainKind };
        throw new SyntaxError(
          `unknown type ${kind.slice(0, SHOWN_MAX_CHARS)} in ${this.#text.slice(0, SHOWN_MAX_CHARS)}`,
        );
      }
    }
  }

  get length(): number {
    return this.#at;
  }

  end(): void {
    if (this.#rest().trim() !== '') this.#fail('the end');
  }

  #member() {
    const name = this.#word();
    this.#expect(':');
    return { name, type: this.type() };
  }

  #nested<T>(inner: () => T): T {
    this.#expect('<');
    const result = inner();
    this.#expect('>');
    return result;
  }

  #numbers(): number[] {
    if (!this.#skip('(')) return [];
    const numbers = [Number(this.#word())];
    while (this.#skip(',')) numbers.push(Number(this.#word()));
    this.#expect(')');
    return numbers;
  }

  #word(): string {
    const [all, quoted, bare] = /^\s*(?:`((?:[^`]|``)+)`|([\p{L}\p{N}_$]+))/u.exec(this.#rest()) ?? [];
    if (all === undefined) return this.#fail('a name');
    this.#at += all.length;
    return quoted?.replaceAll('``', '`') ?? bare!;
  }

  #skip(mark: string): boolean {
    const blank = /^\s*/.exec(this.#rest())![0].length;
    if (this.#text[this.#at + blank] !== mark) return false;
    this.#at += blank + 1;
    return true;
  }

  #expect(mark: string): void {
    if (!this.#skip(mark)) this.#fail(`"${mark}"`);
  }

  #rest(): string {
    return this.#text.slice(this.#at);
  }

  #fail(wanted: string): never {
    throw new SyntaxError(
      `type ${this.#text.slice(0, SHOWN_MAX_CHARS)}: expected ${wanted} at "${this.#rest().slice(0, 20)}"`,
    );
  }
}

/** As the service writes it: lower case, without spaces. */
export function formatType(type: SqlType): string {
  switch (type.kind) {
    case 'decimal':
      return type.precision === undefined ? 'decimal' : `decimal(${type.precision},${type.scale})`;
    case 'char':
    case 'varchar':
      return `${type.kind}(${type.length})`;
    case 'array':
      return `array<${formatType(type.element)}>`;
    case 'vector':
      return `vector<${formatType(type.element)},${type.size}>`;
    case 'map':
      return `map<${formatType(type.key)},${formatType(type.value)}>`;
    case 'struct':
      return `struct<${type.members.map((member) => `${member.name}:${formatType(member.type)}`).join(',')}>`;
    default:
      return type.kind;
  }
}

/** Whether a value of the type holds a reference to a blob, at any depth. */
export function holdsBlob(type: SqlType): boolean {
  switch (type.kind) {
    case 'array':
    case 'vector':
      return holdsBlob(type.element);
    case 'map':
      return holdsBlob(type.key) || holdsBlob(type.value);
    case 'struct':
      return type.members.some((member) => holdsBlob(member.type));
    default:
      return type.kind === 'blob';
  }
}
