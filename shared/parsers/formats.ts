import { InvalidInputError } from '../core/errors.ts';
import type { ArrowOptions } from './arrow/arrow.ts';
import type { AvroOptions } from './avro/avro.ts';
import { csvParser } from './csv/csv.ts';
import type { CsvOptions } from './csv/options.ts';
import { type CustomOptions, customParser } from './custom.ts';
import type { ExcelOptions } from './excel/excel.ts';
import { type GrokOptions, grokParser } from './grok.ts';
import { jsonParser } from './json/json.ts';
import type { JsonOptions } from './json/options.ts';
import type { CommonOptions } from './options.ts';
import type { ParquetOptions } from './parquet/parquet.ts';
import type { Parser } from './parser.ts';
import { rawParser } from './raw.ts';
import { type TextOptions, textParser } from './text.ts';

/** What a pipeline names as its parser: the format, its own options and the common ones. */
export type ParserOptions = CommonOptions &
  (
    | ({ readonly format: 'csv' | 'xsv' | 'tsv' } & CsvOptions)
    | ({ readonly format: 'json' | 'ndjson' } & JsonOptions)
    | ({ readonly format: 'parquet' } & ParquetOptions)
    | ({ readonly format: 'avro' } & AvroOptions)
    | ({ readonly format: 'arrow' } & ArrowOptions)
    | ({ readonly format: 'excel' } & ExcelOptions)
    | ({ readonly format: 'text' } & TextOptions)
    | ({ readonly format: 'grok' } & GrokOptions)
    | ({ readonly format: 'custom' } & CustomOptions)
    | { readonly format: 'raw' }
  );

export type ParserFormat = ParserOptions['format'];

/**
 * A parser with its options checked. The libraries of parquet, avro, arrow and excel are loaded by the first input only.
 *
 * @throws {InvalidInputError} an unknown format, and every option that is unknown or wrong
 */
export async function newParser({ format, ...options }: ParserOptions): Promise<Parser> {
  switch (format) {
    case 'csv':
    case 'xsv':
    case 'tsv':
      return csvParser(options as CsvOptions & CommonOptions, format);
    case 'json':
    case 'ndjson':
      return jsonParser(options as JsonOptions & CommonOptions, format);
    case 'text':
      return textParser(options);
    case 'grok':
      return grokParser(options as GrokOptions & CommonOptions);
    case 'custom':
      return customParser(options as CustomOptions & CommonOptions);
    case 'raw':
      return rawParser(options);
    case 'parquet':
      return (await import('./parquet/parquet.ts')).parquetParser(options);
    case 'avro':
      return (await import('./avro/avro.ts')).avroParser(options);
    case 'arrow':
      return (await import('./arrow/arrow.ts')).arrowParser(options);
    case 'excel':
      return (await import('./excel/excel.ts')).excelParser(options);
    default:
      throw new InvalidInputError(
        `there is no parser ${JSON.stringify(format)}; there are csv, xsv, tsv, json, ndjson, parquet, avro, arrow, excel, text, grok, custom, raw`,
      );
  }
}
