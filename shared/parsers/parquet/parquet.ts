import type { OptionSpec } from '../../core/options.ts';
import { decompress } from '../input/decompress.ts';
import { spool } from '../input/spool.ts';
import { type CommonOptions, checkParserOptions } from '../options.ts';
import type { Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';

export interface ParquetOptions {
  /** Names of the columns to read; the others are not even decoded. Default all. */
  readonly select?: readonly string[];
  /** Fields of structs become columns of their own. Default false. */
  readonly flatten?: boolean;
  /** Between the names of flattened columns. Default `__`. */
  readonly namespaceDelimiter?: string;
  /** Every column of the schema is in the file. Default false. */
  readonly requireNoMissingFields?: boolean;
  /** Every column of the file is in the schema. Default false. */
  readonly requireNoExtraFields?: boolean;
  /** The file's types are those of the schema; nothing is converted. Default false. */
  readonly requireTypeMatch?: boolean;
  /** The deprecated INT96 is a timestamp. Default true; else its twelve bytes. */
  readonly int96AsTimestamp?: boolean;
}

const SPEC = {
  select: { kind: 'array', of: 'string', min: 1 },
  flatten: { kind: 'boolean', default: false },
  namespaceDelimiter: { kind: 'string', min: 1, default: '__' },
  requireNoMissingFields: { kind: 'boolean', default: false },
  requireNoExtraFields: { kind: 'boolean', default: false },
  requireTypeMatch: { kind: 'boolean', default: false },
  int96AsTimestamp: { kind: 'boolean', default: true },
} as const satisfies Record<keyof ParquetOptions, OptionSpec>;

export type ParquetSettings = Required<Omit<ParquetOptions, 'select'>> & Pick<ParquetOptions, 'select'>;

/** Needs a temporary folder. One row group is decoded at a time. @throws {InvalidInputError} wrong options */
export function parquetParser(options: ParquetOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<ParquetOptions>('parquet', options, SPEC);
  const settings = {
    ...common,
    ...(own.requireNoMissingFields && { onMissingField: 'fail' as const }),
    ...(own.requireNoExtraFields && { onExtraField: 'fail' as const }),
  };
  return {
    format: 'parquet',
    parse: (chunks, run) =>
      typedRecords({ settings }, run, async function* (counters) {
        const file = await spool(decompress(chunks, settings, run, counters), run, 'a parquet file');
        try {
          // An empty input has no columns.
          if (file.bytes === 0) return;
          const { readParquet } = await import('./read.ts');
          yield* readParquet(file, own as ParquetSettings, settings.schema, run);
        } finally {
          await file.remove();
        }
      }),
  };
}
