import { InvalidInputError } from '../../shared/core/errors.ts';
import { editsOf } from '../../shared/tables/change.ts';
import { meets } from '../../shared/tables/condition.ts';
import { checkItem, checkKey, itemBytes } from '../../shared/tables/item-size.ts';
import {
  type Change,
  type Condition,
  type Item,
  type Key,
  type KeyRange,
  type Table,
  type TableName,
  type Tables,
  TableUnavailableError,
  tablesOf,
  type Value,
} from '../../shared/tables/table.ts';
import { compareText } from '../../shared/tables/text-order.ts';
import type { Random } from './random.ts';
import type { Task } from './world.ts';

export interface Written {
  readonly table: TableName;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/** The items of one partition key. */
interface Rows {
  /** In order. */
  readonly sortKeys: string[];
  readonly items: Map<string, Item>;
}

const GET_BATCH = 100;
const WRITE_BATCH = 25;
const PAGE_BYTES = 1024 * 1024;

/** What tables hold: atomic for one item, consistent, and nothing more. Pages and batches may be torn apart anywhere. */
export class SimulatedTables {
  readonly #tables: Readonly<Record<TableName, StoredTable>>;
  readonly #random: Random;
  readonly #checks: boolean;

  /** @param watch sees every write as it takes effect */
  constructor(random: Random, watch: (write: Written) => void, options: { readonly checks: boolean }) {
    this.#random = random;
    this.#checks = options.checks;
    this.#tables = tablesOf((name) => new StoredTable(name, watch) as never) as never;
  }

  /** The tables as one function sees them. */
  for(task: Task): Tables {
    return tablesOf((name) => new TableView(this.#tables[name], task, this.#random, this.#checks));
  }

  // Without a turn of the scheduler: for the services themselves, and for who checks them.

  get(name: TableName, { pk, sk }: Key): Item | undefined {
    return this.#tables[name].get(pk, sk);
  }

  all(name: TableName, pk: string): Item[] {
    return this.#tables[name].all(pk);
  }

  everything(name: TableName): Iterable<Item> {
    return this.#tables[name].everything();
  }
}

class StoredTable {
  readonly name: TableName;
  readonly #rows = new Map<string, Rows>();
  readonly #watch: (write: Written) => void;

  constructor(name: TableName, watch: (write: Written) => void) {
    this.name = name;
    this.#watch = watch;
  }

  get(pk: string, sk: string): Item | undefined {
    return this.#rows.get(pk)?.items.get(sk);
  }

  all(pk: string): Item[] {
    const rows = this.#rows.get(pk);
    return rows ? rows.sortKeys.map((sk) => rows.items.get(sk)!) : [];
  }

  *everything(): Generator<Item> {
    for (const rows of this.#rows.values()) yield* rows.items.values();
  }

  /** The first `size` items in range that come after `after` in its order, and whether there are more. */
  page(pk: string, { from = '', to, reverse }: KeyRange, after: string | undefined, size: number) {
    const items: Item[] = [];
    const rows = this.#rows.get(pk);
    const sortKeys = rows?.sortKeys ?? [];
    for (let step = 0; step < sortKeys.length; step++) {
      const sk = sortKeys[reverse ? sortKeys.length - 1 - step : step]!;
      if (compareText(sk, from) < 0 || (to !== undefined && compareText(sk, to) >= 0)) continue;
      if (after !== undefined && (reverse ? compareText(sk, after) >= 0 : compareText(sk, after) <= 0)) continue;
      if (items.length >= size) return { items, more: true };
      items.push(rows!.items.get(sk)!);
    }
    return { items, more: false };
  }

  /** @param item shares nothing with what anybody may change */
  keep(item: Item): Item {
    let rows = this.#rows.get(item.pk);
    if (!rows) {
      rows = { sortKeys: [], items: new Map() };
      this.#rows.set(item.pk, rows);
    }
    const before = rows.items.get(item.sk);
    if (!before) {
      const at = rows.sortKeys.findIndex((sk) => compareText(sk, item.sk) > 0);
      if (at === -1) rows.sortKeys.push(item.sk);
      else rows.sortKeys.splice(at, 0, item.sk);
    }
    rows.items.set(item.sk, item);
    this.#watch({ table: this.name, before, after: item });
    return item;
  }

  remove(pk: string, sk: string): void {
    const rows = this.#rows.get(pk);
    const before = rows?.items.get(sk);
    if (!rows || !before) return;
    rows.items.delete(sk);
    rows.sortKeys.splice(rows.sortKeys.indexOf(sk), 1);
    this.#watch({ table: this.name, before, after: undefined });
  }
}

/** A table as one function sees it: each request waits for its turn. */
class TableView implements Table {
  readonly #stored: StoredTable;
  readonly #task: Task;
  readonly #random: Random;
  readonly #checks: boolean;

  constructor(stored: StoredTable, task: Task, random: Random, checks: boolean) {
    this.#stored = stored;
    this.#task = task;
    this.#random = random;
    this.#checks = checks;
  }

  #call<T>(pk: string, what: () => string, effect: () => T): Promise<T> {
    const { name } = this.#stored;
    return this.#task.call(() => `${name} ${what()}`, effect, unavailable, { what: `${name} ${pk}`, writes: false });
  }

  #write<T>(key: Key, what: () => string, effect: () => T): Promise<T> {
    const { name } = this.#stored;
    const touches = { what: `${name} ${key.pk}`, writes: true, key };
    return this.#task.call(() => `${name} ${what()}`, effect, unavailable, touches);
  }

  /** @returns what is wrong with what was given, as a rejection; undefined in most histories, which do not look */
  #refusal(check: () => void): Promise<never> | undefined {
    if (!this.#checks) return undefined;
    try {
      check();
      return undefined;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  get(key: Key): Promise<Item | undefined> {
    const { pk, sk } = key;
    return (
      this.#refusal(() => checkKey(key)) ??
      this.#call(
        pk,
        () => `get ${told(key)}`,
        () => this.#out(this.#stored.get(pk, sk)),
      )
    );
  }

  async getMany(keys: readonly Key[]): Promise<Item[]> {
    if (this.#checks) keys.forEach(checkKey);
    const found: Item[] = [];
    for (const some of this.#torn(distinct(keys), GET_BATCH)) {
      found.push(
        ...(await this.#call(
          some[0]!.pk,
          () => `get ${some.length} items, ${told(some[0]!)} …`,
          () => some.flatMap(({ pk, sk }) => this.#out(this.#stored.get(pk, sk)) ?? []),
        )),
      );
    }
    return found;
  }

  query(pk: string, range: KeyRange = {}): AsyncIterable<Item[]> {
    return new Pages((left, after) => {
      const size = Math.min(left, this.#random.chance(0.15) ? this.#random.int(1, 3) : Number.POSITIVE_INFINITY);
      return this.#call(
        pk,
        () => `query ${pk} ${range.from ?? ''}`,
        () => this.#page(this.#stored.page(pk, range, after, size)),
      );
    }, range.limit ?? Number.POSITIVE_INFINITY);
  }

  put(item: Item, condition: Condition = []): Promise<boolean> {
    return (
      this.#refusal(() => checkItem(this.#stored.name, item)) ??
      this.#write(
        item,
        () => `put ${told(item)}`,
        () => {
          if (!meets(this.#stored.get(item.pk, item.sk), condition)) return false;
          this.#stored.keep(storedItem(item));
          return true;
        },
      )
    );
  }

  update(key: Key, change: Change, condition: Condition = []): Promise<Item | undefined> {
    const refusal = this.#refusal(() => {
      checkKey(key);
      editsOf(change);
    });
    if (refusal) return refusal;
    const { pk, sk } = key;
    const set = storedItem((change.set ?? {}) as Item);
    return this.#write(
      key,
      () => `update ${told(key)} ${told(change)}${this.#refused(key, condition)}`,
      () => {
        const before = this.#stored.get(pk, sk);
        if (!meets(before, condition)) return undefined;
        const next = changed(before ?? { pk, sk }, set, change);
        if (this.#checks) checkItem(this.#stored.name, next);
        return this.#out(this.#stored.keep(next));
      },
    );
  }

  delete(key: Key, condition: Condition = []): Promise<boolean> {
    const { pk, sk } = key;
    return (
      this.#refusal(() => checkKey(key)) ??
      this.#write(
        key,
        () => `delete ${told(key)}`,
        () => {
          if (!meets(this.#stored.get(pk, sk), condition)) return false;
          this.#stored.remove(pk, sk);
          return true;
        },
      )
    );
  }

  async putMany(items: readonly Item[]): Promise<void> {
    if (this.#checks) for (const item of items) checkItem(this.#stored.name, item);
    for (const some of this.#torn(distinct(items), WRITE_BATCH)) {
      await this.#write(
        some[0]!,
        () => `put ${some.length} items, ${told(some[0]!)} …`,
        () => {
          for (const item of some) this.#stored.keep(storedItem(item));
        },
      );
    }
  }

  async deleteMany(keys: readonly Key[]): Promise<void> {
    if (this.#checks) keys.forEach(checkKey);
    for (const some of this.#torn(keys, WRITE_BATCH)) {
      await this.#write(
        some[0]!,
        () => `delete ${some.length} items, ${told(some[0]!)} …`,
        () => {
          for (const { pk, sk } of some) this.#stored.remove(pk, sk);
        },
      );
    }
  }

  #refused({ pk, sk }: Key, condition: Condition): string {
    const item = this.#stored.get(pk, sk);
    return meets(item, condition) ? '' : ` REFUSED by ${told(item ?? {})}`;
  }

  /** What fits into one answer, where that is looked at. */
  #page({ items, more }: Page): Page {
    if (!this.#checks) return { items, more };
    let bytes = 0;
    const fitting = items.filter((item, at) => {
      bytes += itemBytes(item);
      return at === 0 || bytes <= PAGE_BYTES;
    });
    return { items: fitting.map((item) => this.#out(item)!), more: more || fitting.length < items.length };
  }

  /** Nobody may change what he gets; where that is looked at, everybody gets a copy. */
  #out(item: Item | undefined): Item | undefined {
    return item && this.#checks ? storedItem(item) : item;
  }

  /** In pieces of at most `size`; now and then smaller ones, as a service may leave some for the next request. */
  #torn<T>(all: readonly T[], size: number): (readonly T[])[] {
    const pieces: (readonly T[])[] = [];
    for (let at = 0; at < all.length; ) {
      const some = this.#random.chance(0.2) ? this.#random.int(1, size) : size;
      pieces.push(at === 0 && some >= all.length ? all : all.slice(at, at + some));
      at += some;
    }
    return pieces;
  }
}

interface Page {
  readonly items: Item[];
  readonly more: boolean;
}

/** A query goes on after the last key of the page before, whatever was written meanwhile. Each page is one request. */
class Pages implements AsyncIterableIterator<Item[]> {
  readonly #next: (left: number, after: string | undefined) => Promise<Page>;
  #left: number;
  #after: string | undefined;

  constructor(next: (left: number, after: string | undefined) => Promise<Page>, limit: number) {
    this.#next = next;
    this.#left = limit;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Item[]>> {
    if (this.#left <= 0) return { done: true, value: undefined };
    const { items, more } = await this.#next(this.#left, this.#after);
    this.#left = more ? this.#left - items.length : 0;
    this.#after = items.at(-1)?.sk;
    return items.length > 0 ? { done: false, value: items } : { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Item[]>> {
    this.#left = 0;
    return { done: true, value: undefined };
  }
}

const unavailable = (throttled: boolean) =>
  new TableUnavailableError(throttled ? 'the table is throttled' : 'the table did not answer');

const distinct = <K extends Key>(keys: readonly K[]): readonly K[] =>
  keys.length < 2 ? keys : [...new Map(keys.map((key) => [`${key.pk}\n${key.sk}`, key])).values()];

/** The item as it is after a change; written anew, attribute by attribute, since what an object once lost makes it slow. */
function changed(before: Item, set: Item, { set: wanted, remove, addToSet, increment }: Change): Item {
  const next: Record<string, Value | undefined> = {};
  for (const name in before) {
    if (remove?.includes(name) || isEmptied(wanted?.[name])) continue;
    next[name] = before[name];
  }
  for (const name in set) next[name] = set[name];
  for (const name in addToSet) {
    const members = addToSet[name]!;
    if (members.length === 0) continue;
    const stored = next[name] ?? new Set<string>();
    if (!(stored instanceof Set)) throw new InvalidInputError(`the attribute ${name} is not a set`);
    next[name] = stored.union(new Set(members));
  }
  for (const name in increment) {
    const stored = next[name] ?? 0;
    if (typeof stored !== 'number') throw new InvalidInputError(`the attribute ${name} is not a number`);
    next[name] = stored + increment[name]!;
  }
  return next as Item;
}

/** An empty set is stored nowhere: to set one is to remove what is there. */
const isEmptied = (value: Value | undefined) => value instanceof Set && value.size === 0;

/** As it comes back from a table: without `undefined` and empty sets, and sharing nothing with what was given. */
function storedItem(item: Item): Item {
  const stored: Record<string, Value | undefined> = {};
  for (const name in item) {
    const value = item[name];
    if (value === undefined) continue;
    if (value === null || typeof value !== 'object') stored[name] = value;
    else if (!isEmptied(value)) stored[name] = storedValue(value);
  }
  return stored as Item;
}

function storedValue(value: Value): Value {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Set) return new Set(value);
  if (Array.isArray(value)) return value.map((inner) => storedValue(inner ?? null) as never);
  const stored: Record<string, Value> = {};
  for (const name in value) {
    const inner = value[name];
    if (inner === undefined) continue;
    // A name such as `__proto__` is a name like any other.
    if (name === '__proto__')
      Object.defineProperty(stored, name, {
        value: storedValue(inner),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else stored[name] = storedValue(inner);
  }
  return stored as Value;
}

export function told(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => (inner instanceof Set ? [...inner] : inner)).slice(0, 700);
}
