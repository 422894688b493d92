import { describe, expect, it } from 'vitest';
import type { ReadRun } from '../../shared/connectors/connector.ts';
import { days, hours } from '../../shared/core/units.ts';
import { giveUp, redrive } from '../../shared/operations/control.ts';
import { isUpload, isWrite, once } from '../support/faults.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../support/world.ts';

/** A feed `f` beside a leaf; entries get the numbers 0, 1, … as their names. */
function aFeed(options: WorldOptions = {}): World {
  const world = newWorld({ sizes: { feedShard: 4, groupPartitions: 2 }, ...options });
  world.source.feed('f', { stream: 's-1' });
  return world;
}

const add = (world: World, from: number, to: number, extra: object = {}) => {
  for (let at = from; at < to; at++) world.source.leaf(`f/${at}`, `v${at}`, { ...extra });
};

const shown = async (world: World) => [...(await world.contents()).keys()].map((path) => path.replace('f/', ''));
const failsAt = (world: World, ...names: string[]) => {
  world.source.onReading = ({ path }) => {
    if (names.includes(path.replace('f/', ''))) throw new Error('not today');
  };
};

describe('a feed', () => {
  it('is listed from its position and lands what is new, in order, and keeps the rest', async () => {
    const world = aFeed();
    add(world, 0, 3);
    const first = await world.refresh();
    add(world, 3, 10);
    const positions: unknown[] = [];
    world.source.onListing = ({ path, run }) => {
      if (path === 'f') positions.push(run.resumeFrom);
    };

    const second = await world.refresh();

    expect(first.ran?.landed).toEqual({ NEW: 3 });
    expect(new Set(positions)).toEqual(new Set([3]));
    expect(world.source.reads).toEqual([3, 4, 5, 6, 7, 8, 9].map((at) => `f/${at}`));
    expect(second).toMatchObject({ ran: { landed: { NEW: 7 }, removed: 0 }, totals: { partitions: 10 } });
    expect(await shown(world)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(world.violations).toEqual([]);
  });

  it('without news reads nothing, twice', async () => {
    const world = aFeed();
    add(world, 0, 5);
    await world.refresh();
    const { manifest } = (await world.latest())!;

    for (let refresh = 0; refresh < 2; refresh++) {
      const run = await world.refresh();
      expect(world.source.reads).toEqual([]);
      expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} }, totals: { partitions: 5 } });
    }
    expect((await world.latest())!.manifest).toBe(manifest);
    expect(world.handled).not.toContain('read-bytes');
  });

  it('lands a record once, also if it lands while the next run plans what has not landed', async () => {
    const world = aFeed();
    add(world, 0, 1);
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    const { queue, message } = (await world.receive())!;
    const reader = world.process('read-bytes');
    const lister = world.process('list-objects');
    const { promise: uploaded, resolve: hasUploaded } = Promise.withResolvers<void>();
    const { promise: listed, resolve: release } = Promise.withResolvers<void>();
    world.faults = (call) => {
      // The reader stops before its commit, and goes on once the lister has read the items, and looks for what takes have left.
      if (isUpload(call))
        reader.turn = () => {
          hasUploaded();
          return listed;
        };
      const { from = '' } = (call.args[1] ?? {}) as { from?: string };
      if (call.step !== 'list-objects' || call.method !== 'query' || !from.startsWith('group#')) return undefined;
      lister.turn = async () => {
        release();
        await reading;
      };
      return undefined;
    };
    const reading = world.invoke(queue, [message], reader);
    await uploaded;
    await world.cancel();
    await world.start();
    await world.step();
    const feed = (await world.receive())!;
    await world.invoke(feed.queue, [feed.message], lister);
    world.faults = () => undefined;
    await world.work();

    expect([queue, feed.queue]).toEqual(['read-bytes', 'list-objects']);
    expect(world.source.reads).toEqual(['f/0']);
    expect(await shown(world)).toEqual(['0']);
  });

  it('that is forced reads what it shows, and not what was dropped by its age', async () => {
    const world = aFeed({ retainDays: 1, onRemove: 'tombstone' });
    add(world, 0, 2);
    await world.refresh();
    world.time.advance(days(2));
    add(world, 2, 3);
    await world.refresh();

    await world.refresh({ force: 'all' });

    expect(world.source.reads).toEqual(['f/2']);
    expect(await shown(world)).toEqual(['2']);
  });

  it('that is forced shows what it had landed, also where that cannot be read again', async () => {
    const world = aFeed({ failurePolicy: 'partition' });
    add(world, 0, 3);
    await world.refresh();
    failsAt(world, '0');

    const run = await world.refresh({ force: 'all' });

    expect(run).toMatchObject({ state: 'PARTIAL', ran: { landed: { FORCED: 2 } } });
    expect(await shown(world)).toEqual(['0', '1', '2']);
    failsAt(world);
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.source.reads).toEqual(['f/0']);
  });

  it('drops by its age also what a plan marked that was not carried out', async () => {
    const world = aFeed({ retainDays: 1 });
    add(world, 0, 2);
    await world.refresh();
    world.time.advance(days(2));
    await world.start();
    world.faults = once('kill after', ({ port, args }) => {
      const { set } = (args[1] ?? {}) as { set?: { gone?: boolean } };
      return port === 'partitions' && set?.gone === true;
    });
    for (let lists = 0; lists < 2; lists++) await world.step();
    await world.cancel();

    await world.refresh();

    expect(await shown(world)).toEqual([]);
  });

  it('shows what it showed also where a planner was cut off that had taken its shard meanwhile', async () => {
    const world = aFeed({ failurePolicy: 'partition' });
    add(world, 0, 3);
    await world.refresh();
    world.source.onListing = ({ path }) => {
      if (path === 'f') throw new Error('not today');
    };
    await world.refresh();
    world.source.onListing = () => {};
    add(world, 3, 4);
    await world.start();
    await world.step();
    const { queue, message } = (await world.receive())!;
    const slow = world.process('slow');
    const quick = world.process('quick');
    const opened = Promise.withResolvers<void>();
    const looked = Promise.withResolvers<void>();
    world.faults = ({ step, port, method, args }) => {
      const { set } = (args[1] ?? {}) as { set?: { state?: string; diffed?: string } };
      if (step === 'slow' && set?.state === 'PLANNED')
        slow.turn = () => {
          opened.resolve();
          return looked.promise;
        };
      if (step === 'quick' && port === 'nodes' && method === 'query') {
        quick.turn = async () => {
          quick.turn = async () => {};
          world.source.remove('f/3');
          looked.resolve();
          await slowDone;
        };
      }
      return step === 'slow' && set?.diffed ? 'kill after' : undefined;
    };
    const slowDone = world.invoke(queue, [message], slow);
    await opened.promise;
    await world.invoke(queue, [{ ...message, messageId: 'again' }], quick);
    world.faults = () => undefined;
    await world.work();

    expect(await slowDone).toBe('killed');
    expect(await shown(world)).toEqual(['0', '1', '2']);
  });

  it('an empty one succeeds', async () => {
    const world = aFeed();

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 0 } });
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('takes only what was yielded before a position: the rest comes again', async () => {
    const world = aFeed();
    world.source.leaf('other', 'v1');
    world.source.listings.set('f', async function* (run) {
      const from = Number(run.resumeFrom ?? 0);
      for (let at = from; at < 5; at++) {
        yield { name: `${at}`, fingerprint: `v${at}`, isPrefix: false };
        if (at === 2) await run.checkpoint(3);
      }
      if (from > 0) await run.checkpoint(5);
    });
    world.source.readsAsListed = true;

    await world.refresh();
    const first = await shown(world);
    await world.refresh();

    expect(first).toEqual(expect.arrayContaining(['0', '1', '2']));
    expect(first).not.toContain('3');
    expect(await shown(world)).toEqual(expect.arrayContaining(['0', '1', '2', '3', '4']));
    expect(world.source.reads.toSorted()).toEqual(['f/3', 'f/4']);
  });

  it('goes on in the next refresh when its time is up', async () => {
    const world = aFeed({ functionMs: 300_000 });
    add(world, 0, 10);
    world.source.onListing = ({ path }) => {
      if (path === 'f') world.time.advance(40_000);
    };

    await world.refresh();
    const first = (await shown(world)).length;
    await world.refresh();

    expect(first).toBeGreaterThan(2);
    expect(first).toBeLessThan(10);
    expect((await shown(world)).length).toBeGreaterThan(first);
  });

  it('that yields a prefix is refused by name, for nothing below it could be in order', async () => {
    const world = aFeed({ failurePolicy: 'connector' });
    world.source.folder('f/below');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'InvalidListing' } });
    expect(world.source.reads).toEqual([]);
  });

  it('the same name may come again: each is a partition of its own', async () => {
    const world = aFeed();
    world.source.also('f/delta', { fingerprint: 'v1', isPrefix: false }, 'one');
    await world.refresh();
    world.source.also('f/delta', { fingerprint: 'v2', isPrefix: false }, 'two');

    const run = await world.refresh();

    expect(run).toMatchObject({ ran: { landed: { NEW: 1 } }, totals: { partitions: 2 } });
    const { partitions } = await world.flat();
    expect(partitions.map(({ objects }) => world.objects.text(objects[0]!.key))).toEqual(['one', 'two']);
  });
});

describe('a gap', () => {
  it('holds back what follows it until it has landed; others are read meanwhile', async () => {
    const world = aFeed();
    add(world, 0, 8);
    failsAt(world, '3');

    const first = await world.refresh();
    expect(first.state).toBe('PARTIAL');
    expect(await shown(world)).toEqual(['0', '1', '2']);
    expect(world.source.reads).toHaveLength(8);
    add(world, 8, 10);
    await world.refresh();
    expect(await shown(world)).toEqual(['0', '1', '2']);
    expect(world.source.reads.toSorted()).toEqual(['f/3', 'f/8', 'f/9']);
    failsAt(world);
    const third = await world.refresh();

    expect(world.source.reads).toEqual(['f/3']);
    expect(third).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { RETRY: 1 } }, totals: { failed: 0 } });
    expect(await shown(world)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(world.violations).toEqual([]);
  });

  it('ends where it is given up by name', async () => {
    const world = aFeed();
    add(world, 0, 5);
    failsAt(world, '2');
    await world.refresh();

    expect(await giveUp(PIPELINE, ['f/2'], world.deps())).toBe(1);
    const run = await world.refresh();

    expect(world.source.reads).toEqual([]);
    expect(await shown(world)).toEqual(['0', '1', '3', '4']);
    expect(run.state).not.toBe('FAILED');
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('stands as it had landed where only its reading again is given up', async () => {
    const world = aFeed({ failurePolicy: 'partition' });
    add(world, 0, 2);
    await world.refresh();
    failsAt(world, '0');
    await world.refresh({ force: 'all' });

    expect(await giveUp(PIPELINE, ['f/0'], world.deps())).toBe(1);
    failsAt(world);
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} } });
    expect(await shown(world)).toEqual(['0', '1']);
    const run = await world.refresh({ force: ['f/0'] });

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { FORCED: 1 } } });
    expect(await shown(world)).toEqual(['0', '1']);
  });

  it('leaves nothing of what was read of it', async () => {
    const world = aFeed({ sizes: { segmentBytes: 100 } });
    world.source.leaf('f/0', 'v0', {
      bytes: async function* (run: ReadRun) {
        yield 'x'.repeat(1000);
        await run.checkpoint(1);
        throw new Error('not today');
      },
    });
    add(world, 1, 2);
    await world.refresh();
    const before = world.objects.keys('p/data/').length;

    expect(await giveUp(PIPELINE, ['f/0'], world.deps())).toBe(1);
    await world.refresh();
    world.time.advance(hours(25));
    await world.sweep();

    expect(before).toBe(2);
    const { partitions } = await world.flat();
    expect(world.objects.keys('p/data/')).toEqual(partitions.flatMap(({ objects }) => objects.map(({ key }) => key)));
    expect(partitions.map(({ name }) => name)).toEqual(['1']);
  });

  it('is tried again by redrive', async () => {
    const world = aFeed();
    add(world, 0, 5);
    failsAt(world, '0');
    await world.refresh();
    failsAt(world);

    await redrive(world.pipeline, [], world.deps(), world.queues);
    await world.work();

    expect(await shown(world)).toEqual(['0', '1', '2', '3', '4']);
  });
});

describe('acknowledgement', () => {
  it('tells the position up to which all has landed, after the manifest is stored', async () => {
    const world = aFeed();
    add(world, 0, 6);
    failsAt(world, '4');
    const stored: boolean[] = [];
    world.source.onAcknowledge = async ({ path }) => {
      if (path[0] === 'f') stored.push(world.objects.keys('p/manifest/').some((key) => key.includes('/node-')));
    };

    await world.refresh();
    const told = () => world.source.acknowledged.filter(({ path }) => path[0] === 'f').map(({ position }) => position);
    expect(told()).toEqual([4]);
    failsAt(world);
    await world.refresh();

    expect(told()).toEqual([6]);
    expect(stored.every(Boolean)).toBe(true);
    expect(world.source.acknowledged.find(({ path }) => path[0] === 'f')!.metadata).toMatchObject({ stream: 's-1' });
  });

  it('never tells a position before the bytes it covers have landed', async () => {
    const world = aFeed();
    add(world, 0, 9);
    const landed = new Set<number>();
    world.source.onAcknowledge = async ({ path, position }) => {
      if (path[0] !== 'f') return;
      const items = await world.items('f');
      for (let at = 0; at < Number(position ?? 0); at++) {
        if (items.get(`${at}`)?.landed) landed.add(at);
        else throw new Error(`told ${position}, and ${at} has not landed`);
      }
    };
    failsAt(world, '7');
    await world.refresh();
    failsAt(world);

    const run = await world.refresh();

    expect(run.warnings).toBeUndefined();
    expect(landed.size).toBe(9);
  });

  it('a refusal is a warning: the bytes have landed all the same', async () => {
    const world = aFeed();
    add(world, 0, 2);
    world.source.onAcknowledge = () => {
      throw new Error('who are you?');
    };

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!].join()).toContain('who are you?');
  });

  it('is repeated when the source is away for a moment', async () => {
    const world = aFeed();
    add(world, 0, 2);
    let failures = 2;
    world.source.onAcknowledge = ({ path }) => {
      if (path[0] === 'f' && failures-- > 0) throw Object.assign(new Error('away'), { retryable: true });
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED' });
    expect(world.source.acknowledged.some(({ path }) => path[0] === 'f')).toBe(true);
  });

  it('a folder that has landed is told too, and one with a failure is not', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('good/a', 'v1').leaf('bad/b', 'v1').onReading = ({ path }) => {
      if (path === 'bad/b') throw new Error('not today');
    };

    await world.refresh();

    const paths = world.source.acknowledged.map(({ path }) => path.join('/'));
    expect(paths).toContain('good');
    expect(paths).not.toContain('bad');
    expect(paths).not.toContain('');
  });
});

describe('a generation', () => {
  const begin = (world: World, generation: string, from: number, to: number) => add(world, from, to, { generation });

  it('replaces the older ones once it has landed in full', async () => {
    const world = aFeed();
    begin(world, 'g1', 0, 6);
    await world.refresh();
    begin(world, 'g2', 6, 9);
    failsAt(world, '7');

    const partly = await world.refresh();
    expect(partly.state).toBe('PARTIAL');
    expect(await shown(world)).toEqual(['0', '1', '2', '3', '4', '5']);
    failsAt(world);
    await world.refresh();

    expect(await shown(world)).toEqual(['6', '7', '8']);
    begin(world, 'g2', 9, 11);
    await world.refresh();
    expect(await shown(world)).toEqual(['6', '7', '8', '9', '10']);
    expect(await world.refresh()).toMatchObject({ totals: { partitions: 5 } });
  });

  it('goes whole: its objects are collected after the grace', async () => {
    const world = aFeed();
    begin(world, 'g1', 0, 6);
    await world.refresh();
    begin(world, 'g2', 6, 8);
    for (let refresh = 0; refresh < 3; refresh++) await world.refresh();

    world.time.advance(hours(25));
    await world.sweep();

    expect(world.objects.keys('p/data/')).toHaveLength(2);
    expect(await shown(world)).toEqual(['6', '7']);
  });
});

describe('retainDays', () => {
  it('drops by age what has landed, and nothing that is due', async () => {
    const world = aFeed({ retainDays: 7 });
    add(world, 0, 3);
    await world.refresh();
    world.time.advance(days(5));
    add(world, 3, 6);
    failsAt(world, '5');
    await world.refresh();
    failsAt(world);
    world.time.advance(days(3));

    const run = await world.refresh();

    expect(run.ran?.removed).toBe(3);
    expect(await shown(world)).toEqual(['3', '4', '5']);
    world.time.advance(days(30));
    await world.refresh();
    expect(await shown(world)).toEqual([]);
    await world.refresh();
    expect(world.source.reads).toEqual([]);
  });
});

describe('a feed whose planner dies', () => {
  it('at any write: no record is planned twice, and none is skipped', async () => {
    const scenario = async () => {
      const world = aFeed();
      add(world, 0, 3);
      await world.refresh();
      add(world, 3, 7);
      return world;
    };
    const counting = await scenario();
    let writes = 0;
    counting.faults = (call) => {
      if (isWrite(call) && call.step !== 'test') writes += 1;
      return undefined;
    };
    await counting.refresh();

    for (const [fault, step] of [
      ['kill after', 1],
      ['fail after', 3],
    ] as const) {
      for (let at = 1; at <= writes; at += step) {
        const world = await scenario();
        world.faults = once(fault, (call) => isWrite(call) && call.step !== 'test', at);

        const run = await world.refresh();

        expect(run, `${fault} ${at}`).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 7 } });
        expect(await shown(world), `${fault} ${at}`).toEqual(['0', '1', '2', '3', '4', '5', '6']);
        expect(world.violations).toEqual([]);
        await world.refresh();
        expect(world.source.reads).toEqual([]);
      }
    }
  });

  it('in a run that is cancelled: the next one yields the same records once', async () => {
    for (let at = 1; at <= 16; at++) {
      const world = aFeed();
      add(world, 0, 5);
      world.faults = once('kill after', (call) => isWrite(call) && call.step !== 'test', at);
      await world.start();
      for (let messages = 0; messages < 3; messages++) await world.step();
      if ((await world.runs.active(PIPELINE))?.active !== undefined) await world.cancel();
      world.faults = () => undefined;

      await world.refresh();

      expect(await shown(world), `at write ${at}`).toEqual(['0', '1', '2', '3', '4']);
      expect(world.violations).toEqual([]);
      await world.drain();
      await world.refresh();
      expect(world.source.reads).toEqual([]);
    }
  });
});
