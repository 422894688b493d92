import { describe, expect, it } from 'vitest';
import { hours, minutes } from '../../shared/core/units.ts';
import { newWorld, PIPELINE, type SentMessage, type World } from '../support/world.ts';

const tree = () => {
  const world = newWorld({ sizes: { groupPartitions: 1 } });
  world.source.leaf('a', 'v1').leaf('x/b', 'v1').leaf('x/y/c', 'v1');
  return world;
};

/** Loses what matches; counts how often. */
const loses = (world: World, matches: (message: SentMessage) => boolean, times = Infinity) => {
  const lost = { count: 0 };
  world.tamper = (message) => {
    if (!matches(message) || lost.count >= times) return [message];
    lost.count += 1;
    return [];
  };
  return lost;
};

const isFor =
  (queue: string, part = '') =>
  (message: SentMessage) =>
    message.queue === queue && message.body.includes(part);

describe('the sweep', () => {
  it.each<[string, (message: SentMessage) => boolean]>([
    ['the root', isFor('list-objects')],
    ['a folder', isFor('list-objects', '"place"')],
    ['a group', isFor('read-bytes')],
    ['the end', isFor('finish-refresh')],
  ])('sends again what was lost on the way: %s', async (_what, matches) => {
    const world = tree();
    const lost = loses(world, matches, 1);

    const run = await world.refresh();

    expect(lost.count).toBe(1);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 3 } } });
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.source.reads).toHaveLength(3);
  });

  it('leaves alone what is being worked on', async () => {
    const world = tree();
    await world.start();
    await world.step();
    world.source.onReading = async ({ path, end }) => {
      if (path !== 'a' || !end) return;
      for (let round = 0; round < 8; round++) {
        world.time.advance(minutes(1));
        await world.sweep();
      }
    };

    await world.work();

    expect(world.source.reads.filter((path) => path === 'a')).toHaveLength(1);
    expect((await world.record(1)).state).toBe('SUCCEEDED');
  });

  it('takes up a group whose worker died when its lease is over', async () => {
    const world = tree();
    let deaths = 1;
    world.source.onReading = () => {
      if (deaths-- > 0) world.killNow();
    };
    await world.start();
    world.sweepsMeanwhile = true;

    await world.work();

    expect((await world.record(1)).state).toBe('SUCCEEDED');
    expect(world.violations).toEqual([]);
  });

  it('plans again after three rounds without progress', async () => {
    const world = tree();
    // The first, and what three rounds and the one that saw them send.
    const lost = loses(world, isFor('read-bytes', '"leaf#a"'), 5);

    await world.start();
    await world.work();

    expect(lost.count).toBe(5);
    expect((await world.node())!.version).toBe(2);
    expect(await world.record(1)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it.each<[string, (message: SentMessage) => boolean, number]>([
    ['a leaf', isFor('read-bytes', '"leaf#a"'), 2],
    ['a leaf deep down', isFor('read-bytes', '"leaf#c"'), 2],
    ['a folder', isFor('list-objects', '"node.folder#y"'), 2],
  ])('after three more it gives up visibly: %s, in a run that publishes the rest', async (_what, matches, landed) => {
    const world = newWorld({ sizes: { groupPartitions: 1 }, failurePolicy: 'partition' });
    world.source.leaf('a', 'v1').leaf('x/b', 'v1').leaf('x/y/c', 'v1');
    loses(world, matches);
    const began = world.time.nowMs;

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: landed, failed: 1 } });
    expect(
      JSON.stringify([
        ...(await world.items()).values(),
        await world.node('x/y'),
        ...(await world.items('x/y')).values(),
      ]),
    ).toContain('Stuck');
    expect(world.time.nowMs - began).toBeLessThan(hours(2));
    world.tamper = (message) => [message];
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3, failed: 0 } });
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('a root that is never listed ends the run as FAILED', async () => {
    const world = tree();
    loses(world, isFor('list-objects'));

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'Stuck' } });
    world.tamper = (message) => [message];
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('a run whose end is never told is ended', async () => {
    const world = tree();
    const lost = loses(world, isFor('finish-refresh'), 3);

    const run = await world.refresh();

    expect(lost.count).toBe(3);
    expect(run.state).toBe('SUCCEEDED');
  });

  it('giving up one partition fails the run where the policy lets none fail', async () => {
    const world = tree();
    loses(world, isFor('read-bytes', '"leaf#a"'));

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'Stuck' } });
    expect(await world.latest()).toBeUndefined();
  });

  it("one pipeline's trouble does not keep the others from being swept", async () => {
    const world = tree();
    await world.refresh();
    world.faults = ({ port, step }) => (step === 'sweep' && port === 'runs' ? 'fail before' : undefined);

    const swept = await world.sweep();

    expect(swept).toMatchObject({ pipeline: PIPELINE, error: expect.stringContaining('away') });
  });

  it('dies at any call: the next one goes on', async () => {
    for (let at = 1; at <= 30; at++) {
      const world = tree();
      await world.refresh();
      world.source.leaf('a', 'v2').remove('x');
      await world.refresh();
      world.time.advance(hours(25));
      let calls = 0;
      world.faults = ({ step, writes }) => (step === 'sweep' && writes && ++calls === at ? 'kill after' : undefined);

      for (let round = 0; round < 2; round++) await world.sweep();

      expect(await world.contents()).toEqual(world.source.contents());
      expect(world.objects.keys('p/data/'), `at ${at}`).toHaveLength(1);
    }
  });
});
