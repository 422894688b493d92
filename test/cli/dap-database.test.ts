import { describe, expect, it } from 'vitest';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { type Seat, Workplace } from '../support/terminal.ts';

/** The local server, and the command beside it with an embedded database in a folder. */
async function world() {
  const server = await startDapServer({ rows: 30, jobSpeed: Number.POSITIVE_INFINITY });
  const place = new Workplace();
  const env = { ...accessTo(server), DAP_CONNECTION_STRING: `pglite:${place.path('canvas.db')}` };
  return {
    server,
    env,
    dap: (words: string, seat: Seat = {}) => place.landfall(`dap ${words}`, { env, ...seat }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const accessTo = ({ url, credentials }: DapServer) => ({
  DAP_API_URL: url,
  DAP_CLIENT_ID: credentials.clientId,
  DAP_CLIENT_SECRET: credentials.clientSecret,
});

const errorOf = (err: string) => JSON.parse(err).error as Record<string, unknown>;

describe('landfall dap with a database', () => {
  it('initdb, syncdb, listdb and dropdb keep tables in it', async () => {
    await using at = await world();
    const tables = '--namespace canvas --table users,accounts';

    const first = await at.dap(`initdb ${tables}`);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toMatch(
      /^users {5}initialized {2}30 rows {2}up to \S+Z {2}schema 1\naccounts {2}initialized {2}30 rows {2}up to \S+Z {2}schema 1\n$/,
    );
    const twice = await at.dap(`initdb --namespace canvas --table users --json`);
    expect(twice.code).toBe(1);
    expect(errorOf(twice.err)).toMatchObject({ code: 'SqlTableAlreadyInitialized', retryable: false });

    at.server.refresh();
    const changed = await at.dap(`syncdb ${tables} --json`);
    expect(changed.code).toBe(0);
    expect(changed.json()).toMatchObject([
      { namespace: 'canvas', table: 'users', outcome: 'synchronized', quarantined: 0, schemaVersion: 1 },
      { namespace: 'canvas', table: 'accounts' },
    ]);

    const listed = await at.dap('listdb --namespace canvas --non-interactive');
    const lines = JSON.parse(listed.out) as Record<string, unknown>[];
    expect(lines.slice(0, 2)).toMatchObject([
      { name: 'accounts', command: 'syncdb', schema: 1, records: expect.any(Number) },
      { name: 'users', command: 'syncdb', staleness: expect.any(String), staleness_seconds: expect.any(Number) },
    ]);
    expect(lines[2]).toEqual({
      name: 'assignment_groups',
      timestamp: null,
      staleness: null,
      staleness_seconds: null,
      schema: null,
      command: 'initdb',
      records: null,
    });

    const dropped = await at.dap('dropdb --namespace canvas --table all', {
      env: { DAP_CONNECTION_STRING: at.env.DAP_CONNECTION_STRING },
    });
    expect(dropped).toMatchObject({ code: 0, out: 'accounts  dropped\nusers  dropped\n' });
    const gone = await at.dap('syncdb --namespace canvas --table users --json');
    expect(errorOf(gone.err)).toMatchObject({ code: 'SqlNonExistingTable' });
    const empty = await at.dap('listdb --namespace canvas --omit-not-replicated --omit-record-count');
    expect(empty.out).toBe('canvas has no table here.\n');
  }, 120_000);

  it.each([
    ['syncdb --namespace canvas --table users', '', 'the database is missing'],
    ['initdb --namespace canvas --table users', 'mssql://me:secret-word@host/db', 'must begin with'],
    [
      'initdb --namespace canvas --table users --mapping theirs',
      'pglite:memory',
      'Allowed choices are landfall, reference',
    ],
    ['dropdb --namespace canvas', 'pglite:memory', "required option '--table <names>'"],
  ])('"%s" on "%s" ends with 2 and one line', async (words, connection, message) => {
    await using at = await world();

    const { code, out, err } = await at.dap(words, { env: { ...at.env, DAP_CONNECTION_STRING: connection } });

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^landfall: .*\n$/);
    expect(err).toContain(message);
    expect(err).not.toContain('secret-word');
    expect(at.server.calls).toEqual([]);
  });

  it('tells where a database is that does not answer, and not with which password', async () => {
    await using at = await world();
    const connection = 'postgresql://me:secret-word@127.0.0.1:1/canvas';

    const { code, err } = await at.dap('initdb --namespace canvas --table users --json', {
      env: { ...at.env, DAP_CONNECTION_STRING: connection },
    });

    expect(code).toBe(1);
    expect(errorOf(err)).toMatchObject({ code: 'SqlDatabaseConnection', retryable: true });
    expect(err).toContain('postgresql://127.0.0.1:1/canvas');
    expect(err).not.toContain('secret-word');
  });
});
