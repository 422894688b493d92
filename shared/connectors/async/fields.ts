import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { BadTaskSpecificationError } from './errors.ts';

/**
 * The members of a JSON object, in snake_case or lowerCamelCase, as messages of the connector service may have them. Every
 * complaint names the member by its whole path. `null` counts as not given.
 */
export class Fields {
  readonly path: string;
  readonly #values = new Map<string, unknown>();

  /** @throws {BadTaskSpecificationError} not an object, or a member in both spellings */
  constructor(value: unknown, path: string) {
    this.path = path;
    if (!isObject(value)) throw new BadTaskSpecificationError(`${path} must be an object, got ${shown(value)}`);
    for (const [name, inner] of Object.entries(value)) {
      if (inner === null || inner === undefined) continue;
      const camel = camelCase(name);
      if (this.#values.has(camel)) throw this.wrong(camel, 'given in one spelling', 'two');
      this.#values.set(camel, inner);
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  value(name: string): unknown {
    return this.#values.get(name);
  }

  /** @throws {BadTaskSpecificationError} for a member that is none of these */
  only(...names: readonly string[]): this {
    for (const name of this.#values.keys()) {
      if (names.includes(name)) continue;
      throw new BadTaskSpecificationError(
        `${this.pathOf(name)} is unknown; ${this.path || 'it'} has ${names.join(', ')}`,
      );
    }
    return this;
  }

  text(name: string): string | undefined {
    return this.#typed(name, 'a text', (value) => typeof value === 'string') as string | undefined;
  }

  boolean(name: string): boolean | undefined {
    return this.#typed(name, 'true or false', (value) => typeof value === 'boolean') as boolean | undefined;
  }

  /** A whole number, also as text. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
    throw this.wrong(name, `a whole number of ${min} to ${max}`, value);
  }

  /** Seconds: a number, or a duration such as `10s` or `1.5s`. */
  seconds(name: string, min: number, max: number): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    const [, digits] = typeof value === 'string' ? (/^(\d{1,12}(?:\.\d{1,9})?)s?$/.exec(value) ?? []) : [];
    const seconds = digits === undefined ? value : Number(digits);
    if (typeof seconds === 'number' && seconds >= min && seconds <= max) return seconds;
    throw this.wrong(name, `${min} to ${max} seconds, such as "${Math.max(min, 10)}s"`, value);
  }

  object(name: string): JsonObject | undefined {
    return this.#typed(name, 'an object', isObject) as JsonObject | undefined;
  }

  fields(name: string): Fields | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : new Fields(value, this.pathOf(name));
  }

  list(name: string): readonly JsonValue[] | undefined {
    return this.#typed(name, 'a list', Array.isArray) as readonly JsonValue[] | undefined;
  }

  texts(name: string): readonly string[] | undefined {
    const isTexts = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#typed(name, 'a list of texts', isTexts) as readonly string[] | undefined;
  }

  /** Text by name; also as a list of `{key, value}`. */
  textMap(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    const entries = Array.isArray(value)
      ? value.map((pair) => (isObject(pair) ? [pair.key, pair.value ?? ''] : [undefined, undefined]))
      : Object.entries(isObject(value) ? value : { '': undefined });
    if (entries.every(([key, text]) => typeof key === 'string' && typeof text === 'string')) {
      return Object.fromEntries(entries as [string, string][]);
    }
    throw this.wrong(name, 'texts by name', value);
  }

  wrong(name: string, expected: string, got: unknown): BadTaskSpecificationError {
    return new BadTaskSpecificationError(`${this.pathOf(name)} must be ${expected}, got ${shown(got)}`);
  }

  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  #typed(name: string, expected: string, is: (value: unknown) => boolean): unknown {
    const value = this.#values.get(name);
    if (value === undefined || is(value)) return value;
    throw this.wrong(name, expected, value);
  }
}

export const camelCase = (name: string): string =>
  name.replace(/_([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Of what kind it is, and never its content: that may be a secret in the wrong place. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a text of ${value.length} characters`;
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}

/** The members that are there. */
export function present<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}
