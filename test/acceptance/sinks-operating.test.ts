import { describe, expect, it } from 'vitest';
import { hours } from '../../shared/core/units.ts';
import { redriveSink, refusedPartitions, rewindSink, SinkBusyError, sinkViews } from '../../shared/operations/sinks.ts';
import { PartitionRefusedError } from '../../shared/sinks/sink.ts';
import { HELD_DAYS } from '../../shared/uploads/wake.ts';
import { isWrite, type PortCall } from '../support/faults.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../support/world.ts';

interface SinkWorld extends World {
  readonly sink: MemorySink;
  /** Paths that the sink refuses. */
  readonly refuses: Set<string>;
}

function aSink(options: WorldOptions = {}): SinkWorld {
  const sink = new MemorySink();
  const refuses = new Set<string>();
  sink.onCall = ({ call, path }) => {
    if (call === 'upload' && refuses.has(path)) throw new PartitionRefusedError('it does not fit');
  };
  const made = { sinks: [sink.sink()], land: { parser: { format: 'csv' as const, header: false } }, ...options };
  return Object.assign(newWorld(made), { sink, refuses });
}

const put = (world: World, path: string, version: string) =>
  world.source.leaf(path, version, { bytes: `${version}\n` });
const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};
const operated = async (world: World, operate: typeof redriveSink) => {
  await operate(world.pipeline, world.pipeline.sinks[0]!, world.deps());
  await world.drain();
};
const viewOf = async (world: World) => (await sinkViews(world.pipeline, world.deps()))[0]!;
const refusedOf = async (world: World) => {
  const paths: string[] = [];
  for await (const { path } of refusedPartitions(PIPELINE, 'memory', world.deps())) paths.push(path.join('/'));
  return paths.sort();
};
const held = ({ sink }: SinkWorld) => Object.fromEntries([...sink.held].sort());

describe('how far a sink is', () => {
  it('is told before, during and after', async () => {
    const world = aSink();
    expect(await viewOf(world)).toMatchObject({ sink: 'memory', state: 'up to date', totals: { rows: 0 }, refused: 0 });

    put(world, 'a', 'x');
    await world.refresh();
    expect(await viewOf(world)).toMatchObject({ state: 'waiting', published: { run: 1 }, lagRuns: 1 });

    await world.drain();
    const view = await viewOf(world);
    expect(view).toMatchObject({
      state: 'up to date',
      applied: { run: 1 },
      lagRuns: 0,
      lagMs: 0,
      totals: { partitions: 1, rows: 1, bytes: 2 },
    });
    expect(view.at).toBeUndefined();
  });

  it('is told of one that fails: why, and what it is at', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    put(world, 'b', 'y');
    world.sink.onCall = ({ call, path }) => {
      if (call === 'upload' && path === 'b') throw new Error('the warehouse is on fire');
    };

    await refreshed(world);

    expect(await viewOf(world)).toMatchObject({
      state: 'failing',
      attempts: 1,
      error: { message: 'the warehouse is on fire' },
      at: { run: 1, changes: 1, isRedrive: false },
    });
  });
});

describe('a redrive', () => {
  it('uploads all that was refused, however much it was, and nothing else', async () => {
    const world = aSink();
    const names = Array.from({ length: 30 }, (_, at) => `r${at}`);
    for (const name of [...names, 'fine']) put(world, name, 'v1');
    for (const name of names) world.refuses.add(name);
    await refreshed(world);
    expect(await viewOf(world)).toMatchObject({ refused: 30, totals: { partitions: 1 } });
    expect(await refusedOf(world)).toEqual([...names].sort());

    world.refuses.clear();
    world.refuses.add('r7');
    world.sink.calls.length = 0;
    await operated(world, redriveSink);

    expect(world.sink.calls).not.toContain('upload fine');
    expect(Object.keys(held(world))).toHaveLength(30);
    expect(await viewOf(world)).toMatchObject({ state: 'up to date', refused: 1, totals: { partitions: 30 } });
    expect(await refusedOf(world)).toEqual(['r7']);

    world.refuses.clear();
    await operated(world, redriveSink);
    expect(await viewOf(world)).toMatchObject({ refused: 0 });
    const begun = world.sink.calls.filter((call) => call.startsWith('begin'));
    expect(new Set(begun).size).toBe(2);
  });

  it('forgets what is not there any more', async () => {
    const world = aSink({ deleteGuard: 'off' });
    put(world, 'a', 'x');
    put(world, 'b', 'x');
    world.refuses.add('a');
    await refreshed(world);
    world.source.remove('a');
    world.sink.calls.length = 0;
    await refreshed(world);

    // It never was in the sink.
    expect(world.sink.calls).not.toContain('remove a');
    expect(await refusedOf(world)).toEqual([]);
    expect(await viewOf(world)).toMatchObject({ refused: 0 });
  });

  it('is not needed for a partition that comes again and fits', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    put(world, 'b', 'x');
    world.refuses.add('a');
    await refreshed(world);
    world.refuses.clear();
    put(world, 'a', 'y');
    await refreshed(world);

    expect(held(world)).toMatchObject({ a: ['y'] });
    expect(await viewOf(world)).toMatchObject({ refused: 0 });
  });

  it('tells of the version that is in the sink, not of one that was refused', async () => {
    const world = aSink();
    const replaced: (string | undefined)[] = [];
    const own = world.pipeline.sinks[0]!;
    const open: typeof own.open = async (context) => {
      const session = await own.open(context);
      return {
        ...session,
        upload: async (partition) => {
          replaced.push(partition.replaces?.fingerprint);
          await session.upload(partition);
        },
      };
    };
    world.define({ sinks: [{ ...own, open }], land: { parser: { format: 'csv', header: false } } });
    for (const version of ['v1', 'v2', 'v3']) {
      if (version === 'v2') world.refuses.add('a');
      put(world, 'a', version);
      await refreshed(world);
    }
    world.refuses.clear();
    await operated(world, redriveSink);

    expect(replaced).toEqual([undefined, 'v1', 'v1', 'v1']);
    expect(held(world)).toEqual({ a: ['v3'] });
  });

  it('tries at once again what failed, without waiting an hour', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    world.sink.onCall = () => {
      throw new Error('away');
    };
    await refreshed(world);
    world.sink.onCall = () => {};

    await operated(world, redriveSink);

    expect(held(world)).toEqual({ a: ['x'] });
    const view = await viewOf(world);
    expect(view).toMatchObject({ state: 'up to date', attempts: 0 });
    expect(view.error).toBeUndefined();
  });

  it.each(['kill before', 'kill after'] as const)(
    'goes on where it was when it dies (%s) at any write',
    async (fault) => {
      const isOwn = (call: PortCall) => isWrite(call) && call.step === 'stream-upload';
      const prepared = async () => {
        const world = aSink();
        for (const name of ['a', 'b', 'c']) put(world, name, 'v1');
        for (const name of ['a', 'c']) world.refuses.add(name);
        await refreshed(world);
        world.refuses.clear();
        world.calls.length = 0;
        return world;
      };
      const calm = await prepared();
      await operated(calm, redriveSink);
      const writes = calm.calls.filter(isOwn).length;
      expect(writes).toBeGreaterThan(5);
      for (let at = 0; at < writes; at++) {
        const world = await prepared();
        let seen = 0;
        world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);

        await operated(world, redriveSink);
        world.time.advance(hours(1));
        await world.sweep();
        await world.drain();

        expect(held(world), `write ${at}`).toEqual(held(calm));
        expect(await viewOf(world), `write ${at}`).toMatchObject({ state: 'up to date', refused: 0 });
        expect(await refusedOf(world), `write ${at}`).toEqual([]);
      }
    },
  );
});

describe('a rewind', () => {
  it('uploads everything again, and removes what had gone meanwhile', async () => {
    const world = aSink({ deleteGuard: 'off' });
    for (const name of ['a', 'b', 'gone']) put(world, name, 'v1');
    world.refuses.add('b');
    await refreshed(world);
    world.refuses.clear();
    world.tamper = (message) => (message.queue === 'stream-upload' ? [] : [message]);
    world.source.remove('gone');
    await refreshed(world);
    world.tamper = (message) => [message];
    const begun = world.sink.calls.filter((call) => call.startsWith('begin'));
    world.sink.calls.length = 0;

    await operated(world, rewindSink);

    expect(world.sink.calls.filter((call) => !call.startsWith('batch'))).toEqual([
      'open',
      expect.stringMatching(/^begin /),
      'upload a',
      'upload b',
      'remove gone',
      'commit',
    ]);
    expect(begun).not.toContain(world.sink.calls[1]);
    expect(held(world)).toEqual({ a: ['v1'], b: ['v1'] });
    expect(await viewOf(world)).toMatchObject({ state: 'up to date', applied: { run: 2 }, refused: 0, anew: false });
    expect(await refusedOf(world)).toEqual([]);
  });

  it('gives up what was begun', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    put(world, 'b', 'y');
    world.sink.onCall = ({ call, path }) => {
      if (call === 'upload' && path === 'b') throw new Error('no');
    };
    await refreshed(world);
    world.sink.onCall = () => {};
    world.sink.calls.length = 0;

    await operated(world, rewindSink);

    expect(world.sink.calls).toContain('upload a');
    expect(held(world)).toEqual({ a: ['x'], b: ['y'] });
  });

  it('waits for whoever brings the sink on', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    await world.refresh();
    await world
      .deps()
      .sinks.claim(PIPELINE, 'memory', 'somebody', world.time.clock().getTime() as never, 60_000 as never);

    await expect(rewindSink(world.pipeline, world.pipeline.sinks[0]!, world.deps())).rejects.toThrow(SinkBusyError);
  });
});

describe('a sink that lagged too long', () => {
  it('begins anew, since what it has applied is not kept any more', async () => {
    const world = aSink();
    put(world, 'a', 'v1');
    await refreshed(world);
    let away = true;
    world.sink.onCall = () => {
      if (away) throw new Error('away');
    };
    for (let month = 0; month < 3; month++) {
      put(world, 'a', `w${month}`);
      await refreshed(world);
      world.time.advance(hours(24 * (HELD_DAYS + 1)));
      await world.sweep();
      await world.drain();
    }
    away = false;
    await operated(world, redriveSink);

    expect(world.logLines.join('\n')).toContain('is not kept any more: all is uploaded again');
    expect(held(world)).toEqual({ a: ['w2'] });
    expect(await viewOf(world)).toMatchObject({ state: 'up to date' });
  });
});
