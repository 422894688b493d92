import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { Row } from '../generator.ts';
import { parseInstant } from '../instants.ts';
import type { TableDefinition } from '../tables/definition.ts';
import type { Value } from '../tables/value.ts';
import { jsonText } from './json.ts';
import { flatColumns, type Mode } from './layout.ts';

/** What is held in memory at a time. */
const ROW_GROUP_ROWS = 10_000;

interface ParquetColumn {
  readonly element: SchemaElement;
  readonly read: (row: Row) => unknown;
}

/**
 * One Parquet file, Snappy inside and without a gzip layer around it. The layout that the service uses is not published; this
 * has the columns of the tabular formats under their dotted names, timestamps in microseconds, objects and arrays as JSON text.
 */
export class ParquetFile {
  readonly #columns: readonly ParquetColumn[];
  readonly #bytes: SpillingWriter;
  readonly #writer: ParquetWriter;
  #rows: Row[] = [];

  constructor(definition: TableDefinition, schemaVersion: number, mode: Mode, isIncremental: boolean) {
    this.#columns = parquetColumns(definition, schemaVersion, mode, isIncremental);
    this.#bytes = new SpillingWriter();
    const root: SchemaElement = { name: 'spark_schema', num_children: this.#columns.length };
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [root, ...this.#columns.map(({ element }) => element)],
      createdBy: 'landfall',
    });
  }

  /** @returns bytes of the file that are complete, possibly none */
  add(row: Row): Uint8Array | undefined {
    this.#rows.push(row);
    if (this.#rows.length < ROW_GROUP_ROWS) return undefined;
    this.#writeGroup();
    return this.#bytes.take();
  }

  /** @returns the rest of the file */
  end(): Uint8Array {
    if (this.#rows.length > 0) this.#writeGroup();
    void this.#writer.finish();
    return this.#bytes.take();
  }

  #writeGroup(): void {
    const rows = this.#rows;
    this.#rows = [];
    const columnData = this.#columns.map(({ element, read }) => ({ name: element.name, data: rows.map(read) }));
    void this.#writer.write({ columnData, rowGroupSize: rows.length });
  }
}

/** Lets go of what has been written; offsets in the file go on counting. */
class SpillingWriter extends ByteWriter {
  take(): Uint8Array {
    const taken = this.getBytes().slice();
    this.index = 0;
    return taken;
  }
}

function parquetColumns(
  definition: TableDefinition,
  schemaVersion: number,
  mode: Mode,
  isIncremental: boolean,
): ParquetColumn[] {
  const columns: ParquetColumn[] = [
    {
      element: { name: 'meta.ts', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type: 'REQUIRED' },
      read: ({ writtenAt }) => BigInt(writtenAt),
    },
  ];
  if (isIncremental) {
    columns.push({
      element: { name: 'meta.action', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      read: ({ values }) => (values === null ? 'D' : 'U'),
    });
  }
  const key = cellOf(definition.key.schema);
  columns.push({
    element: { ...key.element, name: `key.${definition.keyName}`, repetition_type: 'REQUIRED' },
    read: (row) => key.convert(row.key),
  });
  for (const { name, schema, read } of flatColumns(definition, schemaVersion, mode)) {
    const { element, convert } = cellOf(schema);
    columns.push({
      element: { ...element, name, repetition_type: 'OPTIONAL' },
      read: ({ values }) => {
        const value = values === null ? null : read(values);
        return value === null ? null : convert(value);
      },
    });
  }
  return columns;
}

interface Cell {
  readonly element: Omit<SchemaElement, 'name'>;
  /** A value that is not of the schema's type, which a test may have written, becomes null. */
  readonly convert: (value: Value) => unknown;
}

function cellOf(schema: { readonly type?: unknown; readonly format?: unknown }): Cell {
  switch (schema.type) {
    case 'boolean':
      return { element: { type: 'BOOLEAN' }, convert: (value) => (typeof value === 'boolean' ? value : null) };
    case 'integer':
      return schema.format === 'int64'
        ? { element: { type: 'INT64' }, convert: (value) => (isInteger(value) ? BigInt(value) : null) }
        : { element: { type: 'INT32' }, convert: (value) => (isInteger(value) ? Number(value) : null) };
    case 'number':
      return { element: { type: 'DOUBLE' }, convert: (value) => (typeof value === 'number' ? value : null) };
    case 'array':
    case 'object':
      return { element: UTF8, convert: (value) => jsonText(value) ?? null };
  }
  if (schema.format === 'date-time') {
    return {
      element: { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
      convert: (value) => {
        const micros = parseInstant(String(value));
        return micros === undefined ? null : BigInt(micros);
      },
    };
  }
  if (schema.format === 'date') {
    return {
      element: { type: 'INT32', converted_type: 'DATE' },
      convert: (value) => {
        const epochMs = Date.parse(String(value));
        return Number.isNaN(epochMs) ? null : Math.floor(epochMs / 86_400_000);
      },
    };
  }
  return { element: UTF8, convert: (value) => String(value) };
}

const UTF8: Cell['element'] = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };

const isInteger = (value: Value): value is bigint | number =>
  typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
