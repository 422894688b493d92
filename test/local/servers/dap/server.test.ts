import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../shared/core/json.ts';
import { FIRST_COMMIT, startDapApi } from '../../../support/dap-api.ts';

const HOUR_MS = 3_600_000;
const jsonl = { format: 'jsonl' };

describe('authentication', () => {
  it('gives a JWT of three parts for the right credentials, with exactly the four members', async () => {
    await using api = await startDapApi();

    const { status, json } = await api.login();

    expect(status).toBe(200);
    expect(Object.keys(json).sort()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
    const [, claims] = String(json.access_token).split('.');
    const { exp } = JSON.parse(Buffer.from(claims!, 'base64url').toString()) as JsonObject;
    expect(exp).toBe(api.server.now().getTime() / 1000 + 3600);
  });

  it('hands out identifiers that the vendor’s client accepts', async () => {
    await using api = await startDapApi();

    expect(api.server.credentials.clientId).toMatch(/^[\w-]+#[\w-]+$/);
  });

  it.each([
    [
      'a wrong secret',
      { authorization: `Basic ${Buffer.from('us-east-1#x:wrong').toString('base64')}` },
      undefined,
      403,
    ],
    ['no credentials', { authorization: '' }, undefined, 403],
    ['another grant', undefined, 'grant_type=password', 400],
    ['a body that is no form', { 'content-type': 'application/json' }, '{}', 400],
  ])('refuses %s', async (_what, headers, body, status) => {
    await using api = await startDapApi();

    expect((await api.login({ ...api.basic(), ...headers }, body)).status).toBe(status);
  });

  it.each([
    ['no token', {}],
    ['a token that is none', { authorization: 'Bearer abc' }],
    ['a token of another server', { authorization: 'Bearer a.b.c' }],
    ['a wrong Authorization beside a right x-instauth', { authorization: 'Bearer a.b.c', 'x-instauth': 'right' }],
  ])('answers %s with 401 and an envelope of three members', async (_what, headers: Record<string, string>) => {
    await using api = await startDapApi();
    const sent = headers['x-instauth'] ? { ...headers, 'x-instauth': await api.token() } : headers;

    const { status, json } = await api.send('GET', '/dap/query/canvas/table', { headers: sent });

    expect(status).toBe(401);
    expect(json).toEqual({
      error: { type: 'AuthenticationError', uuid: expect.any(String), message: expect.any(String) },
    });
  });

  it('takes the older header too', async () => {
    await using api = await startDapApi();
    const headers = { 'x-instauth': await api.token() };

    expect((await api.send('GET', '/dap/query/canvas/table', { headers })).status).toBe(200);
  });

  it('refuses a token whose hour is over', async () => {
    await using api = await startDapApi();
    await api.token();

    api.server.advance(HOUR_MS - 1);
    expect((await api.get('/dap/query/canvas/table')).status).toBe(200);
    api.server.advance(1);
    expect((await api.get('/dap/query/canvas/table')).status).toBe(401);
  });
});

describe('tables and schemas', () => {
  it('are served with and without beta/', async () => {
    await using api = await startDapApi();

    const { json } = await api.get('/dap/query/canvas/table');

    expect(json.tables).toContain('enrollment_terms');
    expect((json.tables as string[]).length).toBeGreaterThanOrEqual(12);
    expect((await api.get('/dap/beta/query/canvas/table')).json).toEqual(json);
    const schema = await api.get('/dap/query/canvas/table/users/schema');
    expect(schema.json).toMatchObject({ version: 1, schema: { type: 'object' } });
    expect((await api.get('/dap/beta/query/canvas/table/users/schema')).json).toEqual(schema.json);
  });

  it('changes its version in time', async () => {
    await using api = await startDapApi();
    // Before the token is asked for, which lives for an hour.
    api.server.refresh(4);
    const { json } = await api.get('/dap/query/canvas/table/users/schema');

    expect(json.version).toBe(2);
  });

  it.each([
    ['/dap/query/nowhere/table', 'nowhere', 'namespace'],
    ['/dap/query/canvas/table/nothing/schema', 'nothing', 'table'],
    ['/dap/query/canvas/table/..%2Fusers/schema', '../users', 'table'],
    ['/dap/job/00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000', 'job'],
  ])('answers %s with 404 and what is not there', async (path, id, kind) => {
    await using api = await startDapApi();

    const { status, json } = await api.get(path);

    expect(status).toBe(404);
    expect(json.error).toEqual({
      type: 'ObjectNotFound',
      uuid: expect.any(String),
      message: expect.any(String),
      id,
      kind,
    });
  });

  it('answers an unknown route as a gateway does, without JSON', async () => {
    await using api = await startDapApi();

    const { status, headers } = await api.get('/dap/nothing');

    expect(status).toBe(404);
    expect(headers.get('content-type')).not.toContain('json');
  });
});

describe('a query', () => {
  it('waits, runs and completes in time', async () => {
    await using api = await startDapApi({ jobSpeed: 1 });

    const started = await api.query('users', jsonl);
    expect(started.status).toBe(202);
    expect(started.json).toEqual({ id: expect.any(String), status: 'waiting', expires_at: '2026-01-07T08:20:00Z' });
    const job = () => api.get(`/dap/job/${started.json.id}`);
    expect((await job()).json.status).toBe('waiting');
    api.server.advance(2_000);
    expect(await job()).toMatchObject({ status: 202, json: { status: 'running' } });
    api.server.advance(2_000);
    const { status, json } = await job();

    expect(status).toBe(200);
    expect(json).toEqual({
      id: started.json.id,
      status: 'complete',
      expires_at: '2026-01-07T08:20:00Z',
      objects: [{ id: expect.stringMatching(/^[0-9a-f-]{36}\/part-00000-[0-9a-f-]{36}\.json\.gz$/) }],
      schema_version: 1,
      at: FIRST_COMMIT,
    });
  });

  it('has the rows of the table, once each', async () => {
    await using api = await startDapApi();

    const { json } = await api.query('users', jsonl);
    const lines = (await api.text(json)).trimEnd().split('\n');

    expect(lines).toHaveLength(40);
    expect(lines[0]).toContain('{"key":{"id":90730000000000001},"value":{"name":');
    expect(new Set(lines.map((line) => /"id":(\d+)/.exec(line)![1])).size).toBe(40);
  });

  it.each(['jsonl', 'csv', 'tsv', 'parquet'])('is answered in %s and either mode', async (format) => {
    await using api = await startDapApi();

    const condensed = (await api.query('users', { format, mode: 'condensed' })).json;
    const expanded = (await api.query('users', { format, mode: 'expanded' })).json;

    expect(condensed.id).not.toBe(expanded.id);
    const [file] = await api.files(condensed);
    if (format === 'parquet') expect(file!.subarray(0, 4).toString()).toBe('PAR1');
    else expect([file![0], file![1]]).toEqual([0x1f, 0x8b]);
    if (format === 'csv' || format === 'tsv') {
      expect(await api.text(condensed)).toMatch(/value\.preferences\b(?!\.)/);
      expect(await api.text(expanded)).toContain('value.preferences.theme');
    }
  });

  it('that equals an earlier one finds its job, however its instants are written', async () => {
    await using api = await startDapApi();
    const first = await api.query('users', { format: 'tsv', since: FIRST_COMMIT });
    const same = await api.query('users', { since: FIRST_COMMIT.replace('273', '273000'), format: 'tsv' });
    const zoned = await api.query('users', { format: 'tsv', since: '2026-01-06T10:15:00.273+02:00' });
    const other = await api.query('users', { format: 'tsv', mode: 'expanded', since: FIRST_COMMIT });

    expect(same.json).toEqual(first.json);
    expect(zoned.json).toEqual(first.json);
    expect(other.json.id).not.toBe(first.json.id);
  });

  it('finds no job from before a newer commit, unless it shall', async () => {
    for (const findsJobsFromBeforeNewCommits of [false, true]) {
      await using api = await startDapApi({ findsJobsFromBeforeNewCommits, tokenLifeSeconds: 86_400 });
      const first = await api.query('users', jsonl);
      api.server.refresh();
      const second = await api.query('users', jsonl);

      expect(second.json.id === first.json.id).toBe(findsJobsFromBeforeNewCommits);
    }
  });

  it('lives for a day with its objects, and then is not there any more', async () => {
    await using api = await startDapApi({ tokenLifeSeconds: 90_000 });
    const { json } = await api.query('users', jsonl);

    api.server.advance(24 * HOUR_MS - 1);
    expect((await api.get(`/dap/job/${json.id}`)).status).toBe(200);
    api.server.advance(1);
    expect((await api.get(`/dap/job/${json.id}`)).status).toBe(404);
    const trade = await api.post('/dap/object/url', json.objects as JsonObject[]);
    expect(trade.json.error).toMatchObject({ kind: 'object' });
  });

  it('is cut into files and gzip members of the size asked for', async () => {
    await using api = await startDapApi({ rowsPerFile: 15, rowsPerMember: 4 });

    const { json } = await api.query('users', { format: 'csv' });
    const files = await api.files(json);

    expect(files).toHaveLength(3);
    const member = Buffer.from([0x1f, 0x8b, 0x08]);
    expect(files[0]!.indexOf(member, 1)).toBeGreaterThan(0);
    const text = await api.text(json);
    expect(text.match(/^meta\.ts,/gm)).toHaveLength(3);
  });

  it('without rows is one file with a header, or no file', async () => {
    const query = { format: 'tsv', since: FIRST_COMMIT };
    for (const whenEmpty of ['one file', 'no file'] as const) {
      await using api = await startDapApi({ whenEmpty, boundary: '(since, until]' });
      const { json } = await api.query('users', query);

      expect(json).toMatchObject({ since: FIRST_COMMIT, until: FIRST_COMMIT });
      expect(json.objects).toHaveLength(whenEmpty === 'one file' ? 1 : 0);
      if (whenEmpty === 'one file') expect(await api.text(json)).toMatch(/^meta\.ts\tmeta\.action\tkey\.id\t.*\n$/);
    }
  });

  it('for changes has the deletions and the actions', async () => {
    await using api = await startDapApi({ tokenLifeSeconds: 1e6 });
    const users = api.server.table('canvas', 'users');
    api.server.advance(1000);
    users.delete(90730000000000003n);

    const { json } = await api.query('users', { ...jsonl, since: FIRST_COMMIT });
    const lines = (await api.text(json)).trimEnd().split('\n');

    expect(json).toMatchObject({ since: FIRST_COMMIT, until: '2026-01-06T08:20:01Z' });
    expect(lines.at(-1)).toBe('{"key":{"id":90730000000000003},"meta":{"ts":"2026-01-06T08:20:01Z","action":"D"}}');
    // The record of the watermark itself comes again, since `since` is inclusive.
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('"action":"U"');
  });
});

describe('a query that is refused', () => {
  it.each<[string, JsonObject, JsonObject]>([
    ['an unknown member', { ...jsonl, filter: 'x' }, { line: 1, column: 19, character: 19 }],
    ['no format', {}, { line: 1, column: 1, character: 1 }],
    ['an unknown format', { format: 'xml' }, { line: 1, column: 2, character: 2 }],
    ['a mode that is null', { ...jsonl, mode: null }, { line: 1, column: 19, character: 19 }],
    ['a since without a zone', { ...jsonl, since: '2026-01-06T08:15:00' }, { line: 1, column: 19, character: 19 }],
    ['an until without a since', { ...jsonl, until: FIRST_COMMIT }, { line: 1, column: 19, character: 19 }],
    [
      'an until before since',
      { ...jsonl, since: FIRST_COMMIT, until: '2026-01-01T00:00:00Z' },
      { line: 1, column: 54, character: 54 },
    ],
  ])('for %s says where', async (_what, query, location) => {
    await using api = await startDapApi();

    const { status, json } = await api.query('users', query);

    expect(status).toBe(400);
    expect(json.error).toEqual({
      type: 'ValidationError',
      uuid: expect.any(String),
      message: expect.any(String),
      location,
    });
  });

  it('for JSON that is none says where', async () => {
    await using api = await startDapApi();
    const headers = { authorization: `Bearer ${await api.token()}` };

    const { json } = await api.send('POST', '/dap/query/canvas/table/users/data', { headers, body: '{\n format}' });

    expect(json.error).toMatchObject({ type: 'ValidationError', location: { line: 2, column: 2, character: 4 } });
  });

  it('for a since that has lost its fraction names the value, and the earliest one with its milliseconds', async () => {
    await using api = await startDapApi();

    const { status, json } = await api.query('users', { ...jsonl, since: '2026-01-06T08:15:00Z' });

    expect(status).toBe(400);
    expect(json.error).toEqual({
      type: 'OutOfRangeError',
      uuid: expect.any(String),
      message:
        'The value of since (2026-01-06T08:15:00Z) is before the earliest data available: 2026-01-06T08:15:00.273Z.',
      since: FIRST_COMMIT,
      until: FIRST_COMMIT,
    });
  });

  it.each<JsonObject>([{ since: '2026-01-06T08:16:00Z' }, { since: FIRST_COMMIT, until: '2026-01-06T08:16:00Z' }])(
    'for %j, which is later than the newest commit',
    async (range) => {
      await using api = await startDapApi();

      expect((await api.query('users', { ...jsonl, ...range })).json.error).toMatchObject({ type: 'OutOfRangeError' });
    },
  );

  it('for a since from before a reload asks for a snapshot', async () => {
    await using api = await startDapApi();
    api.server.advance(60_000);
    api.server.table('canvas', 'users').reload();

    const refused = await api.query('users', { ...jsonl, since: FIRST_COMMIT });
    const { json } = await api.query('users', jsonl);

    expect(refused.json.error).toMatchObject({ type: 'SnapshotRequiredError', since: '2026-01-06T08:21:00Z' });
    expect(json.at).toBe('2026-01-06T08:21:00Z');
    expect((await api.query('users', { ...jsonl, since: json.at! })).status).toBe(200);
  });
});

describe('object storage', () => {
  it('serves a file whole or in part, without an encoding', async () => {
    await using api = await startDapApi();
    const { json } = await api.query('users', jsonl);
    const [{ id } = { id: '' }] = json.objects as { id: string }[];
    const url = await api.url(id);

    const whole = await fetch(url);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const part = await fetch(url, { headers: { range: 'bytes=10-19' } });

    expect(whole.headers.get('content-length')).toBe(String(bytes.length));
    expect(whole.headers.get('content-type')).toBe('application/octet-stream');
    expect(whole.headers.has('content-encoding')).toBe(false);
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 10-19/${bytes.length}`);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
    expect((await fetch(url, { headers: { range: `bytes=${bytes.length}-` } })).status).toBe(416);
  });

  it('has URLs of characters that no client changes', async () => {
    await using api = await startDapApi();
    const { json } = await api.query('users', jsonl);
    const [{ id } = { id: '' }] = json.objects as { id: string }[];

    const { pathname, search } = new URL(await api.url(id));

    expect(pathname).toMatch(/^\/_storage\/[\w.~-]+\/part-[\w.~-]+$/);
    expect(search).toMatch(/^\?X-Amz-Expires=900&X-Amz-Signature=[\w.~-]+$/);
  });

  it('refuses a URL whose time is over, that was changed, or that comes with credentials', async () => {
    await using api = await startDapApi();
    const { json } = await api.query('users', jsonl);
    const [{ id } = { id: '' }] = json.objects as { id: string }[];
    const url = await api.url(id);
    const status = async (of: string, headers = {}) => (await fetch(of, { headers })).status;

    expect(await status(url, { authorization: 'Bearer x' })).toBe(400);
    expect(await status(`${url}0`)).toBe(403);
    expect(await status(url.replace('part-', 'other-'))).toBe(404);
    api.server.advance(15 * 60_000 - 1);
    expect(await status(url)).toBe(200);
    api.server.advance(1);
    const { status: expired, text } = await api.send('GET', url);
    expect(expired).toBe(403);
    expect(text).toContain('<Code>AccessDenied</Code>');
  });
});

describe('the call log', () => {
  it('tells what was asked, and no secret', async () => {
    await using api = await startDapApi();
    const { json } = await api.query('users', jsonl);
    await api.files(json);

    expect(api.server.calls.map(({ route, status, table }) => [route, status, table])).toEqual([
      ['login', 200, undefined],
      ['query', 200, 'users'],
      ['urls', 200, undefined],
      ['download', 200, undefined],
    ]);
    const log = JSON.stringify(api.server.calls);
    expect(log).not.toContain(await api.token());
    expect(log).not.toContain('Signature');
    expect(api.server.calls.at(-1)!.isAuthenticated).toBe(false);
  });
});

describe('rate limits', () => {
  it('are off unless asked for', async () => {
    await using api = await startDapApi();
    for (let count = 0; count < 10; count++) expect((await api.get('/dap/query/canvas/table')).status).toBe(200);
  });

  it('are the published ones, each route alone, and tell when to come again in whole seconds', async () => {
    await using api = await startDapApi({ rateLimits: true });
    const list = () => api.get('/dap/query/canvas/table');
    for (let count = 0; count < 5; count++) expect((await list()).status).toBe(200);
    api.server.advance(30_500);

    const { status, headers, json } = await list();

    expect(status).toBe(429);
    expect(headers.get('retry-after')).toBe('30');
    expect(Object.keys(json.error as JsonObject).sort()).toEqual(['message', 'type', 'uuid']);
    expect((await api.get('/dap/query/canvas/table/users/schema')).status).toBe(200);
    api.server.advance(30_000);
    expect((await list()).status).toBe(200);
  });
});

describe('many tables', () => {
  it('offers as many plain ones as asked for, of which some may be silent', async () => {
    await using api = await startDapApi({
      extraTables: 100,
      isSilent: ({ name }) => name > 'extra_010',
      tokenLifeSeconds: 1e6,
    });
    api.server.refresh();

    expect((await api.get('/dap/query/canvas/table')).json.tables).toContain('extra_100');
    expect((await api.query('extra_010', jsonl)).json.at).toBe('2026-01-06T12:15:00.273Z');
    expect((await api.query('extra_011', jsonl)).json.at).toBe(FIRST_COMMIT);
  });
});
