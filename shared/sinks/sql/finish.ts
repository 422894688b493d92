import type { Staged } from './dialect.ts';
import type { LoadEnd } from './load.ts';
import { ACTION_COLUMN, PARTITION_COLUMN, TS_COLUMN } from './names.ts';
import type { SqlDatabase } from './open.ts';
import type { LoadKind, OwnTables, TableState } from './own-tables.ts';
import type { TablePlace } from './place.ts';
import { addForeignKeys, type ReferenceTables } from './reference-tables.ts';
import type { TablePlan } from './storage.ts';

/** A load of which all rows are staged. */
export interface StagedLoad {
  readonly db: SqlDatabase;
  readonly own: OwnTables;
  readonly reference: ReferenceTables;
  readonly place: TablePlace;
  readonly state: TableState;
  readonly loadId: string;
  readonly kind: LoadKind;
  readonly plan: TablePlan;
  readonly partition: string | undefined;
}

/** Makes staged rows count, in one step for readers, and notes it in the same step. May be repeated. */
export async function finishLoad(load: StagedLoad, end: LoadEnd): Promise<void> {
  const { db, own, reference, place, state, loadId, kind, plan, partition } = load;
  const { session, dialect } = db;
  const record = async () => {
    await own.complete(state.id, end.place, loadId, kind === 'generation');
    if (end.sync) await reference.put(place.table, end.sync);
  };
  const staged = place.staged(plan, kind);
  if (kind === 'generation') return replaceTable(load, staged, end, record);
  await session.transaction(async () => {
    if (kind === 'partition') await replacePartition(load, staged, partition!);
    else {
      await dialect.settleKey(session, staged, place.stagedKeyName);
      await applyChanges(load, staged);
    }
    await record();
  });
  await session.execute(`DROP TABLE IF EXISTS ${staged.staging}`);
}

async function replaceTable(
  { db, own, place, state, plan }: StagedLoad,
  staged: Staged,
  end: LoadEnd,
  record: () => Promise<void>,
): Promise<void> {
  const { session, dialect } = db;
  const { keyName, stagedKeyName, table, live } = place;
  await session.transaction(async () => {
    await dialect.settleKey(session, staged, stagedKeyName);
    if (state.mapping === 'reference') await addForeignKeys(db, staged.staging, plan, table);
  });
  // Where renaming a table cannot be one with noting it, what is to be noted is kept first.
  if (dialect.name === 'mysql') await own.setFinishing(state.id, end.place);
  const exists = await dialect.exists(session, live);
  await dialect.swap(session, { staged, target: table, keyName, stagedKeyName, exists, record });
}

async function applyChanges({ db, own, state, plan }: StagedLoad, staged: Staged): Promise<void> {
  const { session, dialect } = db;
  const action = dialect.quote(ACTION_COLUMN);
  const hidden = plan.hasTs ? [action] : [action, dialect.quote(TS_COLUMN)];
  const columns = staged.columns.filter((name) => !hidden.includes(name));
  if (plan.key.length > 0) {
    const tombstones = { table: own.tombstones, tableId: state.id };
    return dialect.applyChanges(session, { ...staged, columns, hasTs: plan.hasTs }, tombstones);
  }
  const list = columns.join(', ');
  await session.execute(
    `INSERT INTO ${staged.target} (${list}) SELECT ${list} FROM ${staged.staging} WHERE ${action} <> 'D'`,
  );
}

async function replacePartition({ db }: StagedLoad, staged: Staged, partition: string): Promise<void> {
  const list = staged.columns.join(', ');
  await deletePartition(db, staged.target, partition);
  await db.session.execute(`INSERT INTO ${staged.target} (${list}) SELECT ${list} FROM ${staged.staging}`);
}

/** @param table quoted */
export async function deletePartition(
  { session, dialect }: SqlDatabase,
  table: string,
  partition: string,
): Promise<void> {
  const column = dialect.quote(PARTITION_COLUMN);
  await session.execute(`DELETE FROM ${table} WHERE ${column} = ${dialect.parameter(1)}`, [partition]);
}
