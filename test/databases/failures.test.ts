import { describe, expect, it } from 'vitest';
import { INT, LONG } from '../../shared/records/column-type.ts';
import {
  DatabaseAccessError,
  DatabaseConnectionError,
  DatabasePermissionError,
  ReadOnlyDatabaseError,
} from '../../shared/sinks/sql/errors.ts';
import { openDatabase } from '../../shared/sinks/sql/open.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { batch, schemaOf, TableUnderTest, upsert } from '../support/sql-table.ts';
import { DATABASES } from './databases.ts';

const SCHEMA = schemaOf({ id: LONG, n: INT });

describe.each(DATABASES)('$name', ({ name, connection }) => {
  const isMysql = name === 'MariaDB';

  it('that drops the connection within a transaction is named, and the next one goes on', async () => {
    await using target = await SqlTarget.open(connection);
    await using other = await SqlTarget.open(connection);
    const at = new TableUnderTest(target, { limits: { batchRows: 1 } }, `dropped_${name}`);
    const load = await at.table.beginGeneration('one', { schema: SCHEMA });
    await load.write(0, batch(SCHEMA, [upsert(1, 1n, 1)]));
    await load.pause();
    const id = isMysql ? 'CONNECTION_ID()' : 'pg_backend_pid()';
    const [row] = await target.database.session.query(`SELECT ${id} AS id`);

    const broken = target.database.session.transaction(async () => {
      const { session } = other.database;
      await (isMysql ? session.execute(`KILL ${row!.id}`) : session.query(`SELECT pg_terminate_backend(${row!.id})`));
      await load.write(0, batch(SCHEMA, [upsert(1, 2n, 2)], 1));
      await load.finish({ place: '' });
    });

    await expect(broken).rejects.toThrow(DatabaseConnectionError);
    const again = new TableUnderTest(other, {}, at.name);
    const resumed = await again.table.beginGeneration('one', { schema: SCHEMA });
    expect(resumed.offset).toEqual({ part: 0, rows: 1 });
    await resumed.write(0, batch(SCHEMA, [upsert(1, 1n, 1), upsert(1, 2n, 2)]));
    await resumed.finish({ place: '' });
    expect((await again.rows('id')).flat()).toEqual(['1', '2']);
    await again.table.drop();
  });

  it('that may only be read is named', async () => {
    const db = await openDatabase(connection);
    const target = new SqlTarget(db);
    await target.own.prepare();
    await db.session.query(isMysql ? 'SET SESSION TRANSACTION READ ONLY' : 'SET default_transaction_read_only TO on');
    const at = new TableUnderTest(target);

    await expect(at.generation(SCHEMA, [])).rejects.toThrow(ReadOnlyDatabaseError);
    await target.close();
  });

  it('that does not let us in, or do what is asked, is named without the password', async () => {
    const admin = await openDatabase(connection);
    const password = 'not-to-be-shown';
    const statements = isMysql
      ? [`CREATE USER guest@'%' IDENTIFIED BY '${password}'`, `GRANT SELECT ON landfall.* TO guest@'%'`]
      : [`CREATE ROLE guest LOGIN PASSWORD '${password}'`];
    for (const sql of statements) await admin.session.execute(sql);
    await admin.session.close();
    const as = (user: string, database?: string) => {
      const url = new URL(connection);
      url.username = user;
      url.password = password;
      if (database) url.pathname = `/${database}`;
      return url.href;
    };

    const unknown = openDatabase(as('nobody'));
    await expect(unknown).rejects.toThrow(DatabaseAccessError);
    await expect(unknown).rejects.not.toThrow(password);
    await expect(openDatabase(as('guest', 'nowhere'))).rejects.toThrow(DatabaseAccessError);
    await using target = await SqlTarget.open(as('guest'));
    const loading = new TableUnderTest(target).generation(SCHEMA, []);
    await expect(loading).rejects.toThrow(DatabasePermissionError);
  });

  it('takes several tables at the same time, over connections of their own', async () => {
    const targets = await Promise.all([1, 2, 3, 4].map(() => SqlTarget.open(connection)));

    const results = await Promise.all(
      targets.map((target) => new TableUnderTest(target).generation(SCHEMA, [upsert(1, 1n, 1)])),
    );

    expect(results.map(({ rows }) => rows)).toEqual([1, 1, 1, 1]);
    for (const target of targets) await target.close();
  });
});
