import { changeText, schemaChanges } from '../../records/diff.ts';
import type { Schema } from '../../records/schema.ts';
import { SchemaMismatchError } from './errors.ts';
import type { SqlDatabase } from './open.ts';
import type { SqlColumn, TablePlan } from './storage.ts';

/**
 * Brings a table from one plan to another that takes more: columns are added, types widened, null allowed, comments changed.
 * Nothing is dropped. In PostgreSQL within a transaction of the caller.
 *
 * @param table quoted
 */
export async function alignTable(
  { session, dialect }: SqlDatabase,
  table: string,
  from: TablePlan,
  to: TablePlan,
): Promise<void> {
  const before = new Map(from.columns.map((column) => [column.name, column]));
  const statements: string[] = [];
  const changes: string[] = [];
  for (const column of to.columns) {
    const was = before.get(column.name);
    if (!was) {
      statements.push(...dialect.addColumn(table, addable(column)));
      continue;
    }
    const target = was.nullable ? { ...column, nullable: true } : column;
    if (was.storage.kind !== column.storage.kind && [was, column].some(({ storage }) => storage.kind === 'lookup'))
      throw new SchemaMismatchError(
        `column ${column.name}: a list of values cannot become open; drop and load the table`,
      );
    const isOther = dialect.typeSql(was.storage) !== dialect.typeSql(column.storage);
    const isDone = isOther && (await dialect.isAlready(session, table, column));
    if ((isOther && !isDone) || (!was.nullable && column.nullable))
      changes.push(...dialect.alterColumn(table, was, target));
    else if (was.comment !== column.comment) statements.push(...dialect.commentColumn(table, target));
  }
  const wanted = new Set(to.columns.map(({ name }) => name));
  for (const gone of from.columns) {
    if (!wanted.has(gone.name) && !gone.nullable)
      changes.push(...dialect.alterColumn(table, gone, { ...gone, nullable: true }));
  }
  const isOfType = changes.some((sql) => !sql.endsWith('DROP NOT NULL'));
  const alter = async () => {
    for (const sql of changes) await session.execute(sql);
  };
  // What stands on a column whose type changes would forbid it.
  await (isOfType ? dialect.withoutDependents(session, table, alter) : alter());
  for (const sql of statements) await session.execute(sql);
}

/** Rows that are there already have no value for it. */
const addable = (column: SqlColumn): SqlColumn =>
  column.nullable || column.fallback !== undefined ? column : { ...column, nullable: true };

/** How a schema changed, for the journal. Columns that are gone stay in the table. */
export const driftOf = (from: Schema, to: Schema): string[] =>
  schemaChanges(from, to)
    .filter(({ kind }) => kind !== 'description')
    .map(changeText);
