import type { Meter } from '../core/meter.ts';
import { KIB } from '../core/units.ts';
import { itemBytes } from './item-size.ts';
import { lastOfEachKey } from './keys.ts';
import { type Item, type Table, type TableName, type Tables, tablesOf } from './table.ts';

/**
 * The same tables, with every request counted as DynamoDB on demand would bill it, whichever kind they are: service
 * `dynamodb`, the table as the resource, units for reading (4 KiB, consistent) or writing (1 KiB).
 *
 * It is an estimate from below: the bill also counts the larger item that a write replaced or deleted, and what a
 * failed condition looked at; of those only one unit is known here. What failed altogether is not counted.
 */
export function meteredTables(tables: Tables, meter: Meter): Tables {
  return tablesOf((name) => meteredTable(tables[name], name, meter));
}

/** Names of the operations in the meter; a batch is one request. */
export type TableOperation = 'get' | 'batchGet' | 'query' | 'put' | 'update' | 'delete' | 'batchWrite';

const GET_BATCH_ITEMS = 100;
const WRITE_BATCH_ITEMS = 25;

function meteredTable(table: Table, resource: TableName, meter: Meter): Table {
  const count = (
    operation: TableOperation,
    pk: string | undefined,
    facts: { requests?: number; units: number; bytes: number },
  ) => {
    // A batch of nothing is no request. Every partition key begins with the pipeline's name.
    if (facts.requests !== 0)
      meter.count('dynamodb', operation, { ...facts, resource, pipeline: pk?.split('#', 1)[0] });
  };

  return {
    async get(key) {
      const item = await table.get(key);
      count('get', key.pk, item ? read([item]) : { units: 1, bytes: 0 });
      return item;
    },

    async getMany(keys) {
      const items = await table.getMany(keys);
      const asked = lastOfEachKey(keys).length;
      const { units, bytes } = read(items);
      // What is not there costs a unit too.
      count('batchGet', keys[0]?.pk, {
        requests: Math.ceil(asked / GET_BATCH_ITEMS),
        units: units + asked - items.length,
        bytes,
      });
      return items;
    },

    async *query(pk, range) {
      let pages = 0;
      for await (const page of table.query(pk, range)) {
        pages++;
        const bytes = sum(page.map(itemBytes));
        // Of a page the sum is rounded, not each item.
        count('query', pk, { units: readUnits(bytes), bytes });
        yield page;
      }
      if (pages === 0) count('query', pk, { units: 1, bytes: 0 });
    },

    async put(item, condition) {
      const done = await table.put(item, condition);
      count('put', item.pk, written([item]));
      return done;
    },

    async update(key, change, condition) {
      const item = await table.update(key, change, condition);
      count('update', key.pk, item ? written([item]) : { units: 1, bytes: 0 });
      return item;
    },

    async delete(key, condition) {
      const done = await table.delete(key, condition);
      count('delete', key.pk, { units: 1, bytes: 0 });
      return done;
    },

    async putMany(items) {
      await table.putMany(items);
      const distinct = lastOfEachKey(items);
      count('batchWrite', items[0]?.pk, {
        requests: Math.ceil(distinct.length / WRITE_BATCH_ITEMS),
        ...written(distinct),
      });
    },

    async deleteMany(keys) {
      await table.deleteMany(keys);
      const { length } = lastOfEachKey(keys);
      count('batchWrite', keys[0]?.pk, { requests: Math.ceil(length / WRITE_BATCH_ITEMS), units: length, bytes: 0 });
    },
  };
}

const readUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / (4 * KIB)));
const writeUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / KIB));
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function read(items: readonly Item[]): { units: number; bytes: number } {
  const sizes = items.map(itemBytes);
  return { units: sum(sizes.map(readUnits)), bytes: sum(sizes) };
}

function written(items: readonly Item[]): { units: number; bytes: number } {
  const sizes = items.map(itemBytes);
  return { units: sum(sizes.map(writeUnits)), bytes: sum(sizes) };
}
