/** Rows of a sheet, numbered from 1, both ends included, as sheets number them. */
export interface RowRange {
  /** Undefined: the first sheet that is not hidden. */
  readonly sheet: string | undefined;
  /** Letters; undefined: every column. */
  readonly columns: { readonly from: string; readonly to: string } | undefined;
  readonly firstRow: number;
  /** Undefined: as far as the sheet goes. */
  readonly lastRow: number | undefined;
}

const SHEET = /^(?:'((?:[^']|'')+)'|([^'!]+))!(.+)$/s;
const QUOTED = /^'((?:[^']|'')+)'$/s;
const CELLS = /^\$?([A-Z]{1,3})?\$?([1-9]\d{0,7})?:\$?([A-Z]{1,3})?\$?([1-9]\d{0,7})?$/i;
const CELL = /^\$?([A-Z]{1,3})\$?([1-9]\d{0,7})$/i;

/**
 * Reads a range in A1 notation: `Class Data!A2:E`, `'It''s'!A:C`, `2:100`, `B7`, `'A whole sheet'`.
 *
 * @returns undefined for what is not plainly one: a bare word, which names a sheet or a named range
 */
export function parseRange(range: string): RowRange | undefined {
  const quoted = QUOTED.exec(range)?.[1];
  if (quoted !== undefined) return wholeSheet(unquote(quoted));
  const [, quotedSheet, bareSheet, rest] = SHEET.exec(range) ?? [];
  const sheet = quotedSheet === undefined ? bareSheet : unquote(quotedSheet);
  const cells = rest ?? range;

  const [, column, row] = CELL.exec(cells) ?? [];
  if (column && row) return { sheet, columns: { from: column, to: column }, firstRow: +row, lastRow: +row };
  const [, fromColumn, fromRow, toColumn, toRow] = CELLS.exec(cells) ?? [];
  if (!(fromColumn || fromRow) || Boolean(fromColumn) !== Boolean(toColumn) || !(toColumn || toRow)) return undefined;
  const columns = fromColumn && toColumn ? { from: fromColumn, to: toColumn } : undefined;
  const rows = [fromRow ? +fromRow : 1, toRow ? +toRow : undefined] as const;
  const isBackwards = rows[1] !== undefined && rows[1] < rows[0];
  return { sheet, columns, firstRow: isBackwards ? rows[1] : rows[0], lastRow: isBackwards ? rows[0] : rows[1] };
}

export function wholeSheet(sheet: string): RowRange {
  return { sheet, columns: undefined, firstRow: 1, lastRow: undefined };
}

/** A window of rows in A1 notation. */
export function rowsAsA1(sheet: string | undefined, columns: RowRange['columns'], first: number, last: number): string {
  const cells = `${columns?.from ?? ''}${first}:${columns?.to ?? ''}${last}`;
  return sheet === undefined ? cells : `'${sheet.replaceAll("'", "''")}'!${cells}`;
}

function unquote(sheet: string): string {
  return sheet.replaceAll("''", "'");
}
