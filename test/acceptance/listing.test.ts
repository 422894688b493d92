import { describe, expect, it } from 'vitest';
import type { ListRun } from '../../shared/connectors/connector.ts';
import { RetryableError } from '../../shared/core/errors.ts';
import { minutes } from '../../shared/core/units.ts';
import { isCommit, once } from '../support/faults.ts';
import { newWorld } from '../support/world.ts';

describe('recursion', () => {
  it('descends three levels, and passes extra keys down and to the read as they were listed', async () => {
    const world = newWorld();
    world.source.folder('2024', { shelf: { row: [1, null, 'x'] } }).folder('2024/01', { cursor: 'é' });
    world.source.leaf('2024/01/a', 'v1', { region: 'north', size: 3, lastModified: '2024-01-01T00:00:00Z' });

    await world.refresh();

    expect(world.source.lists).toEqual(['', '2024', '2024/01']);
    expect(world.source.listedWith).toEqual([
      null,
      { name: '2024', fingerprint: '', at: '2024', isPrefix: true, shelf: { row: [1, null, 'x'] } },
      { name: '01', fingerprint: '', at: '2024/01', isPrefix: true, cursor: 'é' },
    ]);
    expect(world.source.readWith).toEqual([
      {
        name: 'a',
        fingerprint: 'v1',
        isPrefix: false,
        region: 'north',
        size: 3,
        lastModified: '2024-01-01T00:00:00Z',
      },
    ]);
    expect([...(await world.contents()).keys()]).toEqual(['2024/01/a']);
  });

  it('hands a prefix its new metadata when only that changed', async () => {
    const world = newWorld();
    world.source.folder('x', { cursor: 1 }).leaf('x/a', 'v1');
    await world.refresh();
    world.source.folder('x', { cursor: 2 });

    await world.refresh();

    expect(world.source.listedWith[1]).toMatchObject({ cursor: 2 });
    expect(world.source.reads).toEqual([]);
  });

  it('never reads a prefix', async () => {
    const world = newWorld();
    world.source.leaf('x/y/a', 'v1');

    await world.refresh();

    expect(world.source.reads).toEqual(['x/y/a']);
  });

  it('keeps an empty prefix', async () => {
    const world = newWorld();
    world.source.folder('empty').leaf('a', 'v1');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 1 } });
    expect(await world.node('empty')).toMatchObject({ state: 'DONE', totals: { partitions: 0 } });
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('succeeds with an empty source', async () => {
    const world = newWorld();

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 0 } });
    expect(await world.contents()).toEqual(new Map());
  });

  it.each([
    ['a prefix that is listed by its own call', ['x', 'x']],
    ['a prefix that comes again two levels down', ['x', 'y', 'x']],
  ])('PrefixCycle: %s', async (_what, names) => {
    const world = newWorld();
    world.source.leaf('kept', 'v1');
    const nodeOf = (name: string) => ({ name, fingerprint: '', isPrefix: true });
    names.forEach((name, depth) => {
      world.source.listings.set(names.slice(0, depth).join('/'), () => [nodeOf(name)]);
    });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'PrefixCycle' } });
    expect(world.source.lists.length).toBeLessThan(5);
  });

  it('a prefix cycle leaves the rest of the source alone where one failure may', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('a', 'v1').folder('x');
    world.source.listings.set('x', () => [{ name: 'x', at: 'x', fingerprint: '', isPrefix: true }]);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 1, failed: 1 } });
    expect(await world.node('x')).toMatchObject({ error: { code: 'PrefixCycle' } });
  });

  it('takes 64 levels and refuses more', async () => {
    const world = newWorld();
    const path = Array.from({ length: 64 }, (_, level) => `l${level}`);
    world.source.folder(path);
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    world.source.folder([...path, 'too-deep']);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'PrefixTooDeep' } });
  });

  it.each([
    ['empty', ''],
    ['longer than 1,024 bytes', 'é'.repeat(513)],
    ['with NUL', 'a\0b'],
  ])('refuses a name that is %s, and says so', async (_what, name) => {
    const world = newWorld();
    world.source.leaf([name], 'v1');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'InvalidListing' } });
    expect(run.error!.message).toContain('"name"');
  });
});

describe('prefix fingerprints', () => {
  it('are not trusted by default: an unchanged prefix is listed', async () => {
    const world = newWorld();
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1');
    await world.refresh();
    world.source.leaf('x/a', 'v2');

    await world.refresh();

    expect(world.source.lists).toEqual(['', 'x']);
    expect(world.source.reads).toEqual(['x/a']);
  });

  it('trustPrefixFingerprint: an unchanged, non-empty one re-uses the subtree', async () => {
    const world = newWorld({ trustPrefixFingerprint: true });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1').leaf('x/y/b', 'v1');
    world.source.folder('plain', { fingerprint: '' }).leaf('plain/c', 'v1');
    await world.refresh();

    const second = await world.refresh();
    expect(world.source.lists).toEqual(['', 'plain']);
    expect(second).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3 } });
    expect(await world.contents()).toEqual(world.source.contents());
    world.source.folder('x', { fingerprint: 'f2' }).leaf('x/a', 'v2');
    await world.refresh();

    expect(world.source.lists.toSorted()).toEqual(['', 'plain', 'x', 'x/y']);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('trustPrefixFingerprint: a subtree with a failure in it is listed again', async () => {
    const world = newWorld({ trustPrefixFingerprint: true, failurePolicy: 'partition' });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1');
    world.source.onReading = () => {
      throw new Error('not today');
    };
    await world.refresh();
    world.source.onReading = () => {};

    const run = await world.refresh();

    expect(world.source.reads).toEqual(['x/a']);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { RETRY: 1 } } });
  });

  it('trustPrefixFingerprint: everything is read again when the code changed', async () => {
    const world = newWorld({ trustPrefixFingerprint: true });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1');
    await world.refresh();
    world.source.version = '2';
    world.define({ trustPrefixFingerprint: true });

    await world.refresh();

    expect(world.source.reads).toEqual(['x/a']);
  });

  it('trustPrefixFingerprint: a subtree that landed and was cut off before it told is shown by the next run', async () => {
    const world = newWorld({ trustPrefixFingerprint: true });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1');
    await world.refresh();
    await world.refresh();
    world.source.folder('x', { fingerprint: 'f2' }).leaf('x/a', 'v2');
    const { run } = await world.start();
    world.faults = once('kill after', ({ step, port, args }) => {
      const { set } = (args[1] ?? {}) as { set?: { state?: string } };
      return step === 'read-bytes' && port === 'nodes' && set?.state === 'DONE';
    });
    while (
      (await world.node('x'))?.plan?.startsWith(`0000000${run}`) !== true ||
      (await world.node('x'))?.state !== 'DONE'
    )
      await world.step();
    await world.cancel();

    await world.refresh();

    expect(world.source.lists).toEqual(['']);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('trustPrefixFingerprint: what the code before read is read again, also if other code completed it', async () => {
    const world = newWorld({ trustPrefixFingerprint: true });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1');
    await world.start();
    world.faults = once('kill after', isCommit);
    while (![...(await world.items('x')).values()].some(({ landed }) => landed)) await world.step();
    world.source.version = '2';
    world.define({ trustPrefixFingerprint: true });
    await world.work();

    await world.refresh();
    expect(world.source.reads).toEqual(['x/a']);
    await world.refresh();
    expect(world.source.lists).toEqual(['']);
  });

  it('trustPrefixFingerprint: what is forced below is read', async () => {
    const world = newWorld({ trustPrefixFingerprint: true });
    world.source.folder('x', { fingerprint: 'f1' }).leaf('x/a', 'v1').leaf('x/b', 'v1');
    await world.refresh();

    await world.refresh({ force: ['x/a'] });

    expect(world.source.reads).toEqual(['x/a']);
  });
});

describe('forced paths', () => {
  it.each<[string, string[], string[]]>([
    ['a folder: all below it', ['x'], ['x/a', 'x/y/b']],
    ['a folder with a slash at its end', ['x/'], ['x/a', 'x/y/b']],
    ['a leaf deep down', ['x/y/b'], ['x/y/b']],
    ['several', ['x/a', 'c'], ['c', 'x/a']],
    ['what is not there', ['nothing'], []],
    ['the beginning of a name only', ['x/y/'], ['x/y/b']],
  ])('%s', async (_what, force, reads) => {
    const world = newWorld();
    world.source.leaf('x/a', 'v1').leaf('x/y/b', 'v1').leaf('c', 'v1').leaf('xy', 'v1');
    await world.refresh();

    const run = await world.refresh({ force });

    expect(world.source.reads.toSorted()).toEqual(reads);
    expect(run.ran?.landed).toEqual(reads.length > 0 ? { FORCED: reads.length } : {});
  });
});

describe('a listing that takes long', () => {
  /** Lists so many leaves, ten a page, and takes a minute a page. */
  const paged = (world: ReturnType<typeof newWorld>, leaves: number) => {
    const starts: unknown[] = [];
    world.source.listings.set('', async function* (run: ListRun) {
      starts.push(run.resumeFrom);
      for (let at = Number(run.resumeFrom ?? 0); at < leaves; at++) {
        yield { name: `leaf-${at}`, fingerprint: 'v1', isPrefix: false };
        if (at % 10 !== 9) continue;
        world.time.advance(minutes(1));
        await run.checkpoint(at + 1);
      }
    });
    return starts;
  };

  it('goes on from its checkpoint: one listing over three invocations, and one plan', async () => {
    const world = newWorld({ functionMs: minutes(5) });
    const starts = paged(world, 100);
    for (let at = 0; at < 100; at++) world.source.leaf(`leaf-${at}`, 'v1');

    const run = await world.refresh();

    expect(starts).toHaveLength(3);
    expect(starts[0]).toBeUndefined();
    expect(world.handled.filter((step) => step === 'list-objects')).toHaveLength(3);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 100 } } });
    expect((await world.node())!.version).toBe(1);
    expect(world.source.reads).toHaveLength(100);
    expect((await world.refresh()).ran?.landed).toEqual({});
    expect(world.source.reads).toHaveLength(0);
    expect(world.violations).toEqual([]);
  });

  it('removes only what the whole of it does not name', async () => {
    const world = newWorld({ functionMs: minutes(5) });
    paged(world, 100);
    for (let at = 0; at < 100; at++) world.source.leaf(`leaf-${at}`, 'v1');
    await world.refresh();
    paged(world, 95);

    const run = await world.refresh();

    expect(run.ran).toMatchObject({ landed: {}, removed: 5 });
    expect((await world.contents()).size).toBe(95);
  });

  it('delivered twice, goes on twice and counts once', async () => {
    const world = newWorld({ functionMs: minutes(5) });
    paged(world, 100);
    for (let at = 0; at < 100; at++) world.source.leaf(`leaf-${at}`, 'v1');
    world.tamper = (message) => [message, message];

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 100 } } });
    expect((await world.contents()).size).toBe(100);
    expect(world.violations).toEqual([]);
  });

  it('without checkpoints fails by name, and nothing is removed', async () => {
    const world = newWorld({ functionMs: minutes(5) });
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    let first = true;
    world.source.remove('a').onListing = () => {
      if (first) world.time.advance(minutes(5) - 3000);
      first = false;
    };

    const run = await world.refresh();

    expect(run.state).toBe('FAILED');
    expect(run.error).toMatchObject({ code: 'ListingTooLong', message: expect.stringContaining('checkpoint') });
    expect([...(await world.contents()).keys()]).toEqual(['a', 'b']);
  });

  it('also goes on with the planning where time is short', async () => {
    const world = newWorld({ functionMs: minutes(5), sizes: { childrenPerShard: 10 } });
    for (let at = 0; at < 200; at++) world.source.leaf(`leaf-${at}`, 'v1');
    let writes = 0;
    world.faults = ({ step, port, writes: isWrite }) => {
      // Two seconds a mark: 200 of them are more than one invocation has time for.
      if (step === 'list-objects' && port === 'partitions' && isWrite && ++writes) world.time.advance(2000);
      return undefined;
    };

    const run = await world.refresh();

    expect(world.handled.filter((step) => step === 'list-objects').length).toBeGreaterThan(1);
    expect(world.source.lists).toEqual(['']);
    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 200 } } });
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });
});

describe('completeness', () => {
  it.each([
    ['at its first child', 0],
    ['in the middle', 2],
    ['after its last child', 4],
  ])('a listing that throws %s changes nothing', async (_when, index) => {
    const world = newWorld();
    for (const name of ['a', 'b', 'c', 'd']) world.source.leaf(name, 'v1');
    await world.refresh();
    const published = await world.latest();
    world.source.remove('a').leaf('b', 'v2').leaf('e', 'v1');
    world.source.onListing = (at) => {
      if (at.index === index) throw new TypeError('the source broke');
    };

    const run = await world.refresh();

    expect(run).toMatchObject({
      state: 'FAILED',
      error: { code: 'ListingFailed', message: expect.stringContaining('the source broke') },
    });
    expect(world.source.reads).toEqual([]);
    expect(await world.latest()).toEqual(published);
    world.source.onListing = () => {};
    await world.refresh();
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('below a listing that fails nothing found so far is processed', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('x/y/a', 'v1').leaf('x/b', 'v1').leaf('c', 'v1');
    world.source.onListing = ({ path, end }) => {
      if (path === 'x' && end) throw new Error('broke off');
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 1, failed: 1 } });
    expect(world.source.lists.toSorted()).toEqual(['', 'x']);
    expect(world.source.reads).toEqual(['c']);
    world.source.onListing = () => {};
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3, failed: 0 } });
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('a listing that may succeed later is tried again, as often as the pipeline says', async () => {
    const world = newWorld({ retries: 3 });
    world.source.leaf('a', 'v1');
    let failures = 3;
    world.source.onListing = () => {
      if (failures-- > 0) throw new RetryableError('busy', { retryAfterMs: 90_000 });
    };
    const began = world.time.nowMs;

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(world.source.lists).toEqual(['', '', '', '']);
    expect(world.time.nowMs - began).toBeGreaterThanOrEqual(3 * 90_000);
  });

  it('a listing that stays busy fails after its retries', async () => {
    const world = newWorld({ retries: 2 });
    world.source.leaf('a', 'v1').onListing = () => {
      throw new RetryableError('busy');
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { message: expect.stringContaining('busy') } });
    expect(world.source.lists).toHaveLength(3);
  });

  it('a cancelled refresh removes nothing', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('a').onListing = async ({ end }) => {
      if (end) await world.cancel();
    };

    const run = await world.refresh();

    expect(run.state).toBe('CANCELLED');
    expect([...(await world.contents()).keys()]).toEqual(['a', 'b']);
  });
});
