import { readFile } from 'node:fs/promises';
import type { Connection, ConnectionOptions, ResultSetHeader } from 'mysql2/promise';
import type { ServerConnection } from '../connection.ts';
import { ValueRefusedError } from '../errors.ts';
import type { SqlRow, SqlSession } from '../session.ts';
import { mysqlError } from './errors.ts';

const CONNECT_TIMEOUT_MS = 30_000;
/** An INSERT of many rows is sent in statements of at most so many characters. */
const STATEMENT_CHARS = 1024 * 1024;

/** What differs between the servers that speak this protocol. */
export interface MysqlServer {
  readonly isMariaDb: boolean;
}

/** A connection to a MySQL or MariaDB server. */
export async function openMysql(connection: ServerConnection): Promise<{ session: SqlSession; server: MysqlServer }> {
  const { createConnection } = await import('mysql2/promise');
  const { label } = connection;
  const client = await connected(connection, createConnection);
  client.on('error', () => {});

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw mysqlError(error, label);
    }
  };
  let maxPacketBytes = STATEMENT_CHARS;
  const session: SqlSession = {
    label,
    query: (sql, parameters = []) =>
      run(async () => {
        const [rows] = await client.query(sql, [...parameters]);
        return Array.isArray(rows) ? (rows as SqlRow[]).map(textRow) : [];
      }),
    execute: (sql, parameters = []) =>
      run(async () => {
        const [result] = await client.query<ResultSetHeader>(sql, [...parameters]);
        return result.affectedRows ?? 0;
      }),
    async transaction(work) {
      await session.query('START TRANSACTION');
      try {
        const result = await work();
        await session.query('COMMIT');
        return result;
      } catch (error) {
        await session.query('ROLLBACK').catch(() => {});
        throw error;
      }
    },
    // The suffix of the statement, such as what to do with a row that is there, is part of the table's text.
    async load(table, columns, rows) {
      const [into, behind = ''] = table.split('\0');
      const head = `INSERT INTO ${into} (${columns.join(', ')}) VALUES `;
      for (const text of statementsOf(rows, maxPacketBytes - head.length - behind.length - 1024, label))
        await session.execute(`${head}${text}${behind}`);
    },
    close: () => client.end().catch(() => client.destroy()),
    [Symbol.asyncDispose]: () => session.close(),
  };
  await session.query(
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', innodb_lock_wait_timeout = 60, lock_wait_timeout = 60",
  );
  const [row] = await session.query('SELECT VERSION() AS version, @@max_allowed_packet AS packet');
  maxPacketBytes = Math.max(64 * 1024, Number(row!.packet));
  return { session, server: { isMariaDb: /mariadb/i.test(row!.version ?? '') } };
}

/** @throws {ValueRefusedError} a row that no packet of the server holds */
function* statementsOf(rows: readonly string[], maxBytes: number, label: string): Generator<string> {
  let text = '';
  for (const row of rows) {
    if (row.length * 3 > maxBytes && Buffer.byteLength(row) > maxBytes)
      throw new ValueRefusedError(`${label}: a row is larger than max_allowed_packet`, { sqlState: '08S01' });
    if (text !== '' && (text.length + row.length > STATEMENT_CHARS || (text.length + row.length) * 3 > maxBytes)) {
      yield text;
      text = '';
    }
    text = text === '' ? row : `${text},${row}`;
  }
  if (text !== '') yield text;
}

function textRow(row: Readonly<Record<string, unknown>>): SqlRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === null || value === undefined ? null : String(value)]),
  );
}

async function connected(
  connection: ServerConnection,
  create: (options: ConnectionOptions) => Promise<Connection>,
): Promise<Connection> {
  const { host, port, user, password, database, ssl, sslRootCert, label } = connection;
  const ca = sslRootCert === undefined ? undefined : await readFile(sslRootCert, 'utf8');
  const verified = ssl === 'verify-ca' || ssl === 'verify-full';
  const encrypted: ConnectionOptions['ssl'] = {
    rejectUnauthorized: verified,
    ...(ca !== undefined && { ca }),
    ...(ssl === 'verify-full' && { verifyIdentity: true }),
  };
  const open = (how: ConnectionOptions['ssl'] | undefined) =>
    create({
      host,
      port,
      user,
      password,
      database,
      charset: 'utf8mb4',
      timezone: 'Z',
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Values as the server writes them: nothing is lost on the way.
      typeCast: (field, next) => (field.type === 'BIT' ? next() : field.string('utf8')),
      supportBigNumbers: true,
      bigNumberStrings: true,
      multipleStatements: false,
      ...(how && { ssl: how }),
    });
  try {
    if (ssl === 'disable' || ssl === 'allow') return await open(undefined);
    if (ssl !== 'prefer') return await open(encrypted);
    return await open(encrypted).catch((error: { code?: unknown }) => {
      if (error.code === 'HANDSHAKE_NO_SSL_SUPPORT') return open(undefined);
      throw error;
    });
  } catch (error) {
    throw mysqlError(error, label);
  }
}
