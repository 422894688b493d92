import type { ColumnType, Value } from '../../records/column-type.ts';
import type { NameLimits, TableName } from './names.ts';
import type { SqlSession } from './session.ts';
import type { SqlColumn, Storage, TablePlan } from './storage.ts';

/** A server takes a moment to notice that the process which held a table was killed. */
export const LOCK_WAIT_SECONDS = 5;

/** A value that its column cannot hold, and why. The reason does not quote it. */
export class Unfit {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Writes a value, never null, as a cell of a bulk load. */
export type CellWriter = (value: Value) => string | Unfit;

/** What changes a staged table holds, for the statements that carry them out. */
export interface Staged {
  /** Quoted, as all of these. */
  readonly staging: string;
  readonly target: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly hasTs: boolean;
}

/** How a kind of database spells what loading needs. Statements take and give quoted names. */
export interface Dialect {
  readonly name: 'postgresql' | 'mysql';
  readonly limits: NameLimits;
  quote(name: string): string;
  /** A table of data. */
  table(name: TableName): string;
  /** A table of ours, or staged data. */
  ownTable(name: string): string;
  literal(text: string): string;
  /** The n-th parameter, from 1. */
  parameter(index: number): string;

  /** How our mapping keeps values of a type. @param keyColumns how many columns the key has, if this is one of them */
  storageOf(type: ColumnType, keyColumns: number): Storage;
  typeSql(storage: Storage): string;
  /** @param from the type of the values, which the column's type may be wider than */
  cellWriter(column: SqlColumn, from: ColumnType): CellWriter;
  /** @param cells null for NULL */
  row(cells: readonly (string | null)[]): string;

  createNamespace(namespace: string): readonly string[];
  createTable(table: string, plan: TablePlan, columns: readonly SqlColumn[], options: CreateOptions): readonly string[];
  addColumn(table: string, column: SqlColumn): readonly string[];
  /** Changes type and whether null is allowed; values are converted. */
  alterColumn(table: string, from: SqlColumn, to: SqlColumn): readonly string[];
  commentColumn(table: string, column: SqlColumn): readonly string[];
  /**
   * Whether a column was converted already, by a process that could not note it: where a change of a table is no part of a
   * transaction, that must be looked for.
   */
  isAlready(session: SqlSession, table: string, column: SqlColumn): Promise<boolean>;

  exists(session: SqlSession, table: string): Promise<boolean>;
  /** Whether a table has a row. */
  hasRows(session: SqlSession, table: string): Promise<boolean>;
  /** Runs `change`, with what hangs on the table and would forbid it taken away and put back. */
  withoutDependents<T>(session: SqlSession, table: string, change: () => Promise<T>): Promise<T>;
  /** One table for one process; it is waited for a little. @returns whether it is ours now, until the session ends or lets go */
  lock(session: SqlSession, name: string): Promise<boolean>;
  unlock(session: SqlSession, name: string): Promise<void>;

  /** Puts rows into a staged table; with a key, MySQL keeps the newest of each already. */
  loadStaged(session: SqlSession, staged: Staged, rows: readonly string[]): Promise<void>;
  /** Gives a staged table its key; of rows with the same key the newest stays. @returns how many went */
  settleKey(session: SqlSession, staged: Staged, constraint: string): Promise<number>;
  /** Upserts and deletes what is staged, unless the target has newer rows. Within a transaction. */
  applyChanges(session: SqlSession, staged: Staged, tombstones: Tombstones | undefined): Promise<void>;
  /** Makes a staged table the target, in one step for readers. */
  swap(session: SqlSession, swap: Swap): Promise<void>;
}

export interface CreateOptions {
  /** Staged changes: no column must be there, the key is no constraint. */
  readonly isChanges: boolean;
  /** Names the key's constraint if the table is created with it. */
  readonly keyName?: string;
}

/** Where deletions are remembered, so that an older version which comes late revives nothing. */
export interface Tombstones {
  readonly table: string;
  readonly tableId: string;
}

export interface Swap {
  readonly staged: Staged;
  readonly target: TableName;
  /** What the constraint of the key must be called in the end. */
  readonly keyName: string;
  readonly stagedKeyName: string;
  /** Whether there is a target already. */
  readonly exists: boolean;
  /** Runs in the transaction of the swap, where there is one; else behind it. */
  record(): Promise<void>;
}
