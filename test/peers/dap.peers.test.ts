import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsv } from '../../local/servers/dap/formats/tsv.ts';
import type { Row } from '../../local/servers/dap/generator.ts';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import type { TableView } from '../../local/servers/dap/table-store.ts';
import { DEFAULT_TABLES } from '../../local/servers/dap/tables/catalog.ts';
import { tableSchema } from '../../local/servers/dap/tables/schema.ts';
import { DapApi } from '../support/dap-api.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Cells, cellsOfFile, cellsOfRow } from './dap-records.ts';

const FORMATS = ['jsonl', 'tsv', 'csv', 'parquet'] as const;
const NAMESPACES = ['canvas', 'canvas_logs', 'catalog', 'new_quizzes'];

let server: DapServer;
let folder: string;

beforeAll(async () => {
  // Without faults and limits, with jobs that are complete at once: the client looks at a job every five seconds.
  server = await startDapServer({ rows: 60, seed: 11, jobSpeed: Number.POSITIVE_INFINITY, rowsPerFile: 25 });
  folder = await mkdtemp(join(tmpdir(), 'landfall-peers-'));
});

afterAll(async () => {
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The vendor's command line, in the mode that it advises scripts to use. */
function dap(of: Pick<DapServer, 'url' | 'credentials'>, ...args: string[]): Promise<Run> {
  const command = process.env.LANDFALL_PEER_DAP;
  if (!command) throw new Error('LANDFALL_PEER_DAP is not set: run this by "npm run test:peers"');
  const { PATH, HOME } = process.env;
  const { clientId, clientSecret } = of.credentials;
  const env = {
    PATH,
    HOME,
    DAP_API_URL: of.url,
    DAP_CLIENT_ID: clientId,
    DAP_CLIENT_SECRET: clientSecret,
    DAP_TRACKING: 'false',
  };
  return new Promise((resolve) => {
    execFile(
      command,
      ['--non-interactive', '--loglevel', 'info', ...args],
      { env, cwd: folder, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

/** Runs a script of this folder with the Python that the client is installed in. */
function python(script: string, input: string): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const command = join(dirname(process.env.LANDFALL_PEER_DAP ?? ''), 'python');
  return new Promise((resolve, reject) => {
    const child = execFile(command, [path], { maxBuffer: 64 << 20 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
    child.stdin?.end(input);
  });
}

/** The job of each table, as the log of a run over many tells. */
function jobsOf({ stderr }: Run): Map<string, string> {
  const jobs = new Map<string, string>();
  let table = '';
  for (const line of stderr.split('\n')) {
    table = / of table '(\w+)'/.exec(line)?.[1] ?? table;
    const job = /^\{"id": "([0-9a-f-]{36})"/.exec(line)?.[1];
    if (job) jobs.set(table, job);
  }
  return jobs;
}

async function recordsOf(directory: string, format: string, columns: readonly string[]): Promise<Cells[]> {
  const records: Cells[] = [];
  for (const name of (await readdir(directory)).sort()) {
    records.push(...(await cellsOfFile(format, await readFile(join(directory, name)), columns)));
  }
  return records;
}

function expected(view: TableView, batches: Iterable<readonly Row[]>, isIncremental: boolean): Cells[] {
  return [...batches].flat().map((row) => cellsOfRow(view.definition, view.schemaVersion, row, isIncremental));
}

describe('the vendor’s DAP client', () => {
  it.each(NAMESPACES)('lists the tables of %s', async (namespace) => {
    const { code, stdout } = await dap(server, 'list', '--namespace', namespace);

    expect(code).toBe(0);
    const tables = stdout.trim().split('\n');
    expect(tables.length).toBeGreaterThan(0);
    for (const table of tables) expect(() => server.table(namespace, table)).not.toThrow();
  });

  it('downloads every schema', async () => {
    const directory = join(folder, 'schemas');

    const run = await dap(server, 'schema', '--namespace', 'canvas', '--table', 'all', '--output-directory', directory);

    expect(run.code, run.stderr).toBe(0);
    const files = await readdir(directory);
    expect(files.length).toBeGreaterThanOrEqual(12);
    for (const file of files) {
      const [, table = '', version] = /^(\w+)_schema_version_(\d+)\.json$/.exec(file) ?? [];
      const { definition } = server.table('canvas', table);
      expect(JSON.parse(await readFile(join(directory, file), 'utf8'))).toEqual({
        schema: tableSchema(definition, Number(version)),
        version: Number(version),
      });
    }
  });

  describe.each(NAMESPACES)('in %s', (namespace) => {
    it.each(FORMATS)('downloads snapshots as %s with the records of the table', async (format) => {
      const directory = join(folder, 'snapshot', namespace, format);

      const run = await dap(
        server,
        'snapshot',
        '--namespace',
        namespace,
        '--table',
        'all',
        '--format',
        format,
        '--output-directory',
        directory,
      );

      expect(run.code, run.stderr).toBe(0);
      const jobs = jobsOf(run);
      expect(jobs.size).toBe((await readdir(directory)).length);
      for (const [table, job] of jobs) {
        const view = server.table(namespace, table).view();
        const rows = expected(view, view.snapshot(), false);
        expect(rows.length).toBeGreaterThanOrEqual(60);
        expect(await recordsOf(join(directory, `job_${job}`), format, Object.keys(rows[0]!)), table).toEqual(rows);
      }
    });
  });

  describe('after the data moved on', () => {
    const since: Record<string, string> = {};

    beforeAll(async () => {
      for (const table of ['users', 'courses', 'submissions', 'roles', 'accounts']) {
        since[table] = new Date(server.table('canvas', table).watermark / 1000).toISOString();
      }
      server.refresh(14);
      const users = server.table('canvas', 'users');
      users.delete(users.definition.idBase + 5n);
      users.upsert(users.definition.idBase + 1_000_000n, { name: 'tab\tand\nline', workflow_state: 'registered' });
      users.evolveSchema();
    });

    it.each(FORMATS)('downloads the changes as %s, deletions and new columns included', async (format) => {
      const directory = join(folder, 'incremental', format);
      for (const [table, from] of Object.entries(since)) {
        const run = await dap(
          server,
          'incremental',
          '--namespace',
          'canvas',
          '--table',
          table,
          '--format',
          format,
          '--since',
          from,
          '--output-directory',
          directory,
        );

        expect(run.code, run.stderr).toBe(0);
        const view = server.table('canvas', table).view();
        const range = { from: Date.parse(from) * 1000, includesFrom: true, to: view.watermark, includesTo: true };
        const rows = expected(view, view.changes(range), true);
        const actions = new Set(rows.map((row) => row['meta.action']));
        if (table === 'users') expect([...actions].sort()).toEqual(['D', 'U']);
        const [job] = jobsOf(run).values();
        expect(await recordsOf(join(directory, `job_${job}`), format, Object.keys(rows[0]!)), table).toEqual(rows);
      }
    });

    it('chains from the until that it was given', async () => {
      const first = await dap(
        server,
        'incremental',
        '--namespace',
        'canvas',
        '--table',
        'users',
        '--since',
        since.users!,
      );
      const until = /"until": "([^"]+)"/.exec(first.stderr)![1]!;

      const next = await dap(server, 'incremental', '--namespace', 'canvas', '--table', 'users', '--since', until);

      expect(next.code, next.stderr).toBe(0);
    });
  });

  it('gets the very bytes that are stored, in Parquet and with many gzip members too', async () => {
    await using other = await startDapServer({ rows: 50, jobSpeed: Number.POSITIVE_INFINITY, rowsPerMember: 7 });
    const api = new DapApi(other, new FakeClock());
    for (const format of FORMATS) {
      const directory = join(folder, 'bytes', format);

      const run = await dap(
        other,
        ...['snapshot', '--namespace', 'canvas', '--table', 'users', '--format', format],
        ...['--output-directory', directory],
      );

      expect(run.code, run.stderr).toBe(0);
      const { json } = await api.query('users', { format });
      const [stored] = await api.files(json);
      const [name] = await readdir(join(directory, `job_${json.id}`));
      expect(stored!.equals(await readFile(join(directory, `job_${json.id}`, name!)))).toBe(true);
    }
  });

  it('waits for a job that takes its time', async () => {
    await using slow = await startDapServer({ rows: 10 });

    const run = await dap(slow, 'snapshot', '--namespace', 'canvas', '--table', 'users');

    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('Checking again in 5 seconds');
    expect(slow.calls.filter(({ route }) => route === 'job').length).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['a failed job', { route: 'query', fault: 'failed-job' }, 'Query job ended with status: failed'],
    ['a reload', { route: 'query', fault: 'snapshot-required' }, 'snapshot is required'],
    ['a table that is not there', { route: 'query', fault: 'delay', milliseconds: 0 }, 'does not exist'],
  ] as const)('understands %s', async (what, fault, says) => {
    await using failing = await startDapServer({ rows: 10, faults: [fault] });
    const table = what.startsWith('a table') ? 'nothing' : 'users';

    const run = await dap(failing, 'snapshot', '--namespace', 'canvas', '--table', table);

    expect(run.code).not.toBe(0);
    expect(run.stderr + run.stdout).toContain(says);
  });

  it('understands wrong credentials', async () => {
    const { url, credentials } = server;
    const wrong = { url, credentials: { ...credentials, clientSecret: 'wrong' } };

    const run = await dap(wrong, 'list', '--namespace', 'canvas');

    expect(run.code).not.toBe(0);
    expect(run.stderr + run.stdout).toContain('Invalid credentials');
  });

  it('tries again after 429, 500 and 504', async () => {
    await using failing = await startDapServer({
      rows: 10,
      jobSpeed: Number.POSITIVE_INFINITY,
      faults: [
        { route: 'query', fault: 'rate-limited', retryAfter: 1 },
        { route: 'job', fault: 'internal-error' },
        { route: 'urls', fault: 'gateway-timeout' },
      ],
    });

    const run = await dap(failing, 'snapshot', '--namespace', 'canvas', '--table', 'users');

    expect(run.code, run.stderr).toBe(0);
    expect(failing.calls.filter(({ faults }) => faults.length > 0).map(({ status }) => status)).toEqual([
      429, 500, 504,
    ]);
  });

  it('can load every version of every table into a database', async () => {
    const tables = DEFAULT_TABLES.flatMap((definition) =>
      [1, ...definition.schemaChangesAtCommit.map((_, index) => index + 2)].map((version) => ({ definition, version })),
    );
    await using evolving = await startDapServer({ rows: 60 });
    const items = tables.map(({ definition, version }) => {
      const { namespace, name } = definition;
      const store = evolving.table(namespace, name);
      if (version > 1) store.evolveSchema();
      const { header, encode } = tsv(definition, version, 'condensed', false);
      const rows = [...store.view().snapshot()].flat();
      const item = {
        namespace,
        // A name of its own, since a version would be met as a type that is there already.
        table: `${name}_${version}`,
        schema: tableSchema(definition, version),
        tsv: header + rows.map(encode).join(''),
      };
      return { rows: rows.length, item };
    });

    const counts = await python('load_tables.py', JSON.stringify(items.map(({ item }) => item)));

    expect(JSON.parse(counts)).toEqual(items.map(({ rows }) => rows));
  });

  it('sends no credentials to object storage', async () => {
    const downloads = server.calls.filter(({ route }) => route === 'download');

    expect(downloads.length).toBeGreaterThan(0);
    expect(downloads.every(({ isAuthenticated, status }) => !isAuthenticated && status === 200)).toBe(true);
  });
});
