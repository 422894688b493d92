import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { DEFAULT_TABLES } from '../../local/servers/dap/tables/catalog.ts';
import type { Column } from '../../local/servers/dap/tables/column.ts';
import type { TableDefinition } from '../../local/servers/dap/tables/definition.ts';
import { type DatabaseServer, startPostgres } from '../../scripts/database-servers.ts';
import { Credentials, DapClient, type DapSession } from '../../shared/clients/dap/index.ts';
import { SQLDrop } from '../../shared/sinks/sql/dap/drop.ts';
import { SQLReplicator } from '../../shared/sinks/sql/dap/replicator.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { tableContent } from '../support/sql-content.ts';

/**
 * As much of a table as the vendor's client can keep in PostgreSQL: it gives an open enum of several known values a type and a
 * table of one name, which PostgreSQL refuses.
 */
function keepable(definition: TableDefinition): TableDefinition {
  const columns = Object.entries(definition.columns).map(([name, column]): [string, Column] => {
    const [known, other] = (column.schema.oneOf ?? []) as { enum?: string[] }[];
    if (known?.enum) {
      const oneOf = [{ ...known, enum: known.enum.slice(0, 1) }, other!];
      return [name, { ...column, schema: { ...column.schema, oneOf } }];
    }
    return [name, column];
  });
  return { ...definition, columns: Object.fromEntries(columns) };
}

const TABLES = DEFAULT_TABLES.map(keepable);
const NAMES = TABLES.map(({ namespace, name }) => [namespace, name] as const);

let postgres: DatabaseServer;
let folder: string;
let server: DapServer;
let session: DapSession;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'landfall-peers-'));
}, 60_000);

afterAll(async () => {
  await postgres?.close();
  if (folder) await rm(folder, { recursive: true });
});

beforeEach(async () => {
  server = await startDapServer({ rows: 60, seed: 11, jobSpeed: Infinity, rowsPerFile: 25, tables: TABLES });
  const { clientId, clientSecret } = server.credentials;
  const credentials = Credentials.create(clientId, clientSecret);
  session = new DapClient({ baseUrl: server.url, credentials, rateLimits: { start: 10_000 } }).open();
  return async () => {
    await session.close();
    await server.close();
  };
});

/** A database that nobody has used. */
function newDatabase(): string {
  databases += 1;
  postgres.run(`CREATE DATABASE peers_${databases}`);
  return postgres.database(`peers_${databases}`);
}

interface Run {
  readonly code: number;
  readonly output: string;
}

function dap(connection: string, ...args: string[]): Promise<Run> {
  const command = process.env.LANDFALL_PEER_DAP;
  if (!command) throw new Error('LANDFALL_PEER_DAP is not set: run this by "npm run test:peers"');
  const { PATH, HOME } = process.env;
  const { clientId, clientSecret } = server.credentials;
  const env = {
    PATH,
    HOME,
    DAP_API_URL: server.url,
    DAP_CLIENT_ID: clientId,
    DAP_CLIENT_SECRET: clientSecret,
    DAP_TRACKING: 'false',
    DAP_CONNECTION_STRING: connection,
  };
  return new Promise((resolve) => {
    execFile(
      command,
      ['--non-interactive', '--loglevel', 'info', ...args],
      { env, cwd: folder, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
  });
}

const NAMESPACES = [...new Set(NAMES.map(([namespace]) => namespace))];

/** Runs a database command of the vendor for every namespace. */
async function vendor(command: 'initdb' | 'syncdb' | 'dropdb', connection: string): Promise<string> {
  let output = '';
  for (const namespace of NAMESPACES) {
    const run = await dap(connection, command, '--namespace', namespace, '--table', 'all');
    expect(run.code, run.output).toBe(0);
    output += run.output;
  }
  return output;
}

async function ours(command: 'initialize' | 'synchronize', connection: string, mapping: 'landfall' | 'reference') {
  await using replicator = new SQLReplicator(session, connection, { mapping });
  for (const [namespace, table] of NAMES) {
    const { quarantined } = await replicator[command](namespace, table);
    expect({ table, quarantined }).toEqual({ table, quarantined: 0 });
  }
}

async function expectEqualContent(a: string, b: string): Promise<void> {
  for (const [namespace, table] of NAMES) {
    const rows = await tableContent(a, namespace, table);
    expect(rows.length).toBeGreaterThan(40);
    expect(await tableContent(b, namespace, table), `${namespace}.${table}`).toEqual(rows);
  }
}

/** Data moves on: changes, deletions, a key that comes back, new columns and values. */
function moveOn(turn: number): void {
  server.refresh(3 + turn);
  const users = server.table('canvas', 'users');
  users.delete(users.definition.idBase + BigInt(5 + turn));
  users.upsert(users.definition.idBase + 1_000_000n, {
    name: `tab\tnew\nline \\N ${turn}`,
    workflow_state: 'registered',
    locale: `new-${turn}`,
    created_at: '2024-02-29T23:59:59.999Z',
    updated_at: '2024-02-29T23:59:59.999999Z',
  });
}

/** Statements by which the vendor's client changed the structure of data tables. */
function alterations(output: string): string[] {
  const statements = output.match(/^(?:ALTER|DROP|CREATE) (?!SCHEMA IF NOT EXISTS)[^;]*;/gm) ?? [];
  return statements.map((sql) => sql.replaceAll(/\s+/g, ' ')).sort();
}

// Seventeen tables and a process for each command: minutes on a busy machine.
describe('the vendor’s client and ours keep the same database', { timeout: 400_000 }, () => {
  it.each(['landfall', 'reference'] as const)('with the mapping %s, after initdb and three syncdb', async (mapping) => {
    const theirs = newDatabase();
    const own = newDatabase();

    await vendor('initdb', theirs);
    await ours('initialize', own, mapping);
    await expectEqualContent(theirs, own);
    for (let turn = 1; turn <= 3; turn++) {
      moveOn(turn);
      await vendor('syncdb', theirs);
      await ours('synchronize', own, mapping);
      await expectEqualContent(theirs, own);
    }
  });

  it('goes on with what the other one began, in turn', async () => {
    const reference = newDatabase();
    const [begunByVendor, begunByUs] = [newDatabase(), newDatabase()];
    await vendor('initdb', reference);
    await vendor('initdb', begunByVendor);
    await ours('initialize', begunByUs, 'reference');

    for (let turn = 1; turn <= 3; turn++) {
      moveOn(turn);
      const expected = await vendor('syncdb', reference);
      const [byVendor, byUs] = turn % 2 === 1 ? [begunByUs, begunByVendor] : [begunByVendor, begunByUs];
      const output = await vendor('syncdb', byVendor);
      await ours('synchronize', byUs, 'landfall');

      // Only what the schema of the source brings: it finds nothing to put right in what we made.
      expect(alterations(output)).toEqual(alterations(expected));
      await expectEqualContent(reference, begunByVendor);
      await expectEqualContent(reference, begunByUs);
    }
  });

  it('lists and drops what the other one made', async () => {
    const [begunByVendor, begunByUs] = [newDatabase(), newDatabase()];
    await vendor('initdb', begunByVendor);
    await ours('initialize', begunByUs, 'reference');

    const listed = await dap(begunByUs, 'listdb', '--namespace', 'canvas');
    await vendor('dropdb', begunByUs);
    const dropped = await new SQLDrop(begunByVendor).drop('canvas', 'all');

    expect(listed.code, listed.output).toBe(0);
    const json = JSON.parse(/^\[[\s\S]*^\]/m.exec(listed.output)![0]) as Record<string, unknown>[];
    expect(json.every(({ command, records }) => command === 'syncdb' && Number(records) >= 60)).toBe(true);
    expect(dropped).toEqual(
      NAMES.filter(([namespace]) => namespace === 'canvas')
        .map(([, name]) => name)
        .sort(),
    );
    await using target = await SqlTarget.open(begunByUs);
    expect(await target.reference.names('canvas')).toEqual([]);
  });
});
