import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Metadata, ReadRun } from '../../../../shared/connectors/connector.ts';
import { type GoogleSheetsOptions, googleSheets } from '../../../../shared/connectors/google-sheets/google-sheets.ts';
import { errorFacts, InvalidInputError } from '../../../../shared/core/errors.ts';
import type { JsonValue } from '../../../../shared/core/json.ts';
import { aRun, collect } from '../../../support/connector-run.ts';
import { FakeGoogle, type FakeReply, PRIVATE_KEY, refused } from '../../../support/fake-google.ts';

const ID = '1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms';
const NOW = new Date('2026-01-01T00:00:00Z');
const LEAF: Metadata = { name: ID, fingerprint: '2025-12-31T00:00:00.000Z', isPrefix: false };

let google: FakeGoogle;
let now: Date;

beforeEach(async () => {
  google = await new FakeGoogle().start();
  now = NOW;
  google.spreadsheets.set(ID, {
    modifiedTime: LEAF.fingerprint,
    sheets: [
      { title: 'hidden', hidden: true, rowCount: 3, rows: [['no']] },
      {
        title: 'Class Data',
        rowCount: 1000,
        rows: [['Name', 'Major'], ['Ada', 'Mathematics, "pure"'], ['Grace', '', 1906], [], [], ['Alan', true]],
      },
    ],
  });
});

afterEach(() => google.stop());

/** The connector with a session of its own, as one worker has it. */
async function session(options: Partial<GoogleSheetsOptions> = {}) {
  const given = { spreadsheetId: ID, range: 'Class Data!A2:E', ...google.urls, ...options };
  const { connector } = googleSheets(given, { clock: () => now });
  const context = await connector.context(google.credential, aRun().run);
  return {
    list: () => collect(connector.listObjects(context, null, aRun().run)),
    read: async (run: Partial<ReadRun> = {}, leaf = LEAF) =>
      (await collect(connector.readBytes(context, leaf, aRun(run).run))).join(''),
    readWith: (run: ReadRun) => connector.readBytes(context, LEAF, run),
  };
}

const sheet = () => google.spreadsheets.get(ID)!.sheets[1]!;

describe('googleSheets lists', () => {
  it('one leaf per spreadsheet, its fingerprint the time of its last change', async () => {
    google.spreadsheets.set('other', { modifiedTime: '2024-01-01T00:00:00.000Z', sheets: [] });

    const leaves = await (await session({ spreadsheetId: [ID, 'other'] })).list();

    expect(leaves).toEqual([
      { name: ID, fingerprint: LEAF.fingerprint, isPrefix: false, lastModified: LEAF.fingerprint },
      {
        name: 'other',
        fingerprint: '2024-01-01T00:00:00.000Z',
        isPrefix: false,
        lastModified: '2024-01-01T00:00:00.000Z',
      },
    ]);
  });

  it('by one call a spreadsheet', async () => {
    await (await session()).list();

    expect(google.requests).toEqual([
      'POST /token',
      `GET /drive/v3/files/${ID}?fields=modifiedTime&supportsAllDrives=true`,
    ]);
  });

  it('and fails when it is no longer shared', async () => {
    google.spreadsheets.delete(ID);
    const { list } = await session();

    await expect(list()).rejects.toMatchObject({ code: 'SourceRefused', retryable: false });
    await expect(list()).rejects.toThrow(
      `google-sheets: the request for the time of change of spreadsheet "${ID}" was answered 404: ` +
        'Requested entity was not found. (is it shared with the service account?)',
    );
  });
});

describe('googleSheets reads', () => {
  const ROWS = 'Ada,"Mathematics, ""pure"""\nGrace,,1906\n\n\nAlan,TRUE\n';

  it('the rows of a range as CSV lines', async () => {
    expect(await (await session()).read()).toBe(ROWS);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 999, 1000])('the same rows in windows of %i', async (rowsPerRequest) => {
    expect(await (await session({ rowsPerRequest })).read()).toBe(ROWS);
  });

  it('one window at a time, in order, to the end of the sheet', async () => {
    await (await session({ rowsPerRequest: 400 })).read();

    expect(google.requestsTo('/values/').map((request) => /values\/(.*)\?/.exec(request)?.[1])).toEqual([
      "'Class Data'!A2:E401",
      "'Class Data'!A402:E801",
      "'Class Data'!A802:E1000",
    ]);
  });

  it('a short bounded range without looking anything up', async () => {
    expect(await (await session({ range: 'A1:A3' })).read()).toBe('Name\nAda\nGrace\n');
    expect(google.requests).toHaveLength(2);
  });

  it.each([
    ["'Class Data'", `Name,Major\n${ROWS}`],
    ['Class Data', `Name,Major\n${ROWS}`],
    ['A1:B', 'Name,Major\nAda,"Mathematics, ""pure"""\nGrace\n\n\nAlan,TRUE\n'],
    ['hidden!A:A', 'no\n'],
    ['1:1', 'Name,Major\n'],
    ['B2', '"Mathematics, ""pure"""\n'],
    ['Class Data!A7:E', ''],
    ['Class Data!A1001:E', ''],
  ])('%s', async (range, csv) => {
    expect(await (await session({ range })).read()).toBe(csv);
  });

  it('a named range in one piece, also when a sheet has its name', async () => {
    google.spreadsheets.get(ID)!.namedRanges = { Prices: [['a', 1]], 'Class Data': [['range']] };

    expect(await (await session({ range: 'Prices' })).read()).toBe('a,1\n');
    expect(await (await session({ range: 'Class Data' })).read()).toBe('range\n');
    expect(await (await session({ range: "'Class Data'" })).read()).toBe(`Name,Major\n${ROWS}`);
  });

  it("with Google's words when the range is none", async () => {
    const { read } = await session({ range: 'Nowhere!A1:B2' });

    await expect(read()).rejects.toThrow("was answered 400: Unable to parse range: 'Nowhere'!A1:B2");
    await expect(read()).rejects.toMatchObject({ code: 'SourceRefused' });
  });

  it('cells as they are stored when asked to', async () => {
    await (await session({ valueRender: 'UNFORMATTED_VALUE' })).read();

    expect(google.requestsTo('/values/')[0]).toContain('?majorDimension=ROWS&valueRenderOption=UNFORMATTED_VALUE');
  });

  it('on from every checkpoint to the same bytes', async () => {
    const { read, readWith } = await session({ rowsPerRequest: 2 });
    sheet().rowCount = 8;
    const { run, checkpoints } = aRun();
    const upTo: string[] = [];
    let text = '';
    const checkpoint: ReadRun['checkpoint'] = (cursor) => {
      upTo.push(text);
      return run.checkpoint(cursor);
    };
    const reading = readWith({ ...run, checkpoint });
    for await (const chunk of reading) text += chunk;

    expect(text).toBe(ROWS);
    expect(checkpoints).toHaveLength(3);
    for (const [at, resumeFrom] of checkpoints.entries()) {
      expect(upTo[at] + (await read({ resumeFrom: JSON.parse(JSON.stringify(resumeFrom)) }))).toBe(ROWS);
    }
  });

  it('and fails when the spreadsheet changed between two windows', async () => {
    const { readWith } = await session({ rowsPerRequest: 2 });
    const edit = async () => {
      google.spreadsheets.get(ID)!.modifiedTime = '2026-01-01T00:00:01.000Z';
    };

    const reading = collect(readWith({ ...aRun().run, checkpoint: edit }));

    await expect(reading).rejects.toMatchObject({ code: 'SourceChanged' });
    await expect(reading).rejects.toThrow('modified 2025-12-31T00:00:00.000Z, then 2026-01-01T00:00:01.000Z');
  });

  it('nothing from a cursor that is none of its own', async () => {
    const { read } = await session({ rowsPerRequest: 2 });

    const cursors: JsonValue[] = [5, {}, { row: 'x', blankRows: 0, modifiedTime: '' }];

    for (const resumeFrom of cursors) {
      await expect(read({ resumeFrom })).rejects.toMatchObject({ code: 'InvalidInput' });
    }
  });
});

describe('googleSheets signs in', () => {
  it('with a signed statement for read-only access', async () => {
    await (await session()).list();

    expect(google.signIns).toEqual([
      {
        header: { alg: 'RS256', typ: 'JWT', kid: 'key-1' },
        claims: {
          iss: 'reader@example.iam.gserviceaccount.com',
          scope:
            'https://www.googleapis.com/auth/spreadsheets.readonly https://www.googleapis.com/auth/drive.metadata.readonly',
          aud: `${google.url}/token`,
          iat: NOW.getTime() / 1000,
          exp: NOW.getTime() / 1000 + 3600,
        },
      },
    ]);
  });

  it('where the key file says, unless told otherwise', async () => {
    const { sheetsUrl, driveUrl } = google.urls;
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1', sheetsUrl, driveUrl });
    const context = await connector.context(google.credential, aRun().run);

    expect(await collect(connector.listObjects(context, null, aRun().run))).toHaveLength(1);
  });

  it('once for many calls, and again in the last minute of a token', async () => {
    const { list } = await session({ spreadsheetId: Array(20).fill(ID) });

    await Promise.all([list(), list()]);
    now = new Date(NOW.getTime() + 3_539_000);
    await list();
    expect(google.signIns).toHaveLength(1);

    now = new Date(NOW.getTime() + 3_540_000);
    await list();
    expect(google.signIns).toHaveLength(2);
  });

  it('once more when a token is refused, and then gives up', async () => {
    const { list } = await session();
    await list();
    google.revokeTokens();
    expect(await list()).toHaveLength(1);
    expect(google.signIns).toHaveLength(2);

    google.intercept = (path) => (path === '/token' ? undefined : refused(401, 'No.'));
    await expect(list()).rejects.toMatchObject({ code: 'SourceRefused', retryable: false });
    expect(google.signIns).toHaveLength(3);
  });

  it('after an attempt that failed', async () => {
    const { list } = await session();
    google.intercept = () => ({ status: 503 });
    await expect(list()).rejects.toMatchObject({ code: 'Retryable' });

    google.intercept = undefined;

    expect(await list()).toHaveLength(1);
  });
});

describe('googleSheets fails', () => {
  it.each<[string, FakeReply, object]>([
    [
      '429',
      refused(429, 'Quota exceeded', undefined, { 'retry-after': '7' }),
      { code: 'Retryable', retryAfterMs: 7000 },
    ],
    [
      '503 with a date',
      { status: 503, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' } },
      { retryAfterMs: 30_000 },
    ],
    ['500 with a page', { status: 500, body: '<html>' }, { code: 'Retryable', retryable: true }],
    ['403 for speed', refused(403, 'Slow down', 'userRateLimitExceeded'), { code: 'Retryable', retryable: true }],
    ['403', refused(403, 'The caller does not have permission'), { code: 'SourceRefused', retryable: false }],
    ['404', refused(404, 'Not found'), { code: 'SourceRefused', retryable: false }],
    ['302', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { code: 'SourceRefused' }],
    ['200 with a page', { status: 200, body: '<html>' }, { code: 'Retryable', retryable: true }],
    ['200 without a time', { status: 200, body: {} }, { code: 'SourceRefused' }],
  ])('on %s', async (_what, reply, expected) => {
    google.intercept = (path) => (path === '/token' ? undefined : reply);

    await expect((await session()).list()).rejects.toMatchObject(expected);
  });

  it('for now when nobody answers', async () => {
    const { list } = await session();
    await google.stop();

    const error = await list().catch((thrown: unknown) => thrown);

    expect(errorFacts(error)).toMatchObject({ code: 'Retryable', retryable: true });
    expect(errorFacts(error).message).toContain('google-sheets: no answer to the request for an access token');
    google = await new FakeGoogle().start(); // for the clean-up
  });

  it('as its caller does when the call is stopped', async () => {
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1', ...google.urls });
    const context = await connector.context(google.credential, aRun().run);
    const stop = AbortSignal.abort(new Error('time is up'));

    await expect(collect(connector.listObjects(context, null, aRun({ signal: stop }).run))).rejects.toThrow(
      'time is up',
    );
  });

  it('when the account is refused, without showing what was sent', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1', ...google.urls });
    const credential = JSON.stringify({ ...JSON.parse(google.credential), private_key: pem });
    const context = await connector.context(credential, aRun().run);

    await expect(collect(connector.listObjects(context, null, aRun().run))).rejects.toThrow(
      'the request for an access token was answered 400: invalid_grant: Invalid JWT Signature.',
    );
  });

  it('never showing a token, even when a server repeats it', async () => {
    google.intercept = (path, token) => (path === '/token' ? undefined : refused(400, `bad header: Bearer ${token}`));

    const error = await (await session()).list().catch((thrown: unknown) => thrown);

    expect(google.tokens).toHaveLength(1);
    expect(String((error as Error).message)).toContain('answered 400: bad header: Bearer [redacted]');
    for (const token of google.tokens) expect(JSON.stringify(errorFacts(error))).not.toContain(token);
  });
});

describe('googleSheets refuses', () => {
  it.each([
    ['an empty credential', '', 'there is none'],
    ['what is not JSON', 'canary-secret', 'it is not JSON'],
    ['JSON that is no object', '"canary-secret"', 'it is not a JSON object'],
    ["a user's credential", '{"type":"authorized_user","refresh_token":"canary-secret"}', '"type" must be'],
    ['a credential without an address', '{"private_key":"canary-secret"}', '"client_email" is missing'],
    ['a credential without a key', '{"client_email":"canary-secret"}', '"private_key" is missing'],
    ['a key that is none', '{"client_email":"a","private_key":"canary-secret"}', '"private_key" is not a private key'],
  ])('%s, without showing it', async (_what, credential, complaint) => {
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1' });

    const opened = (async () => connector.context(credential, aRun().run))();

    await expect(opened).rejects.toThrow(complaint);
    const error = await opened.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(JSON.stringify([errorFacts(error), (error as Error).stack])).not.toContain('canary-secret');
  });

  it('no key whose line ends came as two characters', async () => {
    const credential = JSON.stringify({
      ...JSON.parse(google.credential),
      private_key: PRIVATE_KEY.replaceAll('\n', '\\n'),
    });
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1', ...google.urls });

    const context = await connector.context(credential, aRun().run);

    expect(await collect(connector.listObjects(context, null, aRun().run))).toHaveLength(1);
  });

  it.each([
    [{ spreadsheetId: ID }, '"range" is required'],
    [{ spreadsheetId: [], range: 'A1' }, '"spreadsheetId" must be'],
    [{ spreadsheetId: ID, range: 'A1', rowsPerRequest: 0 }, '"rowsPerRequest" must be'],
    [{ spreadsheetId: ID, range: 'A1', valueRender: 'RAW' }, '"valueRender" must be one of'],
    [{ spreadsheetId: ID, range: 'A1', sheet: 'x' }, 'unknown option "sheet"'],
    [{ spreadsheetId: ID, range: 'A1', sheetsUrl: 'http://sheets.example.com' }, '"sheetsUrl" must be an https URL'],
    [{ spreadsheetId: ID, range: 'A1', driveUrl: 'https://user:word@example.com' }, '"driveUrl" must be an https URL'],
    [{ spreadsheetId: ID, range: 'A1', tokenUrl: 'file:///token' }, '"tokenUrl" must be an https URL'],
    [{ spreadsheetId: ID, range: 'A1', tokenUrl: 'http://127.0.0.1.example.com/' }, '"tokenUrl" must be an https URL'],
  ])('%j by name', (options, complaint) => {
    expect(() => googleSheets(options as GoogleSheetsOptions)).toThrow(InvalidInputError);
    expect(() => googleSheets(options as GoogleSheetsOptions)).toThrow(complaint);
  });

  it('a token address in the key file that is not https', async () => {
    const { connector } = googleSheets({ spreadsheetId: ID, range: 'A1' });
    const credential = JSON.stringify({ ...JSON.parse(google.credential), token_uri: 'http://example.com/token' });

    await expect((async () => connector.context(credential, aRun().run))()).rejects.toThrow(
      '"token_uri" must be an https',
    );
  });
});
