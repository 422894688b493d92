import { isObject } from '../../core/json.ts';
import { SourceRefusedError } from '../connector.ts';
import type { GoogleApi } from './api.ts';
import type { Cell } from './csv.ts';
import { parseRange, type RowRange, wholeSheet } from './range.ts';

export type ValueRender = 'FORMATTED_VALUE' | 'UNFORMATTED_VALUE' | 'FORMULA';

export interface Rows extends RowRange {
  readonly lastRow: number;
}

/** The three questions that are asked about a spreadsheet. */
export class Spreadsheets {
  readonly #api: GoogleApi;
  readonly #sheetsUrl: string;
  readonly #driveUrl: string;

  constructor(api: GoogleApi, sheetsUrl: URL, driveUrl: URL) {
    this.#api = api;
    this.#sheetsUrl = sheetsUrl.href.replace(/\/$/, '');
    this.#driveUrl = driveUrl.href.replace(/\/$/, '');
  }

  /** @see https://developers.google.com/workspace/drive/api/reference/rest/v3/files/get */
  async modifiedTime(id: string, signal: AbortSignal): Promise<string> {
    const url = new URL(`${this.#driveUrl}/files/${encodeURIComponent(id)}`);
    url.search = new URLSearchParams({ fields: 'modifiedTime', supportsAllDrives: 'true' }).toString();
    const what = `the time of change of spreadsheet ${JSON.stringify(id)}`;
    const { modifiedTime } = await this.#api.get(url, what, signal);
    if (typeof modifiedTime === 'string' && modifiedTime !== '') return modifiedTime;
    throw new SourceRefusedError(`google-sheets: the reply with ${what} has no "modifiedTime"`);
  }

  /**
   * The rows that a range means in this spreadsheet, ends included; undefined for a named range.
   *
   * @param rowsPerRequest a range that is bounded and no longer is not looked up
   */
  async rowsOf(id: string, range: string, rowsPerRequest: number, signal: AbortSignal): Promise<Rows | undefined> {
    const parsed = parseRange(range);
    if (parsed?.lastRow !== undefined && parsed.lastRow - parsed.firstRow < rowsPerRequest) {
      return { ...parsed, lastRow: parsed.lastRow };
    }
    const { sheets, namedRanges } = await this.#structure(id, signal);
    // Where both have the name, the API means the named range.
    if (!parsed && namedRanges.has(range)) return undefined;
    const wanted = parsed ?? wholeSheet(range);
    const found = sheets.find(({ title, hidden }) => (wanted.sheet === undefined ? !hidden : title === wanted.sheet));
    // Titles differ by more than their case only; what is not found here the API shall judge.
    if (!found) return undefined;
    return { ...wanted, sheet: found.title, lastRow: Math.min(wanted.lastRow ?? found.rowCount, found.rowCount) };
  }

  /** @see https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values/get */
  async values(id: string, range: string, valueRender: ValueRender, signal: AbortSignal): Promise<readonly Cell[][]> {
    const url = new URL(
      `${this.#sheetsUrl}/spreadsheets/${encodeURIComponent(id)}/values/${encodeURIComponent(range)}`,
    );
    url.search = new URLSearchParams({ majorDimension: 'ROWS', valueRenderOption: valueRender }).toString();
    const { values } = await this.#api.get(
      url,
      `${JSON.stringify(range)} of spreadsheet ${JSON.stringify(id)}`,
      signal,
    );
    return Array.isArray(values) ? values : [];
  }

  /** @see https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/get */
  async #structure(id: string, signal: AbortSignal): Promise<Structure> {
    const url = new URL(`${this.#sheetsUrl}/spreadsheets/${encodeURIComponent(id)}`);
    url.search = new URLSearchParams({
      fields: 'sheets.properties(title,hidden,gridProperties.rowCount),namedRanges.name',
    }).toString();
    const reply = await this.#api.get(url, `the sheets of spreadsheet ${JSON.stringify(id)}`, signal);
    return {
      sheets: objectsIn(reply.sheets).flatMap(({ properties }) => {
        if (!isObject(properties) || typeof properties.title !== 'string' || !isObject(properties.gridProperties))
          return [];
        const { rowCount } = properties.gridProperties;
        if (typeof rowCount !== 'number') return [];
        return [{ title: properties.title, hidden: properties.hidden === true, rowCount }];
      }),
      namedRanges: new Set(objectsIn(reply.namedRanges).map(({ name }) => name)),
    };
  }
}

interface Structure {
  /** Those that are a grid of cells; not charts. */
  readonly sheets: readonly { readonly title: string; readonly hidden: boolean; readonly rowCount: number }[];
  readonly namedRanges: ReadonlySet<unknown>;
}

function objectsIn(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
