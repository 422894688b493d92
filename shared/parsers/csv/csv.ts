import { decompress } from '../input/decompress.ts';
import { type CommonOptions, checkParserOptions } from '../options.ts';
import type { Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';
import { CSV_SPEC, type CsvOptions, csvSettings } from './options.ts';
import { readCsv } from './read.ts';

/** @throws {InvalidInputError} wrong options */
export function csvParser(options: CsvOptions & CommonOptions, format: 'csv' | 'xsv' | 'tsv' = 'csv'): Parser {
  const { common, own } = checkParserOptions<CsvOptions>(format, options, CSV_SPEC);
  const settings = csvSettings(format, options, own);
  const { dateFormat, timestampFormat, emptyAsNull } = settings;
  const typing = { settings: common, emptyAsNull, formats: { dateFormat, timestampFormat } };
  return {
    format,
    parse: (chunks, run) =>
      typedRecords(typing, run, (counters) =>
        readCsv(decompress(chunks, common, run, counters), settings, common, run),
      ),
  };
}
