import { describe, expect, it } from 'vitest';
import { FAULTS, type FaultRule } from '../../local/servers/maxcompute/faults.ts';
import { hours } from '../../shared/core/units.ts';
import { aProject, DELTA, idsOf, landedRows, orders } from '../shared/connectors/maxcompute/world.ts';
import { aTableSink, lines, refreshed, values } from '../shared/sinks/maxcompute/table-world.ts';
import { type Drawing, drawnRules, faultSeeds, oneOf, randomOf } from '../support/fault-schedule.ts';

const drawingOf = (...places: string[]): Drawing => ({
  place: 'action',
  places,
  faults: FAULTS,
  members: {
    code: (random) => oneOf(random, ['InternalServerError', 'ServiceUnavailable', 'Throttling']),
    bytes: () => 100,
    afterRows: (random) => Math.floor(random() * 4),
    polls: (random) => 1 + Math.floor(random() * 3),
  },
  always: ['reply.status', 'error-after.status', 'delay.milliseconds'],
  // Rows have no checksum of their own: only TLS tells that a bit of them is another.
  except: ['corrupt-body'],
});

const READS = ['GetTable', 'ListPartitions', 'TableCreateReadSession', 'TableGetReadSession', 'TableRead'];
const WRITES = [
  ...['TableCreateWriteSession', 'TableGetWriteSession', 'TableCreateWriteStream', 'TableGetWriteStream'],
  ...['TableWrite', 'TableCloseWriteStream', 'TableCommitWriteSession', 'TableAbortWriteSession'],
];

describe('a table of a service that fails at random', () => {
  it.each(faultSeeds([1, 2]).flatMap((seed) => [false, true].map((incremental) => ({ seed, incremental }))))(
    'lands every row once; seed $seed, incremental $incremental',
    async ({ seed, incremental }) => {
      const random = randomOf(seed);
      const world = await aProject({
        sql: [`CREATE TABLE orders (id BIGINT, name STRING) ${DELTA}`],
        options: { incremental },
        failurePolicy: 'partition',
      });
      let count = 10;
      for (let round = 0; round < 5; round++) {
        world.server.faults.add(...drawnRules<FaultRule>(6, random, drawingOf(...READS)));
        await world.refresh();
        await world.drain();
        expect(world.violations).toEqual([]);
        world.server.faults.clear();
        const more = Math.floor(random() * 8);
        if (more > 0) await world.write('orders', orders(more, count));
        count += more;
        world.time.advance(hours(2));
      }

      for (let round = 0; round < 3; round++) {
        await world.refresh();
        await world.drain();
        world.time.advance(hours(25));
        await world.sweep();
      }

      expect((await world.refresh()).state).toBe('SUCCEEDED');
      expect(world.violations).toEqual([]);
      const landed = [...(await landedRows(world)).values()].flat();
      expect(idsOf(landed)).toEqual(Array.from({ length: count }, (_, id) => id));
    },
  );
});

describe('a table that is filled while its service fails at random', () => {
  it.each(faultSeeds([1, 2]).flatMap((seed) => [true, false].map((rowOffsets) => ({ seed, rowOffsets }))))(
    'holds every row once; seed $seed, row offsets $rowOffsets',
    async ({ seed, rowOffsets }) => {
      const random = randomOf(seed);
      const world = await aTableSink({ sink: { parallel: 2, streams: 2, requestBytes: 65_536, rowOffsets } });
      const all: string[] = [];
      for (let round = 0; round < 4; round++) {
        const name = `r${round}-`;
        const count = 1 + Math.floor(random() * 40);
        world.source.leaf(name, '1', { bytes: lines(name, count) });
        all.push(...lines(name, count).trimEnd().split('\n'));
        world.server.faults.add(...drawnRules<FaultRule>(5, random, drawingOf(...WRITES)));
        await refreshed(world);
        world.time.advance(hours(1.1));
        await world.sweep();
        await world.drain();
        world.server.faults.clear();
        const there = await values(world);
        expect(new Set(there).size, 'a row is there once').toBe(there.length);
      }

      for (let round = 0; round < 4; round++) {
        world.time.advance(hours(1.1));
        await world.sweep();
        await world.drain();
      }

      const { error, refused } = (await world.sinkRecord())!;
      expect({ error, refused: refused ?? 0 }).toEqual({ error: undefined, refused: 0 });
      expect(await values(world)).toEqual(all.sort());
    },
  );
});
