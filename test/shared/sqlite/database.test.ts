import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { DatabaseBusyError, DatabaseError, SqliteDatabase } from '../../../shared/sqlite/database.ts';

describe('SqliteDatabase', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'database-'));
    path = join(folder, 'state.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (options?: { busyTimeoutMs?: number }) => {
    const database = new SqliteDatabase(path, options);
    onTestFinished(() => database.close());
    database.define('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
    return database;
  };
  const add = (database: SqliteDatabase, id: number, text = '') =>
    database.write(() => database.statement('INSERT INTO notes VALUES (?, ?)').run(id, text).changes);
  const ids = (database: SqliteDatabase) =>
    database.read(() => database.statement('SELECT id FROM notes ORDER BY id').all()).map(({ id }) => id);
  /** Another process that is in the middle of a write. */
  const holder = () => {
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    onTestFinished(() => other.close());
    return { release: () => other.exec('ROLLBACK') };
  };

  describe('write', () => {
    it('returns what the work returned, once others can read it', async () => {
      const [database, other] = [open(), open()];

      expect(await add(database, 1)).toBe(1);

      expect(ids(other)).toStrictEqual([1]);
    });

    it('commits together what was asked for in one turn', async () => {
      const [database, other] = [open(), open()];
      const seen: unknown[] = [];

      const writes = [1, 2, 3].map((id) => add(database, id).then(() => seen.push(ids(other))));
      seen.push(ids(other));
      await Promise.all(writes);

      expect(seen).toStrictEqual([[], [1, 2, 3], [1, 2, 3], [1, 2, 3]]);
    });

    it('undoes all that a failing work did, and nothing of the others', async () => {
      const database = open();

      const outcomes = await Promise.allSettled([
        add(database, 1),
        database.write(() => {
          database.statement('INSERT INTO notes VALUES (?, ?)').run(2, '');
          throw new RangeError('mine');
        }),
        add(database, 1),
        add(database, 3),
      ]);

      expect(outcomes).toMatchObject([
        { value: 1 },
        { reason: new RangeError('mine') },
        {
          reason: {
            name: 'DatabaseError',
            code: 'Database',
            retryable: false,
            message: expect.stringContaining('UNIQUE'),
          },
        },
        { value: 1 },
      ]);
      expect(ids(database)).toStrictEqual([1, 3]);
    });

    it('takes writes that are asked for while others are being settled', async () => {
      const database = open();

      await add(database, 1).then(() => add(database, 2));
      await database.write(() => void add(database, 3));
      await add(database, 4);

      expect(ids(database)).toStrictEqual([1, 2, 3, 4]);
    });

    it('waits for another process that holds the file, and reads meanwhile', async () => {
      const database = open();
      await add(database, 1);
      const other = holder();

      const write = add(database, 2);
      const later = new Promise((resolve) => setImmediate(resolve)).then(() => add(database, 3));
      const meanwhile = await new Promise((resolve) => setTimeout(() => resolve(ids(database)), 30));
      other.release();
      await Promise.all([write, later]);

      expect(meanwhile).toStrictEqual([1]);
      expect(ids(database)).toStrictEqual([1, 2, 3]);
    });

    it('gives up when the file stays held, and works again once it is free', async () => {
      const database = open({ busyTimeoutMs: 30 });
      const other = holder();

      const writes = await Promise.allSettled([add(database, 1), add(database, 2)]);

      for (const { status, reason } of writes as PromiseRejectedResult[]) {
        expect(status).toBe('rejected');
        expect(reason).toBeInstanceOf(DatabaseBusyError);
        expect(reason).toMatchObject({ retryable: true, message: expect.stringContaining(path) });
      }
      other.release();
      await add(database, 3);
      expect(ids(database)).toStrictEqual([3]);
    });

    it('fails all of a commit that the disk has no room for, and takes what fits afterwards', async () => {
      const database = open();
      await add(database, 1);
      const { page_count: pages } = database.statement('PRAGMA page_count').get() as { page_count: number };
      database.statement(`PRAGMA max_page_count = ${pages + 2}`).get();

      const outcomes = await Promise.allSettled([
        add(database, 2),
        add(database, 3, 'x'.repeat(100_000)),
        add(database, 4),
      ]);

      expect(outcomes.map(({ status }) => status)).toContain('rejected');
      const stored = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at + 2] : []));
      expect(ids(database)).toStrictEqual([1, ...stored]);
      expect(outcomes[1]).toMatchObject({ reason: { name: 'DatabaseError', code: 'DiskFull', retryable: false } });
      await add(database, 5);
      expect(ids(database)).toStrictEqual([1, ...stored, 5]);
    });

    it('is refused after close, and leaves no write without an answer', async () => {
      const database = open();

      const write = add(database, 1);
      database.close();

      await expect(write).rejects.toThrow(DatabaseError);
      await expect(add(database, 2)).rejects.toThrow(DatabaseError);
      database.close();
    });
  });

  it('keeps what it promised when the process is killed', () => {
    const script = `
      const { SqliteDatabase } = await import(${JSON.stringify(new URL('../../../shared/sqlite/database.ts', import.meta.url).href)});
      const database = new SqliteDatabase(${JSON.stringify(path)});
      database.define('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
      await database.write(() => database.statement("INSERT INTO notes VALUES (1, '')").run());
      process.kill(process.pid, 'SIGKILL');`;

    const { signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', script]);

    expect(signal).toBe('SIGKILL');
    expect(ids(open())).toStrictEqual([1]);
  });

  describe('opening', () => {
    it('makes the folders above the file', () => {
      path = join(folder, 'a', 'b', 'state.db');

      expect(ids(open())).toStrictEqual([]);
    });

    it('names a file that is no database', () => {
      writeFileSync(path, 'not a database, but long enough to look at'.repeat(100));

      expect(() => new SqliteDatabase(path)).toThrow(DatabaseError);
      expect(() => new SqliteDatabase(path)).toThrow(path);
    });

    it('names a path that is a folder, or below a file', () => {
      const file = join(folder, 'file');
      writeFileSync(file, '');

      for (const wrong of [folder, join(file, 'state.db')]) {
        expect(() => new SqliteDatabase(wrong)).toThrow(DatabaseError);
        expect(() => new SqliteDatabase(wrong)).toThrow(wrong);
      }
    });

    it('waits for another process that holds the new file', async () => {
      // Not yet in WAL mode, so that even the first look at it needs the lock; and a thread, as opening blocks this one.
      const locker = new Worker(
        `const { DatabaseSync } = require('node:sqlite');
         const { parentPort, workerData } = require('node:worker_threads');
         const database = new DatabaseSync(workerData);
         database.exec('CREATE TABLE other (id); BEGIN EXCLUSIVE');
         parentPort.postMessage('locked');
         setTimeout(() => { database.exec('COMMIT'); database.close(); }, 100);`,
        { eval: true, workerData: path },
      );
      await new Promise((resolve) => locker.once('message', resolve));

      expect(ids(open())).toStrictEqual([]);
      await locker.terminate();
    });

    it('gives up when another process keeps the new file to itself', () => {
      const other = new DatabaseSync(path);
      other.exec('CREATE TABLE other (id); BEGIN EXCLUSIVE');
      onTestFinished(() => other.close());

      expect(() => new SqliteDatabase(path, { busyTimeoutMs: 30 })).toThrow(DatabaseBusyError);
    });
  });
});
