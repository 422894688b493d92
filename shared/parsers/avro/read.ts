import { promisify } from 'node:util';
import { IngestError } from '../../core/errors.ts';
import { avroType } from '../../records/avro-library.ts';
import type { Schema } from '../../records/schema.ts';
import { CorruptInputError, ExpansionLimitError, UnsupportedInputError } from '../errors.ts';
import type { ParseRun } from '../parser.ts';
import type { CellBatch } from '../typing/raw.ts';
import { DECODERS } from './codecs.ts';
import { AvroContainer, BLOCK_MAX_BYTES } from './container.ts';
import { AvroTypes, orNull } from './decode.ts';

const BATCH_ROWS = 1024;

/** @throws {CorruptInputError} it is no Avro file, damaged, or cannot be resolved to the reader's schema */
export async function* readAvro(
  chunks: AsyncIterable<Uint8Array>,
  readerSchema: unknown,
  run: ParseRun,
): AsyncGenerator<CellBatch> {
  const container = new AvroContainer(chunks);
  try {
    const header = await container.header();
    if (!header) return;
    const expand = DECODERS.get(header.codec);
    if (!expand) throw new UnsupportedInputError(`${run.label}: the codec ${JSON.stringify(header.codec)} is not read`);
    const unpack = promisify(expand) as (data: Buffer) => Promise<Buffer>;
    const written = avroType(header.schema);
    const reader = readerSchema === undefined ? written : avroType(readerSchema);
    const resolver = readerSchema === undefined ? undefined : reader.createResolver(written);
    const { fieldsOf, batchOf } = columnsOf(readerSchema ?? header.schema);
    yield batchOf([]);
    for (let block = await container.block(); block; block = await container.block()) {
      run.signal?.throwIfAborted();
      const data = await unpack(block.data);
      // A record of a field takes a byte at least: more of them would be made of nothing, for ever.
      if (block.count > data.length) throw new Error(`a block has ${block.count} records in ${data.length} bytes`);
      let records: unknown[][] = [];
      let at = 0;
      for (let left = block.count; left > 0; left--) {
        const { value, offset } = reader.decode(data, at, resolver);
        if (offset < 0) throw new Error('a record goes beyond its block');
        at = offset;
        records.push(fieldsOf(value));
        if (records.length < BATCH_ROWS) continue;
        yield batchOf(records);
        records = [];
      }
      if (records.length > 0) yield batchOf(records);
    }
  } catch (error) {
    if (error instanceof IngestError) throw error;
    run.signal?.throwIfAborted();
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE')
      throw new ExpansionLimitError(`${run.label}: a block expands to more than ${BLOCK_MAX_BYTES} bytes`, {
        cause: error,
      });
    throw new CorruptInputError(`${run.label}: it is no Avro file, or it is damaged`, { cause: error });
  } finally {
    await container.close();
  }
}

function columnsOf(avroSchema: unknown) {
  const { isRecord, fields } = new AvroTypes().fields(avroSchema);
  const names = fields.map(({ name }) => name);
  const decoders = fields.map(orNull);
  const schema: Schema = {
    columns: fields.map(({ name, type, nullable, description }) => ({
      name,
      type,
      nullable,
      ...(description !== undefined && { description }),
    })),
  };
  let firstRecord = 0;
  return {
    fieldsOf: (value: unknown): unknown[] =>
      isRecord
        ? fields.map(({ member }, at) => decoders[at]!((value as Record<string, unknown>)[member]))
        : [decoders[0]!(value)],
    batchOf: (records: readonly unknown[][]): CellBatch => {
      const batch = {
        fields: names,
        mode: 'value',
        schema,
        records,
        firstRecord,
        bytes: records.length * 100,
      } as const;
      firstRecord += records.length;
      return batch;
    },
  };
}
