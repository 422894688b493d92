import { describe, it, onTestFinished } from 'vitest';
import { JobsCrashWorld } from './jobs-world.ts';
import { killAtWork, killsOr, SEED } from './kills.ts';

const KILLS = killsOr(5);

describe('a worker that has external jobs made and is killed', () => {
  it(`has each made once, forgets none, and shows what they made, under ${KILLS} kills`, async () => {
    const world = await JobsCrashWorld.open(SEED);
    onTestFinished(() => world.remove());
    const { random } = world;
    await killAtWork({ kills: KILLS, random, before: () => world.move(), run: (options) => world.run(options) });

    await world.settle();
    await world.expectWhole();
  });
});
