import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { DatabaseProtocolError } from '../../shared/sinks/sql/errors.ts';
import { openDatabase, type SqlDatabase } from '../../shared/sinks/sql/open.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { DATABASES } from './databases.ts';

const SCRIPT = fileURLToPath(new URL('replicate.ts', import.meta.url));
const ROWS = 6000;
/** `LANDFALL_KILLS=200 npm run test:databases -- kill` for the long version. */
const KILLS = Number(process.env.LANDFALL_KILLS ?? 4);

/** @returns how long it ran, or undefined if it was killed */
async function replicate(server: DapServer, connection: string, method: string, table: string, killAfterMs?: number) {
  const { clientId, clientSecret } = server.credentials;
  const began = performance.now();
  const args = [SCRIPT, server.url, clientId, clientSecret, connection, method, table];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  if (killAfterMs !== undefined) {
    await Promise.race([ended, wait(killAfterMs)]);
    child.kill('SIGKILL');
  }
  const code = await ended;
  if (code === 0) return performance.now() - began;
  expect(killAfterMs, said).toBeDefined();
  return undefined;
}

/** Counts rows and adds up their text: no two states of the table have the same. */
async function digestOf({ session, dialect }: SqlDatabase, name: string): Promise<string> {
  const table = dialect.table({ namespace: 'canvas', name });
  if (!(await dialect.exists(session, table))) return 'no table';
  const sum =
    dialect.name === 'mysql'
      ? 'SUM(CRC32(CONCAT(id, updated_at)))'
      : 'sum(hashtext(id::text || updated_at::text)::bigint)::text';
  try {
    const [row] = await session.query(`SELECT count(*) AS n, ${sum} AS digest FROM ${table}`);
    return `${row!.n} ${row!.digest}`;
  } catch (error) {
    // This test itself drops it.
    if (error instanceof DatabaseProtocolError) return 'no table';
    throw error;
  }
}

describe.each(DATABASES)('a process that is killed while it loads into $name', ({ connection }) => {
  it.each(['users'])(
    'leaves %s whole at any moment, and the next one ends with the same content',
    async (table) => {
      await using server = await startDapServer({ rows: ROWS, seed: 3, jobSpeed: Infinity, rowsPerFile: 1000 });
      const reader = await openDatabase(connection);
      await using target = await SqlTarget.open(connection);
      const seen = new Set<string>();
      const allowed = new Set<string>();
      let isReading = true;
      const reading = (async () => {
        while (isReading) {
          seen.add(await digestOf(reader, table));
          await wait(5);
        }
      })();
      const settle = async () => {
        const digest = await digestOf(target.database, table);
        allowed.add(digest);
        return digest;
      };
      const drop = async () => {
        await target.table({ namespace: 'canvas', name: table }).drop();
        await settle();
      };
      try {
        await settle();
        const initMs = (await replicate(server, connection, 'initialize', table))!;
        const expected = await settle();
        for (let kill = 1; kill <= KILLS; kill++) {
          await drop();
          // Most of its time a process starts; what it does to the database is in the last part.
          await replicate(server, connection, 'initialize', table, initMs * (0.4 + (0.7 * kill) / KILLS));
          expect(allowed).toContain(await digestOf(target.database, table));
          if ((await digestOf(target.database, table)) === 'no table')
            await replicate(server, connection, 'initialize', table);
          expect(await settle()).toBe(expected);
        }
        for (let kill = 1; kill <= KILLS; kill++) {
          const before = await settle();
          server.refresh(2);
          await replicate(server, connection, 'synchronize', table, initMs * (0.4 + (0.7 * kill) / KILLS));
          const cut = await digestOf(target.database, table);
          await replicate(server, connection, 'synchronize', table);
          expect([before, await settle()]).toContain(cut);
        }
        // A copy that was never disturbed.
        const disturbed = await settle();
        await drop();
        await replicate(server, connection, 'initialize', table);
        expect(await settle()).toBe(disturbed);
      } finally {
        isReading = false;
        await reading;
        await reader.session.close();
      }
      expect([...seen].filter((digest) => !allowed.has(digest))).toEqual([]);
      expect(seen.size).toBeGreaterThan(3);
    },
    7_200_000,
  );
});
