import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type DapServer, type DapServerOptions, startDapServer } from '../../../../local/servers/dap/server.ts';
import { DEFAULT_TABLES } from '../../../../local/servers/dap/tables/catalog.ts';
import { dap } from '../../../../shared/connectors/dap/dap.ts';
import { hours } from '../../../../shared/core/units.ts';
import { sqlDatabase } from '../../../../shared/sinks/sql/sink.ts';
import { SqlTarget } from '../../../../shared/sinks/sql/target.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { isWrite, once } from '../../../support/faults.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../../../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'landfall-sql-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const open: DapServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
let databases = 0;
const aDatabase = () => `pglite:${join(folder, String(++databases))}`;

async function ask(connection: string, sql: string): Promise<Record<string, string | null>[]> {
  await using target = await SqlTarget.open(connection);
  return [...(await target.database.session.query(sql))] as Record<string, string | null>[];
}

const refreshed = async (world: World) => {
  const run = await world.refresh();
  await world.drain();
  return run;
};

describe('sqlDatabase after dap', () => {
  interface DapWorld extends World {
    readonly server: DapServer;
    readonly connection: string;
  }

  async function aNamespace(server: DapServerOptions = {}, options: WorldOptions = {}): Promise<DapWorld> {
    const time = new FakeClock();
    const connection = aDatabase();
    const tables = DEFAULT_TABLES.filter(({ name }) => ['users', 'enrollments'].includes(name));
    const running = await startDapServer({ clock: time.clock, rows: 30, tables, rowsPerFile: 12, ...server });
    open.push(running);
    const from = dap({ namespace: 'canvas', baseUrl: running.url, startsPerMinute: 10_000 }, { clock: time.clock });
    const { clientId, clientSecret } = running.credentials;
    const world = newWorld({
      credentials: { secret: 'canvas' },
      credential: JSON.stringify({ clientId, clientSecret }),
      sinks: [sqlDatabase({ connection, namespace: 'canvas' })],
      from,
      time,
      ...options,
    });
    return Object.assign(world, { server: running, connection });
  }

  const rowsOf = async ({ connection }: DapWorld, table: string) =>
    ask(connection, `SELECT id::text AS id FROM canvas.${table} ORDER BY id`);
  const rowsAt = ({ server }: DapWorld, table: string) =>
    [...server.table('canvas', table).view().snapshot()].flat().length;

  it('loads the snapshot of every table, and keeps it in step with what changes', async () => {
    const world = await aNamespace();

    expect((await refreshed(world)).state).toBe('SUCCEEDED');
    expect(await world.deps().sinks.get(PIPELINE, 'sql')).toMatchObject({ applied: { run: 1 }, refused: 0 });
    for (const table of ['users', 'enrollments']) expect(await rowsOf(world, table)).toHaveLength(30);

    for (let refresh = 0; refresh < 3; refresh++) {
      world.time.advance(hours(4));
      await refreshed(world);
      for (const table of ['users', 'enrollments'])
        expect(await rowsOf(world, table)).toHaveLength(rowsAt(world, table));
    }
  });

  it('swaps in a new snapshot after a reload: what is not in it is gone', async () => {
    const world = await aNamespace();
    await refreshed(world);
    world.time.advance(hours(4));
    world.server.table('canvas', 'users').reload();
    await refreshed(world);
    await refreshed(world);

    expect(await rowsOf(world, 'users')).toHaveLength(rowsAt(world, 'users'));
  });

  it('follows a schema that grows', async () => {
    const world = await aNamespace();
    await refreshed(world);
    const columns = async () =>
      (await ask(world.connection, `SELECT column_name FROM information_schema.columns WHERE table_name = 'users'`))
        .length;
    const before = await columns();
    world.server.table('canvas', 'users').evolveSchema();
    world.time.advance(hours(4));

    await refreshed(world);

    expect(await columns()).toBeGreaterThan(before);
    expect(await rowsOf(world, 'users')).toHaveLength(rowsAt(world, 'users'));
  });

  it.each([1, 4, 8, 13])('dies at write %i of its upload, and ends with the same rows', async (at) => {
    const world = await aNamespace();
    world.faults = once('kill after', (call) => isWrite(call) && call.step === 'stream-upload', at);
    await refreshed(world);
    world.faults = () => undefined;
    world.time.advance(hours(4));
    await refreshed(world);

    for (const table of ['users', 'enrollments']) expect(await rowsOf(world, table)).toHaveLength(rowsAt(world, table));
  });
});

describe('sqlDatabase after files', () => {
  it('replaces the rows of a partition that changed, and removes those of one that is gone', async () => {
    const connection = aDatabase();
    const world = newWorld({
      sinks: [sqlDatabase({ connection, table: 'readings', namespace: 'lab' })],
      land: { parser: { format: 'csv' } },
    });
    world.source
      .leaf('a.csv', 'v1', { bytes: 'id,value\n1,x\n2,y\n' })
      .leaf('b.csv', 'v1', { bytes: 'id,value\n3,z\n' });
    await refreshed(world);
    const rows = async () =>
      (await ask(connection, 'SELECT id::text, value FROM lab.readings ORDER BY id')).map(
        ({ id, value }) => `${id}${value}`,
      );
    expect(await rows()).toEqual(['1x', '2y', '3z']);

    world.source.leaf('a.csv', 'v2', { bytes: 'id,value\n2,w\n4,v\n' }).remove('b.csv');
    await refreshed(world);

    expect(await rows()).toEqual(['2w', '4v']);
  });

  it('refuses a connection with a password that is written out', () => {
    expect(() => sqlDatabase({ connection: 'postgresql://me:secret@db/x' })).toThrow('secret(…)');
    expect(() => sqlDatabase({ connection: 'postgresql://me:secret@db/x' })).not.toThrow('me:secret');
  });
});
