import type { ColumnType, Value } from '../../shared/records/column-type.ts';
import type { Column, RecordBatch, Row, Schema } from '../../shared/records/schema.ts';
import type { TableLoad } from '../../shared/sinks/sql/load.ts';
import type { SqlTable, TableOptions } from '../../shared/sinks/sql/table.ts';
import type { SqlTarget } from '../../shared/sinks/sql/target.ts';

const TS: Column = { name: 'meta.ts', type: { kind: 'timestamp', unit: 'us', zoned: true }, nullable: true };
const ACTION: Column = { name: 'meta.action', type: { kind: 'enum', values: ['U', 'D'], open: false }, nullable: true };

/** A schema with the key `id`, of columns by name. */
export function schemaOf(columns: Readonly<Record<string, ColumnType>>, key: readonly string[] = ['id']): Schema {
  const own = Object.entries(columns).map(([name, type]): Column => ({ name, type, nullable: !key.includes(name) }));
  return { columns: [TS, ACTION, ...own], ...(key.length > 0 && { key }) };
}

/** Instants that tests tell apart by a number. */
export const instant = (at: number): string => `2024-01-01T00:00:${String(at).padStart(2, '0')}Z`;

/** A record: when it was written, whether it was deleted, and its values. */
export const upsert = (at: number, ...values: Value[]): Row => [instant(at), 'U', ...values];
export const deletion = (at: number, width: number, ...key: Value[]): Row => [
  instant(at),
  'D',
  ...key,
  ...new Array<null>(width - key.length).fill(null),
];

export const batch = (schema: Schema, rows: readonly Row[], firstRow = 0): RecordBatch => ({ schema, rows, firstRow });

let tables = 0;

/** A table that no other test has, nor one in another process at the same database. */
export class TableUnderTest {
  readonly target: SqlTarget;
  readonly name: string;
  readonly table: SqlTable;
  readonly #options: TableOptions;
  #loads = 0;

  constructor(target: SqlTarget, options: TableOptions = {}, name?: string) {
    tables += 1;
    this.target = target;
    this.name = name ?? `t${process.pid}_${tables}`;
    this.#options = options;
    this.table = target.table({ namespace: 'tests', name: this.name }, options);
  }

  /** As another process would have it, that knows nothing of what was done here. */
  reopened(): SqlTable {
    return this.target.table({ namespace: 'tests', name: this.name }, this.#options);
  }

  async generation(schema: Schema, rows: readonly Row[], loadId?: string) {
    return this.#run(await this.table.beginGeneration(loadId ?? this.#nextId(), { schema }), schema, rows);
  }

  async changes(schema: Schema, rows: readonly Row[], loadId?: string) {
    return this.#run(await this.table.beginChanges(loadId ?? this.#nextId(), { schema }), schema, rows);
  }

  async partition(partition: string, schema: Schema, rows: readonly Row[]) {
    return this.#run(await this.table.beginPartition(this.#nextId(), partition, { schema }), schema, rows);
  }

  get quoted(): string {
    return this.target.database.dialect.table({ namespace: 'tests', name: this.name });
  }

  /** Its rows, of these columns, in the order of the first. */
  async rows(...columns: string[]): Promise<(string | null)[][]> {
    const { session, dialect } = this.target.database;
    const as = (name: string) => (dialect.name === 'postgresql' ? `${dialect.quote(name)}::text` : dialect.quote(name));
    const list = columns.map((name, at) => `${as(name)} AS c${at}`).join(', ');
    const found = await session.query(`SELECT ${list} FROM ${this.quoted} ORDER BY ${dialect.quote(columns[0]!)}`);
    return found.map((row) => columns.map((_, at) => row[`c${at}`] ?? null));
  }

  /** What was set aside: in which stage, which record, why. */
  async quarantine() {
    const { session, dialect } = this.target.database;
    return session.query(
      `SELECT stage, record, column_name, reason, raw FROM ${dialect.ownTable('quarantine')}
       WHERE table_name = ${dialect.literal(this.name)} ORDER BY id`,
    );
  }

  async drift(): Promise<string[]> {
    const { session, dialect } = this.target.database;
    const rows = await session.query(
      `SELECT changed FROM ${dialect.ownTable('drift')} WHERE table_name = ${dialect.literal(this.name)} ORDER BY id`,
    );
    return rows.map(({ changed }) => changed!);
  }

  #nextId(): string {
    this.#loads += 1;
    return `load-${this.#loads}`;
  }

  async #run(load: TableLoad, schema: Schema, rows: readonly Row[]) {
    await load.write(0, batch(schema, rows));
    await load.endPart(0);
    return load.finish({ place: `after ${rows.length} rows` });
  }
}
