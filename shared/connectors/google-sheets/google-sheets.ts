import { type Clock, systemClock } from '../../core/clock.ts';
import { chunksOf } from '../../core/concurrency.ts';
import { checkOptions } from '../../core/options.ts';
import type { BytesConnector, Source } from '../connector.ts';
import { GoogleApi, secureUrl } from './api.ts';
import { readRows } from './rows.ts';
import { parseServiceAccount } from './service-account.ts';
import { Spreadsheets, type ValueRender } from './spreadsheets.ts';

export interface GoogleSheetsOptions {
  /** One spreadsheet's id (the long word in its address), or several: each is one partition. */
  spreadsheetId: string | readonly string[];
  /** In A1 notation, read from each of them: `Class Data!A2:E`, a sheet's title, a named range. */
  range: string;
  /** How a cell becomes text: as shown (default), as stored, or as its formula. */
  valueRender?: ValueRender;
  /** Rows asked for at once, 1 to 100,000; default 5,000. Memory holds one such window. A named range is read in one piece. */
  rowsPerRequest?: number;
  /** Base addresses, for a proxy or a test. https, or http on loopback. Default: Google's; the token's as the key file says. */
  sheetsUrl?: string;
  driveUrl?: string;
  tokenUrl?: string;
}

const OPTIONS = {
  spreadsheetId: { kind: ['string', 'array'], of: 'string', required: true, min: 1, max: 1024 },
  range: { kind: 'string', required: true, min: 1, max: 1024 },
  valueRender: {
    kind: 'string',
    oneOf: ['FORMATTED_VALUE', 'UNFORMATTED_VALUE', 'FORMULA'],
    default: 'FORMATTED_VALUE',
  },
  rowsPerRequest: { kind: 'integer', min: 1, max: 100_000, default: 5000 },
  sheetsUrl: { kind: 'string', default: 'https://sheets.googleapis.com/v4' },
  driveUrl: { kind: 'string', default: 'https://www.googleapis.com/drive/v3' },
  tokenUrl: { kind: 'string' },
} as const;

const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const LISTED_AT_ONCE = 8;

/** What the connector needs of its surroundings; a test brings its own. */
export interface GoogleSheetsWorld {
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
}

/**
 * Google spreadsheets as CSV: one leaf per spreadsheet, its fingerprint Drive's `modifiedTime`, its bytes the rows of a range
 * as lines ended by `\n`, without the empty cells and rows that the API leaves out at their ends.
 *
 * The credential is a service account's JSON key; share the spreadsheets with its address. A read asks for rows in windows
 * and can go on at each; when it took more than one, and the spreadsheet was modified meanwhile, it fails with
 * `SourceChangedError`.
 *
 * @throws {InvalidInputError} naming the option that is wrong
 */
export function googleSheets(options: GoogleSheetsOptions, world: GoogleSheetsWorld = {}): Source {
  const checked = checkOptions('google-sheets', options, OPTIONS);
  const { spreadsheetId, range, valueRender, rowsPerRequest } = checked;
  const ids = typeof spreadsheetId === 'string' ? [spreadsheetId] : spreadsheetId;
  const sheetsUrl = secureUrl('sheetsUrl', checked.sheetsUrl);
  const driveUrl = secureUrl('driveUrl', checked.driveUrl);
  const tokenUrl = checked.tokenUrl === undefined ? undefined : secureUrl('tokenUrl', checked.tokenUrl);
  const how = { range, valueRender, rowsPerRequest };

  const connector: BytesConnector<Spreadsheets> = {
    context(credential) {
      const account = parseServiceAccount(credential);
      const api = new GoogleApi({
        account,
        tokenUrl: tokenUrl ?? secureUrl('token_uri', account.tokenUrl ?? TOKEN_URL),
        fetch: world.fetch ?? globalThis.fetch,
        clock: world.clock ?? systemClock,
      });
      return new Spreadsheets(api, sheetsUrl, driveUrl);
    },
    async *listObjects(spreadsheets, _root, { signal }) {
      for (const some of chunksOf(ids, LISTED_AT_ONCE)) {
        const times = await Promise.all(some.map((id) => spreadsheets.modifiedTime(id, signal)));
        for (const [at, modifiedTime] of times.entries()) {
          yield { name: some[at]!, fingerprint: modifiedTime, isPrefix: false, lastModified: modifiedTime };
        }
      }
    },
    readBytes: (spreadsheets, { name }, run) => readRows(spreadsheets, name, how, run),
  };
  return { type: 'google-sheets', connector: connector as BytesConnector, identity: { range, valueRender } };
}
