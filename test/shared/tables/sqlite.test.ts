import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { purgeExpired, sqliteTables } from '../../../shared/tables/sqlite.ts';
import { equals, type Table } from '../../../shared/tables/table.ts';
import { describeTableContract } from './table-contract.ts';

describeTableContract('sqlite in memory', () => {
  const database = new SqliteDatabase(':memory:');
  return { table: sqliteTables(database).nodes, close: () => database.close() };
});

describeTableContract('sqlite in a file, written by one process and read by another', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tables-'));
  const databases = [
    new SqliteDatabase(join(folder, 'state.db')),
    new SqliteDatabase(join(folder, 'state.db')),
  ] as const;
  const writer = sqliteTables(databases[0]).nodes;
  const reader = sqliteTables(databases[1]).nodes;
  const table: Table = {
    get: (key) => reader.get(key),
    getMany: (keys) => reader.getMany(keys),
    query: (pk, range) => reader.query(pk, range),
    put: (item, condition) => writer.put(item, condition),
    update: (key, change, condition) => writer.update(key, change, condition),
    delete: (key, condition) => reader.delete(key, condition),
    putMany: (items) => writer.putMany(items),
    deleteMany: (keys) => reader.deleteMany(keys),
  };
  return {
    table,
    close() {
      for (const database of databases) database.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('sqliteTables', () => {
  let folder: string;
  let path: string;
  const opened: SqliteDatabase[] = [];
  const open = () => {
    const database = new SqliteDatabase(path);
    opened.push(database);
    return database;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tables-'));
    path = join(folder, 'state.db');
  });
  afterEach(() => {
    for (const database of opened.splice(0)) database.close();
    rmSync(folder, { recursive: true });
  });

  it('keeps the tables apart', async () => {
    const tables = sqliteTables(open());

    await tables.nodes.put({ pk: 'p', sk: 'a' });

    expect(await tables.runs.get({ pk: 'p', sk: 'a' })).toBeUndefined();
  });

  it('finds its items again when the file is opened later', async () => {
    const first = open();
    await sqliteTables(first).jobs.put({ pk: 'p', sk: 'a', tags: new Set(['x']) });
    first.close();

    expect(await sqliteTables(open()).jobs.get({ pk: 'p', sk: 'a' })).toStrictEqual({
      pk: 'p',
      sk: 'a',
      tags: new Set(['x']),
    });
  });

  it('lets one of two processes win that write the same version', async () => {
    const [one, other] = [sqliteTables(open()).nodes, sqliteTables(open()).nodes];
    await one.put({ pk: 'p', sk: 'a', version: 0 });

    for (let version = 0; version < 20; version++) {
      const update = (table: Table) =>
        table.update({ pk: 'p', sk: 'a' }, { increment: { version: 1 } }, [equals('version', version)]);
      const wins = await Promise.all([update(one), update(other)]);
      expect(wins.filter(Boolean)).toHaveLength(1);
    }

    expect((await other.get({ pk: 'p', sk: 'a' }))?.version).toBe(20);
  });

  it('holds nothing open after a query that was left early', async () => {
    const database = open();
    const { nodes } = sqliteTables(database);
    await nodes.putMany(['a', 'b', 'c', 'd'].map((sk) => ({ pk: 'p', sk, text: 'x'.repeat(390_000) })));

    for await (const _page of nodes.query('p')) break;

    await nodes.put({ pk: 'p', sk: 'e' });
    expect({ ...database.statement('PRAGMA wal_checkpoint(TRUNCATE)').get() }).toMatchObject({ busy: 0, log: 0 });
  });

  it('names the file when it is closed under a reader', async () => {
    const database = open();
    const { nodes } = sqliteTables(database);
    database.close();

    await expect(nodes.get({ pk: 'p', sk: 'a' })).rejects.toMatchObject({
      code: 'Database',
      message: expect.stringContaining(path),
    });
  });

  describe('purgeExpired', () => {
    it('deletes what has expired, in every table, and nothing else', async () => {
      const database = open();
      const { nodes, runs } = sqliteTables(database);
      await nodes.putMany([
        { pk: 'p', sk: 'past', ttl: 99 },
        { pk: 'p', sk: 'now', ttl: 100 },
        { pk: 'p', sk: 'never' },
        { pk: 'p', sk: 'not a time', ttl: 'soon' },
      ]);
      await runs.put({ pk: 'p', sk: 'past', ttl: 1 });

      expect(await purgeExpired(database, 100)).toBe(2);

      expect((await Array.fromAsync(nodes.query('p'))).flat().map(({ sk }) => sk)).toStrictEqual([
        'never',
        'not a time',
        'now',
      ]);
      expect(await runs.get({ pk: 'p', sk: 'past' })).toBeUndefined();
    });

    it('follows an update that moves or removes the time', async () => {
      const database = open();
      const { nodes } = sqliteTables(database);
      await nodes.putMany(['moved', 'freed', 'set'].map((sk) => ({ pk: 'p', sk, ...(sk !== 'set' && { ttl: 50 }) })));
      await nodes.update({ pk: 'p', sk: 'moved' }, { set: { ttl: 500 } });
      await nodes.update({ pk: 'p', sk: 'freed' }, { remove: ['ttl'] });
      await nodes.update({ pk: 'p', sk: 'set' }, { set: { ttl: 50 } });

      expect(await purgeExpired(database, 100)).toBe(1);

      expect(await nodes.get({ pk: 'p', sk: 'set' })).toBeUndefined();
    });

    it('deletes more than one transaction takes', async () => {
      const database = open();
      await sqliteTables(database).nodes.putMany(
        Array.from({ length: 2500 }, (_, at) => ({ pk: 'p', sk: `${at}`, ttl: 1 })),
      );

      expect(await purgeExpired(database, 100)).toBe(2500);
    });
  });
});
