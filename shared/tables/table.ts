import { IngestError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';

/**
 * A table of items under a partition key `pk` and a sort key `sk`, both strings, sorted by their UTF-8 bytes.
 *
 * The port promises what DynamoDB promises of one item and nothing more: a write is atomic for its item and may carry a
 * condition on it; reads and queries are consistent. There are no transactions, and no conditional batch.
 */
export interface Table {
  get(key: Key): Promise<Item | undefined>;
  /** The items of these keys that exist, in any order. Asks in batches of 100. */
  getMany(keys: readonly Key[]): Promise<Item[]>;
  /** The items of one partition key in order of their sort keys, page by page (at most 1 MiB, so memory stays bounded). */
  query(pk: string, range?: KeyRange): AsyncIterable<Item[]>;
  /** @returns false if the condition did not hold: nothing was written */
  put(item: Item, condition?: Condition): Promise<boolean>;
  /**
   * Changes some attributes and keeps the others; makes the item if there is none.
   *
   * @returns the item as it is now, or undefined if the condition did not hold: nothing was written
   */
  update(key: Key, change: Change, condition?: Condition): Promise<Item | undefined>;
  /** @returns false if the condition did not hold. An item that is not there meets an empty condition. */
  delete(key: Key, condition?: Condition): Promise<boolean>;
  /** Puts without condition, in batches of 25; for keys nobody else writes. Each call leaves each item old or new. */
  putMany(items: readonly Item[]): Promise<void>;
  /** Deletes without condition, in batches of 25; for what nothing refers to any more. */
  deleteMany(keys: readonly Key[]): Promise<void>;
}

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** Numbers are safe integers or finite doubles; a set is never stored empty, so an absent one is an empty one. */
export type Value = JsonValue | Set<string>;
export type Item = Key & { readonly [attribute: string]: Value | undefined };

/** Sort keys from `from` (included) up to `to` (excluded). */
export interface KeyRange {
  readonly from?: string;
  readonly to?: string;
  /** The newest first, where sort keys are numbers of rising order. */
  readonly reverse?: boolean;
  /** Stop after this many items. */
  readonly limit?: number;
}

/** Attributes that must compare so for a write to happen; a missing attribute compares with nothing. All must hold. */
export type Condition = readonly Clause[];
export type Clause =
  | { readonly attribute: string; readonly is: 'absent' | 'present' }
  | { readonly attribute: string; readonly is: '='; readonly value: string | number | boolean }
  | { readonly attribute: string; readonly is: '<' | '<=' | '>' | '>='; readonly value: string | number }
  | { readonly anyOf: readonly Clause[] };

/** At least one part must change something. `set` leaves out what is undefined. */
export interface Change {
  readonly set?: Readonly<Record<string, Value | undefined>>;
  readonly remove?: readonly string[];
  readonly addToSet?: Readonly<Record<string, readonly string[]>>;
  readonly increment?: Readonly<Record<string, number>>;
}

/** Landfall's tables. What each holds is told by the store that owns it. */
export interface Tables {
  readonly nodes: Table;
  readonly partitions: Table;
  readonly runs: Table;
  readonly jobs: Table;
  readonly buckets: Table;
}
export const TABLE_NAMES = [
  'nodes',
  'partitions',
  'runs',
  'jobs',
  'buckets',
] as const satisfies readonly (keyof Tables)[];
export type TableName = (typeof TABLE_NAMES)[number];

export function tablesOf(open: (name: TableName) => Table): Tables {
  return {
    nodes: open('nodes'),
    partitions: open('partitions'),
    runs: open('runs'),
    jobs: open('jobs'),
    buckets: open('buckets'),
  };
}

/** Items up to this size are stored everywhere (DynamoDB's limit is 400 KiB with names and keys). */
export const ITEM_MAX_BYTES = 400 * 1024;

/** The table could not be reached, or was busy for too long. */
export class TableUnavailableError extends IngestError {
  override readonly name = 'TableUnavailableError';
  readonly code = 'TableUnavailable';
  readonly retryable = true;
}

/** An item would pass what a table can store. */
export class ItemTooLargeError extends IngestError {
  override readonly name = 'ItemTooLargeError';
  readonly code = 'ItemTooLarge';
  readonly retryable = false;
}

// Conditions are written often and read in one go, so they have short forms.
export const absent = (attribute: string): Clause => ({ attribute, is: 'absent' });
export const present = (attribute: string): Clause => ({ attribute, is: 'present' });
export const equals = (attribute: string, value: string | number | boolean): Clause => ({ attribute, is: '=', value });
export const below = (attribute: string, value: string | number): Clause => ({ attribute, is: '<', value });
export const atMost = (attribute: string, value: string | number): Clause => ({ attribute, is: '<=', value });
export const atLeast = (attribute: string, value: string | number): Clause => ({ attribute, is: '>=', value });
export const anyOf = (...clauses: Clause[]): Clause => ({ anyOf: clauses });
