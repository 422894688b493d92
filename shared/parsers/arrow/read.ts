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
      yield { ...columns.told, records: recordsOf(batch, columns), firstRecord, bytes: messageBytes };
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

  function recordsOf(batch: ArrowBatch, { finish }: Columns): unknown[][] {
    const readers = columnReaders(arrow, batch);
    const records: unknown[][] = Array.from({ length: batch.numRows }, () => new Array(readers.length));
    // Column by column: each reader then works on memory that lies together.
    for (const [at, { read }] of readers.entries()) {
      const last = finish[at];
      for (const [index, record] of records.entries()) {
        const value = read(index);
        record[at] = last && value !== null ? last(value) : value;
      }
    }
    return records;
  }
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
