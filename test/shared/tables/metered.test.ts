import { describe, expect, it } from 'vitest';
import { type MeterLine, newMeter } from '../../../shared/core/meter.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { meteredTables } from '../../../shared/tables/metered.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';
import { absent, equals, type Table } from '../../../shared/tables/table.ts';
import { describeTableContract } from './table-contract.ts';

function meteredWorld() {
  const database = new SqliteDatabase(':memory:');
  const tables = sqliteTables(database);
  const meter = newMeter();
  return { database, tables, meter, table: meteredTables(tables, meter).nodes };
}

describeTableContract(
  'metered',
  () => {
    const { table, database } = meteredWorld();
    return { table, close: () => database.close() };
  },
  { randomRuns: 20 },
);

describe('meteredTables', () => {
  const key = { pk: 'p', sk: 'a' };
  /** An item of so many bytes: `pk`, `p`, `sk` and `text` are 9 of them. */
  const sized = (size: number, sk = 'a') => ({ pk: 'p', sk, text: 'x'.repeat(size - 9 - sk.length) });
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ pk: 'p', sk: String(at).padStart(3, '0') }));

  /** What `act` is counted as, after `setUp` was done without counting. */
  async function counted(act: (table: Table) => unknown, setUp: (table: Table) => Promise<unknown> = async () => {}) {
    const { database, tables, meter, table } = meteredWorld();
    await setUp(tables.nodes);
    await act(table);
    database.close();
    return meter.snapshot();
  }

  const line = (operation: string, requests: number, units: number, bytes: number): MeterLine[] => [
    { service: 'dynamodb', operation, resource: 'nodes', requests, units, bytes },
  ];

  it('bills a read by 4 KiB, and one for nothing', async () => {
    expect(
      await counted(
        (table) => table.get(key),
        (table) => table.put(sized(4096)),
      ),
    ).toStrictEqual(line('get', 1, 1, 4096));
    expect(
      await counted(
        (table) => table.get(key),
        (table) => table.put(sized(4097)),
      ),
    ).toStrictEqual(line('get', 1, 2, 4097));
    expect(await counted((table) => table.get(key))).toStrictEqual(line('get', 1, 1, 0));
  });

  it('counts a batch for 100 keys, and each item by itself', async () => {
    const keys = many(101);

    const lines = await counted(
      (table) => table.getMany([...keys, key, key]),
      (table) => table.putMany(keys),
    );

    expect(lines).toStrictEqual(line('batchGet', 2, 102, 101 * 8));
  });

  it('counts a query for each page, and bills its items together', async () => {
    const small = await counted(
      (table) => Array.fromAsync(table.query('p')),
      (table) => table.putMany(many(600)),
    );
    const large = await counted(
      (table) => Array.fromAsync(table.query('p')),
      (table) => table.putMany(['a', 'b', 'c', 'd'].map((sk) => sized(300 * 1024, sk))),
    );

    expect(small).toStrictEqual(line('query', 1, 2, 4800));
    expect(large).toStrictEqual(line('query', 1, 300, 4 * 300 * 1024));
    expect(await counted((table) => Array.fromAsync(table.query('p')))).toStrictEqual(line('query', 1, 1, 0));
  });

  it('bills a write by 1 KiB, also one whose condition fails', async () => {
    expect(await counted((table) => table.put(sized(1024)))).toStrictEqual(line('put', 1, 1, 1024));
    expect(await counted((table) => table.put(sized(1025), [absent('pk')]))).toStrictEqual(line('put', 1, 2, 1025));
    expect(await counted((table) => table.put(sized(1025), [equals('pk', 'q')]))).toStrictEqual(
      line('put', 1, 2, 1025),
    );
  });

  it('bills an update by the item that it leaves', async () => {
    const lines = await counted(
      (table) => table.update(key, { increment: { n: 1 } }),
      (table) => table.put(sized(1024)),
    );

    expect(lines).toStrictEqual(line('update', 1, 2, 1027));
    expect(await counted((table) => table.update(key, { increment: { n: 1 } }, [equals('n', 0)]))).toStrictEqual(
      line('update', 1, 1, 0),
    );
  });

  it('bills a delete as one unit, as it does not know what it deleted', async () => {
    expect(
      await counted(
        (table) => table.delete(key),
        (table) => table.put(sized(5000)),
      ),
    ).toStrictEqual(line('delete', 1, 1, 0));
  });

  it('counts a batch for 25 writes', async () => {
    expect(await counted((table) => table.putMany(many(26)))).toStrictEqual(line('batchWrite', 2, 26, 26 * 8));
    expect(await counted((table) => table.deleteMany([...many(51), ...many(51)]))).toStrictEqual(
      line('batchWrite', 3, 51, 0),
    );
  });

  it('counts nothing for none, and nothing for what failed', async () => {
    expect(
      await counted((table) => Promise.all([table.getMany([]), table.putMany([]), table.deleteMany([])])),
    ).toStrictEqual([]);
    expect(await counted((table) => expect(table.put(sized(500_000))).rejects.toThrow())).toStrictEqual([]);
  });
});
