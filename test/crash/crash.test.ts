import { afterEach, beforeEach, describe, it } from 'vitest';
import { killAtWork, killsOr, SEED } from './kills.ts';
import { CrashWorld } from './world.ts';

const KILLS = killsOr(12);

let world: CrashWorld;
beforeEach(async () => {
  world = await CrashWorld.open(SEED);
});
afterEach(() => world.remove());

describe('a worker that is killed', () => {
  it(`loses nothing and lands nothing twice under ${KILLS} kills while its source grows`, async () => {
    const { random } = world;
    await killAtWork({ kills: KILLS, random, before: () => world.mutate(30), run: (options) => world.run(options) });

    await world.settle();
    await world.expectWhole();
  });

  it('shares its folder with another worker, both killed now and then, their clocks apart and jumping', async () => {
    await killAtWork({
      kills: Math.ceil(KILLS / 2),
      random: world.random,
      before: () => world.mutate(40),
      workers: 2,
      run: (options, worker) => {
        const skewMs = String(Math.round((world.random() - 0.5) * 40_000));
        return world.run({ ...options, flags: worker === 0 ? [] : ['--clock-skew-ms', skewMs] });
      },
    });

    await world.settle();
    await world.expectWhole();
  });
});
