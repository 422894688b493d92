import { describe, expect, it } from 'vitest';
import { hours, minutes } from '../../shared/core/units.ts';
import { readNodeManifest, readPart } from '../../shared/landing/manifest.ts';
import { resetPipeline } from '../../shared/operations/control.ts';
import { isUpload, once } from '../support/faults.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

const leaves = (world: World, folder: string, count: number) => {
  for (let at = 0; at < count; at++) world.source.leaf(`${folder}leaf-${at}`, 'v1');
};

/** Past the grace, and one more run, whose list of garbage is not carried out yet. */
async function collected(world: World, graceHours = 24): Promise<void> {
  world.time.advance(hours(graceHours) + 60_000);
  await world.sweep();
}

async function tombstonesOf(world: World) {
  const { parts } = await readNodeManifest(world.objects, (await world.latest())!.manifest);
  const entries = await Promise.all(parts.map(({ key }) => readPart(world.objects, key)));
  return entries.flat().filter(({ kind }) => kind === 'tombstone');
}

/** A function that can be held before its next call. */
function heldPlanner(world: World, step: string) {
  const process = world.process(step);
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    process,
    isHeld: held.promise,
    hold: () => {
      process.turn = () => {
        held.resolve();
        return released.promise;
      };
    },
    goOn: released.resolve,
  };
}

describe('removal', () => {
  it('of a prefix takes its whole subtree', async () => {
    const world = newWorld();
    world.source.leaf('x/y/a', 'v1').leaf('x/b', 'v1').leaf('c', 'v1');
    await world.refresh();
    world.source.remove('x');

    const run = await world.refresh();

    expect(run.ran?.removed).toBe(2);
    expect([...(await world.contents()).keys()]).toEqual(['c']);
    expect((await world.flat()).removed.toSorted()).toEqual(['x/b', 'x/y/a']);
  });

  it('a prefix that comes back with its old fingerprints is NEW', async () => {
    const world = newWorld();
    world.source.leaf('x/a', 'v1').leaf('c', 'v1');
    await world.refresh();
    const before = (await world.manifest()).get('x/a')!;
    world.source.remove('x');
    await world.refresh();
    world.source.leaf('x/a', 'v1');

    const run = await world.refresh();

    expect(run.ran?.landed).toEqual({ NEW: 1 });
    expect((await world.manifest()).get('x/a')!.objects).not.toEqual(before.objects);
    await collected(world);
    expect((await world.contents()).get('x/a')).toBe('a@v1');
  });

  it('onRemove delete: the manifest changes at once, the objects go after the grace', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1').leaf('c', 'v1');
    await world.refresh();
    const old = world.objects.keys('p/data/');
    const latest = await world.latest();
    world.source.remove('a').remove('x').leaf('c', 'v2');
    await world.refresh();
    expect([...(await world.contents()).keys()]).toEqual(['c']);

    world.time.advance(hours(23));
    await world.sweep();
    // A reader that holds the old manifest can still read all of it.
    expect(world.objects.keys('p/data/')).toEqual(expect.arrayContaining(old));
    expect(await world.objects.get(latest!.manifest)).toBeDefined();
    world.time.advance(hours(2));
    const swept = await world.sweep();

    expect(swept.deletedObjects).toBeGreaterThan(0);
    expect(world.objects.keys('p/data/')).toHaveLength(1);
    expect(world.objects.keys('p/garbage/')).toEqual([]);
    expect(await world.objects.get(latest!.manifest)).toBeUndefined();
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('removeGraceHours is the grace', async () => {
    const world = newWorld({ removeGraceHours: 2 });
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('a');
    await world.refresh();

    world.time.advance(hours(1.9));
    await world.sweep();
    expect(world.objects.keys('p/data/')).toHaveLength(2);
    world.time.advance(hours(0.2));
    await world.sweep();

    expect(world.objects.keys('p/data/')).toHaveLength(1);
  });

  it('onRemove keep: what had landed stays for ever, and is shown no more', async () => {
    const world = newWorld({ onRemove: 'keep' });
    world.source.leaf('a', 'v1').leaf('x/b', 'v1').leaf('c', 'v1');
    await world.refresh();
    const old = world.objects.keys('p/data/');
    world.source.remove('a').remove('x');

    await world.refresh();
    await collected(world);
    await world.refresh();
    await collected(world);

    expect([...(await world.contents()).keys()]).toEqual(['c']);
    expect(world.objects.keys('p/data/')).toEqual(old);
  });

  it('onRemove tombstone: the manifest says that it was removed, and by which run', async () => {
    const world = newWorld({ onRemove: 'tombstone' });
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('a');
    await world.refresh();

    expect(await tombstonesOf(world)).toEqual([{ kind: 'tombstone', name: 'a', run: 2 }]);
    expect([...(await world.contents()).keys()]).toEqual(['b']);
    world.source.leaf('b', 'v2');
    const third = await world.refresh();
    expect(third.ran).toMatchObject({ landed: { CHANGED: 1 }, removed: 0 });
    expect(await tombstonesOf(world)).toEqual([{ kind: 'tombstone', name: 'a', run: 2 }]);
    await collected(world);
    expect(world.objects.keys('p/data/')).toHaveLength(1);
    world.source.leaf('a', 'v1');
    expect((await world.refresh()).ran?.landed).toEqual({ NEW: 1 });
    expect(await tombstonesOf(world)).toEqual([]);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('onRemove tombstone: a removed prefix goes with all its objects, and changes nothing later', async () => {
    const world = newWorld({ onRemove: 'tombstone' });
    world.source.leaf('x/a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('x');
    await world.refresh();
    expect(await tombstonesOf(world)).toEqual([{ kind: 'tombstone', name: 'x', run: 2 }]);
    const { manifest } = (await world.latest())!;

    await world.refresh();
    await collected(world);

    expect((await world.latest())!.manifest).toBe(manifest);
    expect(world.objects.keys('p/data/')).toHaveLength(1);
  });

  it('onRemove tombstone: nothing stays of what never landed', async () => {
    const world = newWorld({ onRemove: 'tombstone', failurePolicy: 'partition', retries: 0 });
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    world.source.onReading = ({ path }) => {
      if (path.at(-1) === 'a') throw new Error('refused');
    };
    await world.refresh();
    world.source.remove('a');

    await world.refresh();
    world.source.leaf('b', 'v2');
    await world.refresh();

    expect(await tombstonesOf(world)).toEqual([]);
  });

  it('strategy upsert never removes, and goes on with what is listed', async () => {
    const world = newWorld({ strategy: 'upsert' });
    world.source.leaf('a', 'v1').leaf('b', 'v1').leaf('x/c', 'v1');
    await world.refresh();
    world.source.remove('a').remove('x').leaf('b', 'v2').leaf('d', 'v1');

    const run = await world.refresh();

    expect(run).toMatchObject({ ran: { landed: { CHANGED: 1, NEW: 1 }, removed: 0 }, totals: { partitions: 4 } });
    expect(Object.fromEntries(await world.contents())).toEqual({
      a: 'a@v1',
      b: 'b@v2',
      'x/c': 'c@v1',
      d: 'd@v1',
    });
    await world.refresh();
    expect(world.source.reads).toEqual([]);
    await collected(world);
    world.source.leaf('a', 'v1');
    const back = await world.refresh();
    expect(back.ran?.landed).toEqual({});
    world.source.leaf('a', 'v2');
    expect((await world.refresh()).ran?.landed).toEqual({ CHANGED: 1 });
    expect((await world.contents()).get('a')).toBe('a@v2');
  });
});

describe('removal, where several functions plan one listing', () => {
  it('comes about whichever of them marks last what is gone', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('a');
    await world.start();
    const { queue, message } = (await world.receive())!;
    const planners = new Map(['first', 'second', 'third'].map((step) => [step, heldPlanner(world, step)]));
    world.faults = ({ step, port, method }) => {
      if (port === 'partitions' && method === 'query') planners.get(step)?.hold();
      return undefined;
    };
    const plans = async (step: string) => {
      const { process, isHeld } = planners.get(step)!;
      const done = world.invoke(queue, [{ ...message, messageId: step }], process);
      await isHeld;
      return async () => {
        planners.get(step)!.goOn();
        await done;
      };
    };

    const first = await plans('first');
    const second = await plans('second');
    await first();
    const third = await plans('third');
    await second();
    await third();
    world.faults = () => undefined;
    await world.work();

    expect(await world.contents()).toEqual(world.source.contents());
    expect((await world.flat()).removed).toEqual(['a']);
  });

  it('takes nothing that the newer listing has again', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('x/b', 'v1');
    await world.refresh();
    world.source.remove('a');
    await world.start();
    const { queue, message } = (await world.receive())!;
    const slow = heldPlanner(world, 'slow');
    const quick = heldPlanner(world, 'quick');
    world.faults = ({ step, port, method }) => {
      // The slow one has opened its plan; the quick one has read the node and its shards.
      if (port === 'nodes' && method === (step === 'slow' ? 'update' : 'query'))
        (step === 'slow' ? slow : quick).hold();
      return undefined;
    };

    const slowDone = world.invoke(queue, [message], slow.process);
    await slow.isHeld;
    const quickDone = world.invoke(queue, [{ ...message, messageId: 'again' }], quick.process);
    await quick.isHeld;
    world.faults = () => undefined;
    slow.goOn();
    await slowDone;
    world.source.leaf('a', 'v1');
    quick.goOn();
    await quickDone;
    await world.work();

    expect(world.source.reads).toEqual(['a', 'x/b']);
    expect(await world.contents()).toEqual(world.source.contents());
  });
});

describe('deleteGuard', () => {
  const shrinks = async (world: World, from: number, to: number) => {
    leaves(world, '', from);
    await world.refresh();
    for (let at = to; at < from; at++) world.source.remove(`leaf-${at}`);
    return world.refresh();
  };

  it('warn, the default: most of a node gone is a warning, and goes ahead', async () => {
    const world = newWorld();

    const run = await shrinks(world, 220, 100);

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 120 } });
    expect([...run.warnings!]).toEqual([expect.stringContaining('120 of 220')]);
  });

  it.each([
    ['half of it', 240, 120],
    ['fewer than 100', 150, 51],
  ])('%s is no reason for a warning', async (_what, from, to) => {
    const run = await shrinks(newWorld(), from, to);

    expect(run.state).toBe('SUCCEEDED');
    expect(run.warnings).toBeUndefined();
  });

  it('an empty listing where there were partitions is a warning, however few they were', async () => {
    const world = newWorld();

    const run = await shrinks(world, 3, 0);

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 3 } });
    expect(run.warnings?.size).toBe(1);
  });

  it('off: nothing is said', async () => {
    const run = await shrinks(newWorld({ deleteGuard: 'off' }), 220, 0);

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 220 } });
    expect(run.warnings).toBeUndefined();
  });

  it('hold: the run fails and nothing changes, until somebody confirms', async () => {
    const world = newWorld({ deleteGuard: 'hold' });

    const held = await shrinks(world, 220, 100);

    expect(held).toMatchObject({ state: 'FAILED', error: { code: 'RemovalHeld' } });
    expect(held.error!.message).toContain('landfall confirm p');
    expect((await world.contents()).size).toBe(220);
    expect((await world.refresh()).state).toBe('FAILED');
    const confirmed = await world.refresh({ trigger: 'confirm', confirmRemoval: true });
    expect(confirmed).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 120 } });
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('hold: an empty listing is held too', async () => {
    const world = newWorld({ deleteGuard: 'hold' });

    expect(await shrinks(world, 2, 0)).toMatchObject({ state: 'FAILED', error: { code: 'RemovalHeld' } });
    expect((await world.contents()).size).toBe(2);
  });

  it('hold: is lifted by the source itself when it is whole again', async () => {
    const world = newWorld({ deleteGuard: 'hold' });
    await shrinks(world, 220, 0);
    leaves(world, '', 220);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {}, removed: 0 } });
  });

  it('looks at what is below a prefix that goes', async () => {
    const world = newWorld({ deleteGuard: 'hold' });
    leaves(world, 'x/', 150);
    world.source.leaf('a', 'v1');
    await world.refresh();
    world.source.remove('x');

    expect(await world.refresh()).toMatchObject({ state: 'FAILED', error: { code: 'RemovalHeld' } });
    expect((await world.contents()).size).toBe(151);
  });

  it('upsert removes nothing, so nothing is guarded', async () => {
    const run = await shrinks(newWorld({ deleteGuard: 'hold', strategy: 'upsert' }), 120, 0);

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 120 } });
  });
});

describe('garbage', () => {
  it('replaced versions, parts and manifests are gone after the grace, and nothing else', async () => {
    const world = newWorld();
    for (let version = 1; version <= 4; version++) {
      world.source.leaf('a', `v${version}`).leaf('x/b', `v${version}`).leaf('c', 'v1');
      await world.refresh();
    }
    await collected(world);

    const flat = await world.flat();
    expect(world.objects.keys('p/data/')).toEqual(
      flat.partitions.flatMap(({ objects }) => objects.map(({ key }) => key)).toSorted(),
    );
    // A part and a manifest a node, a flat manifest, and what is swapped.
    expect(world.objects.keys('p/manifest/')).toHaveLength(5);
    expect(world.objects.keys()).toHaveLength(3 + 5 + 1);
  });

  it('a list that is carried out twice deletes nothing more', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.leaf('a', 'v2');
    await world.refresh();
    const list = world.objects.keys('p/garbage/');
    const saved = await Promise.all(list.map(async (key) => [key, (await world.objects.get(key))!.data] as const));
    await collected(world);
    const left = world.objects.keys();
    for (const [key, data] of saved) await world.objects.put(key, data);

    await world.sweep();

    expect(world.objects.keys()).toEqual(left);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('what a reset leaves behind is shown until the next run, also where an earlier reset was cut off', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.refresh();
    const cut = world.process('reset');
    world.faults = ({ step, port, writes }) =>
      step === 'reset' && port === 'runs' && writes ? 'kill before' : undefined;
    await Promise.race([resetPipeline(PIPELINE, world.deps(cut)), cut.death]);
    world.faults = () => undefined;
    world.source.leaf('b', 'v1');
    await world.refresh();

    expect(await resetPipeline(PIPELINE, world.deps())).toBe(true);
    await collected(world);
    expect(await world.contents()).toEqual(world.source.contents());
    await world.refresh();
    await collected(world);

    expect(cut.dead).toBe(true);
    const { partitions } = await world.flat();
    expect(world.objects.keys('p/data/')).toEqual(partitions.flatMap(({ objects }) => objects.map(({ key }) => key)));
  });

  it('a take that begins while a newer plan marks its partition leaves nothing behind', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.start();
    // Planned twice in one run: the first lister is killed once its message for the worker is out.
    world.faults = once('kill after', ({ method, args }) => method === 'send' && args[0] === 'read-bytes');
    await world.step();
    const held = (await world.receive())!;
    world.time.advance(minutes(16));
    const lister = world.process('list-objects');
    const again = (await world.receive())!;
    let looked = false;
    world.faults = (call) => {
      const { step, port, method, args } = call;
      if (step === 'list-objects' && port === 'nodes' && method === 'query')
        looked ||= (args[1] as { from?: string } | undefined)?.from?.startsWith('group#') === true;
      return step === 'read-bytes' && isUpload(call) ? 'kill after' : undefined;
    };
    lister.turn = async () => {
      if (!looked) return;
      lister.turn = async () => {};
      await world.invoke(held.queue, [held.message]);
    };
    await world.invoke(again.queue, [again.message], lister);
    world.faults = () => undefined;
    await world.work();
    await collected(world);

    expect([held.queue, again.queue]).toEqual(['read-bytes', 'list-objects']);
    expect(looked).toBe(true);
    const flat = await world.flat();
    expect(world.objects.keys('p/data/')).toEqual(
      flat.partitions.flatMap(({ objects }) => objects.map(({ key }) => key)),
    );
  });
});
