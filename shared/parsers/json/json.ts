import { InvalidInputError } from '../../core/errors.ts';
import { decompress } from '../input/decompress.ts';
import { textWindows } from '../input/text-windows.ts';
import { type CommonOptions, type CommonSettings, checkParserOptions } from '../options.ts';
import type { ParseRun, Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';
import { JSON_SPEC, type JsonOptions, type JsonSettings } from './options.ts';
import { readAuto, readLines, readValues } from './read.ts';

/** @throws {InvalidInputError} wrong options */
export function jsonParser(options: JsonOptions & CommonOptions, format: 'json' | 'ndjson' = 'json'): Parser {
  const { common, own } = checkParserOptions<JsonOptions>(format, options, JSON_SPEC);
  const { recordsPath, timestampFormat } = own;
  const mode = own.mode ?? (format === 'ndjson' ? 'lines' : 'auto');
  if (recordsPath !== undefined && (mode === 'lines' || mode === 'concatenated'))
    throw new InvalidInputError(`parser "${format}": "recordsPath" goes with the mode "array", not with "${mode}"`);
  const settings = {
    ...own,
    mode,
    path: recordsPath === undefined ? undefined : pointerParts(recordsPath),
  } as JsonSettings;
  return {
    format,
    parse: (chunks, run) =>
      typedRecords({ settings: common, formats: { timestampFormat } }, run, (counters) =>
        read(decompress(chunks, common, run, counters), settings, common, run),
      ),
  };
}

function read(bytes: AsyncIterable<Uint8Array>, settings: JsonSettings, common: CommonSettings, run: ParseRun) {
  if (settings.mode === 'lines') return readLines(bytes, settings, common);
  if (settings.mode === 'auto') return readAuto(bytes, settings, common, run);
  return readValues(textWindows(bytes, common.encoding), settings.mode, settings, common, run);
}

function pointerParts(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/'))
    throw new InvalidInputError(
      `"recordsPath" must be a JSON pointer such as "/data/items", got ${JSON.stringify(pointer)}`,
    );
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
