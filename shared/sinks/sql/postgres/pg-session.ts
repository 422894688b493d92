import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client, ClientConfig } from 'pg';
import type { ServerConnection } from '../connection.ts';
import type { SqlRow, SqlSession } from '../session.ts';
import { postgresError } from './errors.ts';

/** How long to wait for the server to answer at all, in milliseconds. */
const CONNECT_TIMEOUT_MS = 30_000;
/** COPY is fed in pieces of this many characters: few writes, little of them in memory. */
const CHUNK_CHARS = 64 * 1024;
/** A swap of tables waits so long for readers of the old one. */
export const SWAP_WAIT_SECONDS = 60;
const SETTINGS = `SET TIME ZONE 'UTC'; SET datestyle TO 'ISO, YMD'; SET extra_float_digits TO 1; SET lock_timeout TO '${SWAP_WAIT_SECONDS}s'`;

/** A connection to a PostgreSQL server by `pg`. */
export async function openPostgres(connection: ServerConnection): Promise<SqlSession> {
  const [{ default: pg }, { from: copyFrom }] = await Promise.all([import('pg'), import('pg-copy-streams')]);
  const { label } = connection;
  const client = await connected(connection, (config) => new pg.Client(config));
  // What happens between statements is seen by the next one.
  client.on('error', () => {});

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw postgresError(error, label);
    }
  };
  const ask = (sql: string, parameters: readonly unknown[] = []) =>
    run(() => (parameters.length === 0 ? client.query(sql) : client.query(sql, [...parameters])));
  const session: SqlSession = {
    label,
    async query(sql, parameters) {
      return (await ask(sql, parameters)).rows as SqlRow[];
    },
    async execute(sql, parameters) {
      return (await ask(sql, parameters)).rowCount ?? 0;
    },
    transaction: (work) => inTransaction(session, work),
    load: (table, columns, rows) =>
      run(async () => {
        const stream = client.query(copyFrom(`COPY ${table} (${columns.join(', ')}) FROM STDIN`));
        await pipeline(Readable.from(chunksOf(rows)), stream);
      }),
    async close() {
      await client.end().catch(() => {});
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
  await session.query(SETTINGS);
  return session;
}

export async function inTransaction<T>(session: Pick<SqlSession, 'query'>, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // The first error tells more than that of a broken connection.
    await session.query('ROLLBACK').catch(() => {});
    throw error;
  }
  await session.query('COMMIT');
  return result;
}

/** Lines in pieces of a handy size. */
export function* chunksOf(rows: readonly string[]): Generator<Buffer> {
  let text = '';
  for (const row of rows) {
    text += row;
    if (text.length < CHUNK_CHARS) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

/** Values as the server writes them: a number of 64 bits, a decimal or a timestamp lose nothing. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value } as unknown as ClientConfig['types'];

async function connected(connection: ServerConnection, make: (config: ClientConfig) => Client): Promise<Client> {
  const { host, port, user, password, database, ssl, sslRootCert, label } = connection;
  const ca = sslRootCert === undefined ? undefined : await readFile(sslRootCert, 'utf8');
  const verified = ssl === 'verify-ca' || ssl === 'verify-full';
  const encrypted: ClientConfig['ssl'] = {
    rejectUnauthorized: verified,
    ...(ca !== undefined && { ca }),
    ...(ssl === 'verify-ca' && { checkServerIdentity: () => undefined }),
  };
  const open = async (how: ClientConfig['ssl']) => {
    const client = make({
      host,
      port,
      user,
      password,
      database,
      ssl: how,
      ...(AS_TEXT && { types: AS_TEXT }),
      application_name: 'landfall',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
  };
  try {
    if (ssl === 'disable' || ssl === 'allow') return await open(false);
    if (ssl !== 'prefer') return await open(encrypted);
    return await open(encrypted).catch((error: unknown) => {
      if (error instanceof Error && /does not support SSL/i.test(error.message)) return open(false);
      throw error;
    });
  } catch (error) {
    throw postgresError(error, label);
  }
}
