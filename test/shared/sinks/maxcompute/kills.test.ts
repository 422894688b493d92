import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';
import { hours } from '../../../../shared/core/units.ts';
import type { MaxComputeTableOptions } from '../../../../shared/sinks/maxcompute/sink.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { isWrite, type PortCall } from '../../../support/faults.ts';
import { aTableSink, lines, refreshed, type TableWorld, values } from './table-world.ts';

const time = new FakeClock();
let server: MaxComputeServer;
beforeAll(async () => {
  server = await startMaxComputeServer({ clock: time.clock });
});
afterAll(() => server.close());

const isOwn = (call: PortCall) => isWrite(call) && call.step === 'stream-upload';

/** Three landed partitions and a feed, more than there are streams; one needs several requests. */
async function prepare(sink: Partial<MaxComputeTableOptions>): Promise<TableWorld> {
  const world = await aTableSink({
    on: server,
    time,
    sink: { parallel: 2, streams: 2, requestBytes: 65_536, ...sink },
  });
  world.source.leaf('a', '1', { bytes: lines('a', 5000) });
  for (const name of ['b', 'c']) world.source.leaf(name, '1', { bytes: lines(name, 3) });
  world.source.feed('f');
  for (const name of ['1', '2']) world.source.leaf(`f/${name}`, '1', { bytes: lines(`f${name}-`, 2) });
  return world;
}

const all = [
  ...Array.from({ length: 5000 }, (_, at) => `a${at}`),
  ...['b', 'c'].flatMap((name) => [0, 1, 2].map((at) => `${name}${at}`)),
  ...['f1-0', 'f1-1', 'f2-0', 'f2-1'],
].sort();

/** Works on, whatever died, until nothing is left to do. */
async function settle(world: TableWorld): Promise<void> {
  for (let rounds = 0; rounds < 4; rounds++) {
    if ((await world.sinkRecord())?.applied) return;
    world.time.advance(hours(1.1));
    await world.sweep();
    await world.drain();
  }
}

/** Lets one upload end at each of its points in turn. @returns at how many */
async function everywhere(
  sink: Partial<MaxComputeTableOptions>,
  points: (world: TableWorld) => number,
  strike: (world: TableWorld, at: number) => void,
): Promise<number> {
  const whole = await prepare(sink);
  await refreshed(whole);
  expect(await values(whole)).toEqual(all);
  const count = points(whole);
  for (let at = 0; at < count; at++) {
    const world = await prepare(sink);
    strike(world, at);
    await refreshed(world);
    expect([0, all.length], `point ${at}, before it is settled`).toContain(world.server.rowCount(world.table));
    await settle(world);
    expect(world.server.rowCount(world.table), `point ${at}`).toBe(all.length);
    expect(await values(world), `point ${at}`).toEqual(all);
    world.close();
  }
  return count;
}

type Strike = 'kill before' | 'kill after' | 'fail after';
const KINDS: [
  kind: string,
  sink: Partial<MaxComputeTableOptions>,
  atWrites: Strike[],
  atRequests: ('kill before' | 'kill after')[],
][] = [
  ['row offsets', {}, ['kill before', 'kill after', 'fail after'], ['kill before', 'kill after']],
  ['no row offsets', { rowOffsets: false }, ['kill after'], ['kill after']],
  ['overwriting', { overwrite: true }, [], ['kill after']],
];

describe.each(KINDS)(
  'a table that is written with %s has all rows once or none',
  (_kind, sink, atWrites, atRequests) => {
    it.each(atWrites)(
      '%s any write of its own progress',
      async (fault) => {
        const points = (world: TableWorld) => world.calls.filter(isOwn).length;
        const count = await everywhere(sink, points, (world, at) => {
          let seen = 0;
          world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);
        });
        expect(count).toBeGreaterThan(10);
      },
      120_000,
    );

    it.each(atRequests)(
      '%s any request to the service',
      async (fate) => {
        const points = (world: TableWorld) => world.requests;
        const count = await everywhere(sink, points, (world, at) => {
          world.onRequest = (number) => (number === at ? fate : undefined);
        });
        expect(count).toBeGreaterThan(10);
      },
      120_000,
    );
  },
);
