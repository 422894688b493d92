import { type Schema, schemaFromJson, schemaToJson } from '../../records/schema.ts';
import type { Dialect } from './dialect.ts';
import type { TableName } from './names.ts';
import { ownDefinitions } from './own-definitions.ts';
import { unlessRaced } from './raced.ts';
import type { SqlRow, SqlSession } from './session.ts';

export type MappingName = 'landfall' | 'reference';

/** What we know of a table that we keep. */
export interface TableState {
  readonly id: string;
  readonly mapping: MappingName;
  /** The columns of the records that it has taken so far. */
  readonly schema: Schema;
  /** Fields of the records that identify a row. */
  readonly key: readonly string[];
  readonly hasTs: boolean;
  readonly hasPartition: boolean;
  /** The load that its rows began with; null until one is complete. */
  readonly generation: string | null;
  /** What the one who loads noted with the last complete load. */
  readonly place: string | null;
}

export type LoadKind = 'generation' | 'changes' | 'partition';

/** How far a load is: all parts before `part`, and so many rows of it, are committed. */
export interface LoadOffset {
  readonly part: number;
  readonly rows: number;
}

export interface LoadState extends LoadOffset {
  readonly loadId: string;
  readonly kind: LoadKind;
  readonly schema: Schema;
  /** Noted before the last step, where that cannot be one with it. */
  readonly finishing: string | null;
}

/** A row that was set aside, or a value that the source had cut. */
export interface QuarantinedRow extends LoadOffset {
  /** `parse`: `rows` counts records of the part. `load`: it counts rows. `truncated`: the row was loaded. */
  readonly stage: 'parse' | 'load' | 'truncated';
  readonly column?: string;
  readonly reason: string;
  readonly raw: string;
}

/** Our own tables in the database: what was loaded, how far loads are, what was set aside, how schemas changed. */
export class OwnTables {
  readonly #session: SqlSession;
  readonly #dialect: Dialect;
  readonly tombstones: string;

  constructor(session: SqlSession, dialect: Dialect) {
    this.#session = session;
    this.#dialect = dialect;
    this.tombstones = this.#name('tombstones');
  }

  /** Makes what is missing. */
  async prepare(): Promise<void> {
    if (await this.exist()) return;
    for (const sql of ownDefinitions(this.#dialect)) await unlessRaced(() => this.#session.execute(sql));
  }

  async exist(): Promise<boolean> {
    return this.#dialect.exists(this.#session, this.#name('drift'));
  }

  async state({ namespace, name }: TableName): Promise<TableState | undefined> {
    const [row] = await this.#ask(
      `SELECT id, mapping, key_columns, has_ts, has_partition, generation, place, table_schema AS fields
       FROM ${this.#name('tables')} WHERE namespace = ? AND table_name = ?`,
      [namespace, name],
    );
    return row && stateOf(row);
  }

  /** Names of the tables of a namespace, and the place of each. */
  async tables(namespace: string): Promise<{ readonly name: string; readonly place: string | null }[]> {
    const rows = await this.#ask(
      `SELECT table_name AS name, place FROM ${this.#name('tables')}
       WHERE namespace = ? AND generation IS NOT NULL ORDER BY table_name`,
      [namespace],
    );
    return rows.map(({ name, place }) => ({ name: name!, place: place ?? null }));
  }

  async register(
    { namespace, name }: TableName,
    state: Omit<TableState, 'id' | 'place' | 'generation'>,
  ): Promise<void> {
    const { mapping, key, hasTs, hasPartition, schema } = state;
    await this.#run(
      `INSERT INTO ${this.#name('tables')}
       (namespace, table_name, mapping, key_columns, has_ts, has_partition, table_schema) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [namespace, name, mapping, JSON.stringify(key), Number(hasTs), Number(hasPartition), schemaText(schema)],
    );
  }

  async setSchema(tableId: string, schema: Schema): Promise<void> {
    await this.#run(`UPDATE ${this.#name('tables')} SET table_schema = ? WHERE id = ?`, [schemaText(schema), tableId]);
  }

  /** @param generation undefined: as it was, if there was one */
  async complete(tableId: string, place: string, loadId: string, isGeneration: boolean): Promise<void> {
    const generation = isGeneration ? '?' : 'COALESCE(generation, ?)';
    await this.#run(`UPDATE ${this.#name('tables')} SET generation = ${generation}, place = ? WHERE id = ?`, [
      loadId,
      place,
      tableId,
    ]);
    if (isGeneration) await this.#run(`DELETE FROM ${this.tombstones} WHERE table_id = ?`, [tableId]);
    else await this.#forgetOldDeletions(tableId);
    await this.endLoad(tableId);
  }

  /** No version comes so late that it could revive a row which was deleted a month before the newest deletion. */
  async #forgetOldDeletions(tableId: string): Promise<void> {
    const isMysql = this.#dialect.name === 'mysql';
    const month = isMysql ? 'INTERVAL 30 DAY' : "interval '30 days'";
    const limit = isMysql ? `max(ts) - ${month}` : `(max(ts) - ${month})::text`;
    const [row] = await this.#ask(`SELECT ${limit} AS old FROM ${this.tombstones} WHERE table_id = ?`, [tableId]);
    if (!row?.old) return;
    const cast = isMysql ? '' : '::timestamptz';
    await this.#run(`DELETE FROM ${this.tombstones} WHERE table_id = ? AND ts < ?${cast}`, [tableId, row.old]);
  }

  async setPlace(tableId: string, place: string): Promise<void> {
    await this.#run(`UPDATE ${this.#name('tables')} SET place = ? WHERE id = ?`, [place, tableId]);
  }

  async load(tableId: string): Promise<LoadState | undefined> {
    const [row] = await this.#ask(
      `SELECT load_id, kind, part, row_count, table_schema AS fields, finishing FROM ${this.#name('loads')} WHERE table_id = ?`,
      [tableId],
    );
    return (
      row && {
        loadId: row.load_id!,
        kind: row.kind as LoadKind,
        part: Number(row.part),
        rows: Number(row.row_count),
        schema: schemaFromJson(JSON.parse(row.fields!)),
        finishing: row.finishing ?? null,
      }
    );
  }

  async beginLoad(tableId: string, loadId: string, kind: LoadKind, schema: Schema): Promise<void> {
    await this.endLoad(tableId);
    await this.#run(
      `INSERT INTO ${this.#name('loads')} (table_id, load_id, kind, part, row_count, table_schema) VALUES (?, ?, ?, 0, 0, ?)`,
      [tableId, loadId, kind, schemaText(schema)],
    );
  }

  async moveLoad(tableId: string, { part, rows }: LoadOffset): Promise<void> {
    await this.#run(`UPDATE ${this.#name('loads')} SET part = ?, row_count = ? WHERE table_id = ?`, [
      part,
      rows,
      tableId,
    ]);
  }

  async setLoadSchema(tableId: string, schema: Schema): Promise<void> {
    await this.#run(`UPDATE ${this.#name('loads')} SET table_schema = ? WHERE table_id = ?`, [
      schemaText(schema),
      tableId,
    ]);
  }

  async setFinishing(tableId: string, finishing: string): Promise<void> {
    await this.#run(`UPDATE ${this.#name('loads')} SET finishing = ? WHERE table_id = ?`, [finishing, tableId]);
  }

  async endLoad(tableId: string): Promise<void> {
    await this.#run(`DELETE FROM ${this.#name('loads')} WHERE table_id = ?`, [tableId]);
  }

  /** Those that are there already, from a try that was cut off, stay as they are. */
  async quarantine({ namespace, name }: TableName, loadId: string, rows: readonly QuarantinedRow[]): Promise<void> {
    const isMysql = this.#dialect.name === 'mysql';
    for (const { part, stage, rows: record, column, reason, raw } of rows) {
      await this.#run(
        `INSERT ${isMysql ? 'IGNORE ' : ''}INTO ${this.#name('quarantine')}
         (namespace, table_name, load_id, part, stage, record, column_name, reason, raw)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)${isMysql ? '' : ' ON CONFLICT DO NOTHING'}`,
        [namespace, name, loadId, part, stage, record, column ?? null, reason, raw.replaceAll('\0', '\uFFFD')],
      );
    }
  }

  /** How many rows of a load were set aside (and how many of those loaded had lost a value at the source). */
  async quarantined({ namespace, name }: TableName, loadId: string): Promise<{ rows: number; truncated: number }> {
    const counts = await this.#ask(
      `SELECT stage, count(*) AS n FROM ${this.#name('quarantine')}
       WHERE namespace = ? AND table_name = ? AND load_id = ? GROUP BY stage`,
      [namespace, name, loadId],
    );
    const of = (isTruncated: boolean) =>
      counts.reduce((sum, { stage, n }) => sum + ((stage === 'truncated') === isTruncated ? Number(n) : 0), 0);
    return { rows: of(false), truncated: of(true) };
  }

  /** How many rows were set aside that a reader who goes on at this part will not set aside again. */
  async quarantinedBefore({ namespace, name }: TableName, loadId: string, part: number): Promise<number> {
    const [row] = await this.#ask(
      `SELECT count(*) AS n FROM ${this.#name('quarantine')} WHERE namespace = ? AND table_name = ? AND load_id = ?
       AND stage <> 'truncated' AND (part < ? OR (part = ? AND stage = 'load'))`,
      [namespace, name, loadId, part, part],
    );
    return Number(row!.n);
  }

  /** Journals changes of a table's structure. */
  async drift({ namespace, name }: TableName, changes: readonly string[]): Promise<void> {
    for (const change of changes)
      await this.#run(`INSERT INTO ${this.#name('drift')} (namespace, table_name, changed) VALUES (?, ?, ?)`, [
        namespace,
        name,
        change,
      ]);
  }

  /** Forgets a table and all that was noted of it. */
  async forget(tableId: string, { namespace, name }: TableName): Promise<void> {
    await this.endLoad(tableId);
    await this.#run(`DELETE FROM ${this.tombstones} WHERE table_id = ?`, [tableId]);
    for (const table of ['quarantine', 'drift', 'tables'])
      await this.#run(`DELETE FROM ${this.#name(table)} WHERE namespace = ? AND table_name = ?`, [namespace, name]);
  }

  #name(name: string): string {
    return this.#dialect.ownTable(name);
  }

  #ask(sql: string, parameters: readonly (string | number | null)[]): Promise<SqlRow[]> {
    return this.#session.query(numbered(sql, this.#dialect), parameters);
  }

  #run(sql: string, parameters: readonly (string | number | null)[]): Promise<number> {
    return this.#session.execute(numbered(sql, this.#dialect), parameters);
  }
}

function numbered(sql: string, dialect: Dialect): string {
  let count = 0;
  return sql.replaceAll('?', () => {
    count += 1;
    return dialect.parameter(count);
  });
}

const schemaText = (schema: Schema) => JSON.stringify(schemaToJson(schema));

function stateOf(row: SqlRow): TableState {
  return {
    id: row.id!,
    mapping: row.mapping as MappingName,
    schema: schemaFromJson(JSON.parse(row.fields!)),
    key: JSON.parse(row.key_columns!) as string[],
    hasTs: row.has_ts === '1',
    hasPartition: row.has_partition === '1',
    generation: row.generation ?? null,
    place: row.place ?? null,
  };
}
