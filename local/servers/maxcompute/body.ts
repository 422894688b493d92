import { isObject } from '../../../shared/core/json.ts';
import { badRequest } from './errors.ts';

/** Members of a JSON request, each checked where it is asked for; unknown ones are nobody's business. */
export class JsonBody {
  readonly #members: Readonly<Record<string, unknown>>;

  /** @throws {ServiceError} if the text is no JSON object; an empty one is taken for `{}` */
  constructor(body: unknown) {
    let parsed = body;
    if (typeof body === 'string') {
      try {
        parsed = body.trim() === '' ? {} : JSON.parse(body);
      } catch (cause) {
        throw badRequest(`the request is no JSON: ${cause instanceof Error ? cause.message : cause}`);
      }
    }
    if (!isObject(parsed)) throw badRequest('the request must be a JSON object');
    this.#members = parsed;
  }

  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  text(name: string, otherwise = ''): string {
    return this.#read(name, otherwise, (value) => (typeof value === 'string' ? value : undefined), 'a string');
  }

  /** Some clients send ids and versions as numbers, others as text. */
  textOrNumber(name: string): string | undefined {
    const value = this.#members[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  }

  number(name: string, otherwise = 0): number {
    const read = (value: unknown) => {
      const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
      return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
    };
    return this.#read(name, otherwise, read, 'a whole number');
  }

  flag(name: string, otherwise = false): boolean {
    const read = (value: unknown) =>
      typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined;
    return this.#read(name, otherwise, read, 'true or false');
  }

  texts(name: string): readonly string[] {
    const read = (value: unknown) =>
      Array.isArray(value) && value.every((one) => typeof one === 'string' || typeof one === 'number')
        ? value.map(String)
        : undefined;
    return this.#read<readonly string[]>(name, [], read, 'a list of strings');
  }

  inner(name: string): JsonBody {
    const value = this.#members[name];
    return new JsonBody(value === undefined || value === null ? {} : value);
  }

  #read<T>(name: string, otherwise: T, read: (value: unknown) => T | undefined, wanted: string): T {
    const value = this.#members[name];
    if (value === undefined || value === null) return otherwise;
    const result = read(value);
    if (result === undefined) throw badRequest(`${name} must be ${wanted}, got ${shown(value)}`);
    return result;
  }
}

/** What was got, if it can be shown at all: it may nest to any depth. */
const shown = (value: unknown): string =>
  typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'an object') : JSON.stringify(value).slice(0, 200);
