import { afterEach, beforeEach, describe, it } from 'vitest';
import { DisCrashWorld } from './dis-world.ts';

/** `LANDFALL_CRASH_KILLS=200 npm run test:crash` for the long version. */
const KILLS = Number(process.env.LANDFALL_CRASH_KILLS ?? 12);
const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);

let world: DisCrashWorld;
beforeEach(async () => {
  world = await DisCrashWorld.open(SEED);
});
afterEach(() => world.remove());

describe('a worker that drains a DIS stream and is killed', () => {
  it(`loses no record, lands none twice, and has no checkpoint ahead, under ${KILLS} kills`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await world.grow();
      await world.run({ killAfterMs: world.someMs() });
      await world.expectNoCheckpointAhead();
    }

    await world.settle();
    await world.expectWhole();
  });

  it('shares the stream with another worker of its pipeline, both killed now and then', async () => {
    for (let kill = 0; kill < Math.ceil(KILLS / 3); kill++) {
      await world.grow();
      await Promise.all([world.run({ killAfterMs: world.someMs() }), world.run({ killAfterMs: world.someMs() })]);
      await world.expectNoCheckpointAhead();
    }

    await world.settle();
    await world.expectWhole();
  });
});
