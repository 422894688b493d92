import { afterEach, beforeEach, describe, it } from 'vitest';
import { CrashWorld } from './world.ts';

/** `LANDFALL_CRASH_KILLS=200 npm run test:crash` for the long version. */
const KILLS = Number(process.env.LANDFALL_CRASH_KILLS ?? 12);
const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);

let world: CrashWorld;
beforeEach(async () => {
  world = await CrashWorld.open(SEED);
});
afterEach(() => world.remove());

describe('a worker that is killed', () => {
  it(`loses nothing and lands nothing twice under ${KILLS} kills while its source grows`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await world.mutate(30);
      await world.run({ killAfterMs: 20 + world.random() * 600 });
    }

    await world.settle();
    await world.expectWhole();
  });

  it('shares its folder with another worker, both killed now and then, their clocks apart and jumping', async () => {
    for (let kill = 0; kill < Math.ceil(KILLS / 4); kill++) {
      await world.mutate(40);
      const skewMs = String(Math.round((world.random() - 0.5) * 40_000));
      await Promise.all([
        world.run({ killAfterMs: 200 + world.random() * 800 }),
        world.run({ killAfterMs: 200 + world.random() * 800, flags: ['--clock-skew-ms', skewMs] }),
      ]);
    }

    await world.settle();
    await world.expectWhole();
  });
});
