import { InvalidInputError } from '../../core/errors.ts';

/** Rows and columns from 0, both ends included. */
export interface Range {
  readonly firstRow: number;
  readonly lastRow: number;
  readonly firstColumn: number;
  readonly lastColumn: number;
}

export const ALL_CELLS: Range = { firstRow: 0, lastRow: Infinity, firstColumn: 0, lastColumn: Infinity };

const RANGE = /^\$?([A-Z]{1,3})?\$?(\d{1,7})?(?::\$?([A-Z]{1,3})?\$?(\d{1,7})?)?$/i;

/** @param text A1 notation. @throws {InvalidInputError} */
export function parseRange(text: string | undefined): Range {
  if (text === undefined) return ALL_CELLS;
  const match = RANGE.exec(text.trim());
  if (!match || text.trim() === '') throw wrong(text);
  const [, fromColumn, fromRow, toColumn, toRow] = match;
  const isCell = !text.includes(':');
  const range = {
    firstColumn: fromColumn ? columnOf(fromColumn) : 0,
    firstRow: fromRow ? Number(fromRow) - 1 : 0,
    lastColumn: isCell && fromColumn ? columnOf(fromColumn) : toColumn ? columnOf(toColumn) : Infinity,
    lastRow: isCell && fromRow ? Number(fromRow) - 1 : toRow ? Number(toRow) - 1 : Infinity,
  };
  if (range.firstRow < 0 || range.firstRow > range.lastRow || range.firstColumn > range.lastColumn) throw wrong(text);
  return range;
}

/** `A` is 0, `AA` is 26. */
export function columnOf(letters: string): number {
  let column = 0;
  for (let at = 0; at < letters.length; at++) column = column * 26 + (letters.charCodeAt(at) & 31);
  return column - 1;
}

export function columnName(index: number): string {
  let name = '';
  for (let left = index + 1; left > 0; left = Math.floor((left - 1) / 26)) {
    name = String.fromCharCode(65 + ((left - 1) % 26)) + name;
  }
  return name;
}

const wrong = (text: string) =>
  new InvalidInputError(`"range" must be in A1 notation such as "B2:D100", got ${JSON.stringify(text)}`);
