import type { UploadRecord } from '../../clients/dis/index.ts';
import { RECORD_MAX_BYTES } from '../../clients/dis/limits.ts';
import { cellText } from '../../formats/csv.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import type { Column, Row, Schema } from '../../records/schema.ts';
import { valueToJson } from '../../records/value-json.ts';
import { PartitionRefusedError, type UploadPartition } from '../sink.ts';
import { landedLines, landedWhole } from './landed.ts';
import type { CheckedDisStream } from './sink.ts';

/** A record to be, or one that can never go. */
export interface Candidate {
  /** Number of its row, line or object within the landed partition. */
  readonly row: number;
  readonly record?: UploadRecord;
  readonly sizeBytes: number;
  /** Why it cannot go. */
  readonly reason?: string;
  /** To be set aside with, if it does not go. */
  readonly schema: Schema;
  readonly values: Row;
}

type RecordOptions = Pick<CheckedDisStream, 'records' | 'data' | 'keyColumns'>;

/** The records of a landed partition from its committed row on. */
export async function* candidatesOf(partition: UploadPartition, options: RecordOptions): AsyncGenerator<Candidate> {
  const { committedRow: fromRow, path } = partition;
  const key = options.keyColumns ? {} : { partitionKey: pathText(path) };
  if (options.records === 'rows') {
    let schema: Schema | undefined;
    let plan: RowPlan | undefined;
    for await (const batch of partition.rows({ fromRow })) {
      if (batch.schema !== schema) {
        schema = batch.schema;
        plan = rowPlan(schema, options, path);
      }
      for (const [at, values] of batch.rows.entries()) {
        const columnsKey = plan!.key(values);
        const keyed = options.keyColumns ? (columnsKey === undefined ? {} : { partitionKey: columnsKey }) : key;
        yield candidate(batch.firstRow + at, plan!.data(values), keyed, { schema: batch.schema, values });
      }
    }
    return;
  }
  const pieces = options.records === 'lines' ? landedLines(partition.bytes()) : landedWhole(partition.bytes());
  let row = -1;
  for await (const { bytes, sizeBytes } of pieces) {
    row += 1;
    // A line without anything is no record.
    if (row < fromRow || sizeBytes === 0) continue;
    yield candidate(row, bytes, key, { schema: LANDED, values: [bytes.subarray(0, SHOWN_BYTES)] }, sizeBytes);
  }
}

const SHOWN_BYTES = 1024;
const LANDED: Schema = { columns: [{ name: 'data', type: { kind: 'bytes' }, nullable: false }] };

function candidate(
  row: number,
  data: Uint8Array | string | null,
  key: Pick<UploadRecord, 'partitionKey'>,
  shown: { readonly schema: Schema; readonly values: Row },
  sizeBytes = data === null ? 0 : typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength,
): Candidate {
  if (data === null || sizeBytes === 0) return { row, sizeBytes, reason: 'a record must have data', ...shown };
  if (sizeBytes > RECORD_MAX_BYTES) {
    const reason = `a record has at most ${RECORD_MAX_BYTES} bytes of data, got ${sizeBytes}`;
    return { row, sizeBytes, reason, ...shown };
  }
  return { row, record: { data, ...key }, sizeBytes, ...shown };
}

/** How rows of one schema become records. */
interface RowPlan {
  data(values: Row): Uint8Array | string | null;
  key(values: Row): string | undefined;
}

function rowPlan({ columns }: Schema, { data, keyColumns = [] }: RecordOptions, path: readonly string[]): RowPlan {
  const placeOf = (name: string): number => {
    const at = columns.findIndex((column) => column.name === name);
    if (at >= 0) return at;
    const names = columns.map((column) => column.name).join(', ');
    throw new PartitionRefusedError(`${pathText(path)} has no column ${name}; it has ${names}`, { code: 'NoColumn' });
  };
  const keys = keyColumns.map(placeOf);
  return {
    data: typeof data === 'object' ? columnData(columns, placeOf(data.column)) : ROW_TEXT[data](columns),
    key(values) {
      if (keys.every((at) => values[at] === null)) return undefined;
      return keys.map((at) => text(values[at]!, columns[at]!)).join('|');
    },
  };
}

const text = (value: Row[number], { type }: Column): string => (value === null ? '' : cellText(value, type));

function columnData(columns: readonly Column[], at: number): RowPlan['data'] {
  return (values) => {
    const value = values[at]!;
    if (value === null || value instanceof Uint8Array) return value;
    return cellText(value, columns[at]!.type);
  };
}

const ROW_TEXT: Readonly<Record<'json' | 'csv', (columns: readonly Column[]) => (values: Row) => string>> = {
  json: (columns) => {
    const names = columns.map(({ name }) => `${JSON.stringify(name)}:`);
    return (values) => `{${columns.map(({ type }, at) => names[at]! + valueToJson(values[at]!, type)).join(',')}}`;
  },
  // RFC 4180 without a line end: null is a field of nothing, an empty text is `""`.
  csv: (columns) => (values) =>
    columns.map((column, at) => (values[at] === null ? '' : quoted(text(values[at]!, column)))).join(','),
};

const quoted = (cell: string): string => (/[,"\r\n]|^$|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
