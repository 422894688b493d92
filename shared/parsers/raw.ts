import { KIB } from '../core/units.ts';
import { BYTES, LONG } from '../records/column-type.ts';
import { column, type RecordBatch, type Schema } from '../records/schema.ts';
import { EmptyInputError } from './errors.ts';
import { decompress } from './input/decompress.ts';
import { type CommonOptions, checkParserOptions } from './options.ts';
import type { Parser } from './parser.ts';
import { Counters } from './typing/counters.ts';

const SCHEMA: Schema = { columns: [column('offset', LONG, false), column('bytes', BYTES, false)] };
const PIECE_BYTES = 256 * KIB;

/** No parsing: the decompressed bytes in pieces of at most 256 KiB, with their offset. @throws {InvalidInputError} wrong options */
export function rawParser(options: CommonOptions): Parser {
  const { common } = checkParserOptions<object>('raw', options, {});
  return {
    format: 'raw',
    parse(chunks, run) {
      const counters = new Counters(common.maxWarnCount);
      counters.schema = SCHEMA;
      async function* pieces(): AsyncGenerator<RecordBatch> {
        let offset = 0;
        for await (const chunk of decompress(chunks, common, run, counters)) {
          for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
            const piece = new Uint8Array(chunk.subarray(from, from + PIECE_BYTES));
            yield { schema: SCHEMA, rows: [[BigInt(offset), piece]], firstRow: counters.rows };
            counters.rows += 1;
            offset += piece.length;
          }
        }
        if (offset === 0 && common.emptyInput === 'fail')
          throw new EmptyInputError(`${run.label} is empty, and emptyInput is "fail"`);
      }
      return { stats: counters, [Symbol.asyncIterator]: pieces };
    },
  };
}
