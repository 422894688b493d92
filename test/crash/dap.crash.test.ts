import { describe, it, onTestFinished } from 'vitest';
import { DapCrashWorld } from './dap-world.ts';
import { killAtWork, killsOr, SEED } from './kills.ts';

async function aWorld(options: { readonly tables: number; readonly sql?: boolean }): Promise<DapCrashWorld> {
  const world = await DapCrashWorld.open(SEED, options);
  onTestFinished(() => world.remove());
  return world;
}

async function killed(kills: number, world: DapCrashWorld): Promise<void> {
  const before = () => world.server.refresh();
  await killAtWork({ kills, random: world.random, before, run: (options) => world.run(options) });
  await world.settle();
  await world.expectWhole();
}

describe('a worker over DAP tables that is killed', () => {
  it(`lands every object once and keeps the watermarks under ${killsOr(6)} kills while the data moves on`, async () => {
    await killed(killsOr(6), await aWorld({ tables: 30 }));
  });

  it(`brings a database to what a copy has that was never disturbed, under ${killsOr(3)} kills`, async () => {
    const world = await aWorld({ tables: 4, sql: true });

    await killed(killsOr(3), world);

    await world.expectSameDatabase();
  });
});
