import type { Value } from '../../records/column-type.ts';
import { DAP_ACTION, DAP_TS } from '../../records/json-schema.ts';
import { columnIndex, type Row, type Schema } from '../../records/schema.ts';
import { valueToJson } from '../../records/value-json.ts';
import { type CellWriter, type Dialect, Unfit } from './dialect.ts';
import { TS_COLUMN } from './names.ts';
import type { SqlColumn, TablePlan } from './storage.ts';

/** What the vendor's platform puts in place of a value that was too large for it. */
export const TRUNCATED = '__cd2_oversized_truncated__';

export interface RowOptions {
  readonly isChanges: boolean;
  /** Of every row, if the table has such a column. */
  readonly partition?: string;
  /** Numbers of texts, by lookup table. */
  readonly lookups: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** A row that cannot be loaded: which column, and why. */
export interface RefusedRow {
  readonly column: string;
  readonly reason: string;
}

interface Cell {
  readonly column: SqlColumn;
  /** Where the value is in a record; -1 if records have none. */
  readonly at: number;
  readonly write: CellWriter;
  readonly isText: boolean;
}

/** Writes the records of one schema as rows of a bulk load. */
export class RowWriter {
  readonly #dialect: Dialect;
  readonly #options: RowOptions;
  readonly #schema: Schema;
  readonly #cells: readonly Cell[];
  readonly #tsAt: number;
  readonly #actionAt: number;
  readonly #writeTs: CellWriter;
  readonly #hasTs: boolean;
  readonly #partition: string | undefined;
  readonly #key: ReadonlySet<string>;
  /** The column of the last row that holds a value which the source had cut. */
  truncated: string | undefined;

  constructor(schema: Schema, plan: TablePlan, dialect: Dialect, options: RowOptions) {
    this.#dialect = dialect;
    this.#options = options;
    this.#schema = schema;
    this.#key = new Set(plan.key);
    const index = columnIndex(schema);
    this.#cells = plan.columns.map((column) => {
      const at = index.get(column.source) ?? -1;
      const from = at < 0 ? column.type : schema.columns[at]!.type;
      const write =
        column.storage.kind === 'lookup'
          ? lookupWriter(options.lookups.get(column.storage.table))
          : dialect.cellWriter(column, from);
      return { column, at, write, isText: from.kind === 'string' || from.kind === 'enum' };
    });
    this.#tsAt = index.get(DAP_TS) ?? -1;
    this.#actionAt = index.get(DAP_ACTION) ?? -1;
    const ts: SqlColumn = {
      name: TS_COLUMN,
      source: DAP_TS,
      type: { kind: 'timestamp', unit: 'us', zoned: true },
      storage: { kind: 'timestamp', zoned: true },
      nullable: true,
    };
    this.#writeTs = dialect.cellWriter(ts, ts.type);
    this.#hasTs = options.isChanges || plan.hasTs;
    this.#partition = plan.hasPartition
      ? (dialect.cellWriter(PARTITION, PARTITION.type)(options.partition ?? '') as string)
      : undefined;
  }

  /** @returns the row as text, or why it cannot be loaded */
  write(row: Row): string | RefusedRow {
    this.truncated = undefined;
    const isDeletion = this.#actionAt >= 0 && row[this.#actionAt] === 'D';
    const texts: (string | null)[] = [];
    for (const { column, at, write, isText } of this.#cells) {
      const value = at < 0 ? null : row[at]!;
      if (value === null) {
        if (!column.nullable && !(isDeletion && !this.#key.has(column.name)))
          return { column: column.source, reason: 'it has no value, and must have one' };
        texts.push(null);
        continue;
      }
      if (isText && value === TRUNCATED) this.truncated = column.source;
      const text = write(value);
      if (typeof text !== 'string') return { column: column.source, reason: text.reason };
      texts.push(text);
    }
    if (this.#hasTs) {
      const value = this.#tsAt < 0 ? null : row[this.#tsAt]!;
      const text = value === null ? null : this.#writeTs(value);
      if (text instanceof Unfit) return { column: DAP_TS, reason: text.reason };
      texts.push(text);
    }
    if (this.#partition !== undefined) texts.push(this.#partition);
    if (this.#options.isChanges)
      texts.push(this.#dialect.name === 'mysql' ? (isDeletion ? "'D'" : "'U'") : isDeletion ? 'D' : 'U');
    return this.#dialect.row(texts);
  }

  /** A record as JSON, for people who look for what is wrong with it. */
  raw(row: Row): string {
    const members = this.#schema.columns.map(
      ({ name, type }, index) => `${JSON.stringify(name)}:${valueToJson(row[index] ?? null, type)}`,
    );
    return `{${members.join(',')}}`.slice(0, RAW_MAX_CHARS);
  }
}

const RAW_MAX_CHARS = 64 * 1024;
const PARTITION: SqlColumn = {
  name: 'partition',
  source: 'partition',
  type: { kind: 'string' },
  storage: { kind: 'text' },
  nullable: true,
};

function lookupWriter(numbers: ReadonlyMap<string, string> | undefined): CellWriter {
  const unfit = new Unfit('it is longer than 64 characters');
  return (value: Value) => numbers?.get(value as string) ?? unfit;
}
