import { describe, it, onTestFinished } from 'vitest';
import { MaxComputeCrashWorld } from './maxcompute-world.ts';

/** `LANDFALL_CRASH_KILLS=200 npm run test:crash` for the long version. */
const KILLS = Number(process.env.LANDFALL_CRASH_KILLS ?? 6);
const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);

describe('a worker over MaxCompute tables that is killed', () => {
  it.each([
    ['read whole', []],
    ['read incrementally', ['--incremental']],
  ])(`lands every row once under ${KILLS} kills while the tables grow, %s`, async (_how, flags) => {
    const world = await MaxComputeCrashWorld.open(SEED, flags);
    onTestFinished(() => world.remove());
    for (let kill = 0; kill < KILLS; kill++) {
      await world.move();
      await world.run({ killAfterMs: 300 + world.random() ** 2 * 4000 });
    }

    await world.settle();
    await world.expectWhole();
  });
});
