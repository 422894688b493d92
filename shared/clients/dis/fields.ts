import { isObject } from '../../core/json.ts';
import { UnparsableReplyError } from './errors.ts';

/**
 * The members of an object of the service, read leniently: a text may come as a number and the reverse, and what is null
 * or an empty text counts as absent.
 */
export class Fields {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #what: string;

  constructor(members: Readonly<Record<string, unknown>>, what: string) {
    this.#members = members;
    this.#what = what;
  }

  text(name: string): string | undefined {
    const value = this.#members[name];
    if (typeof value === 'string') return value === '' ? undefined : value;
    return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
  }

  needText(name: string): string {
    return this.text(name) ?? this.#missing(name);
  }

  integer(name: string): number | undefined {
    const value = this.#members[name];
    if (typeof value === 'number') return value;
    const text = this.text(name);
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  int64(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
    throw new UnparsableReplyError(`${this.#what}: ${name} is no number`);
  }

  needInt64(name: string): bigint {
    return this.int64(name) ?? this.#missing(name);
  }

  flag(name: string): boolean | undefined {
    const value = this.#members[name];
    if (typeof value === 'boolean') return value;
    return value === 'true' ? true : value === 'false' ? false : undefined;
  }

  /** Empty if there is none. */
  list(name: string): unknown[] {
    const value = this.#members[name];
    return Array.isArray(value) ? value : [];
  }

  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  raw(name: string): unknown {
    return this.#members[name];
  }

  #missing(name: string): never {
    throw new UnparsableReplyError(`${this.#what} has no ${name}`);
  }
}

/** @throws {UnparsableReplyError} not an object */
export function fieldsOf(value: unknown, what: string): Fields {
  if (isObject(value)) return new Fields(value, what);
  throw new UnparsableReplyError(`${what} is not a JSON object`);
}

/** Each entry of a list, parsed; undefined if there is no list. */
export function listOf<T>(fields: Fields, name: string, parse: (entry: unknown) => T): T[] | undefined {
  return fields.has(name) ? fields.list(name).map(parse) : undefined;
}

/** Without what is undefined, so that an absent attribute is absent. */
export function present<T extends object>(value: T): Present<T> {
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined) delete (value as Record<string, unknown>)[name];
  }
  return value as Present<T>;
}

/** What may be undefined may be absent. */
export type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Ask for what comes after this; absent on the last page. */
  readonly next?: string | undefined;
}
