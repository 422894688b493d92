import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished } from 'vitest';
import { type DapServer, type DapServerOptions, startDapServer } from '../../local/servers/dap/server.ts';
import { DEFAULT_TABLES } from '../../local/servers/dap/tables/catalog.ts';
import { type DapOptions, dap } from '../../shared/connectors/dap/dap.ts';
import { FakeClock } from './fake-clock.ts';
import { newWorld, type World, type WorldOptions } from './world.ts';

export interface DapWorld extends World {
  readonly server: DapServer;
}

/** A server with three small tables unless said otherwise, on one clock with the world. */
export async function aNamespace({
  server: serverOptions = {},
  dap: options = {},
  ...world
}: WorldOptions & { server?: DapServerOptions; dap?: Partial<DapOptions> } = {}): Promise<DapWorld> {
  const time = new FakeClock();
  const tables = DEFAULT_TABLES.filter(({ name }) => ['users', 'courses', 'enrollments'].includes(name));
  const server = await startDapServer({ clock: time.clock, rows: 20, tables, rowsPerFile: 8, ...serverOptions });
  onTestFinished(() => server.close());
  const from = dap(
    { namespace: 'canvas', baseUrl: server.url, startsPerMinute: 10_000, ...options },
    // Waiting is the only thing that lets time go by.
    { clock: time.clock, sleep: async (ms) => time.advance(ms) },
  );
  const { clientId, clientSecret } = server.credentials;
  const credential = JSON.stringify({ clientId, clientSecret });
  return Object.assign(newWorld({ credentials: { secret: 'canvas' }, credential, from, time, ...world }), { server });
}

/** The records shown of a table, as lines of JSON, from all its files. */
export async function rowsOf(world: World, table: string): Promise<string[]> {
  const rows: string[] = [];
  for (const [path, { objects, rows: counted }] of await world.manifest()) {
    if (!path.startsWith(`${table}/`) || path.endsWith('schema.json')) continue;
    const pieces = objects.map(({ key }) => world.objects.bytes(key)!);
    const lines = gunzipSync(Buffer.concat(pieces))
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    expect(counted).toBe(lines.length);
    rows.push(...lines);
  }
  return rows;
}

export { keyOf } from './dap-replica.ts';
export const pathsOf = async (world: World, table: string) =>
  [...(await world.manifest()).keys()].filter((path) => path.startsWith(`${table}/`));
export const watermarkOf = async (world: World, table: string) =>
  ((await world.node(table))?.landedPosition as { watermark: string } | undefined)?.watermark;
