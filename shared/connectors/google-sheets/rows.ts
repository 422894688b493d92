import { InvalidInputError } from '../../core/errors.ts';
import { isObject, type JsonValue } from '../../core/json.ts';
import { type ReadRun, SourceChangedError } from '../connector.ts';
import { csvLine } from './csv.ts';
import { rowsAsA1 } from './range.ts';
import type { Spreadsheets, ValueRender } from './spreadsheets.ts';

export interface HowToRead {
  readonly range: string;
  readonly valueRender: ValueRender;
  readonly rowsPerRequest: number;
}

/** Where a read goes on: the next row, the blank rows before it that are not written yet, and the version it began with. */
type RowCursor = { row: number; blankRows: number; modifiedTime: string };

/**
 * Yields the rows of a range as CSV, a window of rows at a time, with a checkpoint after each.
 *
 * @throws {SourceChangedError} it took several windows, and the spreadsheet was modified meanwhile
 */
export async function* readRows(
  spreadsheets: Spreadsheets,
  id: string,
  { range, valueRender, rowsPerRequest }: HowToRead,
  run: ReadRun,
): AsyncGenerator<string> {
  const rows = await spreadsheets.rowsOf(id, range, rowsPerRequest, run.signal);
  if (!rows) {
    for (const row of await spreadsheets.values(id, range, valueRender, run.signal)) yield csvLine(row);
    return;
  }

  const { sheet, columns, firstRow, lastRow } = rows;
  const isOneWindow = lastRow - firstRow < rowsPerRequest;
  const begun = cursorOf(run.resumeFrom);
  // A window is one consistent look; several are only if nothing was modified from the first to the last.
  const modifiedTime = isOneWindow ? '' : (begun?.modifiedTime ?? (await spreadsheets.modifiedTime(id, run.signal)));
  let blankRows = begun?.blankRows ?? 0;
  for (let row = begun?.row ?? firstRow; row <= lastRow; row += rowsPerRequest) {
    const end = Math.min(row + rowsPerRequest - 1, lastRow);
    const window = rowsAsA1(sheet, columns, row, end);
    const values = await spreadsheets.values(id, window, valueRender, run.signal);
    let text = '';
    for (const cells of values) {
      if (cells.length === 0) {
        blankRows += 1;
        continue;
      }
      // The API leaves blank rows out at the end of a window, which need not be the end of the data.
      text += '\n'.repeat(blankRows) + csvLine(cells);
      blankRows = 0;
    }
    blankRows += end - row + 1 - values.length;
    if (text !== '') yield text;
    if (end < lastRow) await run.checkpoint({ row: end + 1, blankRows, modifiedTime });
  }
  if (isOneWindow) return;
  const now = await spreadsheets.modifiedTime(id, run.signal);
  if (now === modifiedTime) return;
  throw new SourceChangedError(
    `google-sheets: spreadsheet ${JSON.stringify(id)} changed while it was read: modified ${modifiedTime}, then ${now}`,
  );
}

function cursorOf(cursor: JsonValue | undefined): RowCursor | undefined {
  if (cursor === undefined) return undefined;
  if (isObject(cursor)) {
    const { row, blankRows, modifiedTime } = cursor;
    if (Number.isSafeInteger(row) && Number.isSafeInteger(blankRows) && typeof modifiedTime === 'string') {
      return { row: row as number, blankRows: blankRows as number, modifiedTime };
    }
  }
  throw new InvalidInputError(`google-sheets: a read cannot go on at ${JSON.stringify(cursor)}`);
}
