import { describe, expect, it } from 'vitest';
import { hours, minutes } from '../../shared/core/units.ts';
import { resetPipeline } from '../../shared/operations/control.ts';
import { isFinal } from '../../shared/runs/store.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

const statesOf = async (world: World) => {
  const states: [number, string, string][] = [];
  for await (const { run, state, trigger } of world.runs.records(PIPELINE)) states.push([run, state, trigger]);
  return states;
};

describe('one active run', () => {
  it('triggers meanwhile fold into one pending run, which begins when the first ends', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    const first = await world.start();
    const folded = [
      await world.start({ trigger: 'schedule' }),
      await world.start(),
      await world.start({ trigger: 'event' }),
    ];

    await world.work();

    expect(first).toEqual({ pipeline: PIPELINE, run: 1, pending: false });
    expect(folded).toEqual(Array(3).fill({ pipeline: PIPELINE, pending: true }));
    expect(await statesOf(world)).toEqual([
      [2, 'SUCCEEDED', 'event'],
      [1, 'SUCCEEDED', 'manual'],
    ]);
    expect(world.source.reads).toEqual(['a']);
  });

  it('what was asked for while another run was going on is not forgotten', async () => {
    const world = newWorld({ deleteGuard: 'hold' });
    world.source.leaf('a', 'v1').leaf('b', 'v1').leaf('c', 'v1');
    await world.refresh();
    world.source.forget();
    await world.start();
    await world.start({ force: ['a'] });
    await world.start({ force: ['b'] });
    await world.start({ trigger: 'schedule' });

    await world.work();

    expect(world.source.reads.toSorted()).toEqual(['a', 'b']);
    expect((await world.record(3)).ran?.landed).toEqual({ FORCED: 2 });
  });

  it('force all outweighs force by name', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    await world.start();
    await world.start({ force: ['a'] });
    await world.start({ force: 'all' });

    await world.work();

    expect((await world.record(3)).ran?.landed).toEqual({ FORCED: 2 });
  });

  it('numbers never restart', async () => {
    const world = newWorld();
    await world.refresh();
    await resetPipeline(PIPELINE, world.deps());
    await world.refresh();

    expect((await statesOf(world)).map(([run]) => run)).toEqual([2, 1]);
  });
});

describe('cancel', () => {
  it('ends the run; what still works for it is refused, and what landed is in the next manifest', async () => {
    const world = newWorld({ sizes: { groupPartitions: 1 } });
    for (const name of ['a', 'b', 'c']) world.source.leaf(name, 'v1');
    await world.start();
    for (let messages = 0; messages < 2; messages++) await world.step();
    await world.cancel();
    await world.drain();

    const landedThen = world.source.reads.length;
    const cancelled = await world.record(1);
    const run = await world.refresh();

    expect(cancelled.state).toBe('CANCELLED');
    expect(landedThen).toBe(1);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 2 } }, totals: { partitions: 3 } });
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });

  it('begins the pending run', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    await world.start();
    await world.cancel();

    await world.work();

    expect(await statesOf(world)).toEqual([
      [2, 'SUCCEEDED', 'manual'],
      [1, 'CANCELLED', 'manual'],
    ]);
  });

  it('while a partition is read: its commit belongs to no run any more, and is no landing twice', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').onReading = async ({ end }) => {
      if (end) await world.cancel();
    };
    expect((await world.refresh()).state).toBe('CANCELLED');
    world.source.onReading = () => {};

    await world.refresh();

    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });
});

describe('reset', () => {
  it('everything is NEW again; readers see the old manifest until then', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1');
    await world.refresh();
    const before = await world.manifest();

    expect(await resetPipeline(PIPELINE, world.deps())).toBe(true);
    expect(await world.manifest()).toEqual(before);
    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 2 } } });
    expect(await world.contents()).toEqual(world.source.contents());
    world.time.advance(hours(25));
    await world.sweep();
    expect(world.objects.keys('p/data/')).toHaveLength(2);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('is refused while a run is going on', async () => {
    const world = newWorld();
    await world.start();

    expect(await resetPipeline(PIPELINE, world.deps())).toBe(false);
  });
});

describe('pause', () => {
  it('takes no triggers, and finishes what is going on', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    await world.runs.setPaused(PIPELINE, true);
    await world.work();

    expect((await world.record(1)).state).toBe('SUCCEEDED');
    await expect(world.start()).rejects.toThrow(/paused/);
    await world.runs.setPaused(PIPELINE, false);
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('may be written in the pipeline, and before its first run', async () => {
    const world = newWorld({ paused: true });

    await expect(world.start()).rejects.toThrow(/paused/);
    world.define({});
    await world.runs.setPaused(PIPELINE, true);
    await expect(world.start()).rejects.toThrow(/paused/);
  });
});

describe('the record of a run', () => {
  it('tells its trigger, state, times, totals and what it did', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1').onReading = () => world.time.advance(1000);
    await world.refresh({ trigger: 'schedule' });
    world.source.leaf('a', 'v2').remove('b').onReading = () => {};

    const run = await world.refresh({ trigger: 'event' });

    expect(await world.record(1)).toMatchObject({ trigger: 'schedule', endedAt: Date.parse('2026-01-01T00:00:04Z') });
    expect(run).toMatchObject({
      run: 2,
      trigger: 'event',
      state: 'SUCCEEDED',
      startedAt: world.time.nowMs,
      endedAt: world.time.nowMs,
      totals: { partitions: 1, bytes: 4, failed: 0 },
      ran: { run: 2, landed: { CHANGED: 1 }, landedBytes: 4, removed: 1 },
    });
  });

  it('goes through LISTING and PUBLISHING', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    const states = new Set<string>();
    const look = async () => void states.add((await world.runs.record(PIPELINE, 1))!.state);
    world.source.onListing = look;
    world.source.onReading = look;
    world.faults = ({ args, method }) => {
      if (method === 'put' && args[0] === 'p/latest.json') void look();
      return undefined;
    };

    await world.refresh();

    expect([...states]).toEqual(['LISTING', 'READING', 'PUBLISHING']);
  });

  it('is written by the sweep when whoever ended the run died right after', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    let ended = false;
    world.faults = ({ port, method, args }) => {
      if (port !== 'runs' || method !== 'update') return undefined;
      const { set = {} } = args[1] as { set?: Record<string, unknown> };
      if (!('ended' in set) || ended) return undefined;
      ended = true;
      return 'kill after';
    };
    await world.start();
    await world.work();
    expect(isFinal((await world.runs.record(PIPELINE, 1))!.state)).toBe(false);

    await world.sweep();

    expect(await world.record(1)).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 1 } });
  });

  it('the pending run begins also when whoever ended the one before died right after', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    await world.start();
    let ended = false;
    world.faults = ({ port, method, args }) => {
      if (port !== 'runs' || method !== 'update') return undefined;
      const { set = {} } = args[1] as { set?: Record<string, unknown> };
      if (!('ended' in set) || ended) return undefined;
      ended = true;
      return 'kill after';
    };

    await world.work();

    expect(await statesOf(world)).toEqual([
      [2, 'SUCCEEDED', 'manual'],
      [1, 'SUCCEEDED', 'manual'],
    ]);
  });
});

describe('every run ends', () => {
  it('with an unreadable table in between, once that is over', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    const until = world.time.nowMs + minutes(20);
    world.faults = ({ step }) => (step !== 'test' && world.time.nowMs < until ? 'fail before' : undefined);

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
  });

  it('with a pipeline that is gone while its run is going on: its messages fail by name', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    const { queue, message } = (await world.receive())!;

    const body = message.body.replace('"pipeline":"p"', '"pipeline":"gone"');
    expect(await world.invoke(queue, [{ ...message, body }])).toBe('again');

    expect(world.logLines.join('\n')).toContain('UnknownPipeline');
  });
});
