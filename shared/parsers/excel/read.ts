import { ColumnMismatchError, CorruptInputError } from '../errors.ts';
import { firstTwice } from '../first-twice.ts';
import type { Spool } from '../input/spool.ts';
import { openZip } from '../input/zip.ts';
import type { ParseRun } from '../parser.ts';
import type { CellBatch } from '../typing/raw.ts';
import type { ExcelSettings } from './excel.ts';
import { columnName } from './range.ts';
import { type ExcelCell, sheetRows } from './sheet.ts';
import { openWorkbook, type Sheet } from './workbook.ts';

const SHEET_COLUMN = '_sheet';

/** Reads the chosen sheets one after another; their columns are put together by name. */
export async function* readExcel(file: Spool, settings: ExcelSettings, run: ParseRun): AsyncGenerator<CellBatch> {
  const zip = await openZip(file, run.label);
  const workbook = await openWorkbook(zip, run.label);
  const sheets = chosen(workbook.sheets, settings, run);
  let firstRecord = 0;
  for (const sheet of sheets) {
    const table = new SheetTable(sheet.name, settings, run);
    for await (const rows of sheetRows(zip, sheet, workbook, settings, run.label)) {
      run.signal?.throwIfAborted();
      const batch = table.batch(rows, firstRecord);
      if (!batch) continue;
      firstRecord += batch.records.length;
      yield batch;
    }
  }
}

function chosen(all: readonly Sheet[], { sheets, allSheets }: ExcelSettings, { label }: ParseRun): readonly Sheet[] {
  if (all.length === 0) throw new CorruptInputError(`${label}: the workbook has no sheet`);
  if (allSheets) return all;
  if (!sheets) return all.slice(0, 1);
  const found = new Set<Sheet>();
  for (const wanted of sheets) {
    const matches =
      typeof wanted === 'number' ? all.slice(wanted, wanted + 1) : all.filter(({ name }) => globOf(wanted).test(name));
    if (matches.length === 0) throw new ColumnMismatchError(`${label}: there is no sheet ${JSON.stringify(wanted)}`);
    for (const sheet of matches) found.add(sheet);
  }
  return [...found];
}

const globOf = (glob: string) =>
  new RegExp(
    `^${glob.replaceAll(/[*?]|[^*?]+/g, (part) => (part === '*' ? '.*' : part === '?' ? '.' : RegExp.escape(part)))}$`,
    's',
  );

/** The rows of one sheet as records, named by its header. */
class SheetTable {
  readonly #sheet: string;
  readonly #settings: ExcelSettings;
  readonly #run: ParseRun;
  readonly #headerAt: number;
  readonly #dataFrom: number;
  #fields: readonly string[] | undefined;

  constructor(sheet: string, settings: ExcelSettings, run: ParseRun) {
    this.#sheet = sheet;
    this.#settings = settings;
    this.#run = run;
    const { range, headerRow, skipRows } = settings;
    this.#headerAt = range.firstRow + headerRow - 1;
    this.#dataFrom = this.#headerAt + 1 + skipRows;
  }

  batch(rows: readonly { readonly row: number; readonly cells: readonly ExcelCell[] }[], firstRecord: number) {
    const records: (readonly unknown[])[] = [];
    let width = 0;
    for (const { row, cells } of rows) {
      if (this.#settings.headerRow > 0 && row === this.#headerAt) this.#fields = this.#names(cells);
      // A row without a value is no record.
      if (row < this.#dataFrom || cells.every((cell) => cell === null || cell === '')) continue;
      records.push(cells);
      width = Math.max(width, cells.length);
    }
    if (records.length === 0) return undefined;
    const fields = this.#widened(width);
    const { allSheets } = this.#settings;
    return {
      fields,
      mode: 'value',
      records: records.map((cells) => {
        const padded = Array.from({ length: fields.length - (allSheets ? 1 : 0) }, (_, at) => cells[at] ?? null);
        return allSheets ? [...padded, this.#sheet] : padded;
      }),
      firstRecord,
      bytes: records.length * fields.length * 16,
    } satisfies CellBatch;
  }

  /** Cells beyond the header have the letters of their column for a name. */
  #widened(width: number): readonly string[] {
    const own = this.#settings.allSheets ? 1 : 0;
    const known = this.#fields ?? (own ? [SHEET_COLUMN] : []);
    if (known.length - own >= width) {
      this.#fields = known;
      return known;
    }
    const names = known.slice(0, known.length - own);
    for (let at = names.length; at < width; at++) names.push(this.#letters(at));
    this.#fields = this.#unique(own ? [...names, SHEET_COLUMN] : names);
    return this.#fields;
  }

  #names(cells: readonly ExcelCell[]): readonly string[] {
    const names = cells.map((cell, at) =>
      cell === null || String(cell).trim() === '' ? this.#letters(at) : String(cell).trim(),
    );
    return this.#unique(this.#settings.allSheets ? [...names, SHEET_COLUMN] : names);
  }

  #letters = (at: number) => columnName(this.#settings.range.firstColumn + at);

  #unique(names: readonly string[]): readonly string[] {
    const twice = firstTwice(names);
    if (twice === undefined) return names;
    throw new ColumnMismatchError(
      `${this.#run.label}: two columns of ${JSON.stringify(this.#sheet)} are called ${JSON.stringify(twice.slice(0, 100))}`,
    );
  }
}
