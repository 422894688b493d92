import { describe, expect, it } from 'vitest';
import { IngestError } from '../../shared/core/errors.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { PartitionRefusedError } from '../../shared/sinks/sink.ts';
import { isWrite, type PortCall } from '../support/faults.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { withJob } from '../support/scripted-jobs.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../support/world.ts';

interface SinkWorld extends World {
  readonly sink: MemorySink;
}

function aSink({ sink = new MemorySink(), ...options }: WorldOptions & { sink?: MemorySink } = {}): SinkWorld {
  const made = { sinks: [sink.sink()], land: { parser: { format: 'csv' as const, header: false } }, ...options };
  return Object.assign(newWorld(made), { sink });
}

/** A file of so many lines. */
const lines = (name: string, count: number) => Array.from({ length: count }, (_, at) => `${name}${at}\n`).join('');
const put = (world: World, path: string, fingerprint: string, count = 3) =>
  world.source.leaf(path, fingerprint, { bytes: lines(fingerprint, count) });
/** What is there more than once counts once. */
const held = ({ sink }: SinkWorld) =>
  Object.fromEntries([...sink.held].sort().map(([path, rows]) => [path, [...new Set(rows)]]));
const recordOf = (world: World) => world.deps().sinks.get(PIPELINE, 'memory');
const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};

describe('a sink', () => {
  it('gets what a published manifest shows, and then only what changed', async () => {
    const world = aSink();
    put(world, 'a', 'x').leaf('f/b', 'y', { bytes: lines('y', 2) });
    await refreshed(world);
    expect(held(world)).toEqual({ a: ['x0', 'x1', 'x2'], 'f/b': ['y0', 'y1'] });

    world.sink.calls.length = 0;
    put(world, 'a', 'z', 1).remove('f/b').leaf('c', 'w', { bytes: 'w\n' });
    await refreshed(world);

    expect(held(world)).toEqual({ a: ['z0'], c: ['w'] });
    expect(world.sink.calls).toEqual([
      'open',
      expect.stringMatching(/^begin /),
      'upload a',
      'batch a',
      'upload c',
      'batch c',
      'remove f/b',
      'commit',
    ]);
    expect(await recordOf(world)).toMatchObject({ applied: { run: 2 }, place: 0, rows: {}, attempts: 0 });
  });

  it('is not opened for a refresh in which nothing changed', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    await refreshed(world);
    world.sink.calls.length = 0;

    await refreshed(world);

    expect(world.sink.calls).toEqual([]);
    expect(await recordOf(world)).toMatchObject({ applied: { run: 2 } });
  });

  it('never delays or fails a landing', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    world.sink.onCall = () => {
      throw new Error('the warehouse is on fire');
    };

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    await world.drain();

    expect(await recordOf(world)).toMatchObject({ attempts: 1, error: { message: 'the warehouse is on fire' } });
    expect((await recordOf(world))!.applied).toBeUndefined();
  });

  it('takes several manifests at once when it comes back', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    await refreshed(world);
    let away = true;
    world.sink.onCall = () => {
      if (away) throw new Error('away');
    };
    for (const version of ['y', 'z']) {
      put(world, 'a', version);
      await refreshed(world);
    }
    away = false;
    world.time.advance(hours(1) + minutes(1));
    await world.sweep();
    await world.drain();

    expect(held(world)).toEqual({ a: ['z0', 'z1', 'z2'] });
    expect(world.sink.rows.filter((row) => row.includes('y'))).toEqual([]);
  });

  it('is told again by the sweep if its message was lost', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    world.tamper = (message) => (message.queue === 'stream-upload' ? [] : [message]);
    await refreshed(world);
    world.tamper = (message) => [message];
    world.time.advance(minutes(6));

    await world.sweep();
    await world.drain();

    expect(held(world)).toEqual({ a: ['x0', 'x1', 'x2'] });
  });

  it('is brought on by one invocation at a time, however many are asked', async () => {
    const world = aSink();
    put(world, 'a', 'x', 7);
    world.tamper = (message) => (message.queue === 'stream-upload' ? [message, message, message] : [message]);

    await refreshed(world);

    expect(world.sink.rows).toEqual([0, 1, 2, 3, 4, 5, 6].map((at) => `a:x${at}`));
  });

  it('goes on at the committed row when its time is up, and in another invocation', async () => {
    const world = aSink({ functionMs: minutes(15) });
    put(world, 'a', 'x', 9);
    put(world, 'b', 'y', 3);
    world.sink.onCall = ({ call, row }) => {
      if (call === 'batch' && row === 4) world.time.advance(minutes(15) - 20_000);
    };

    await refreshed(world);

    expect(world.sink.rows).toEqual([
      ...lines('x', 9)
        .trim()
        .split('\n')
        .map((row) => `a:${row}`),
      'b:y0',
      'b:y1',
      'b:y2',
    ]);
    expect(world.handled.filter((queue) => queue === 'stream-upload').length).toBeGreaterThan(1);
  });

  it('backs off while the sink says that it may pass, and loses nothing', async () => {
    const world = aSink();
    put(world, 'a', 'x', 5);
    let refusals = 3;
    world.sink.onCall = ({ call, row }) => {
      if (call === 'batch' && row === 2 && refusals-- > 0) throw new BusyError('slow down');
    };

    await refreshed(world);

    expect(held(world)).toEqual({ a: ['x0', 'x1', 'x2', 'x3', 'x4'] });
    expect(world.sink.rows).toHaveLength(5);
  });

  it('goes on without a partition that can never be uploaded, and tells of it by name', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    put(world, 'b', 'y');
    put(world, 'c', 'z');
    world.sink.onCall = ({ call, path }) => {
      if (call === 'upload' && path === 'b') throw new PartitionRefusedError('the table has other columns');
    };

    await refreshed(world);

    expect(Object.keys(held(world))).toEqual(['a', 'c']);
    expect(await recordOf(world)).toMatchObject({
      applied: { run: 1 },
      refused: 1,
      refusals: [{ path: ['b'], error: { message: 'the table has other columns' } }],
    });
  });

  it('that is all or nothing waits with all of it for one partition', async () => {
    const sink = new MemorySink('exactly-once');
    sink.atomic = true;
    const world = aSink({ sink });
    put(world, 'a', 'x');
    put(world, 'b', 'y');
    let refuses = true;
    sink.onCall = ({ call, path }) => {
      if (refuses && call === 'upload' && path === 'b') throw new PartitionRefusedError('no');
    };
    await refreshed(world);
    expect((await recordOf(world))!.applied).toBeUndefined();
    expect(sink.calls).not.toContain('commit');

    refuses = false;
    world.time.advance(hours(1) + minutes(1));
    await world.sweep();
    await world.drain();

    expect(held(world)).toEqual({ a: ['x0', 'x1', 'x2'], b: ['y0', 'y1', 'y2'] });
    expect(sink.calls).toContain('commit');
  });

  it('cannot be given rows where nobody says how to read them', async () => {
    const world = aSink({ land: {} });
    put(world, 'a', 'x');

    await refreshed(world);

    expect(await recordOf(world)).toMatchObject({ refusals: [{ error: { code: 'NoParser' } }] });
  });

  it('uploads side by side, and in order within a feed', async () => {
    const sink = new MemorySink();
    sink.parallel = 4;
    const world = aSink({ sink, sizes: { feedShard: 4 } });
    world.source.feed('f');
    for (let at = 0; at < 10; at++) put(world, `f/${String(at).padStart(2, '0')}`, `v${at}-`, 3);
    for (let at = 0; at < 5; at++) put(world, `leaf${at}`, `w${at}-`, 3);

    await refreshed(world);

    const ofFeed = sink.rows.filter((row) => row.startsWith('f/')).map((row) => row.slice(2, 4));
    expect(ofFeed).toEqual([...ofFeed].sort());
    expect(sink.rows).toHaveLength(45);
  });

  it('is told of a new generation of a feed, and of what it replaces', async () => {
    const world = aSink({ sizes: { feedShard: 4 } });
    world.source.feed('f');
    world.source.leaf('f/1', 'v1', { bytes: 'v1\n', generation: 'one' }).leaf('f/2', 'v2', { bytes: 'v2\n' });
    await refreshed(world);
    world.sink.calls.length = 0;
    world.source
      .leaf('f/3', 'v3', { bytes: 'v3\n', generation: 'two' })
      .leaf('f/4', 'v4', { bytes: 'v4\n', generation: 'two' });
    await refreshed(world);

    expect(world.sink.calls.filter((call) => !call.startsWith('batch'))).toEqual([
      'open',
      expect.stringMatching(/^begin /),
      'generation f begins two',
      'upload f/3',
      'upload f/4',
      'generation f is two',
      'remove f/1',
      'remove f/2',
      'commit',
    ]);
    expect(held(world)).toEqual({ 'f/3': ['v3'], 'f/4': ['v4'] });
  });

  it('is told of the first generation also where the manifest before showed nothing of it', async () => {
    const world = aSink({ failurePolicy: 'partition', retries: 0 });
    world.source.feed('f');
    world.source.leaf('f/1', 'v1', { bytes: 'v1\n', generation: 'one' });
    let fails = true;
    world.source.onReading = () => {
      if (fails) throw new Error('no answer');
    };
    await refreshed(world);
    fails = false;
    world.sink.calls.length = 0;

    await refreshed(world);

    expect(world.sink.calls.filter((call) => !call.startsWith('batch'))).toEqual([
      'open',
      expect.stringMatching(/^begin /),
      'generation f begins one',
      'upload f/1',
      'generation f is one',
      'commit',
    ]);
    expect(held(world)).toEqual({ 'f/1': ['v1'] });
  });

  it('keeps what a job made anew, though the parts of the one before have the same names', async () => {
    const sink = new MemorySink();
    const world = withJob(newWorld({ sinks: [sink.sink()], land: { parser: { format: 'csv', header: false } } }), {});
    await refreshed(world);
    expect([...sink.held.keys()].sort()).toEqual(['a', 'q/1', 'q/2']);
    world.source.job('q', 'v2');
    world.source.remove('q/2').leaf('q/3', 'z');

    await refreshed(world);

    expect(Object.fromEntries(sink.held)).toEqual({ a: ['a@f'], 'q/1': ['1@x of job-2'], 'q/3': ['3@z of job-2'] });
  });

  it('keeps the manifest it has applied, and what that names, until it has gone on', async () => {
    const world = aSink();
    put(world, 'a', 'x');
    await refreshed(world);
    const { manifest } = (await recordOf(world))!.applied!;
    let away = true;
    world.sink.onCall = () => {
      if (away) throw new Error('away');
    };
    for (const version of ['y', 'z', 'w']) {
      put(world, 'a', version);
      await refreshed(world);
      world.time.advance(hours(25));
    }
    await world.sweep();
    expect(await world.objects.head(manifest)).toBeDefined();

    away = false;
    world.time.advance(hours(2));
    await world.sweep();
    await world.drain();
    expect(held(world)).toEqual({ a: ['w0', 'w1', 'w2'] });

    await refreshed(world);
    world.time.advance(hours(25));
    await world.sweep();
    expect(await world.objects.head(manifest)).toBeUndefined();
  });

  it.each(['kill before', 'kill after'] as const)(
    'dies (%s) at any write of its upload: nothing is lost, and rows of a committed batch never come twice',
    async (fault) => {
      const isOwn = (call: PortCall) => isWrite(call) && call.step === 'stream-upload';
      const calls = aSink();
      prepare(calls);
      await refreshed(calls);
      const writes = calls.calls.filter(isOwn).length;
      expect(writes).toBeGreaterThan(5);
      for (let at = 0; at < writes; at++) {
        const world = aSink();
        prepare(world);
        let seen = 0;
        world.faults = (call) => (isOwn(call) && seen++ === at ? fault : undefined);

        await refreshed(world);
        world.time.advance(hours(1));
        await world.sweep();
        await world.drain();

        expect(held(world), `write ${at}`).toEqual(held(calls));
        // At least once: at most the batch that was under way comes again.
        expect(world.sink.rows.length - calls.sink.rows.length).toBeLessThanOrEqual(world.sink.batchRows);
      }

      function prepare(world: World) {
        put(world, 'a', 'x', 5);
        put(world, 'f/b', 'y', 4);
        world.source.feed('s');
        put(world, 's/1', 'z', 3);
      }
    },
  );
});

class BusyError extends IngestError {
  override readonly name = 'BusyError';
  readonly code = 'Busy';
  readonly retryable = true;
}
