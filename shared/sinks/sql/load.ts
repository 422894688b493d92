import type { RecordBatch, Row, Schema } from '../../records/schema.ts';
import { columnIndex } from '../../records/schema.ts';
import { isWidening } from '../../records/widen.ts';
import { RowBuffer, refusedByDatabase } from './buffer.ts';
import type { Staged } from './dialect.ts';
import { TooManyQuarantinedError, ValueRefusedError } from './errors.ts';
import { dataColumns } from './mapping/landfall.ts';
import type { TableName } from './names.ts';
import type { SqlDatabase } from './open.ts';
import type { LoadKind, LoadOffset, OwnTables, QuarantinedRow, TableState } from './own-tables.ts';
import type { Lookups, SyncRow } from './reference-tables.ts';
import { RowWriter } from './rows.ts';
import type { TablePlan } from './storage.ts';

export interface LoadLimits {
  /** So much text is committed at once. */
  readonly batchChars: number;
  readonly batchRows: number;
  /** More rows that do not fit fail a load. */
  readonly quarantineMax: number;
}

export const DEFAULT_LIMITS: LoadLimits = { batchChars: 1024 * 1024, batchRows: 10_000, quarantineMax: 10_000 };

/** What a load works with; its table owns all of it. */
export interface LoadDeps {
  readonly db: SqlDatabase;
  readonly own: OwnTables;
  readonly table: TableName;
  readonly state: TableState;
  readonly loadId: string;
  readonly kind: LoadKind;
  readonly partition?: string;
  readonly limits: LoadLimits;
  readonly lookups: Lookups;
  readonly staged: (plan: TablePlan) => Staged;
  /** Widens what is staged so that it takes records of another schema too. */
  readonly widen: (schema: Schema) => Promise<TablePlan>;
  readonly finish: (load: TableLoad, end: LoadEnd) => Promise<void>;
  readonly abandon: () => Promise<void>;
}

/** What is noted in the same step in which a load begins to count. */
export interface LoadEnd {
  /** Given back by `SqlTable.state`: what was loaded, in the words of the one who loads. */
  readonly place: string;
  /** For a table of the reference mapping: its row in the vendor's bookkeeping. */
  readonly sync?: SyncRow;
}

export interface LoadResult {
  /** Rows that were staged by this object: of a load that was resumed, those since then. */
  readonly rows: number;
  /** Rows of the whole load that did not fit, see `landfall.quarantine`. */
  readonly quarantined: number;
  /** Rows that were loaded although the source had cut a value. */
  readonly truncated: number;
}

/**
 * A load in progress: rows go to a staged table in batches, each committed together with the place behind it, and `finish` makes
 * them count in one step. A process that is cut off anywhere goes on at `offset` with a new object.
 *
 * Parts are numbered from 0 and written in order; what `offset` says is done is passed over, so that a part may be read from its
 * beginning again.
 */
export class TableLoad {
  readonly #deps: LoadDeps;
  #plan: TablePlan;
  #offset: LoadOffset;
  #buffer: RowBuffer;
  #flushing: Promise<void> = Promise.resolve();
  #writer: { readonly schema: Schema; readonly writer: RowWriter } | undefined;
  #rows = 0;
  #quarantined: number;

  constructor(deps: LoadDeps, plan: TablePlan, offset: LoadOffset, quarantined: number) {
    this.#deps = deps;
    this.#plan = plan;
    this.#offset = offset;
    this.#buffer = new RowBuffer(offset);
    this.#quarantined = quarantined;
  }

  /** Where a reader may begin: what is before is committed. */
  get offset(): LoadOffset {
    return this.#offset;
  }

  get plan(): TablePlan {
    return this.#plan;
  }

  /** @throws {TooManyQuarantinedError} and what databases throw; the load may then be resumed by a new one */
  async write(part: number, batch: RecordBatch): Promise<void> {
    const { rows, firstRow, schema } = batch;
    const { part: donePart, rows: doneRows } = this.#offset;
    if (part < donePart || (part === donePart && firstRow + rows.length <= doneRows)) return;
    const writer = await this.#writerOf(schema, rows);
    const { batchChars, batchRows } = this.#deps.limits;
    for (let index = part === donePart ? Math.max(0, doneRows - firstRow) : 0; index < rows.length; index++) {
      const row = rows[index]!;
      const at = firstRow + index;
      const line = writer.write(row);
      if (typeof line === 'string') {
        this.#buffer.add(line, at);
        if (writer.truncated !== undefined) this.#noteTruncated(part, at, writer.truncated);
      } else this.#setAside({ part, rows: at, stage: 'load', ...line, raw: writer.raw(row) });
      this.#buffer.offset = { part, rows: at + 1 };
      if (this.#buffer.chars >= batchChars || this.#buffer.lines.length >= batchRows) await this.#startFlush();
    }
  }

  /** A record that the parser could not take. */
  quarantine(part: number, bad: { record: number; reason: string; column?: string; raw: string }): void {
    if (part < this.#offset.part) return;
    const { record, reason, column, raw } = bad;
    this.#setAside({ part, rows: record, stage: 'parse', reason, raw, ...(column !== undefined && { column }) });
  }

  /** All of a part has been written. */
  async endPart(part: number): Promise<void> {
    if (part < this.#offset.part) return;
    this.#buffer.offset = { part: part + 1, rows: 0 };
    if (this.#buffer.isEmpty) return;
    await this.#startFlush();
  }

  /** Commits what was written so far, so that another process may go on from here. */
  async pause(): Promise<LoadOffset> {
    const { part, rows } = this.#buffer.offset;
    if (!this.#buffer.isEmpty || part !== this.#offset.part || rows !== this.#offset.rows) await this.#startFlush();
    await this.#flushing;
    return this.#offset;
  }

  /** Makes the rows count: readers see all of them, or, until then, none. */
  async finish(end: LoadEnd): Promise<LoadResult> {
    await this.pause();
    const { own, table, loadId } = this.#deps;
    await this.#deps.finish(this, end);
    const { rows, truncated } = await own.quarantined(table, loadId);
    return { rows: this.#rows, quarantined: rows, truncated };
  }

  /** Undoes the load; the table is as it was. */
  async abandon(): Promise<void> {
    await this.#flushing.catch(() => {});
    await this.#deps.abandon();
  }

  /** A writer for records of this schema; the staged table takes them from now on. */
  async #writerOf(schema: Schema, rows: readonly Row[]): Promise<RowWriter> {
    if (this.#writer?.schema !== schema && !this.#takes(schema)) {
      await this.pause();
      this.#plan = await this.#deps.widen(schema);
      this.#writer = undefined;
    }
    await this.#addLookups(schema, rows);
    if (this.#writer?.schema !== schema) {
      const { db, kind, partition, lookups } = this.#deps;
      const options = {
        isChanges: kind === 'changes',
        lookups: lookups.known,
        ...(partition !== undefined && { partition }),
      };
      this.#writer = { schema, writer: new RowWriter(schema, this.#plan, db.dialect, options) };
    }
    return this.#writer.writer;
  }

  #takes(schema: Schema): boolean {
    const bySource = new Map(this.#plan.columns.map((column) => [column.source, column]));
    return dataColumns(schema).every(({ name, type }) => {
      const known = bySource.get(name);
      return known !== undefined && isWidening(type, known.type);
    });
  }

  async #addLookups(schema: Schema, rows: readonly Row[]): Promise<void> {
    const index = columnIndex(schema);
    for (const { source, storage } of this.#plan.columns) {
      const at = index.get(source);
      if (storage.kind !== 'lookup' || at === undefined) continue;
      const known = this.#deps.lookups.known.get(storage.table);
      const values = new Set<string>();
      for (const row of rows) {
        const value = row[at];
        if (typeof value === 'string' && !known?.has(value)) values.add(value);
      }
      if (values.size === 0) continue;
      // There is one connection, and what is under way on it must not take this into its transaction.
      await this.#flushing;
      await this.#deps.lookups.add(storage.table, values);
    }
  }

  #noteTruncated(part: number, rows: number, column: string): void {
    const reason = 'the source had cut a value that was too large';
    this.#buffer.quarantined.push({ part, rows, stage: 'truncated', column, reason, raw: '' });
  }

  #setAside(row: QuarantinedRow): void {
    this.#quarantined += 1;
    const { quarantineMax } = this.#deps.limits;
    if (this.#quarantined > quarantineMax) {
      const { namespace, name } = this.#deps.table;
      const column = row.column === undefined ? '' : `column ${JSON.stringify(row.column)}: `;
      throw new TooManyQuarantinedError(
        `${namespace}.${name}: more than ${quarantineMax} rows do not fit; the last one: ${column}${row.reason}`,
      );
    }
    this.#buffer.quarantined.push(row);
  }

  /** One batch is committed while the next one is filled: never more than two are in memory. */
  async #startFlush(): Promise<void> {
    const full = this.#buffer;
    this.#buffer = new RowBuffer(full.offset);
    await this.#flushing;
    this.#flushing = this.#flush(full);
    // It is awaited before the next one begins, and in the end.
    this.#flushing.catch(() => {});
  }

  async #flush(buffer: RowBuffer): Promise<void> {
    const { own, table, state, loadId, db } = this.#deps;
    const commit = (load: () => Promise<readonly QuarantinedRow[]>) =>
      db.session.transaction(async () => {
        const refused = await load();
        await own.quarantine(table, loadId, [...buffer.quarantined, ...refused]);
        await own.moveLoad(state.id, buffer.offset);
        return refused.length;
      });
    try {
      await commit(async () => {
        await this.#load(buffer.lines);
        return [];
      });
      this.#rows += buffer.lines.length;
    } catch (error) {
      if (!(error instanceof ValueRefusedError)) throw error;
      // A buffer is of one part: its end is committed before the next begins.
      const part = buffer.offset.rows > 0 ? buffer.offset.part : buffer.offset.part - 1;
      const refused = await commit(() => this.#loadAllBut(part, buffer.lines, buffer.numbers));
      this.#quarantined += refused;
      this.#rows += buffer.lines.length - refused;
    }
    this.#offset = buffer.offset;
  }

  async #load(lines: readonly string[]): Promise<void> {
    const { db, staged } = this.#deps;
    if (lines.length > 0) await db.dialect.loadStaged(db.session, staged(this.#plan), lines);
  }

  /** Loads all rows but those that the database refuses, which it finds by halves. */
  async #loadAllBut(part: number, lines: readonly string[], numbers: readonly number[]): Promise<QuarantinedRow[]> {
    const { session } = this.#deps.db;
    await session.query('SAVEPOINT load_rows');
    try {
      await this.#load(lines);
      await session.query('RELEASE SAVEPOINT load_rows');
      return [];
    } catch (error) {
      if (!(error instanceof ValueRefusedError)) throw error;
      await session.query('ROLLBACK TO SAVEPOINT load_rows');
      await session.query('RELEASE SAVEPOINT load_rows');
      if (lines.length === 1) return [refusedByDatabase(part, numbers[0]!, lines[0]!, error.sqlState)];
    }
    const half = lines.length >> 1;
    const first = await this.#loadAllBut(part, lines.slice(0, half), numbers.slice(0, half));
    return [...first, ...(await this.#loadAllBut(part, lines.slice(half), numbers.slice(half)))];
  }
}
