import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { FaultRule } from '../../local/servers/dap/faults.ts';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { type Seat, Workplace } from '../support/terminal.ts';

/** The local server, and the command beside it with its address and credentials in the environment. */
async function world(...faults: FaultRule[]) {
  const server = await startDapServer({ rows: 30, jobSpeed: Number.POSITIVE_INFINITY, faults });
  const place = new Workplace();
  const downloads = place.path('downloads');
  const env = accessTo(server);
  return {
    server,
    place,
    downloads,
    dap: (words: string, seat: Seat = {}) => place.landfall(`dap ${words}`, { env, ...seat }),
    /** With a folder of this test's own. */
    save: (words: string, seat: Seat = {}) =>
      place.landfall(`dap ${words} --namespace canvas --output-directory ${downloads}`, { env, ...seat }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const accessTo = ({ url, credentials }: DapServer) => ({
  DAP_API_URL: url,
  DAP_CLIENT_ID: credentials.clientId,
  DAP_CLIENT_SECRET: credentials.clientSecret,
});

const errorOf = (err: string) => JSON.parse(err).error as Record<string, unknown>;

describe('landfall dap list', () => {
  it('prints one table a line', async () => {
    await using at = await world();

    const { code, out, err } = await at.dap('list --namespace canvas');

    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.trimEnd().split('\n')).toEqual(expect.arrayContaining(['courses', 'submissions', 'users']));
  });

  it('prints JSON with --json', async () => {
    await using at = await world();

    const { json } = await at.dap('list --namespace catalog --json');

    expect(json()).toEqual([{ namespace: 'catalog', table: 'orders' }]);
  });

  it('takes address and credentials as options, before and after its name', async () => {
    await using at = await world();
    const { url, credentials } = at.server;
    const secret = `--client-secret ${credentials.clientSecret}`;

    const { code, out } = await at.place.landfall(
      `dap --base-url ${url}/ --client-id ${credentials.clientId} list --namespace catalog ${secret}`,
    );

    expect({ code, out }).toEqual({ code: 0, out: 'orders\n' });
  });

  it('opens neither backend nor pipelines', async () => {
    await using at = await world();
    at.place.file('broken.mjs', 'throw new Error("loaded");');

    const { code } = await at.dap('list --namespace canvas');

    expect(code).toBe(0);
    expect(existsSync(at.place.path('home'))).toBe(false);
  });
});

describe('landfall dap schema', () => {
  it('saves each schema under its table and version', async () => {
    await using at = await world();

    const { code, json } = await at.save('schema --table users,courses --json');

    expect(code).toBe(0);
    const files = json().map(({ file }) => String(file));
    expect(files.map((file) => basename(file))).toEqual([
      'users_schema_version_1.json',
      'courses_schema_version_1.json',
    ]);
    const saved = JSON.parse(readFileSync(files[0]!, 'utf8'));
    expect(saved).toMatchObject({ version: 1, schema: { type: 'object' } });
  });

  it('names the table and the file', async () => {
    await using at = await world();

    const { out } = await at.save('schema --table users');

    expect(out).toBe(`users  ${at.downloads}/users_schema_version_1.json\n`);
  });
});

describe('landfall dap snapshot', () => {
  it.each(['jsonl', 'csv', 'tsv', 'parquet'])('saves %s to the folder of the job, as it is stored', async (format) => {
    await using at = await world();

    const { code, json } = await at.save(`snapshot --table users --format ${format} --json`);

    expect(code).toBe(0);
    const [row] = json();
    expect(row).toMatchObject({ namespace: 'canvas', table: 'users', format, schemaVersion: 1 });
    expect(row!.timestamp).toMatch(/^\d{4}-.*Z$/);
    const files = row!.files as string[];
    expect(files.map((file) => dirname(file))).toEqual([`${at.downloads}/job_${row!.jobId}`]);
    const bytes = readFileSync(files[0]!);
    expect(bytes.length).toBe(row!.bytes);
    const head = format === 'parquet' ? [0x50, 0x41] : [0x1f, 0x8b];
    expect([...bytes.subarray(0, 2)]).toEqual(head);
  });

  it('takes jsonl by default, and says up to when the data goes and where it is', async () => {
    await using at = await world();

    const { out } = await at.save('snapshot --table users');

    const [job] = readdirSync(at.downloads);
    expect(out).toMatch(/^users {2}up to \d{4}-\S+Z {2}schema 1 {2}1 file {2}[\d.]+ K?i?B {2}\S+\n$/);
    expect(out.trimEnd().endsWith(`${at.downloads}/${job}`)).toBe(true);
    expect(readdirSync(`${at.downloads}/${job}`)[0]).toMatch(/\.json\.gz$/);
  });

  it('goes on after a table that fails, tells of it in its place, and ends with 1', async () => {
    await using at = await world();

    const text = await at.save('snapshot --table users,nothing,courses');
    const { code, json, err } = await at.save('snapshot --table users,nothing,courses --json');

    expect([text.code, code]).toEqual([1, 1]);
    expect(text.out).toMatch(/^users {4}up to .*\nnothing {2}FAILED {2}DapNotFound: .*\ncourses {2}up to .*\n$/);
    expect(text.err).toMatch(/^landfall: download of data: 1 failed and 0 were skipped of 3 tables: nothing \(.*\n$/);
    expect(json().map(({ table, error }) => [table, (error as { code: string })?.code])).toEqual([
      ['users', undefined],
      ['nothing', 'DapNotFound'],
      ['courses', undefined],
    ]);
    expect(errorOf(err)).toMatchObject({ code: 'DapTables', retryable: false });
  });

  it('saves all tables of a namespace', async () => {
    await using at = await world();

    const { code, json } = await at.place.landfall(
      `dap snapshot --namespace catalog --table all --json --output-directory ${at.downloads}`,
      { env: accessTo(at.server) },
    );

    expect(code).toBe(0);
    expect(json().map(({ table }) => table)).toEqual(['orders']);
  });

  it('leaves nothing of a download whose object would leave its folder', async () => {
    await using at = await world({ route: 'query', fault: 'hostile-object-id' });

    const { code, err } = await at.save('snapshot --table users --json');

    expect(code).toBe(1);
    expect(errorOf(err)).toMatchObject({ code: 'DapUnsafeName' });
    expect(readdirSync(at.downloads)).toEqual([]);
  });
});

describe('landfall dap incremental', () => {
  it('saves what changed since a snapshot, from its own words on', async () => {
    await using at = await world();
    const [snapshot] = (await at.save('snapshot --table users --json')).json();
    at.server.refresh();

    const { code, json } = await at.save(`incremental --table users --since ${snapshot!.timestamp} --json`);

    expect(code).toBe(0);
    const [row] = json();
    expect(row).toMatchObject({ since: snapshot!.timestamp, format: 'jsonl' });
    expect(Date.parse(String(row!.timestamp))).toBeGreaterThan(Date.parse(String(snapshot!.timestamp)));
    expect((row!.files as string[]).every((file) => existsSync(file))).toBe(true);
  });

  it('says so when there is nothing yet', async () => {
    await using at = await world({ route: 'query', fault: 'no-data-yet' });
    const since = at.server.now().toISOString();

    const { code, out } = await at.save(`incremental --table users --since ${since}`);

    expect(code).toBe(0);
    expect(out).toBe(`users  up to ${since}  nothing new\n`);
  });

  it.each([
    ['--since 2026-01-05T00:00:00', 'with a zone', 'DapInvalidQuery'],
    ['--since 2026-01-05T00:00:00Z --until 2026-01-04T00:00:00Z', 'is before since', 'DapInvalidQuery'],
    ['--since 2026-01-05T00:00:00+05:00 --until yesterday', 'until: "yesterday" is not an instant', 'DapInvalidQuery'],
    ['', "required option '--since <instant>'", 'Usage'],
  ])('with "%s" ends with 2, and asks the service nothing', async (range, message, errorCode) => {
    await using at = await world();

    const { code, err } = await at.save(`incremental --table all --json ${range}`.trim());

    expect(code).toBe(2);
    expect(errorOf(err)).toMatchObject({ code: errorCode, message: expect.stringContaining(message) });
    expect(at.server.calls).toEqual([]);
  });
});

describe('access', () => {
  it.each([
    ['list --namespace canvas', { DAP_CLIENT_ID: '' }, 'the client id is missing (DAP_CLIENT_ID)'],
    ['list --namespace canvas', { DAP_CLIENT_SECRET: '' }, 'the client secret is missing (DAP_CLIENT_SECRET)'],
    ['list --namespace canvas', { DAP_CLIENT_ID: 'a:b' }, 'the client id holds a colon'],
    ['list --namespace canvas', { DAP_API_URL: 'ftp://host' }, 'must be an absolute URL of http or https'],
    ['list', {}, "required option '--namespace <name>'"],
    ['schema --namespace canvas', {}, "required option '--table <names>'"],
    ['schema --namespace canvas --table ,', {}, '--table names no table'],
    ['snapshot --namespace canvas --table users --format xml', {}, 'Allowed choices are csv, jsonl, parquet, tsv'],
    ['list --namespace canvas --starts-per-minute 0', {}, 'must be 1 to 10000'],
  ])('"%s" with %o ends with 2 and one line', async (words, wrong, message) => {
    await using at = await world();

    const { code, out, err } = await at.dap(words, { env: { ...accessTo(at.server), ...wrong } });

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^landfall: .*\n$/);
    expect(err).toContain(message);
    expect(at.server.calls).toEqual([]);
  });

  it('tells of refused credentials without showing them', async () => {
    await using at = await world();
    const env = { ...accessTo(at.server), DAP_CLIENT_SECRET: 'not-the-right-secret' };

    const { code, out, err } = await at.save('snapshot --table users --loglevel debug --json', { env });

    expect(code).toBe(1);
    expect(errorOf(err)).toMatchObject({ code: 'DapAuthentication', retryable: false });
    expect(out + err).not.toContain('not-the-right-secret');
    expect(existsSync(at.downloads) ? readdirSync(at.downloads) : []).toEqual([]);
  });

  it('names an unknown namespace and an unknown table', async () => {
    await using at = await world();

    const namespace = await at.dap('list --namespace nowhere --json');
    const table = await at.save('schema --table nothing --json');

    expect([namespace.code, table.code]).toEqual([1, 1]);
    expect(errorOf(namespace.err)).toMatchObject({ code: 'DapNotFound', message: expect.stringContaining('nowhere') });
    expect(errorOf(table.err)).toMatchObject({ code: 'DapNotFound', message: expect.stringContaining('nothing') });
  });

  it('masks a secret of the service that comes back in its error', async () => {
    const secret = 'sent-back-by-the-service';
    const body = `<p>bad request of ${secret}</p>`;
    await using at = await world({ route: 'login', fault: 'reply', status: 400, body });

    const { code, err } = await at.dap(`list --namespace canvas --client-secret ${secret}`);

    expect(code).toBe(1);
    expect(err).toContain('bad request of [redacted]');
  });
});

describe('output for people and for scripts', () => {
  it('shows progress on a terminal, and ends with 130 and no file at Ctrl-C', async () => {
    await using at = await world({ route: 'query', fault: 'endless-job' });
    let press = () => {};

    const running = at.save('snapshot --table users', {
      isTerminal: true,
      whenListening: (pressIt) => {
        press = pressIt;
      },
    });
    await vi.waitFor(() => expect(at.server.calls.some(({ route }) => route === 'query')).toBe(true));
    await wait(250);
    press();
    const { code, err, out } = await running;

    expect(code).toBe(130);
    expect(err).toMatch(/users \(1 of 1\) {2}job (waiting|running), [\d.]+ s\n/);
    expect(err).toContain('Stopping: no half of a file stays.');
    expect(out).toBe('');
    expect(readdirSync(at.downloads)).toEqual([]);
  });

  it('shows none with --non-interactive', async () => {
    await using at = await world({ route: 'query', fault: 'delay', milliseconds: 250 });

    const { code, err } = await at.save('snapshot --table users --non-interactive', { isTerminal: true });

    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('logs as the vendor’s options say', async () => {
    await using at = await world();
    const file = at.place.path('dap.log');

    const both = await at.save(`snapshot --table users --logfile ${file} --logformat json --no-tracking`);
    const quiet = await at.save(`snapshot --table users --logfile ${file} --no-log-to-console --loglevel info`);
    const warnings = await at.save('snapshot --table users --loglevel warning --console-theme light');

    const lines = both.err.trimEnd().split('\n');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      time: expect.stringMatching(/Z$/),
      level: 'info',
      message: 'job',
      namespace: 'canvas',
      table: 'users',
      clientId: at.server.credentials.clientId,
    });
    expect([quiet.err, warnings.err]).toEqual(['', '']);
    const logged = readFileSync(file, 'utf8').split('\n');
    expect(logged.slice(0, lines.length)).toEqual(lines);
    expect(logged[lines.length]).toMatch(
      /^\d{4}-\S+Z - INFO - job clientId=\S+ namespace=canvas table=users jobId=\S+/,
    );
    expect(new Set([both.code, quiet.code, warnings.code])).toEqual(new Set([0]));
  });
});
