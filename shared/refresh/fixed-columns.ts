import { IngestError } from '../core/errors.ts';
import { RESCUED } from '../parsers/parser.ts';
import { JSON_TEXT, type Value } from '../records/column-type.ts';
import { columnIndex, column as newColumn, type RecordBatch, type Row, type Schema } from '../records/schema.ts';
import { typeText } from '../records/type-text.ts';
import { valueToJson } from '../records/value-json.ts';

/**
 * Keeps the columns as the first batch has them, for a file whose columns cannot change: what comes in others, later, goes to
 * `_rescued` as JSON by name.
 */
export class FixedColumns {
  readonly #label: string;
  readonly #rescues: boolean;
  #fixed: Schema | undefined;
  #rescuedAt = -1;
  #seen: Schema | undefined;
  /** Index of each fixed column in the batch, -1 for none; and of those that came later. */
  #from: number[] = [];
  #later: number[] = [];

  /** @param rescues whether more columns may come, so that the file gets a column for them */
  constructor(label: string, rescues: boolean) {
    this.#label = label;
    this.#rescues = rescues;
  }

  /** @throws {ColumnChangedError} a column is of another type by now, or one came where none was to be expected */
  of(batch: RecordBatch): RecordBatch {
    this.#fixed ??= this.#begin(batch.schema);
    if (this.#seen !== batch.schema) this.#bind(batch.schema);
    return { ...batch, schema: this.#fixed, rows: batch.rows.map((row) => this.#row(row)) };
  }

  #begin(schema: Schema): Schema {
    const columns = [...schema.columns];
    if (this.#rescues && !columns.some(({ name }) => name === RESCUED)) columns.push(newColumn(RESCUED, JSON_TEXT));
    this.#rescuedAt = columns.findIndex(({ name }) => name === RESCUED);
    return { ...schema, columns };
  }

  #bind(schema: Schema): void {
    const { columns } = this.#fixed!;
    const now = columnIndex(schema);
    const known = columnIndex(this.#fixed!);
    this.#from = columns.map(({ name }) => now.get(name) ?? -1);
    this.#later = schema.columns.flatMap(({ name }, at) => (known.has(name) ? [] : [at]));
    this.#seen = schema;
    const changed = columns.find(({ name, type }, at) => {
      const other = schema.columns[this.#from[at]!];
      return other && name !== RESCUED && typeText(other.type) !== typeText(type);
    });
    const extra = this.#rescuedAt < 0 ? schema.columns[this.#later[0]!] : undefined;
    const name = changed?.name ?? extra?.name;
    if (name !== undefined)
      throw new ColumnChangedError(
        `${this.#label}: the column ${JSON.stringify(name)} is other than the file began with`,
      );
  }

  #row(row: Row): Row {
    const values: Value[] = this.#from.map((at) => (at < 0 ? null : row[at]!));
    const { columns } = this.#seen!;
    const later = this.#later.filter((at) => row[at] !== null);
    if (later.length === 0) return values;
    const members = later.map(
      (at) => `${JSON.stringify(columns[at]!.name)}:${valueToJson(row[at]!, columns[at]!.type)}`,
    );
    const before = values[this.#rescuedAt];
    const inner = typeof before === 'string' ? before.trim().slice(1, -1) : '';
    values[this.#rescuedAt] = `{${[...(inner === '' ? [] : [inner]), ...members].join(',')}}`;
    return values;
  }
}

/** A file's columns cannot change within it. */
export class ColumnChangedError extends IngestError {
  override readonly name = 'ColumnChangedError';
  readonly code = 'ColumnChanged';
  readonly retryable = false;
}
