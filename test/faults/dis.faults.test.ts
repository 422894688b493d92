import { describe, expect, it } from 'vitest';
import { FAULTS, type FaultRule } from '../../local/servers/dis/faults.ts';
import type { RouteName } from '../../local/servers/dis/routes.ts';
import { hours } from '../../shared/core/units.ts';
import { aStream, shownOf, texts } from '../shared/connectors/dis/drained-stream.ts';
import { aStreamSink, lines, refreshed } from '../shared/sinks/dis/stream-world.ts';
import { type Drawing, drawnRules, faultSeeds, oneOf, randomOf } from '../support/fault-schedule.ts';

const drawingOf = (...places: RouteName[]): Drawing => ({
  place: 'route',
  places,
  faults: FAULTS,
  members: {
    code: (random) => oneOf(random, ['DIS.5000', 'DIS.5250', 'DIS.4303', 'DIS.4312']),
    spelling: (random) => oneOf(random, ['seen', 'generic']),
    share: (random) => random(),
    records: (random) => [Math.floor(random() * 3)],
  },
  always: ['reply.status', 'delay.milliseconds'],
});

describe('a stream of a service that fails at random', () => {
  const drawing = drawingOf(
    'getStream',
    'apps',
    'createApp',
    'getDataCursor',
    'downloadData',
    'createCheckpoint',
    'getCheckpoint',
  );

  it.each(faultSeeds([1, 2]))('is drained, each record once and in order; seed %i', async (seed) => {
    const random = randomOf(seed);
    const world = await aStream({ partitions: 2, failurePolicy: 'partition' });
    const stored = [0, 1].map((): string[] => []);
    for (let round = 0; round < 6; round++) {
      for (const [partition, all] of stored.entries()) {
        const more = texts(`p${partition}-`, Math.floor(random() * 20), all.length);
        if (more.length > 0) await world.put(more, partition);
        all.push(...more);
      }
      world.server.faults.add(...drawnRules<FaultRule>(6, random, drawing));
      await refreshed(world);
      expect(world.violations).toEqual([]);
      for (const [partition, all] of stored.entries()) {
        const shown = await shownOf(world, partition);
        expect(all.slice(0, shown.length)).toEqual(shown);
      }
      world.server.faults.clear();
      for (const partition of [0, 1])
        expect(Number(await world.checkpoint(partition)), 'the checkpoint is not ahead').toBeLessThan(
          (await shownOf(world, partition)).length,
        );
      world.time.advance(hours(1));
    }

    // A checkpoint that has never been set is set with the next record; one that is behind, also without.
    for (const [partition, all] of stored.entries()) {
      await world.put(['last'], partition);
      all.push('last');
    }
    for (let round = 0; round < 2; round++) {
      await refreshed(world);
      world.time.advance(hours(2));
      await world.sweep();
    }

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.violations).toEqual([]);
    for (const [partition, all] of stored.entries()) {
      expect(await shownOf(world, partition)).toEqual(all);
      expect(Number(await world.checkpoint(partition))).toBe(all.length - 1);
    }
  });
});

describe('a stream that is filled while its service fails at random', () => {
  const BATCH = 3;
  const drawing = drawingOf('getStream', 'uploadData');

  it.each(faultSeeds([1, 2]))('has every record, and no more twice than was under way; seed %i', async (seed) => {
    const random = randomOf(seed);
    const world = await aStreamSink({
      sink: { records: 'lines', batchRecords: BATCH, parallel: 1, partitionKey: false },
      partitions: 2,
    });
    const all: string[] = [];
    for (let round = 0; round < 5; round++) {
      const name = `r${round}-`;
      const count = 1 + Math.floor(random() * 25);
      world.source.leaf(name, '1', { bytes: lines(name, count) });
      all.push(...lines(name, count).trimEnd().split('\n'));
      world.server.faults.add(...drawnRules<FaultRule>(5, random, drawing));
      await refreshed(world);
      world.time.advance(hours(1.1));
      await world.sweep();
      await world.drain();
      world.server.faults.clear();
    }

    for (let round = 0; round < 3; round++) {
      world.time.advance(hours(1.1));
      await world.sweep();
      await world.drain();
    }

    const stored = await world.all();
    // What the service calls too large even alone is set aside and counted, also if it was there already.
    const missing = all.filter((one) => !stored.includes(one));
    const { totals, error } = (await world.sinkRecord())!;
    expect(error).toBeUndefined();
    expect(missing.length).toBeLessThanOrEqual(totals?.rejectedRows ?? 0);
    expect(stored.filter((one) => !all.includes(one))).toEqual([]);
    const asked = world.server.calls.filter(({ route }) => route === 'uploadData').length;
    const needed = Math.ceil(all.length / BATCH);
    expect(stored.length - new Set(stored).size, 'records that are there twice').toBeLessThanOrEqual(
      Math.max(0, asked - needed) * BATCH,
    );
  });
});
