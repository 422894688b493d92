import { edited, editsOf } from '../../shared/tables/change.ts';
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
  readonly #rows = new Map<string, Rows>();
  readonly #random: Random;
  readonly #checks: boolean;
  /** Sees every write as it takes effect. */
  readonly #watch: (write: Written) => void;

  constructor(random: Random, watch: (write: Written) => void, options: { readonly checks: boolean }) {
    this.#random = random;
    this.#watch = watch;
    this.#checks = options.checks;
  }

  /** The tables as one function sees them. */
  for(task: Task): Tables {
    return tablesOf((name) => this.#view(name, task));
  }

  #view(name: TableName, task: Task): Table {
    const call = <T>(what: () => string, effect: () => T) => task.call(() => `${name} ${what()}`, effect, unavailable);
    const checkedKey = (key: Key) => {
      if (this.#checks) checkKey(key);
    };
    return {
      get: async (key) => {
        checkedKey(key);
        return call(
          () => `get ${told(key)}`,
          () => this.#out(this.get(name, key)),
        );
      },
      getMany: async (keys) => {
        keys.forEach(checkedKey);
        const distinct = [...new Map(keys.map((key) => [`${key.pk}\n${key.sk}`, key])).values()];
        const found: Item[] = [];
        for (const some of this.#torn(distinct, GET_BATCH)) {
          found.push(
            ...(await call(
              () => `get ${some.length} items, ${told(some[0]!)} …`,
              () => some.flatMap((key) => this.#out(this.get(name, key)) ?? []),
            )),
          );
        }
        return found;
      },
      query: (pk, range) => this.#query(name, task, pk, range ?? {}),
      put: async (item, condition = []) => {
        if (this.#checks) checkItem(name, item);
        return call(
          () => `put ${told(item)}`,
          () => {
            if (!meets(this.get(name, item), condition)) return false;
            this.#set(name, item);
            return true;
          },
        );
      },
      update: async (key, change, condition = []) => {
        checkedKey(key);
        return this.#update(name, task, key, change, condition);
      },
      delete: async (key, condition = []) => {
        checkedKey(key);
        return call(
          () => `delete ${told(key)}`,
          () => {
            if (!meets(this.get(name, key), condition)) return false;
            this.#remove(name, key);
            return true;
          },
        );
      },
      putMany: async (items) => {
        if (this.#checks) for (const item of items) checkItem(name, item);
        const distinct = [...new Map(items.map((item) => [`${item.pk}\n${item.sk}`, item])).values()];
        for (const some of this.#torn(distinct, WRITE_BATCH)) {
          await call(
            () => `put ${some.length} items, ${told(some[0]!)} …`,
            () => {
              for (const item of some) this.#set(name, item);
            },
          );
        }
      },
      deleteMany: async (keys) => {
        keys.forEach(checkedKey);
        for (const some of this.#torn(keys, WRITE_BATCH)) {
          await call(
            () => `delete ${some.length} items, ${told(some[0]!)} …`,
            () => {
              for (const key of some) this.#remove(name, key);
            },
          );
        }
      },
    };
  }

  async #update(name: TableName, task: Task, key: Key, change: Change, condition: Condition) {
    const set = Object.entries(change.set ?? {}).map(([attribute, value]) => [
      attribute,
      value === undefined ? value : storedValue(value),
    ]);
    const edits = editsOf({ ...change, set: Object.fromEntries(set) });
    return task.call(
      () => `${name} update ${told(key)} ${told(change)}${this.#refused(name, key, condition)}`,
      () => {
        const before = this.get(name, key);
        if (!meets(before, condition)) return undefined;
        const next = edited(before ?? { pk: key.pk, sk: key.sk }, edits);
        if (this.#checks) checkItem(name, next);
        return this.#out(this.#keep(name, next));
      },
      unavailable,
    );
  }

  #refused(name: TableName, key: Key, condition: Condition): string {
    return meets(this.get(name, key), condition) ? '' : ` REFUSED by ${told(this.get(name, key) ?? {})}`;
  }

  /** A query goes on after the last key of the page before, whatever was written meanwhile. */
  async *#query(name: TableName, task: Task, pk: string, { from = '', to, reverse, limit }: KeyRange) {
    let left = limit ?? Number.POSITIVE_INFINITY;
    let after: string | undefined;
    for (;;) {
      const size = Math.min(left, this.#random.chance(0.15) ? this.#random.int(1, 3) : Number.POSITIVE_INFINITY);
      const { page, more } = await task.call(
        () => `${name} query ${pk} ${from}`,
        () => {
          const rows = this.#rows.get(`${name} ${pk}`);
          const inRange = (rows?.sortKeys ?? []).filter(
            (sk) =>
              compareText(sk, from) >= 0 &&
              (to === undefined || compareText(sk, to) < 0) &&
              (after === undefined || (reverse ? compareText(sk, after) < 0 : compareText(sk, after) > 0)),
          );
          if (reverse) inRange.reverse();
          const page = this.#page(inRange.slice(0, size).map((sk) => rows!.items.get(sk)!));
          return { page, more: page.length < inRange.length };
        },
        unavailable,
      );
      if (page.length > 0) yield page;
      left -= page.length;
      if (!more || left <= 0) return;
      after = page.at(-1)!.sk;
    }
  }

  /** What fits into one answer, where that is looked at. */
  #page(items: readonly Item[]): Item[] {
    if (!this.#checks) return [...items];
    let bytes = 0;
    const fitting = items.filter((item, at) => {
      bytes += itemBytes(item);
      return at === 0 || bytes <= PAGE_BYTES;
    });
    return fitting.map((item) => this.#out(item)!);
  }

  /** Nobody may change what he gets; where that is looked at, everybody gets a copy. */
  #out(item: Item | undefined): Item | undefined {
    return item && this.#checks ? storedItem(item) : item;
  }

  /** In pieces of at most `size`; now and then smaller ones, as a service may leave some for the next request. */
  #torn<T>(all: readonly T[], size: number): T[][] {
    const pieces: T[][] = [];
    for (let at = 0; at < all.length; ) {
      const some = this.#random.chance(0.2) ? this.#random.int(1, size) : size;
      pieces.push(all.slice(at, at + some));
      at += some;
    }
    return pieces;
  }

  // Without a turn of the scheduler: for the services themselves, and for who checks them.

  get(name: TableName, { pk, sk }: Key): Item | undefined {
    return this.#rows.get(`${name} ${pk}`)?.items.get(sk);
  }

  all(name: TableName, pk: string): Item[] {
    const rows = this.#rows.get(`${name} ${pk}`);
    return rows ? rows.sortKeys.map((sk) => rows.items.get(sk)!) : [];
  }

  *everything(name: TableName): Generator<Item> {
    for (const [key, rows] of this.#rows) if (key.startsWith(`${name} `)) yield* rows.items.values();
  }

  #set(name: TableName, item: Item): Item {
    return this.#keep(name, storedItem(item));
  }

  /** @param item shares nothing with what anybody may change */
  #keep(name: TableName, item: Item): Item {
    const id = `${name} ${item.pk}`;
    let rows = this.#rows.get(id);
    if (!rows) {
      rows = { sortKeys: [], items: new Map() };
      this.#rows.set(id, rows);
    }
    const before = rows.items.get(item.sk);
    if (!before) {
      const at = rows.sortKeys.findIndex((sk) => compareText(sk, item.sk) > 0);
      rows.sortKeys.splice(at === -1 ? rows.sortKeys.length : at, 0, item.sk);
    }
    rows.items.set(item.sk, item);
    this.#watch({ table: name, before, after: item });
    return item;
  }

  #remove(name: TableName, { pk, sk }: Key): void {
    const rows = this.#rows.get(`${name} ${pk}`);
    const before = rows?.items.get(sk);
    if (!rows || !before) return;
    rows.items.delete(sk);
    rows.sortKeys.splice(rows.sortKeys.indexOf(sk), 1);
    this.#watch({ table: name, before, after: undefined });
  }
}

const unavailable = (throttled: boolean) =>
  new TableUnavailableError(throttled ? 'the table is throttled' : 'the table did not answer');

/** As it comes back from a table: without `undefined` and empty sets, and sharing nothing with what was given. */
function storedItem(item: Item): Item {
  const stored: Record<string, Value | undefined> = {};
  for (const name in item) {
    const value = item[name];
    if (value === undefined || (value instanceof Set && value.size === 0)) continue;
    stored[name] = storedValue(value);
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
    Object.defineProperty(stored, name, {
      value: storedValue(inner),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return stored as Value;
}

export function told(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => (inner instanceof Set ? [...inner] : inner)).slice(0, 700);
}
