import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type SchemaTree,
  snappyUncompress,
} from 'hyparquet';
import { IngestError } from '../../core/errors.ts';
import { MIB } from '../../core/units.ts';
import type { Value } from '../../records/column-type.ts';
import type { Column, Schema } from '../../records/schema.ts';
import { typeText } from '../../records/type-text.ts';
import { ColumnMismatchError, CorruptInputError, ExpansionLimitError } from '../errors.ts';
import { firstTwice } from '../first-twice.ts';
import type { Spool } from '../input/spool.ts';
import type { ParseRun } from '../parser.ts';
import type { CellBatch } from '../typing/raw.ts';
import { columnDecoder, isNullable, textFromBytes, withoutMeaning } from './decode.ts';
import { lz4Block, lz4Hadoop } from './lz4.ts';
import type { ParquetSettings } from './parquet.ts';

const BATCH_ROWS = 4096;
/** One page of a column is expanded whole, and one row group is held decoded. */
const PAGE_MAX_BYTES = 256 * MIB;
const ROW_GROUP_MAX_BYTES = 2048 * MIB;
/** Of equal values, or none, a page of some bytes has as many as it likes. */
const ROW_GROUP_MAX_ROWS = 20_000_000;

interface PlannedField extends Column {
  /** Index of the column that is read. */
  readonly at: number;
  decode(raw: unknown): Value;
}

/** Reads one row group after another. @throws {CorruptInputError} it is no parquet file, or damaged */
export async function* readParquet(
  file: Spool,
  settings: ParquetSettings,
  wanted: Schema | undefined,
  run: ParseRun,
): AsyncGenerator<CellBatch> {
  const buffer = asyncBuffer(file);
  const metadata = await checked(run, () => parquetMetadataAsync(buffer, { geoparquet: false }));
  const { children } = await checked(run, async () => parquetSchema(metadata));
  const nodes = selected(children, settings, run);
  const fields = nodes.flatMap((node, at) => fieldsOf(node, at, settings));
  if (settings.requireTypeMatch && wanted) checkTypes(fields, wanted, run);
  const schema: Schema = {
    columns: fields.map(({ name, type, nullable }) => ({ name, type, nullable })),
  };
  const names = fields.map(({ name }) => name);
  const plain: FileMetaData = { ...metadata, schema: metadata.schema.map(withoutMeaning) };
  const isInPlace = fields.every(({ at }, index) => at === index);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    run.signal?.throwIfAborted();
    if (group.total_byte_size > ROW_GROUP_MAX_BYTES)
      throw new ExpansionLimitError(
        `${run.label}: a row group expands to ${group.total_byte_size} bytes, more than ${ROW_GROUP_MAX_BYTES}`,
      );
    if (group.num_rows > ROW_GROUP_MAX_ROWS)
      throw new ExpansionLimitError(
        `${run.label}: a row group has ${group.num_rows} rows, more than ${ROW_GROUP_MAX_ROWS}`,
      );
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await readGroup(buffer, plain, nodes, rowStart, rowEnd, run);
    for (let from = 0; from < rows.length; from += BATCH_ROWS) {
      const raw = rows.slice(from, from + BATCH_ROWS);
      // In place where each column is one field: a row group is large, and this halves what is thrown away.
      if (isInPlace) for (const row of raw) for (const { at, decode } of fields) row[at] = decode(row[at]);
      const records = isInPlace ? raw : raw.map((row) => fields.map(({ at, decode }) => decode(row[at])));
      yield {
        fields: names,
        mode: 'value',
        schema,
        records,
        firstRecord: rowStart + from,
        bytes: Math.ceil((Number(group.total_byte_size) * records.length) / rows.length),
      };
    }
    rowStart = rowEnd;
  }
  // Without a row the columns are still known.
  if (rowStart === 0) yield { fields: names, mode: 'value', schema, records: [], firstRecord: 0, bytes: 0 };
}

function selected(
  children: readonly SchemaTree[],
  { select }: ParquetSettings,
  { label }: ParseRun,
): readonly SchemaTree[] {
  const names = children.map(({ element }) => element.name);
  const twice = firstTwice(names);
  if (twice !== undefined) throw new ColumnMismatchError(`${label}: two columns are called ${JSON.stringify(twice)}`);
  if (!select) return children;
  const missing = select.find((name) => !names.includes(name));
  if (missing !== undefined) throw new ColumnMismatchError(`${label}: there is no column ${JSON.stringify(missing)}`);
  return select.map((name) => children[names.indexOf(name)]!);
}

function fieldsOf(node: SchemaTree, at: number, settings: ParquetSettings): PlannedField[] {
  const decoder = columnDecoder(node, settings);
  const decode = (raw: unknown) => (raw === null || raw === undefined ? null : decoder.decode(raw));
  const column = { name: node.element.name, type: decoder.type, nullable: isNullable(node), at, decode };
  return settings.flatten ? flattened(column, settings.namespaceDelimiter) : [column];
}

function flattened(field: PlannedField, delimiter: string): PlannedField[] {
  if (field.type.kind !== 'struct') return [field];
  return field.type.fields.flatMap((inner) =>
    flattened(
      {
        ...inner,
        name: `${field.name}${delimiter}${inner.name}`,
        nullable: field.nullable || inner.nullable,
        at: field.at,
        decode: (raw) => (field.decode(raw) as Record<string, Value> | null)?.[inner.name] ?? null,
      },
      delimiter,
    ),
  );
}

function checkTypes(fields: readonly PlannedField[], wanted: Schema, { label }: ParseRun): void {
  for (const { name, type } of wanted.columns) {
    const found = fields.find((field) => field.name === name);
    if (found && typeText(found.type) !== typeText(type))
      throw new ColumnMismatchError(
        `${label}: ${JSON.stringify(name)} is ${typeText(found.type)} where the schema has ${typeText(type)}`,
      );
  }
}

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  nodes: readonly SchemaTree[],
  rowStart: number,
  rowEnd: number,
  run: ParseRun,
): Promise<unknown[][]> {
  let rows: unknown[][] = [];
  const columns = nodes.map(({ element }) => element.name);
  await checked(run, () =>
    parquetRead({
      file,
      metadata,
      columns,
      rowStart,
      rowEnd,
      rowFormat: 'array',
      utf8: false,
      geoparquet: false,
      compressors: compressors(run),
      parsers: { stringFromBytes: textFromBytes, timestampFromNanoseconds: (nanos: bigint) => nanos },
      onComplete: (read: unknown[][]) => {
        rows = read;
      },
    }),
  );
  if (rows.length !== rowEnd - rowStart)
    throw new CorruptInputError(
      `${run.label}: a row group has ${rows.length} rows where ${rowEnd - rowStart} are told`,
    );
  return rows;
}

/** What the library throws says that the file is damaged. */
async function checked<T>({ label }: ParseRun, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof IngestError) throw error;
    throw new CorruptInputError(`${label}: it is no parquet file, or it is damaged`, { cause: error });
  }
}

function asyncBuffer({ handle, bytes }: Spool): AsyncBuffer {
  return {
    byteLength: bytes,
    async slice(start, end = bytes) {
      const from = start < 0 ? Math.max(0, bytes + start) : start;
      const buffer = new Uint8Array(Math.max(0, Math.min(end, bytes) - from));
      for (let at = 0; at < buffer.length; ) {
        const { bytesRead } = await handle.read(buffer, at, buffer.length - at, from + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return buffer.buffer;
    },
  };
}

/**
 * A page tells what it expands to; no codec may make more of it, and all pages of a row group together not more than a row
 * group may have, whatever the file says of that.
 */
function compressors({ label }: ParseRun): Compressors {
  let expanded = 0;
  const limited =
    (expand: (input: Uint8Array, outputLength: number) => Uint8Array) => (input: Uint8Array, outputLength: number) => {
      if (outputLength > PAGE_MAX_BYTES)
        throw new ExpansionLimitError(`${label}: a page expands to ${outputLength} bytes, more than ${PAGE_MAX_BYTES}`);
      expanded += outputLength;
      if (expanded > ROW_GROUP_MAX_BYTES)
        throw new ExpansionLimitError(`${label}: a row group expands to more than ${ROW_GROUP_MAX_BYTES} bytes`);
      return expand(input, outputLength);
    };
  return Object.fromEntries(Object.entries(CODECS).map(([name, expand]) => [name, limited(expand)]));
}

function snappy(input: Uint8Array, outputLength: number): Uint8Array {
  const output = new Uint8Array(outputLength);
  snappyUncompress(input, output);
  return output;
}

const CODECS: Readonly<Record<string, (input: Uint8Array, outputLength: number) => Uint8Array>> = {
  SNAPPY: snappy,
  GZIP: (input, maxOutputLength) => gunzipSync(input, { maxOutputLength: Math.max(1, maxOutputLength) }),
  BROTLI: (input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, maxOutputLength) }),
  ZSTD: (input, maxOutputLength) => zstdDecompressSync(input, { maxOutputLength: Math.max(1, maxOutputLength) }),
  LZ4_RAW: lz4Block,
  LZ4: lz4Hadoop,
};
