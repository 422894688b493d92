import type { LosslessObject, LosslessValue } from '../../core/lossless-json.ts';
import { UnparsableReplyError } from './client-errors.ts';

/** Members of a reply, read by kind. A member that is missing, or null, is null; one of another kind is an error. */
export class JsonReader {
  readonly #object: LosslessObject;
  readonly #label: string;

  constructor(object: LosslessObject, label: string) {
    this.#object = object;
    this.#label = label;
  }

  /** Numbers count as their text: the service changes its mind about ids and versions. */
  text(...names: string[]): string | null {
    const value = this.raw(...names);
    if (value === null || typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    throw this.#wrong(names, 'a text');
  }

  /** A count, size or offset. */
  integer(...names: string[]): number | null {
    const value = this.raw(...names);
    if (value === null || value === '') return null;
    const number = wholeNumber(value);
    if (number !== undefined) return number;
    throw this.#wrong(names, 'a whole number below 2^53');
  }

  integers(...names: string[]): number[] | null {
    return (
      this.list(...names)?.map((value) => {
        const number = wholeNumber(value);
        if (number !== undefined) return number;
        throw this.#wrong(names, 'a list of whole numbers below 2^53');
      }) ?? null
    );
  }

  /** A version, which may take all 64 bits. */
  bigint(...names: string[]): bigint | null {
    const value = this.raw(...names);
    if (value === null || value === '') return null;
    if (typeof value === 'bigint') return value;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === 'string' && /^-?\d{1,40}$/.test(value)) return BigInt(value);
    throw this.#wrong(names, 'a whole number');
  }

  boolean(...names: string[]): boolean | null {
    const value = this.raw(...names);
    if (value === null || typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    throw this.#wrong(names, 'true or false');
  }

  object(...names: string[]): JsonReader | null {
    const value = this.raw(...names);
    if (value === null) return null;
    if (isObject(value)) return new JsonReader(value, this.#label);
    throw this.#wrong(names, 'an object');
  }

  /** Some servers write `{}` for an empty list. */
  objects(...names: string[]): JsonReader[] | null {
    return (
      this.list(...names)?.map((value) => {
        if (isObject(value)) return new JsonReader(value, this.#label);
        throw this.#wrong(names, 'a list of objects');
      }) ?? null
    );
  }

  list(...names: string[]): readonly LosslessValue[] | null {
    const value = this.raw(...names);
    if (value === null || Array.isArray(value)) return value;
    if (isObject(value) && Object.keys(value).length === 0) return [];
    throw this.#wrong(names, 'a list');
  }

  /** As it is, by the first of the names that is there. */
  raw(...names: string[]): LosslessValue {
    for (const name of names) {
      const value = Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
      if (value !== undefined && value !== null) return value;
    }
    return null;
  }

  #wrong([name]: string[], what: string): Error {
    return new UnparsableReplyError(`${this.#label}: ${name} must be ${what}`);
  }
}

function wholeNumber(value: LosslessValue): number | undefined {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
}

function isObject(value: LosslessValue): value is LosslessObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
