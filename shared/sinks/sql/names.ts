import { createHash } from 'node:crypto';
import { InvalidNameError } from './errors.ts';

/** A table by its namespace (a schema in PostgreSQL, the first part of the name in MySQL) and its name. */
export interface TableName {
  readonly namespace: string;
  readonly name: string;
}

/** Columns of ours in tables of a user's data; one of the data's own that is called so gets another name. */
export const TS_COLUMN = '_landfall_ts';
export const PARTITION_COLUMN = '_landfall_partition';
export const ACTION_COLUMN = '_landfall_action';
export const SEQUENCE_COLUMN = '_landfall_seq';
/** Our own tables are in this schema, or begin so. */
export const OWN_NAMESPACE = 'landfall';

const OWN = [TS_COLUMN, PARTITION_COLUMN, ACTION_COLUMN, SEQUENCE_COLUMN];
/** Columns that every table of PostgreSQL has. */
const SYSTEM = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

export interface NameLimits {
  readonly maxLength: number;
  /** Of the limit: bytes of UTF-8 in PostgreSQL, characters in MySQL. */
  readonly unit: 'bytes' | 'characters';
  /** Whether `a` and `A` are one column. */
  readonly foldsCase: boolean;
}

/** @throws {InvalidNameError} an empty name, or one that no database could hold */
export function checkName(name: string, what: string): string {
  if (name === '' || name.includes('\0') || !name.isWellFormed())
    throw new InvalidNameError(`${what} must not be empty and hold no NUL character`);
  return name;
}

/**
 * A name that fits: itself, or its beginning and a hash of the whole. Databases would cut it, and two that begin alike would be
 * one.
 */
export function fittingName(name: string, { maxLength, unit }: NameLimits): string {
  const size = (text: string) => (unit === 'bytes' ? Buffer.byteLength(text) : text.length);
  // MySQL takes no blanks at the end.
  if (size(name) <= maxLength && !/\s$/.test(name)) return name;
  const suffix = `_${hash(name)}`;
  const chars = [...name.trimEnd()];
  while (size(chars.join('')) + suffix.length > maxLength) chars.pop();
  return chars.join('') + suffix;
}

/** A name of its own for each column, in order. @throws {InvalidNameError} */
export function columnNames(sources: readonly string[], limits: NameLimits): string[] {
  const fold = (name: string) => (limits.foldsCase ? name.toLowerCase() : name);
  const taken = new Set([...OWN, ...SYSTEM].map(fold));
  return sources.map((source) => {
    let name = fittingName(checkName(source, 'the name of a column'), limits);
    if (taken.has(fold(name))) name = fittingName(`${name}_${hash(source)}`, limits);
    taken.add(fold(name));
    return name;
  });
}

export const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);
