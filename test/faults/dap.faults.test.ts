import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FAULTS, type FaultRule, ROUTES } from '../../local/servers/dap/faults.ts';
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { hours } from '../../shared/core/units.ts';
import { landedCount } from '../../shared/nodes/totals.ts';
import { aNamespace, type DapWorld, rowsOf, watermarkOf } from '../support/dap-namespace.ts';
import { appliedRecords, expectEachVersionOnce, freshRecords } from '../support/dap-replica.ts';
import { type Drawing, drawnRules, faultSeeds, randomOf } from '../support/fault-schedule.ts';

const DRAWING: Drawing = {
  place: 'route',
  places: ROUTES,
  faults: FAULTS,
  members: { secondsLeft: () => 5, rowsPerMember: () => 3 },
  always: ['reply.status', 'delay.milliseconds'],
};
const TABLES = ['users', 'courses', 'enrollments'];

/** By table: what a snapshot shows that is taken now. */
async function present({ server, time }: DapWorld): Promise<Map<string, Map<string, string>>> {
  const { clientId, clientSecret } = server.credentials;
  const folder = await mkdtemp(join(tmpdir(), 'landfall-faults-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await using session = new DapClient({
    baseUrl: server.url,
    credentials: Credentials.create(clientId, clientSecret),
    rateLimits: { start: Infinity, job: Infinity, tables: Infinity, schema: Infinity, urls: Infinity },
    clock: time.clock,
    sleep: async (ms) => time.advance(ms),
  }).open();
  return await freshRecords(session, folder);
}

describe('tables of a DAP service that fails at random', () => {
  it.each(faultSeeds([1, 3]))(
    'end as they are, each version of a record once; seed %i',
    async (seed) => {
      const random = randomOf(seed);
      const world = await aNamespace({
        server: { boundary: '(since, until]', whenEmpty: 'no file' },
        deleteGuard: 'off',
        failurePolicy: 'partition',
      });
      for (let round = 0; round < 5; round++) {
        world.server.faults.add(...drawnRules<FaultRule>(6, random, DRAWING));
        await world.refresh();
        await world.drain();
        expect(world.violations).toEqual([]);
        world.time.advance(hours(4));
      }

      world.server.faults.clear();
      let run = await world.refresh();
      // What was planned comes first, and then what is new; a job that never ends holds its table up for a day.
      for (let round = 0; round < 8 && (run.state !== 'SUCCEEDED' || landedCount(run.ran!) > 0); round++) {
        if (run.state !== 'SUCCEEDED') world.time.advance(hours(25));
        await world.sweep();
        run = await world.refresh();
        await world.drain();
      }

      expect({ state: run.state, error: run.error }).toEqual({ state: 'SUCCEEDED', error: undefined });
      expect(world.violations).toEqual([]);
      const truth = await present(world);
      for (const table of TABLES) {
        const rows = await rowsOf(world, table);
        expectEachVersionOnce(table, rows, (await watermarkOf(world, table))!);
        expect(appliedRecords(rows), table).toEqual(truth.get(table));
      }
      expect(world.everything()).not.toContain(world.server.credentials.clientSecret);
    },
    180_000,
  );
});
