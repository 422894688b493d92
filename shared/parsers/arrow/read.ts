import type { RecordBatch as ArrowBatch } from 'apache-arrow';
import { batchesOf } from '../../clients/maxcompute/arrow/decode.ts';
import { type Arrow, loadArrow } from '../../clients/maxcompute/arrow/library.ts';
import { type ArrowMessage, messagesOf } from '../../clients/maxcompute/arrow/messages.ts';
import { columnReaders } from '../../clients/maxcompute/arrow/rows.ts';
import {
  ExpansionLimitError as BatchTooLargeError,
  CorruptStreamError,
  EmptyBodyError,
  StreamTruncatedError,
  UnsupportedStreamError,
} from '../../clients/maxcompute/client-errors.ts';
import type { Schema } from '../../records/schema.ts';
import { ColumnMismatchError, CorruptInputError, ExpansionLimitError, UnsupportedInputError } from '../errors.ts';
import { firstTwice } from '../first-twice.ts';
import type { ParseRun } from '../parser.ts';
import type { CellBatch } from '../typing/raw.ts';
import { columnTypeOf, finisherOf } from './types.ts';

/**
 * Record batches as records, value for value.
 *
 * @throws {CorruptInputError} no Arrow stream, or one that ends within a message
 * @throws {UnsupportedInputError} a column of a type that is not read
 */
export async function* readArrow(bytes: AsyncIterable<Uint8Array>, run: ParseRun): AsyncGenerator<CellBatch> {
  const arrow = await loadArrow();
  let columns: Columns | undefined;
  let messageBytes = 0;
  let firstRecord = 0;
  const messages = async function* (): AsyncGenerator<ArrowMessage> {
    for await (const message of messagesOf(bytes)) {
      messageBytes = message.bytes;
      // Without a batch the columns are still known.
      if (message.kind === 'schema') {
        columns = columnsOf(schemaOf(arrow, message), run);
      }
      yield message;
    }
  };
  try {
    for await (const batch of batchesOf(messages())) {
      run.signal?.throwIfAborted();
      columns ??= columnsOf(batch.schema, run);
      yield* piecesOf(batch, columns);
      firstRecord += batch.numRows;
    }
  } catch (error) {
    if (error instanceof EmptyBodyError) return;
    if (error instanceof UnsupportedStreamError)
      throw new UnsupportedInputError(`${run.label}: ${error.message}`, { cause: error });
    if (error instanceof CorruptStreamError || error instanceof StreamTruncatedError)
      throw new CorruptInputError(`${run.label}: ${error.message}`, { cause: error });
    if (error instanceof BatchTooLargeError)
      throw new ExpansionLimitError(`${run.label}: ${error.message}`, { cause: error });
    throw error;
  }
  if (columns && firstRecord === 0) yield { ...columns.told, records: [], firstRecord: 0, bytes: 0 };

  /** A batch of many rows in pieces, so that what is made of one is gone again before the next. */
  function* piecesOf(batch: ArrowBatch, { told, finish }: Columns): Generator<CellBatch> {
    const readers = columnReaders(arrow, batch).map(({ read }) => read);
    const rows = Math.max(1, Math.floor(PIECE_CELLS / Math.max(1, readers.length)));
    const bytesOf = (count: number) => Math.ceil((messageBytes * count) / batch.numRows);
    for (let from = 0; from < batch.numRows; from += rows) {
      const to = Math.min(from + rows, batch.numRows);
      const records = recordsOf(readers, finish, from, to);
      yield { ...told, records, firstRecord: firstRecord + from, bytes: bytesOf(to - from) };
    }
  }
}

type Read = ReturnType<typeof columnReaders>[number]['read'];

/** What of a batch is in memory as values at a time. */
const PIECE_CELLS = 256;

/** The rows `[from, to)`. */
function recordsOf(readers: readonly Read[], finish: Columns['finish'], from: number, to: number): unknown[][] {
  const records: unknown[][] = Array.from({ length: to - from }, () => new Array(readers.length));
  // Column by column: each reader then works on memory that lies together.
  for (const [at, read] of readers.entries()) {
    const last = finish[at];
    for (let index = from; index < to; index++) {
      const value = read(index);
      records[index - from]![at] = last && value !== null ? last(value) : value;
    }
  }
  return records;
}

function schemaOf({ MessageReader }: Arrow, { chunks }: ArrowMessage): ArrowBatch['schema'] {
  let schema: ArrowBatch['schema'] | null | undefined;
  try {
    schema = new MessageReader(Buffer.concat(chunks)).readSchema();
  } catch (cause) {
    throw new CorruptStreamError('the schema of the Arrow stream does not decode', { cause });
  }
  if (schema) return schema;
  throw new CorruptStreamError('the Arrow stream has no schema');
}

interface Columns {
  readonly told: Pick<CellBatch, 'fields' | 'mode' | 'schema'>;
  /** What is still to be done to a value that is not null; undefined for nothing. */
  readonly finish: readonly ReturnType<typeof finisherOf>[];
}

function columnsOf({ fields }: ArrowBatch['schema'], { label }: ParseRun): Columns {
  const names = fields.map(({ name }) => name);
  const twice = firstTwice(names);
  if (twice !== undefined) throw new ColumnMismatchError(`${label}: two columns are called ${JSON.stringify(twice)}`);
  const schema: Schema = {
    columns: fields.map(({ name, type, nullable }) => ({
      name,
      type: columnTypeOf(type, `${label}: ${name}`),
      nullable,
    })),
  };
  return { told: { fields: names, mode: 'value', schema }, finish: fields.map(({ type }) => finisherOf(type)) };
}
