import type { Data, DataType, RecordBatch, Schema } from 'apache-arrow';
import { setMember } from '../../../core/json.ts';
import { InvalidRequestError } from '../client-errors.ts';
import { columnData } from './columns.ts';
import { type Arrow, loadArrow } from './library.ts';
import { dateText, decimalText, timestampText } from './value-text.ts';

/**
 * What a value is in a row; nothing is lost. `bigint` columns hold `bigint`, smaller ones `number`; decimals, dates and
 * times are texts: `-12.50`, `2025-11-20`, `2025-11-20T08:00:00.123456789`; an interval is a struct of `sec` and `nano`.
 */
export type RowValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly RowValue[]
  | ReadonlyMap<RowValue, RowValue>
  | { readonly [member: string]: RowValue };

export type Row = Readonly<Record<string, RowValue>>;

/**
 * The rows of a record batch as plain objects.
 *
 * @param declared types of columns as the session tells them: a `timestamp` that comes as a struct becomes a text
 */
export async function rowsOfBatch(
  batch: RecordBatch,
  declared: Readonly<Record<string, string | null>> = {},
): Promise<Row[]> {
  const columns = columnReaders(await loadArrow(), batch, declared);
  return Array.from({ length: batch.numRows }, (_, index) => {
    const row: Record<string, RowValue> = {};
    for (const { name, read } of columns) setMember(row, name, read(index));
    return row;
  });
}

/** What reads each column of a batch, row by row: no object is made for a row. */
export function columnReaders(
  arrow: Arrow,
  batch: RecordBatch,
  declared: Readonly<Record<string, string | null>> = {},
): { readonly name: string; readonly read: (index: number) => RowValue }[] {
  return batch.schema.fields.map(({ name }, index) => {
    const isTimestamp = /^timestamp/i.test(declared[name] ?? '');
    return { name, read: readerOf(arrow, batch.data.children[index]!, isTimestamp) };
  });
}

/**
 * A record batch of rows, for a schema as `arrowSchemaOf` makes it. Members that a row lacks are null. Takes what
 * {@link rowsOfBatch} gives, and also whole numbers for `bigint` and `Date` for dates and times.
 *
 * @throws {InvalidRequestError} a value that its column cannot hold, naming column and row
 */
export async function batchOfRows(schema: Schema, rows: readonly Row[]): Promise<RecordBatch> {
  const arrow = await loadArrow();
  const children = schema.fields.map(({ name, type, nullable }) => {
    const values = rows.map((row) => row[name] ?? null);
    const missing = nullable ? -1 : values.indexOf(null);
    if (missing >= 0) throw new InvalidRequestError(`column ${name}, row ${missing}: null is not allowed`);
    return columnData(arrow, type, values, name);
  });
  const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new arrow.RecordBatch(schema, data);
}

type Read = (index: number) => RowValue;

function readerOf(arrow: Arrow, data: Data, isTimestamp = false): Read {
  const read = valueReader(arrow, data, isTimestamp);
  return data.nullCount === 0 ? read : (index) => (data.getValid(index) ? read(index) : null);
}

function valueReader(arrow: Arrow, data: Data, isTimestamp: boolean): Read {
  const { DataType } = arrow;
  const { type, values, valueOffsets, children } = data;
  if (DataType.isTimestamp(type)) return (index) => timestampText((values as BigInt64Array)[index]!, type.unit);
  if (DataType.isDate(type)) {
    return DataType.isDate(type) && type.unit === arrow.DateUnit.DAY
      ? (index) => dateText((values as Int32Array)[index]!)
      : (index) => timestampText((values as BigInt64Array)[index]!, arrow.TimeUnit.MILLISECOND);
  }
  if (DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    return (index) => decimalText((values as Uint32Array).subarray(index * words, (index + 1) * words), type.scale);
  }
  if (DataType.isList(type)) {
    const element = readerOf(arrow, children[0]!);
    return (index) => range(valueOffsets, index).map(element);
  }
  if (DataType.isMap(type)) {
    const [key, value] = children[0]!.children.map((child) => readerOf(arrow, child)) as [Read, Read];
    return (index) => new Map(range(valueOffsets, index).map((at) => [key(at), value(at)]));
  }
  if (DataType.isStruct(type)) {
    const members = type.children.map(({ name }, index) => ({ name, read: readerOf(arrow, children[index]!) }));
    if (isTimestamp && members.map(({ name }) => name).join() === 'sec,nano') return secondsReader(arrow, members);
    return (index) => Object.fromEntries(members.map(({ name, read }) => [name, read(index)]));
  }
  const vector = arrow.makeVector(data as Data<DataType>);
  return (index) => vector.get(index) as RowValue;
}

/** A timestamp as seconds and what is beyond them. */
function secondsReader({ TimeUnit }: Arrow, [sec, nano]: { read: Read }[]): Read {
  return (index) => {
    const [seconds, rest] = [sec!.read(index), nano!.read(index)];
    if (seconds === null) return null;
    return timestampText(
      BigInt(seconds as bigint) * 1_000_000_000n + BigInt((rest as number) ?? 0),
      TimeUnit.NANOSECOND,
    );
  };
}

function range(offsets: Int32Array, index: number): number[] {
  const from = offsets[index]!;
  return Array.from({ length: offsets[index + 1]! - from }, (_, at) => from + at);
}
