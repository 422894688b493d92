import type { OptionSpec } from '../core/options.ts';
import { STRING } from '../records/column-type.ts';
import { column } from '../records/schema.ts';
import { decompress } from './input/decompress.ts';
import { lineWindows } from './input/line-windows.ts';
import { textWindows } from './input/text-windows.ts';
import { type CommonOptions, type CommonSettings, checkParserOptions } from './options.ts';
import { type Parser, RAW_MAX_CHARS } from './parser.ts';
import { BadRaw, type CellBatch } from './typing/raw.ts';
import { typedRecords } from './typing/typed-records.ts';

export interface TextOptions {
  /** The input is one record, of at most `maxRecordBytes`. Default false: a record a line. */
  readonly wholeFile?: boolean;
}

const SPEC = { wholeFile: { kind: 'boolean', default: false } } as const satisfies Record<
  keyof TextOptions,
  OptionSpec
>;

const FIELDS = ['value'];

/** Lines, or the whole input, as they are, in the column `value`. @throws {InvalidInputError} wrong options */
export function textParser(options: TextOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<TextOptions>('text', options, SPEC);
  const settings = { ...common, schema: common.schema ?? { columns: [column('value', STRING, false)] } };
  return {
    format: 'text',
    parse: (chunks, run) =>
      typedRecords({ settings }, run, (counters) => {
        const bytes = decompress(chunks, settings, run, counters);
        return own.wholeFile ? readWhole(bytes, settings) : readLines(bytes, settings);
      }),
  };
}

async function* readLines(bytes: AsyncIterable<Uint8Array>, settings: CommonSettings): AsyncGenerator<CellBatch> {
  let firstRecord = 0;
  for await (const { lines, offsetOf, chars } of lineWindows(bytes, settings.encoding, settings.maxRecordBytes)) {
    const records = lines.map((line) => (line === undefined ? tooLong(settings) : [line]));
    yield { fields: FIELDS, mode: 'text', records, firstRecord, offsetOf, bytes: chars };
    firstRecord += records.length;
  }
}

async function* readWhole(bytes: AsyncIterable<Uint8Array>, settings: CommonSettings): AsyncGenerator<CellBatch> {
  let text = '';
  let isTooLong = false;
  for await (const window of textWindows(bytes, settings.encoding)) {
    if (!isTooLong) text += window.text;
    isTooLong ||= text.length > settings.maxRecordBytes;
    if (isTooLong) text = '';
  }
  if (text === '' && !isTooLong) return;
  yield {
    fields: FIELDS,
    mode: 'text',
    records: [isTooLong ? tooLong(settings) : [text]],
    firstRecord: 0,
    bytes: text.length,
  };
}

export const tooLong = ({ maxRecordBytes }: CommonSettings, raw = '') =>
  new BadRaw(`it is longer than maxRecordBytes, ${maxRecordBytes}`, raw.slice(0, RAW_MAX_CHARS));
