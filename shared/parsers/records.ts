import type { ExactObject } from '../core/lossless-json.ts';
import { type CommonOptions, checkParserOptions } from './options.ts';
import type { ParsedRecords, ParseRun } from './parser.ts';
import type { ObjectBatch } from './typing/raw.ts';
import { typedRecords } from './typing/typed-records.ts';

const BATCH_RECORDS = 1024;

/**
 * Types records that a source yields as they are, without bytes and a parser: the schema, the rules of columns and the limits
 * on bad records are the parsers' own.
 *
 * @throws {InvalidInputError} wrong options
 */
export function typeRecords(
  records: AsyncIterable<Readonly<Record<string, unknown>>>,
  options: CommonOptions,
  run: ParseRun,
): ParsedRecords {
  const { common } = checkParserOptions<object>('records', options, {});
  return typedRecords({ settings: common }, run, () => inBatches(records));
}

async function* inBatches(records: AsyncIterable<Readonly<Record<string, unknown>>>): AsyncGenerator<ObjectBatch> {
  let batch: ExactObject[] = [];
  let firstRecord = 0;
  for await (const record of records) {
    batch.push(record as ExactObject);
    if (batch.length < BATCH_RECORDS) continue;
    yield { records: batch, firstRecord, bytes: batch.length * 100 };
    firstRecord += batch.length;
    batch = [];
  }
  if (batch.length > 0) yield { records: batch, firstRecord, bytes: batch.length * 100 };
}
