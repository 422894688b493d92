import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PGlite } from '@electric-sql/pglite';
import type { EmbeddedConnection } from '../connection.ts';
import { DatabaseBusyError, DatabaseError } from '../errors.ts';
import type { SqlRow, SqlSession } from '../session.ts';
import { postgresError } from './errors.ts';
import { chunksOf, inTransaction } from './pg-session.ts';

/** PostgreSQL within this process. Its folder is for one process at a time. */
export async function openPglite({ folder, label }: EmbeddedConnection): Promise<SqlSession> {
  const path = folder === undefined ? undefined : resolve(folder);
  const lock = path === undefined ? undefined : await lockOf(path, label);
  let db: PGlite;
  try {
    const { PGlite: Database } = await import('@electric-sql/pglite');
    db = await Database.create(path === undefined ? {} : { dataDir: path });
  } catch (error) {
    lock?.close();
    throw new DatabaseError(`${label}: the embedded database does not open`, { cause: error });
  }
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw postgresError(error, label);
    }
  };
  const ask = (sql: string, parameters: readonly unknown[] = []) =>
    run(async () => (parameters.length === 0 ? (await db.exec(sql)).at(-1)! : db.query(sql, [...parameters])));
  const session: SqlSession = {
    label,
    async query(sql, parameters) {
      return (await ask(sql, parameters)).rows.map((row) => textRow(row as Record<string, unknown>));
    },
    async execute(sql, parameters) {
      return (await ask(sql, parameters)).affectedRows ?? 0;
    },
    transaction: (work) => inTransaction(session, work),
    load: (table, columns, rows) =>
      run(async () => {
        const blob = new Blob([...chunksOf(rows)]);
        await db.query(`COPY ${table} (${columns.join(', ')}) FROM '/dev/blob'`, [], { blob });
      }),
    async close() {
      if (!db.closed) await db.close();
      lock?.close();
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
  await session.query("SET TIME ZONE 'UTC'; SET datestyle TO 'ISO, YMD'; SET extra_float_digits TO 1");
  return session;
}

/** Two processes in one folder would destroy it. SQLite's lock ends with the process, however that ends. */
async function lockOf(path: string, label: string): Promise<DatabaseSync> {
  await mkdir(dirname(path), { recursive: true });
  const lock = new DatabaseSync(`${path}.lock`);
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new DatabaseBusyError(`${label}: another process has it open`, { cause: error });
  }
}

function textRow(row: Record<string, unknown>): SqlRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
