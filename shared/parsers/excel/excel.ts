import { InvalidInputError } from '../../core/errors.ts';
import type { OptionSpec } from '../../core/options.ts';
import { MIB } from '../../core/units.ts';
import { decompress } from '../input/decompress.ts';
import { spool } from '../input/spool.ts';
import { type CommonOptions, checkParserOptions } from '../options.ts';
import type { Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';
import { parseRange, type Range } from './range.ts';

export interface ExcelOptions {
  /** Name, index from 0, a glob of names, or a list of these. Default the first sheet. */
  readonly sheet?: string | number | readonly (string | number)[];
  /** All sheets, with the column `_sheet`. Default false. */
  readonly allSheets?: boolean;
  /** Row of the names, from 1 in the range; 0 for none. Default 1. */
  readonly headerRow?: number;
  /** A1 notation, such as `B2:D100`, `B:D`. Default all cells. */
  readonly range?: string;
  /** Rows behind the header that are passed over. */
  readonly skipRows?: number;
  /** `auto`: a number whose format is one of a date is a date, a time or a timestamp. `number`: it stays a number. */
  readonly dateMode?: 'auto' | 'number';
  /** `text`: a formula instead of the value it had when the file was saved. */
  readonly formulas?: 'value' | 'text';
  /** `fill`: all cells of a merged range have the value of its first. Default `first`: only that one has it. */
  readonly mergedCells?: 'first' | 'fill';
  /** Default 200 MiB. */
  readonly maxFileBytes?: number;
}

const SPEC = {
  sheet: { kind: ['string', 'integer', 'array'] },
  allSheets: { kind: 'boolean', default: false },
  headerRow: { kind: 'integer', min: 0, default: 1 },
  range: { kind: 'string', min: 1 },
  skipRows: { kind: 'integer', min: 0, default: 0 },
  dateMode: { kind: 'string', oneOf: ['auto', 'number'], default: 'auto' },
  formulas: { kind: 'string', oneOf: ['value', 'text'], default: 'value' },
  mergedCells: { kind: 'string', oneOf: ['first', 'fill'], default: 'first' },
  maxFileBytes: { kind: 'integer', min: 1, max: 1024 * MIB, default: 200 * MIB },
} as const satisfies Record<keyof ExcelOptions, OptionSpec>;

export interface ExcelSettings extends Required<Omit<ExcelOptions, 'sheet' | 'range'>> {
  /** Undefined for the first sheet. */
  readonly sheets: readonly (string | number)[] | undefined;
  readonly range: Range;
}

/** Workbooks in Open XML (`.xlsx`, `.xlsm`). Needs a temporary folder. @throws {InvalidInputError} wrong options */
export function excelParser(options: ExcelOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<ExcelOptions>('excel', options, SPEC);
  if (own.allSheets && own.sheet !== undefined)
    throw new InvalidInputError('parser "excel": "sheet" and "allSheets" do not go together');
  const sheets = own.sheet === undefined ? undefined : [own.sheet].flat();
  const settings = { ...own, sheets, range: parseRange(own.range) } as ExcelSettings;
  // A workbook is a zip file itself: only what is around it is taken off.
  const outer = { ...common, compression: common.compression === 'auto' ? ('outer' as const) : common.compression };
  return {
    format: 'excel',
    parse: (chunks, run) =>
      typedRecords({ settings: common, emptyAsNull: true }, run, async function* (counters) {
        const file = await spool(decompress(chunks, outer, run, counters), run, 'a workbook', settings.maxFileBytes);
        try {
          if (file.bytes === 0) return;
          const { readExcel } = await import('./read.ts');
          yield* readExcel(file, settings, run);
        } finally {
          await file.remove();
        }
      }),
  };
}
