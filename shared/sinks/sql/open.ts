import { parseConnection } from './connection.ts';
import type { Dialect } from './dialect.ts';
import type { SqlSession } from './session.ts';

/** A connection, and how to speak over it. */
export interface SqlDatabase {
  readonly session: SqlSession;
  readonly dialect: Dialect;
}

/**
 * Connects to a database. Its driver is loaded by this only.
 *
 * @param connection see {@link parseConnection}
 * @throws {InvalidConnectionError} it is no connection string
 * @throws {DatabaseConnectionError | DatabaseAccessError} the server is not there, or does not let us in
 */
export async function openDatabase(connection: string): Promise<SqlDatabase> {
  const place = parseConnection(connection);
  switch (place.kind) {
    case 'postgresql': {
      const [{ openPostgres }, { postgres }] = await Promise.all([
        import('./postgres/pg-session.ts'),
        import('./postgres/dialect.ts'),
      ]);
      return { session: await openPostgres(place), dialect: postgres };
    }
    case 'pglite': {
      const [{ openPglite }, { postgres }] = await Promise.all([
        import('./postgres/pglite-session.ts'),
        import('./postgres/dialect.ts'),
      ]);
      return { session: await openPglite(place), dialect: postgres };
    }
    case 'mysql': {
      const [{ openMysql }, { mysqlDialect }] = await Promise.all([
        import('./mysql/session.ts'),
        import('./mysql/dialect.ts'),
      ]);
      const { session, server } = await openMysql(place);
      return { session, dialect: mysqlDialect(server) };
    }
  }
}
