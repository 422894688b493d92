import { afterAll, beforeAll, expect, it } from 'vitest';
import { INT, LONG, STRING } from '../../../../shared/records/column-type.ts';
import { SqlTarget } from '../../../../shared/sinks/sql/target.ts';
import { schemaOf, TableUnderTest, upsert } from '../../../support/sql-table.ts';

const SCHEMA = schemaOf({ id: LONG, n: INT });
const WIDER = schemaOf({ id: LONG, n: STRING });

let target: SqlTarget;
beforeAll(async () => {
  target = await SqlTarget.open('pglite:memory');
  await target.database.session.query('CREATE ROLE reader; CREATE SCHEMA tests');
}, 60_000);
afterAll(() => target?.close());

const ask = (sql: string) => target.database.session.query(sql);

/** A table with views upon each other, and grants on all of them. */
async function seenByReaders() {
  const at = new TableUnderTest(target);
  await at.generation(SCHEMA, [upsert(1, 1n, 5), upsert(1, 2n, 6)]);
  await ask(`CREATE VIEW tests.${at.name}_view AS SELECT id, n FROM ${at.quoted};
    COMMENT ON VIEW tests.${at.name}_view IS 'it''s a view';
    CREATE VIEW tests.${at.name}_upper AS SELECT id, n FROM tests.${at.name}_view WHERE id > 1;
    CREATE MATERIALIZED VIEW tests.${at.name}_kept AS SELECT id, n FROM ${at.quoted};
    CREATE UNIQUE INDEX ON tests.${at.name}_kept (id);
    GRANT SELECT ON ${at.quoted}, tests.${at.name}_view, tests.${at.name}_upper TO reader`);
  return at;
}

async function mayRead(name: string): Promise<boolean> {
  const [row] = await ask(`SELECT has_table_privilege('reader', '${name}', 'SELECT')::text AS may`);
  return row!.may === 'true';
}

it('keeps views, and the right to read them, when the type of a column changes', async () => {
  const at = await seenByReaders();

  await at.changes(WIDER, [upsert(2, 3n, 'text')]);

  expect(await ask(`SELECT id::text AS id, n FROM tests.${at.name}_view ORDER BY id`)).toEqual([
    { id: '1', n: '5' },
    { id: '2', n: '6' },
    { id: '3', n: 'text' },
  ]);
  expect(await ask(`SELECT n FROM tests.${at.name}_upper ORDER BY id`)).toEqual([{ n: '6' }, { n: 'text' }]);
  const [{ comment } = { comment: null }] = await ask(
    `SELECT obj_description('tests.${at.name}_view'::regclass, 'pg_class') AS comment`,
  );
  expect(comment).toBe("it's a view");
  for (const name of [at.quoted, `tests.${at.name}_view`, `tests.${at.name}_upper`])
    expect(await mayRead(name)).toBe(true);
  const indexes = await ask(`SELECT indexname FROM pg_indexes WHERE tablename = '${at.name}_kept'`);
  expect(indexes).toHaveLength(1);
});

it('keeps them when a new generation takes the place of the table', async () => {
  const at = await seenByReaders();

  await at.generation(SCHEMA, [upsert(2, 7n, 70)]);

  expect(await ask(`SELECT id::text AS id, n::text AS n FROM tests.${at.name}_upper`)).toEqual([{ id: '7', n: '70' }]);
  expect(await mayRead(at.quoted)).toBe(true);
});

it('grants on a new table what the schema grants on its tables', async () => {
  await ask('ALTER DEFAULT PRIVILEGES IN SCHEMA tests GRANT SELECT ON TABLES TO reader');
  const at = new TableUnderTest(target);

  await at.generation(SCHEMA, [upsert(1, 1n, 5)]);

  expect(await mayRead(at.quoted)).toBe(true);
});

it('comments on the table and its columns', async () => {
  const at = new TableUnderTest(target);
  const columns = SCHEMA.columns.map((one) => (one.name === 'n' ? { ...one, description: "a 'number'" } : one));

  await at.generation({ ...SCHEMA, columns, description: 'Numbers.' }, []);

  const sql = (column: number) => `col_description('${at.quoted}'::regclass, ${column})`;
  const [row] = await ask(`SELECT obj_description('${at.quoted}'::regclass, 'pg_class') AS table, ${sql(2)} AS n`);
  expect(row).toEqual({ table: 'Numbers.', n: "a 'number'" });
});
