import { describe, it, onTestFinished } from 'vitest';
import { killAtWork, killsOr, SEED } from './kills.ts';
import { SinkCrashWorld } from './sink-world.ts';
import { aBucket, aDatabase, aStream, aTable } from './sinks.ts';

const KILLS = killsOr(4);

describe('a worker that fills a sink and is killed', () => {
  it.each([
    ['a database', 'every line once', aDatabase],
    ['a bucket', 'every line once', aBucket],
    ['a stream of DIS', 'every line, and twice no more than it declares', aStream],
    ['a table of MaxCompute', 'every line once', aTable],
  ])(`leaves in %s %s under ${KILLS} kills`, async (_where, _what, start) => {
    const world = await SinkCrashWorld.openFor(SEED, start);
    onTestFinished(() => world.remove());
    const { random } = world;
    await killAtWork({ kills: KILLS, random, before: () => world.mutate(12), run: (options) => world.run(options) });

    await world.settle();
    await world.expectSinkWhole(KILLS);
  });
});
