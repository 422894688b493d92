import type { StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { chunksOf } from '../core/concurrency.ts';
import { MIB } from '../core/units.ts';
import type { SqliteDatabase } from '../sqlite/database.ts';
import { type Edits, edited, editsOf } from './change.ts';
import { meets } from './condition.ts';
import { decodeItem, encodeItem } from './item-json.ts';
import { checkItem, checkKey } from './item-size.ts';
import { lastOfEachKey } from './keys.ts';
import {
  type Change,
  type Condition,
  type Item,
  type Key,
  type KeyRange,
  TABLE_NAMES,
  type Table,
  type TableName,
  type Tables,
  tablesOf,
} from './table.ts';

/**
 * The tables in one SQLite file, as other processes with the same file see them. Creates what is missing.
 *
 * Its methods also throw what the database does: `DatabaseBusyError` (retryable) and `DatabaseError`.
 */
export function sqliteTables(database: SqliteDatabase): Tables {
  defineTables(database);
  return tablesOf((name) => new SqliteTable(database, name));
}

/**
 * Deletes the items whose `ttl` has passed, as DynamoDB does of itself; until then they are read like any other.
 *
 * @returns how many
 */
export async function purgeExpired(database: SqliteDatabase, nowEpochSeconds: number): Promise<number> {
  defineTables(database);
  let purged = 0;
  for (const name of TABLE_NAMES) {
    const purge = database.statement(
      `DELETE FROM ${name} WHERE (pk, sk) IN (SELECT pk, sk FROM ${name} WHERE ttl < ? LIMIT ${BATCH_ITEMS})`,
    );
    let changes: number;
    do {
      changes = Number(await database.write(() => purge.run(nowEpochSeconds).changes));
      purged += changes;
    } while (changes === BATCH_ITEMS);
  }
  return purged;
}

/** Items of one transaction: enough that its cost is spread, few enough that nobody waits long for the file. */
const BATCH_ITEMS = 1000;
const PAGE_BYTES = MIB;

/** `item` is JSON of what is not in the key: see `encodeItem`. Texts compare by their UTF-8 bytes. */
function defineTables(database: SqliteDatabase): void {
  const schema = TABLE_NAMES.map(
    (name) => `
      CREATE TABLE IF NOT EXISTS ${name} (
        pk TEXT NOT NULL, sk TEXT NOT NULL, item TEXT NOT NULL, ttl INTEGER, PRIMARY KEY (pk, sk)
      ) WITHOUT ROWID, STRICT;
      CREATE INDEX IF NOT EXISTS ${name}_ttl ON ${name} (ttl) WHERE ttl IS NOT NULL;`,
  );
  database.define(schema.join(''));
}

class SqliteTable implements Table {
  readonly #database: SqliteDatabase;
  readonly #name: TableName;
  readonly #select: StatementSync;
  readonly #selectMany: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: SqliteDatabase, name: TableName) {
    this.#database = database;
    this.#name = name;
    this.#select = database.statement(`SELECT item FROM ${name} WHERE pk = ? AND sk = ?`);
    // CROSS JOIN keeps the order: a look-up for each key, and never a scan of the table.
    this.#selectMany = database.statement(
      `SELECT pk, sk, item FROM json_each(?) AS asked CROSS JOIN ${name} ON pk = asked.value ->> 0 AND sk = asked.value ->> 1`,
    );
    this.#upsert = database.statement(`INSERT OR REPLACE INTO ${name} (pk, sk, item, ttl) VALUES (?, ?, ?, ?)`);
    this.#delete = database.statement(`DELETE FROM ${name} WHERE pk = ? AND sk = ?`);
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key);
    return this.#database.read(() => this.#stored(key));
  }

  async getMany(keys: readonly Key[]): Promise<Item[]> {
    for (const key of keys) checkKey(key);
    const items: Item[] = [];
    for (const batch of chunksOf(lastOfEachKey(keys), BATCH_ITEMS)) {
      const asked = JSON.stringify(batch.map(({ pk, sk }) => [pk, sk]));
      const rows = this.#database.read(() => this.#selectMany.all(asked)) as unknown as (Key & { item: string })[];
      for (const row of rows) items.push(decodeItem(row, row.item));
    }
    return items;
  }

  async *query(pk: string, range: KeyRange = {}): AsyncIterable<Item[]> {
    const { reverse = false } = range;
    let { from = '', to, limit = Number.POSITIVE_INFINITY } = range;
    let after = false;
    for (;;) {
      if (limit <= 0) return;
      const { items, more } = this.#page(pk, { from, after, to, reverse, limit });
      if (items.length > 0) yield items;
      if (!more) return;
      limit -= items.length;
      const { sk } = items.at(-1)!;
      if (reverse) to = sk;
      else [from, after] = [sk, true];
      // A long query is all computation here: let timers and other callers have their turn.
      await nextTurn();
    }
  }

  async put(item: Item, condition?: Condition): Promise<boolean> {
    checkItem(this.#name, item);
    const text = encodeItem(item);
    return this.#database.write(() => {
      if (condition && !meets(this.#stored(item), condition)) return false;
      this.#upsert.run(item.pk, item.sk, text, ttlOf(item));
      return true;
    });
  }

  async update(key: Key, change: Change, condition?: Condition): Promise<Item | undefined> {
    checkKey(key);
    const edits = editsOf(change);
    return this.#database.write(() => this.#edit(key, edits, condition));
  }

  async delete(key: Key, condition?: Condition): Promise<boolean> {
    checkKey(key);
    return this.#database.write(() => {
      if (condition && !meets(this.#stored(key), condition)) return false;
      this.#delete.run(key.pk, key.sk);
      return true;
    });
  }

  async putMany(items: readonly Item[]): Promise<void> {
    for (const item of items) checkItem(this.#name, item);
    for (const batch of chunksOf(lastOfEachKey(items), BATCH_ITEMS)) {
      await this.#database.write(() => {
        for (const item of batch) this.#upsert.run(item.pk, item.sk, encodeItem(item), ttlOf(item));
      });
    }
  }

  async deleteMany(keys: readonly Key[]): Promise<void> {
    for (const key of keys) checkKey(key);
    for (const batch of chunksOf(keys, BATCH_ITEMS)) {
      await this.#database.write(() => {
        for (const { pk, sk } of batch) this.#delete.run(pk, sk);
      });
    }
  }

  #stored(key: Key): Item | undefined {
    const row = this.#select.get(key.pk, key.sk);
    return row && decodeItem(key, row.item as string);
  }

  #edit(key: Key, edits: Edits, condition: Condition = []): Item | undefined {
    const stored = this.#stored(key);
    if (!meets(stored, condition)) return undefined;
    const item = edited(stored ?? { pk: key.pk, sk: key.sk }, edits);
    checkItem(this.#name, item);
    const text = encodeItem(item);
    this.#upsert.run(key.pk, key.sk, text, ttlOf(item));
    // Read back, so that the caller shares nothing with what it passed in and gets what a later read gets.
    return decodeItem(key, text);
  }

  /** @returns at least one item if there is one, and whether there may be more */
  #page(pk: string, { from, after, to, reverse, limit }: PageBounds): { items: Item[]; more: boolean } {
    const statement = this.#database.statement(
      `SELECT sk, item FROM ${this.#name} WHERE pk = ? AND sk ${after ? '>' : '>='} ?${to === undefined ? '' : ' AND sk < ?'}
       ORDER BY sk ${reverse ? 'DESC' : 'ASC'}`,
    );
    statement.setReturnArrays(true);
    const items: Item[] = [];
    let pageBytes = 0;
    return this.#database.read(() => {
      const rows = statement.iterate(pk, from, ...(to === undefined ? [] : [to])) as unknown as Iterable<
        [string, string]
      >;
      // Read to its end in one go: another query in between would use the same statement.
      for (const [sk, text] of rows) {
        items.push(decodeItem({ pk, sk }, text));
        pageBytes += text.length;
        if (items.length >= limit || pageBytes >= PAGE_BYTES) return { items, more: items.length < limit };
      }
      return { items, more: false };
    });
  }
}

interface PageBounds {
  readonly from: string;
  /** Without `from` itself. */
  readonly after: boolean;
  readonly to: string | undefined;
  readonly reverse: boolean;
  readonly limit: number;
}

function ttlOf({ ttl }: Item): number | null {
  return typeof ttl === 'number' && Number.isSafeInteger(ttl) ? ttl : null;
}
