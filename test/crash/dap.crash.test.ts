import { afterEach, beforeEach, describe, it } from 'vitest';
import { DapCrashWorld } from './dap-world.ts';

/** `LANDFALL_CRASH_KILLS=200 npm run test:crash` for the long version. */
const KILLS = Number(process.env.LANDFALL_CRASH_KILLS ?? 12);
const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);

let world: DapCrashWorld;
beforeEach(async () => {
  world = await DapCrashWorld.open(SEED);
});
afterEach(() => world.remove());

describe('a worker over thirty DAP tables that is killed', () => {
  it(`lands every object once and keeps the watermarks under ${KILLS} kills while the data moves on`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      world.server.refresh();
      // A refresh takes some seconds, most of them waiting for jobs: short lives for its beginning, long ones for its end.
      await world.run({ killAfterMs: 300 + world.random() ** 2 * 6000 });
    }

    await world.settle();
    await world.expectWhole();
  });
});
