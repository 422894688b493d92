import { describe, it, onTestFinished } from 'vitest';
import { killAtWork, killsOr, SEED } from './kills.ts';
import { MaxComputeCrashWorld } from './maxcompute-world.ts';

const KILLS = killsOr(6);

describe('a worker over MaxCompute tables that is killed', () => {
  it.each([
    ['read whole', []],
    ['read incrementally', ['--incremental']],
  ])(`lands every row once under ${KILLS} kills while the tables grow, %s`, async (_how, flags) => {
    const world = await MaxComputeCrashWorld.open(SEED, flags);
    onTestFinished(() => world.remove());
    const { random } = world;
    await killAtWork({ kills: KILLS, random, before: () => world.move(), run: (options) => world.run(options) });

    await world.settle();
    await world.expectWhole();
  });
});
