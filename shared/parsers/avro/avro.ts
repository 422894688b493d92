import type { JsonObject } from '../../core/json.ts';
import type { OptionSpec } from '../../core/options.ts';
import { decompress } from '../input/decompress.ts';
import { type CommonOptions, checkParserOptions } from '../options.ts';
import type { Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';

export interface AvroOptions {
  /** An Avro schema that the records are resolved to, by Avro's rules for schema evolution. Default the file's own. */
  readonly readerSchema?: JsonObject;
}

const SPEC = { readerSchema: { kind: 'object' } } as const satisfies Record<keyof AvroOptions, OptionSpec>;

/** Object container files, of the codecs null, deflate, snappy, zstandard and bzip2. @throws {InvalidInputError} wrong options */
export function avroParser(options: AvroOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<AvroOptions>('avro', options, SPEC);
  return {
    format: 'avro',
    parse: (chunks, run) =>
      typedRecords({ settings: common }, run, async function* (counters) {
        const { readAvro } = await import('./read.ts');
        yield* readAvro(decompress(chunks, common, run, counters), own.readerSchema, run);
      }),
  };
}
