import { afterEach, beforeEach, describe, it } from 'vitest';
import { DisCrashWorld } from './dis-world.ts';
import { killAtWork, killsOr, SEED } from './kills.ts';

const KILLS = killsOr(12);

let world: DisCrashWorld;
beforeEach(async () => {
  world = await DisCrashWorld.open(SEED);
});
afterEach(() => world.remove());

describe('a worker that drains a DIS stream and is killed', () => {
  it.each([
    [`under ${KILLS} kills`, 1],
    [`beside another worker of its pipeline, both killed now and then`, 2],
  ])('loses no record, lands none twice, and has no checkpoint ahead, %s', async (_how, workers) => {
    await killAtWork({
      kills: workers === 1 ? KILLS : Math.ceil(KILLS / 2),
      random: world.random,
      before: () => world.grow(),
      workers,
      run: (options) => world.run(options),
      after: () => world.expectNoCheckpointAhead(),
    });

    await world.settle();
    await world.expectWhole();
  });
});
