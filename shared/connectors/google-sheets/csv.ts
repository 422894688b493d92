export type Cell = string | number | boolean | null;

const NEEDS_QUOTES = /[",\r\n]/;

/**
 * One CSV record, ended by `\n`, quoted as RFC 4180 says and only where needed. An empty list is an empty line; a list of
 * one empty cell is `""`, so that the two can be told apart.
 */
export function csvLine(cells: readonly Cell[]): string {
  if (cells.length === 1 && (cells[0] === '' || cells[0] === null)) return '""\n';
  let line = '';
  for (let at = 0; at < cells.length; at++) line += (at === 0 ? '' : ',') + field(cells[at] ?? null);
  return `${line}\n`;
}

function field(cell: Cell): string {
  if (cell === null) return '';
  // As a sheet shows it.
  if (typeof cell === 'boolean') return cell ? 'TRUE' : 'FALSE';
  const text = String(cell);
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
