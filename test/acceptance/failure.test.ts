import { describe, expect, it } from 'vitest';
import { RetryableError } from '../../shared/core/errors.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { isCommit } from '../support/faults.ts';
import type { ScriptedSource } from '../support/scripted-source.ts';
import { newWorld, type World, type WorldOptions } from '../support/world.ts';

/** Ten leaves have landed; then all change, and the reads of those named fail. */
async function failing(options: WorldOptions, paths: readonly string[], error: () => Error): Promise<World> {
  const world = newWorld({ sizes: { groupPartitions: 1 }, ...options });
  for (let at = 0; at < 10; at++) world.source.leaf(`leaf-${at}`, 'v1');
  await world.refresh();
  for (let at = 0; at < 10; at++) world.source.leaf(`leaf-${at}`, 'v2');
  world.source.onReading = ({ path }) => {
    if (paths.includes(path)) throw error();
  };
  return world;
}

const broken = () => new Error('the source broke');

describe('failurePolicy', () => {
  it('connector: the run fails, nothing is published, and what was committed is not read again', async () => {
    const world = await failing({}, ['leaf-4'], broken);
    const before = await world.latest();

    const run = await world.refresh();
    await world.drain();

    const read = world.source.reads.length;
    expect(run).toMatchObject({ state: 'FAILED', error: { message: 'the source broke' } });
    expect(await world.latest()).toEqual(before);
    expect([...(await world.contents()).values()].every((text) => text.endsWith('@v1'))).toBe(true);
    expect(read).toBeLessThan(10);
    world.source.onReading = () => {};
    const next = await world.refresh();
    expect(world.source.reads).toHaveLength(10 - (read - 1));
    expect(next.state).toBe('SUCCEEDED');
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });

  it('connector is the default of folders', async () => {
    expect((await (await failing({}, ['leaf-4'], broken)).refresh()).state).toBe('FAILED');
  });

  it('partition: that one fails visibly and keeps its last version; the others are published', async () => {
    const world = await failing({ failurePolicy: 'partition' }, ['leaf-4', 'leaf-7'], broken);

    const run = await world.refresh();

    expect(run).toMatchObject({
      state: 'PARTIAL',
      totals: { partitions: 10, failed: 2 },
      ran: { landed: { CHANGED: 8 } },
    });
    const contents = await world.contents();
    expect([contents.get('leaf-4'), contents.get('leaf-7'), contents.get('leaf-5')]).toEqual([
      'leaf-4@v1',
      'leaf-7@v1',
      'leaf-5@v2',
    ]);
    expect((await world.items()).get('leaf-4')).toMatchObject({
      failed: true,
      due: 'v2',
      error: { name: 'Error', code: 'Uncaught', message: 'the source broke', stack: expect.any(String) },
    });
    world.source.onReading = () => {};
    const next = await world.refresh();
    expect(world.source.reads.toSorted()).toEqual(['leaf-4', 'leaf-7']);
    expect(next).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { RETRY: 2 } }, totals: { failed: 0 } });
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('partition: a partition that never landed is not shown', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('a', 'v1').leaf('b', 'v1').onReading = ({ path }) => {
      if (path === 'a') throw broken();
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 1, failed: 1 } });
    expect([...(await world.contents()).keys()]).toEqual(['b']);
  });

  it('partition: a failure that stays is tried again by every refresh, and stays visible', async () => {
    const world = await failing({ failurePolicy: 'partition' }, ['leaf-4'], broken);
    await world.refresh();

    const run = await world.refresh();

    expect(world.source.reads).toEqual(['leaf-4']);
    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 10, failed: 1 } });
  });

  it.each<[string, WorldOptions['failurePolicy'], number, string]>([
    ['count: up to the limit', { count: 2 }, 2, 'PARTIAL'],
    ['count: beyond it', { count: 2 }, 3, 'FAILED'],
    ['count 0', { count: 0 }, 1, 'FAILED'],
  ])('threshold by %s', async (_what, failurePolicy, failures, state) => {
    const paths = Array.from({ length: failures }, (_, at) => `leaf-${at}`);
    const world = await failing({ failurePolicy }, paths, broken);
    const before = await world.latest();

    const run = await world.refresh();

    expect(run.state).toBe(state);
    if (state === 'FAILED') expect(await world.latest()).toEqual(before);
    else expect((await world.contents()).get('leaf-9')).toBe('leaf-9@v2');
  });

  it.each([
    ['up to the limit', { percent: 30 }, 3, 'PARTIAL'],
    ['beyond it', { percent: 30 }, 4, 'FAILED'],
    ['beyond one of two limits', { count: 5, percent: 10 }, 2, 'FAILED'],
  ] as const)('threshold by percent of what is new: %s', async (_what, failurePolicy, failures, state) => {
    const world = newWorld({ failurePolicy });
    for (let at = 0; at < 10; at++) world.source.leaf(`leaf-${at}`, 'v1');
    world.source.onReading = ({ path }) => {
      if (Number(path.slice(5)) < failures) throw broken();
    };

    expect((await world.refresh()).state).toBe(state);
  });

  it('after a failed run what it landed is in the next manifest, with the run that landed it', async () => {
    const world = await failing({}, [], broken);
    world.source.onReading = () => {
      if (world.source.reads.length === 5) throw broken();
    };
    await world.refresh();
    world.source.onReading = () => {};

    await world.refresh();

    const runs = [...(await world.manifest()).values()].map(({ run }) => run);
    expect([runs.filter((run) => run === 2).length, runs.filter((run) => run === 3).length]).toEqual([4, 6]);
  });
});

describe('retries', () => {
  it('RetryableError: as often as the pipeline says, with rising waits, then it counts', async () => {
    const world = newWorld({ retries: 3, failurePolicy: 'partition' });
    const at: number[] = [];
    const attempts: number[] = [];
    world.source.leaf('a', 'v1').onReading = ({ run }) => {
      at.push(world.time.nowMs);
      attempts.push(run.attempt);
      throw new RetryableError('busy');
    };

    const run = await world.refresh();

    expect(attempts).toEqual([0, 1, 2, 3]);
    expect(run.state).toBe('PARTIAL');
    expect((await world.items()).get('a')!.error).toMatchObject({ code: 'Retryable', message: 'busy' });
    const waits = at.slice(1).map((time, index) => time - at[index]!);
    waits.forEach((wait, index) => {
      expect(wait).toBeLessThanOrEqual(Math.ceil(2 ** index) * 1000);
    });
  });

  it('retryAfterMs is honoured', async () => {
    const world = newWorld();
    const at: number[] = [];
    world.source.leaf('a', 'v1').onReading = () => {
      at.push(world.time.nowMs);
      if (at.length < 3) throw new RetryableError('busy', { retryAfterMs: 240_000 });
    };

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(240_000);
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(240_000);
  });

  it('retryAfterMs is honoured also while the sweep goes round', async () => {
    const world = newWorld();
    world.sweepsMeanwhile = true;
    const at: number[] = [];
    world.source.leaf('a', 'v1').onReading = ({ index }) => {
      if (index === 0) at.push(world.time.nowMs);
      if (at.length === 1) throw new RetryableError('busy', { retryAfterMs: minutes(14) });
    };

    await world.refresh();

    expect(at).toHaveLength(2);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(minutes(14));
  });

  it.each([
    ['socket errors', () => Object.assign(new Error('reset'), { code: 'ECONNRESET' })],
    ['a class of its own that says so', () => Object.assign(new Error('mine'), { retryable: true })],
    ['a socket error inside of fetch', () => new TypeError('fetch failed', { cause: { code: 'x' } as never })],
  ])('%s', async (what, error) => {
    const world = newWorld({ retries: 2 });
    let failures = 1;
    world.source.leaf('a', 'v1').onReading = () => {
      if (failures-- > 0) throw error();
    };

    const run = await world.refresh();

    // `fetch failed` alone does not say that the network was to blame.
    expect(run.state).toBe(what.includes('inside') ? 'FAILED' : 'SUCCEEDED');
  });

  it('any other exception is not tried again', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').onReading = () => {
      throw broken();
    };

    await world.refresh();

    expect(world.source.reads).toEqual(['a']);
  });

  it('one busy partition does not make the others be read twice', async () => {
    const world = newWorld();
    let failures = 2;
    for (let at = 0; at < 10; at++) world.source.leaf(`leaf-${at}`, 'v1');
    world.source.onReading = ({ path }) => {
      if (path === 'leaf-4' && failures-- > 0) throw new RetryableError('busy');
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 10 } } });
    expect(world.source.reads.filter((path) => path !== 'leaf-4')).toHaveLength(9);
    expect(world.source.reads).toHaveLength(12);
  });
});

describe('WorkerLost', () => {
  const deadly = (world: World, paths: readonly string[]) => {
    // Whoever reads it is killed: it takes all the memory there is.
    world.source.onReading = async ({ path }) => {
      if (paths.includes(path)) world.killNow();
    };
  };

  it('after three lost workers a partition fails alone, by name', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    for (let at = 0; at < 5; at++) world.source.leaf(`leaf-${at}`, 'v1', { size: 100 });
    deadly(world, ['leaf-2']);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 4, failed: 1 } });
    const { error } = (await world.items()).get('leaf-2')!;
    expect(error).toMatchObject({ code: 'WorkerLost', message: expect.stringMatching(/3 times/) });
    expect(world.source.reads.filter((path) => path === 'leaf-2').length).toBeLessThanOrEqual(4);
    expect(world.violations).toEqual([]);
  });

  it('a worker that is lost once costs nothing but time', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    let deaths = 1;
    world.source.onReading = () => {
      if (deaths-- > 0) world.killNow();
    };

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(world.source.reads).toEqual(['a', 'a']);
  });
});

describe('an exception', () => {
  const thrown = () => {
    throw new TypeError('no');
  };
  const cases: [string, Partial<ScriptedSource>, string][] = [
    ['in context', { onContext: thrown }, 'ContextError'],
    ['in the listing', { onListing: thrown }, 'ListingFailed'],
    ['in the middle of the listing', { onListing: ({ index }) => void (index === 1 && thrown()) }, 'ListingFailed'],
    ['in a read, at the first chunk', { onReading: ({ index }) => void (index === 0 && thrown()) }, 'Uncaught'],
    ['in a read, after the last chunk', { onReading: ({ end }) => void (end && thrown()) }, 'Uncaught'],
  ];

  it.each(cases)(
    '%s: the run fails, what was published stays, and the next refresh sets it right',
    async (_where, hooks, code) => {
      const world = newWorld();
      world.source.leaf('a', 'v1').leaf('b', 'v1').leaf('c', 'v1');
      await world.refresh();
      const published = await world.latest();
      world.source.leaf('b', 'v2').remove('c');
      world.define({});
      Object.assign(world.source, hooks);

      const run = await world.refresh();

      expect(run).toMatchObject({ state: 'FAILED', error: { code } });
      expect(await world.latest()).toEqual(published);
      expect(Object.fromEntries(await world.contents())).toEqual({ a: 'a@v1', b: 'b@v1', c: 'c@v1' });
      Object.assign(world.source, { onContext: () => ({}), onListing: () => {}, onReading: () => {} });
      expect((await world.refresh()).state).toBe('SUCCEEDED');
      expect(await world.contents()).toEqual(world.source.contents());
    },
  );

  it('after a checkpoint: what was kept is not asked for again', async () => {
    const world = newWorld({ failurePolicy: 'partition', sizes: { segmentBytes: 10 } });
    const starts: unknown[] = [];
    let fails = true;
    world.source.leaf('a', 'v1', {
      bytes: async function* (run) {
        starts.push(run.resumeFrom);
        if (!run.resumeFrom) yield 'first half ';
        if (!run.resumeFrom) await run.checkpoint(1);
        if (fails) throw broken();
        yield 'second half';
      },
    });
    await world.refresh();
    fails = false;

    const run = await world.refresh();

    expect(starts).toEqual([undefined, 1]);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { RETRY: 1 } } });
    expect((await world.contents()).get('a')).toBe('first half second half');
  });

  it('in context that may pass is tried again', async () => {
    const world = newWorld();
    let failures = 2;
    world.source.leaf('a', 'v1').onContext = () => {
      if (failures-- > 0) throw new RetryableError('the token service is busy');
      return {};
    };

    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('of the store fails the run by name where it cannot pass', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    world.faults = ({ port, method, step }) => {
      if (step === 'read-bytes' && port === 'objects' && method === 'close') world.diskFull();
      return undefined;
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'DiskFull' } });
  });

  it('of a table that is away for a moment passes unnoticed', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1');
    let failures = 0;
    world.faults = (call) => (isCommit(call) && failures++ < 2 ? 'fail before' : undefined);

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(await world.contents()).toEqual(world.source.contents());
  });
});

describe('errors', () => {
  it('are kept with the run for at least a day, redacted, and no longer than 8 KiB', async () => {
    const credential = JSON.stringify({ user: 'ada', password: 'pa$$word-canary' });
    const world = newWorld({ credential, credentials: { secret: 'a/secret' }, failurePolicy: 'partition' });
    world.source.leaf('a', 'v1').leaf('b', 'v1').onReading = ({ path }) => {
      if (path === 'a') throw new Error(`login pa$$word-canary refused ${'x'.repeat(20_000)}`);
    };

    await world.refresh();
    world.time.advance(hours(24));

    const { error } = (await world.items()).get('a')!;
    expect(error!.message).toMatch(/^login \[redacted\] refused x/);
    expect(error!.message.length).toBeLessThanOrEqual(8192);
    expect(world.everything()).not.toContain('canary');
  });
});
