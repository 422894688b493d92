import { CorruptInputError, ExpansionLimitError } from '../errors.ts';
import type { Zip } from '../input/zip.ts';
import type { ExcelSettings } from './excel.ts';
import { dateText } from './formats.ts';
import { columnOf, parseRange, type Range } from './range.ts';
import { type Sheet, unescaped, type Workbook, type XmlHandler, xmlPieces } from './workbook.ts';

export type ExcelCell = string | number | boolean | null;

/** One row of a sheet, of the columns of the range. */
export interface ExcelRow {
  /** From 0, in the sheet. */
  readonly row: number;
  readonly cells: readonly ExcelCell[];
}

const COLUMNS_MAX = 16_384;
const ROWS_MAX = 1_048_576;
/** A range may be the whole sheet, told in some bytes. */
const FILLS_MAX = 20_000_000;
/** A sheet is never held, so this only ends what would never end. */
const SHEET_MAX_BYTES = 16 * 1024 ** 3;

/** The rows of a sheet that have cells, in order, some at a time. */
export async function* sheetRows(
  zip: Zip,
  { entry }: Sheet,
  workbook: Workbook,
  settings: ExcelSettings,
  label: string,
): AsyncGenerator<ExcelRow[]> {
  // Merged ranges are told behind the rows, so to fill them the sheet is read twice.
  const merges = settings.mergedCells === 'fill' ? await mergedRanges(zip, entry, label) : [];
  const reader = new SheetReader(workbook, settings, merges, label);
  for await (const _piece of xmlPieces(zip.read(entry), reader, SHEET_MAX_BYTES, label)) {
    if (reader.rows.length > 0) yield reader.rows.splice(0);
    if (reader.isDone) return;
  }
}

async function mergedRanges(zip: Zip, entry: Sheet['entry'], label: string): Promise<Range[]> {
  const ranges: Range[] = [];
  const handler: XmlHandler = {
    open(name, { ref = '' }) {
      if (name === 'mergeCell') ranges.push(parseRange(ref));
    },
  };
  for await (const _piece of xmlPieces(zip.read(entry), handler, SHEET_MAX_BYTES, label));
  return ranges;
}

class SheetReader implements XmlHandler {
  readonly rows: ExcelRow[] = [];
  isDone = false;
  readonly #workbook: Workbook;
  readonly #settings: ExcelSettings;
  /** By row × 16,384 + column of their first cell. */
  readonly #merges: ReadonlyMap<number, Range>;
  readonly #label: string;
  /** The first cell's value of merged ranges that are not over yet. */
  readonly #filled = new Map<Range, ExcelCell>();
  #row = -1;
  #column = -1;
  #cells: ExcelCell[] = [];
  #type = 'n';
  #style = 0;
  #text = '';
  #formula = '';
  #phonetic = 0;
  #fills = 0;

  constructor(workbook: Workbook, settings: ExcelSettings, merges: readonly Range[], label: string) {
    this.#workbook = workbook;
    this.#settings = settings;
    this.#merges = new Map(merges.map((range) => [range.firstRow * COLUMNS_MAX + range.firstColumn, range]));
    this.#label = label;
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (name === 'row') {
      this.#row = attributes.r === undefined ? this.#row + 1 : Number(attributes.r) - 1;
      this.#column = -1;
      this.#cells = [];
      if (!(this.#row >= 0 && this.#row < ROWS_MAX)) throw this.#corrupt('a row has no place');
      if (this.#row > this.#settings.range.lastRow) this.isDone = true;
    } else if (name === 'c') {
      const letters = /^[A-Z]+/.exec(attributes.r ?? '')?.[0];
      this.#column = letters === undefined ? this.#column + 1 : columnOf(letters);
      if (this.#column >= COLUMNS_MAX) throw this.#corrupt('a cell has no place');
      this.#type = attributes.t ?? 'n';
      this.#style = Number(attributes.s ?? 0);
      this.#text = '';
      this.#formula = '';
    } else if (name === 'rPh') this.#phonetic += 1;
  }

  close(name: string, text: string): void {
    if (name === 'v') this.#text = text;
    else if (name === 'f') this.#formula = text;
    else if (name === 't' && this.#phonetic === 0) this.#text += text;
    else if (name === 'rPh') this.#phonetic -= 1;
    else if (name === 'c') this.#endCell();
    else if (name === 'row') this.#endRow();
  }

  #endCell(): void {
    const { firstColumn, lastColumn, firstRow } = this.#settings.range;
    const value = this.#value();
    const merged = this.#merges.get(this.#row * COLUMNS_MAX + this.#column);
    if (merged) this.#filled.set(merged, value);
    if (this.#row < firstRow || this.#column < firstColumn || this.#column > lastColumn || value === null) return;
    const at = this.#column - firstColumn;
    while (this.#cells.length < at) this.#cells.push(null);
    this.#cells[at] = value;
  }

  #endRow(): void {
    const { firstRow, lastRow, firstColumn, lastColumn } = this.#settings.range;
    for (const [range, value] of this.#filled) {
      if (range.lastRow < this.#row) this.#filled.delete(range);
      this.#fills += 1;
      const from = Math.max(range.firstColumn, firstColumn);
      for (let column = from; column <= Math.min(range.lastColumn, lastColumn); column++) {
        const at = column - firstColumn;
        while (this.#cells.length <= at) this.#cells.push(null);
        this.#fills += 1;
        if (range.lastRow >= this.#row) this.#cells[at] = value;
      }
    }
    if (this.#fills > FILLS_MAX)
      throw new ExpansionLimitError(`${this.#label}: merged ranges fill more than ${FILLS_MAX} cells`);
    if (this.#row < firstRow || this.#row > lastRow) return;
    this.rows.push({ row: this.#row, cells: this.#cells });
  }

  #value(): ExcelCell {
    if (this.#settings.formulas === 'text' && this.#formula !== '') return `=${this.#formula}`;
    const text = this.#text;
    switch (this.#type) {
      case 's': {
        const shared = this.#workbook.texts[Number(text)];
        if (shared === undefined) throw this.#corrupt('a cell refers to a text that is not there');
        return shared;
      }
      case 'inlineStr':
      case 'str':
        return unescaped(text);
      case 'b':
        return text === '' ? null : text === '1' || text === 'true';
      case 'd':
        return text === '' ? null : text;
      case 'e':
        // An error such as #DIV/0! is no value.
        return null;
      default: {
        if (text === '') return null;
        const value = Number(text);
        if (Number.isNaN(value)) throw this.#corrupt('a cell of numbers holds none');
        const kind = this.#settings.dateMode === 'auto' ? this.#workbook.styles[this.#style] : undefined;
        return kind ? dateText(value, kind, this.#workbook.is1904) : value;
      }
    }
  }

  #corrupt(why: string): CorruptInputError {
    return new CorruptInputError(`${this.#label}: ${why}`);
  }
}
