import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DapServerOptions } from '../../../../local/servers/dap/server.ts';
import { startDapServer } from '../../../../local/servers/dap/server.ts';
import { Credentials, DapClient, TablesError } from '../../../../shared/clients/dap/index.ts';
import { SQLDrop } from '../../../../shared/sinks/sql/dap/drop.ts';
import { replicaStatus } from '../../../../shared/sinks/sql/dap/list.ts';
import { SQLReplicator } from '../../../../shared/sinks/sql/dap/replicator.ts';
import {
  DatabaseConnectionError,
  NonExistingTableError,
  TableAlreadyInitializedError,
} from '../../../../shared/sinks/sql/errors.ts';
import type { MappingName } from '../../../../shared/sinks/sql/own-tables.ts';
import { SqlTarget } from '../../../../shared/sinks/sql/target.ts';

let target: SqlTarget;

beforeAll(async () => {
  target = await SqlTarget.open('pglite:memory');
}, 60_000);
afterAll(() => target?.close());

/** A service, and what keeps its tables in the database of this file, which is empty of them at first. */
async function world(options: DapServerOptions = {}, mapping: MappingName = 'landfall') {
  const server = await startDapServer({ rows: 40, seed: 5, jobSpeed: Infinity, rowsPerFile: 15, ...options });
  const { clientId, clientSecret } = server.credentials;
  const credentials = Credentials.create(clientId, clientSecret);
  const session = new DapClient({ baseUrl: server.url, credentials, rateLimits: { start: 10_000 } }).open();
  await new SQLDrop(target).drop('canvas', 'all');
  return {
    server,
    users: server.table('canvas', 'users'),
    replicator: new SQLReplicator(session, target, { mapping }),
    async [Symbol.asyncDispose]() {
      await session.close();
      await server.close();
    },
  };
}

async function names(table = 'users'): Promise<Map<string, string | null>> {
  const rows = await target.database.session.query(`SELECT id::text AS id, name FROM canvas.${table}`);
  return new Map(rows.map(({ id, name }) => [id!, name!]));
}

describe('SQLReplicator', () => {
  it('whose database cannot be reached says so each time it is asked, and closes', async () => {
    await using service = await startDapServer({ rows: 1 });
    const { clientId, clientSecret } = service.credentials;
    const credentials = Credentials.create(clientId, clientSecret);
    await using session = new DapClient({ baseUrl: service.url, credentials }).open();
    const listener = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    let asked = 0;
    listener.on('connection', () => asked++);
    const replicator = new SQLReplicator(session, `postgresql://who:none@127.0.0.1:${port}/db?ssl=disable`);

    await expect(replicator.synchronize('canvas', 'users')).rejects.toThrow(DatabaseConnectionError);
    await expect(replicator.synchronize('canvas', 'users')).rejects.toThrow(DatabaseConnectionError);
    await replicator.close();

    expect(asked).toBe(2);
    listener.close();
  });

  it('loads a table, then what changed: new rows, other versions, deletions', async () => {
    await using at = await world();
    const first = await at.replicator.initialize('canvas', 'users');
    const { idBase } = at.users.definition;
    at.users.delete(idBase + 3n);
    at.users.upsert(idBase + 4n, { name: 'renamed', workflow_state: 'registered' });
    at.users.upsert(idBase + 500n, { name: 'new', workflow_state: 'registered' });

    const second = await at.replicator.synchronize('canvas', 'users');
    const third = await at.replicator.synchronize('canvas', 'users');

    expect(first).toMatchObject({ outcome: 'initialized', rows: 40, quarantined: 0, schemaVersion: 1 });
    expect(second).toMatchObject({ outcome: 'synchronized', quarantined: 0 });
    expect(third).toMatchObject({ outcome: 'current', rows: 0, timestamp: second.timestamp });
    const found = await names();
    expect(found.size).toBe(40);
    expect(found.has(String(idBase + 3n))).toBe(false);
    expect(found.get(String(idBase + 4n))).toBe('renamed');
    expect(found.get(String(idBase + 500n))).toBe('new');
  });

  it('takes columns that a new version of the schema brings', async () => {
    await using at = await world();
    await at.replicator.initialize('canvas', 'users');
    at.users.evolveSchema();
    const { idBase } = at.users.definition;
    at.users.upsert(idBase + 1n, { name: 'a', workflow_state: 'registered', pronouns: 'they/them' });

    const { schemaVersion } = await at.replicator.synchronize('canvas', 'users');

    expect(schemaVersion).toBe(2);
    const sql = `SELECT pronouns FROM canvas.users WHERE id = ${idBase + 1n}`;
    expect(await target.database.session.query(sql)).toEqual([{ pronouns: 'they/them' }]);
  });

  it('loads a table anew that was reloaded at the service', async () => {
    await using at = await world();
    await at.replicator.initialize('canvas', 'users');
    const { idBase } = at.users.definition;
    at.users.delete(idBase + 7n);
    at.users.reload();

    const result = await at.replicator.synchronize('canvas', 'users');

    expect(result).toMatchObject({ outcome: 'reloaded', rows: 39 });
    expect((await names()).has(String(idBase + 7n))).toBe(false);
  });

  it('keeps one row of a key that the service delivers twice', async () => {
    await using at = await world({ rows: 200 });
    await new SQLDrop(target).drop('canvas_logs', 'all');

    const { rows } = await at.replicator.initialize('canvas_logs', 'web_logs');

    const [count] = await target.database.session.query('SELECT count(*)::text AS n FROM canvas_logs.web_logs');
    expect(rows).toBeGreaterThan(200);
    expect(count).toEqual({ n: '200' });
  });

  it('needs to be told which comes first', async () => {
    await using at = await world();

    await expect(at.replicator.synchronize('canvas', 'users')).rejects.toThrow(NonExistingTableError);
    await at.replicator.initialize('canvas', 'users');
    await expect(at.replicator.initialize('canvas', 'users')).rejects.toThrow(TableAlreadyInitializedError);
  });

  it('sets rows aside that do not parse, and loads the others', async () => {
    await using at = await world();
    await at.replicator.initialize('canvas', 'users');
    const { idBase } = at.users.definition;
    at.users.upsert(idBase + 1n, { name: 'out of range', created_at: '+300000-01-01T00:00:00Z' });
    at.users.upsert(idBase + 2n, { name: 'no date', created_at: 'yesterday' });
    at.users.upsert(idBase + 3n, { name: 'good', workflow_state: 'a state that is new' });

    const result = await at.replicator.synchronize('canvas', 'users');

    expect(result).toMatchObject({ quarantined: 2 });
    const found = await names();
    expect(found.get(String(idBase + 3n))).toBe('good');
    expect(found.get(String(idBase + 1n))).not.toBe('out of range');
  });

  it('goes on with a load behind the files that were loaded when it was cut off', async () => {
    await using at = await world({ rowsPerFile: 10 });
    at.server.faults.add({ route: 'download', fault: 'corrupt-gzip', nth: 3, times: 100 });

    const cut = at.replicator.initialize('canvas', 'users');
    await expect(cut).rejects.toThrow();
    at.server.faults.clear();
    const again = await at.replicator.initialize('canvas', 'users');

    // Two of the four files were there already.
    expect(again).toMatchObject({ outcome: 'initialized', rows: 20 });
    expect((await names()).size).toBe(40);
  });

  it('keeps the reference’s bookkeeping with its mapping', async () => {
    await using at = await world({}, 'reference');

    const { timestamp } = await at.replicator.initialize('canvas', 'accounts');

    const rows = await target.database.session.query(
      `SELECT source_namespace, source_table, (timestamp AT TIME ZONE 'UTC')::text AS at, schema_version::text AS version,
       target_schema, target_table, schema_description_format AS format, schema_description::jsonb #>> '{properties,meta}' AS meta
       FROM instructure_dap.table_sync`,
    );
    expect(rows).toEqual([
      {
        source_namespace: 'canvas',
        source_table: 'accounts',
        at: timestamp.replace('T', ' ').replace('Z', '+00'),
        version: '1',
        target_schema: 'canvas',
        target_table: 'accounts',
        format: 'json',
        meta: null,
      },
    ]);
    const [version] = await target.database.session.query('SELECT version::text FROM instructure_dap.database_version');
    expect(version).toEqual({ version: '1' });
  });
});

describe('SQLDrop', () => {
  it('drops what is there, and tells what is not', async () => {
    await using at = await world();
    await at.replicator.initialize('canvas', 'users');
    await at.replicator.initialize('canvas', 'accounts');

    await expect(new SQLDrop(target).drop('canvas', 'users,nothing')).rejects.toThrow(TablesError);
    const left = await replicaStatus(target, 'canvas', true);
    const dropped = await new SQLDrop(target).drop('canvas', 'all');

    expect(left).toMatchObject([{ name: 'accounts', rows: 40, schemaVersion: 1 }]);
    expect(dropped).toEqual(['accounts']);
    expect(await replicaStatus(target, 'canvas', true)).toEqual([]);
  });
});

it('opens its database by the first call only', async () => {
  const replicator = new SQLReplicator({} as never, 'postgresql://me:x@127.0.0.1:1/db');

  await expect(replicator.initialize('canvas', 'users')).rejects.toThrow(DatabaseConnectionError);
  await replicator.close().catch(() => {});
});
