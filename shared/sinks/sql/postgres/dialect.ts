import { type CreateOptions, type Dialect, LOCK_WAIT_SECONDS } from '../dialect.ts';
import { DatabaseBusyError } from '../errors.ts';
import { ACTION_COLUMN, fittingName, type NameLimits, OWN_NAMESPACE, PARTITION_COLUMN, TS_COLUMN } from '../names.ts';
import type { SqlColumn, Storage, TablePlan } from '../storage.ts';
import { copyCellWriter, NULL_CELL } from './cells.ts';
import { applyChanges, settleKey } from './changes.ts';
import { SWAP_WAIT_SECONDS } from './pg-session.ts';
import { swap } from './swap.ts';
import { postgresStorage, postgresType } from './types.ts';
import { dependentViews } from './views.ts';

const LIMITS: NameLimits = { maxLength: 63, unit: 'bytes', foldsCase: false };

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string) =>
  text.includes('\\') ? `E'${text.replace(/['\\]/g, '$&$&')}'` : `'${text.replaceAll("'", "''")}'`;
const qualified = (name: string): string => {
  const [namespace = '', type = ''] = name.split('\0');
  return `${quote(namespace)}.${quote(type)}`;
};
/** A type has the name of its schema and its own; neither holds a NUL character. */
export const typeName = (namespace: string, name: string): string => `${namespace}\0${name}`;
const typeSql = (storage: Storage) => postgresType(storage, qualified);

export const postgres: Dialect = {
  name: 'postgresql',
  limits: LIMITS,
  quote,
  literal,
  table: ({ namespace, name }) => `${quote(fittingName(namespace, LIMITS))}.${quote(fittingName(name, LIMITS))}`,
  ownTable: (name) => `${quote(OWN_NAMESPACE)}.${quote(fittingName(name, LIMITS))}`,
  parameter: (index) => `$${index}`,
  storageOf: postgresStorage,
  typeSql,
  cellWriter: copyCellWriter,
  row(cells) {
    let line = cells[0] ?? NULL_CELL;
    for (let index = 1; index < cells.length; index++) line += `\t${cells[index] ?? NULL_CELL}`;
    return `${line}\n`;
  },

  createNamespace: (namespace) => [`CREATE SCHEMA IF NOT EXISTS ${quote(fittingName(namespace, LIMITS))}`],
  createTable,
  addColumn: (table, column) => [
    `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${columnSql(column)}`,
    ...(column.comment === undefined ? [] : [commentSql(table, column)]),
  ],
  alterColumn(table, from, to) {
    const name = quote(from.name);
    const type = typeSql(to.storage);
    return [
      ...(typeSql(from.storage) === type
        ? []
        : [
            `ALTER TABLE ${table} ALTER COLUMN ${name} TYPE ${type} USING ${conversion(name, from.storage, to.storage)}`,
          ]),
      ...(!from.nullable && to.nullable ? [`ALTER TABLE ${table} ALTER COLUMN ${name} DROP NOT NULL`] : []),
    ];
  },
  commentColumn: (table, column) => [commentSql(table, column)],

  isAlready: async () => false,

  async exists(session, table) {
    const [row] = await session.query('SELECT (to_regclass($1) IS NOT NULL)::text AS found', [table]);
    return row?.found === 'true';
  },
  async hasRows(session, table) {
    return (await session.query(`SELECT 1 AS one FROM ${table} LIMIT 1`)).length > 0;
  },
  async withoutDependents(session, table, change) {
    const views = await dependentViews(session, table);
    for (const view of views) await session.execute(view.drop());
    const result = await change();
    for (const view of views.toReversed()) await session.execute(view.create());
    return result;
  },
  async lock(session, name) {
    await session.query(`SET lock_timeout TO '${LOCK_WAIT_SECONDS}s'`);
    try {
      await session.query('SELECT pg_advisory_lock(hashtextextended($1, 4711))', [name]);
      return true;
    } catch (error) {
      if (error instanceof DatabaseBusyError) return false;
      throw error;
    } finally {
      await session.query(`SET lock_timeout TO '${SWAP_WAIT_SECONDS}s'`);
    }
  },
  async unlock(session, name) {
    await session.query('SELECT pg_advisory_unlock(hashtextextended($1, 4711))', [name]);
  },

  loadStaged: (session, { staging, columns }, rows) => session.load(staging, columns, rows),
  settleKey,
  applyChanges,
  swap,
};

function columnSql({ name, storage, nullable, fallback }: SqlColumn): string {
  const defaultSql = fallback === undefined ? '' : ` DEFAULT ${fallback}`;
  return `${quote(name)} ${typeSql(storage)}${nullable ? '' : ' NOT NULL'}${defaultSql}`;
}

const commentSql = (table: string, { name, comment }: SqlColumn) =>
  `COMMENT ON COLUMN ${table}.${quote(name)} IS ${comment === undefined ? 'NULL' : literal(comment)}`;

function createTable(
  table: string,
  plan: TablePlan,
  columns: readonly SqlColumn[],
  { isChanges }: CreateOptions,
): readonly string[] {
  const own = [
    ...(isChanges || plan.hasTs ? [`${quote(TS_COLUMN)} timestamptz`] : []),
    ...(plan.hasPartition ? [`${quote(PARTITION_COLUMN)} text`] : []),
    ...(isChanges ? [`${quote(ACTION_COLUMN)} char(1)`] : []),
  ];
  const body = columns.map((column) =>
    isChanges ? `${quote(column.name)} ${typeSql(column.storage)}` : columnSql(column),
  );
  const comments = isChanges ? [] : columns.filter(({ comment }) => comment !== undefined);
  return [
    `CREATE TABLE ${table} (${[...body, ...own].join(', ')})`,
    ...(plan.comment === undefined || isChanges ? [] : [`COMMENT ON TABLE ${table} IS ${literal(plan.comment)}`]),
    ...comments.map((column) => commentSql(table, column)),
  ];
}

function conversion(name: string, from: Storage, to: Storage): string {
  if (to.kind === 'json') return `to_jsonb(${name})`;
  if (to.kind === 'text' && from.kind === 'bytes') return `replace(encode(${name}, 'base64'), E'\\n', '')`;
  if (to.kind === 'text' && from.kind === 'timestamp') {
    // As values of a timestamp that come from now on are written.
    const text = `to_char(${name}, 'YYYY-MM-DD"T"HH24:MI:SS.US${from.zoned ? '"Z"' : ''}')`;
    return from.zoned ? `regexp_replace(${text}, '\\.?0+Z$', 'Z')` : `regexp_replace(${text}, '\\.?0+$', '')`;
  }
  return `${name}::${typeSql(to)}`;
}
