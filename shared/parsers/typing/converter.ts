import type { Value } from '../../records/column-type.ts';

/** What a converter answers for a value that is none of its type. */
export const INVALID = Symbol('invalid');

/**
 * Makes the value of a type out of a raw one: a cell's text, what JSON says, or a value that is typed already. Never called
 * with null.
 */
export type Converter = (raw: unknown) => Value | typeof INVALID;

/** `text`: nested values and json are JSON text in a cell. `value`: they are values, and a string is a string. */
export type RawMode = 'text' | 'value';
