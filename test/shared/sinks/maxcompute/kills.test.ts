import { describe, expect, it } from 'vitest';
import { hours } from '../../../../shared/core/units.ts';
import type { MaxComputeTableOptions } from '../../../../shared/sinks/maxcompute/sink.ts';
import { isWrite, type PortCall } from '../../../support/faults.ts';
import { aTableSink, lines, refreshed, type TableWorld, values } from './table-world.ts';

const isOwn = (call: PortCall) => isWrite(call) && call.step === 'stream-upload';

/** Six landed partitions and a feed, more than there are streams; one needs several requests. */
async function prepare(sink: Partial<MaxComputeTableOptions>): Promise<TableWorld> {
  const world = await aTableSink({ sink: { parallel: 2, streams: 3, requestBytes: 65_536, ...sink } });
  world.source.leaf('a', '1', { bytes: lines('a', 9000) });
  for (const name of ['b', 'c', 'd', 'e']) world.source.leaf(name, '1', { bytes: lines(name, 3) });
  world.source.feed('f');
  for (const name of ['1', '2']) world.source.leaf(`f/${name}`, '1', { bytes: lines(`f${name}-`, 2) });
  return world;
}

const all = [
  ...Array.from({ length: 9000 }, (_, at) => `a${at}`),
  ...['b', 'c', 'd', 'e'].flatMap((name) => [0, 1, 2].map((at) => `${name}${at}`)),
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
    expect([0, all.length], `point ${at}, before it is settled`).toContain(world.server.rowCount('t'));
    await settle(world);
    expect(world.server.rowCount('t'), `point ${at}`).toBe(all.length);
    expect(await values(world), `point ${at}`).toEqual(all);
    await world.server.close();
    world.close();
  }
  return count;
}

const KINDS: [string, Partial<MaxComputeTableOptions>][] = [
  ['row offsets', {}],
  ['no row offsets', { rowOffsets: false }],
  ['overwriting', { overwrite: true }],
];

describe.each(KINDS)('a table that is written with %s has all rows once or none', (_kind, sink) => {
  it.each(['kill before', 'kill after', 'fail before', 'fail after'] as const)(
    '%s any write of its own progress',
    async (fault) => {
      const points = (world: TableWorld) => world.calls.filter(isOwn).length;
      const count = await everywhere(sink, points, (world, at) => {
        let seen = 0;
        world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);
      });
      expect(count).toBeGreaterThan(15);
    },
    120_000,
  );

  it.each(['kill before', 'kill after'] as const)(
    '%s any request to the service',
    async (fate) => {
      let requests = 0;
      const points = () => requests;
      const count = await everywhere(
        sink,
        (world) => {
          requests = world.server.calls.filter(({ table }) => table === 't').length + 1;
          return points();
        },
        (world, at) => {
          world.onRequest = (number) => (number === at ? fate : undefined);
        },
      );
      expect(count).toBeGreaterThan(15);
    },
    120_000,
  );
});
