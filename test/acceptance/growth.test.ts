import { describe, expect, it } from 'vitest';
import { hours } from '../../shared/core/units.ts';
import { isWrite, once } from '../support/faults.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

const fill = (world: World, from: number, to: number, version = 'v1') => {
  for (let at = from; at < to; at++) world.source.leaf(`leaf-${at}`, version, { size: 10 });
};

describe('a layout that grows', () => {
  it('from one shard to four: what is unchanged is not read, and the rest is as listed', async () => {
    const world = newWorld();
    fill(world, 0, 900);
    world.source.leaf('x/below', 'v1');
    await world.refresh();
    expect((await world.node())!.layout.shards).toBe(1);
    fill(world, 900, 3300);
    fill(world, 0, 10, 'v2');
    for (let at = 10; at < 20; at++) world.source.remove(`leaf-${at}`);
    world.source.leaf('x/below', 'v2');

    const run = await world.refresh();

    expect((await world.node())!.layout.shards).toBe(4);
    expect(run).toMatchObject({
      state: 'SUCCEEDED',
      ran: { landed: { NEW: 2400, CHANGED: 11 }, removed: 10 },
      totals: { partitions: 3291, failed: 0 },
    });
    expect(world.source.reads).toHaveLength(2411);
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
    const { manifest } = (await world.latest())!;
    await world.refresh();
    expect(world.source.reads).toEqual([]);
    expect((await world.latest())!.manifest).toBe(manifest);
  });

  it('not before it is four times too small; one that holds nothing yet takes the right one at once', async () => {
    const world = newWorld({ sizes: { childrenPerShard: 10 } });
    fill(world, 0, 10);
    await world.refresh();
    fill(world, 10, 20);
    await world.refresh();
    expect((await world.node())!.layout.shards).toBe(1);
    fill(world, 20, 40);
    await world.refresh();
    expect((await world.node())!.layout.shards).toBe(4);

    const whole = newWorld({ sizes: { childrenPerShard: 10 } });
    fill(whole, 0, 40);
    await whole.refresh();

    expect((await whole.node())!.layout).toMatchObject({ shards: 4 });
    expect((await whole.node())!.layout.from).toBeUndefined();
  });

  it('never shrinks', async () => {
    const world = newWorld({ sizes: { childrenPerShard: 10 }, deleteGuard: 'off' });
    fill(world, 0, 40);
    await world.refresh();
    for (let at = 2; at < 40; at++) world.source.remove(`leaf-${at}`);

    await world.refresh();

    expect((await world.node())!.layout.shards).toBe(4);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('the old layout, and what it held, is collected after the grace', async () => {
    const world = newWorld({ sizes: { childrenPerShard: 10 } });
    fill(world, 0, 10);
    await world.refresh();
    const { id, layout } = (await world.node())!;
    fill(world, 10, 80);
    await world.refresh();
    const oldShard = { pipeline: PIPELINE, node: id, layout: layout.id, shard: 0 };
    expect((await Array.fromAsync(world.partitions.all(oldShard))).length).toBe(10);

    world.time.advance(hours(25));
    await world.sweep();

    expect(await Array.fromAsync(world.partitions.all(oldShard))).toEqual([]);
    expect((await world.nodes.allShards(PIPELINE, id)).every((shard) => shard.layout !== layout.id)).toBe(true);
    expect(world.objects.keys('p/data/')).toHaveLength(80);
    await world.refresh();
    expect(world.source.reads).toEqual([]);
    expect(await world.contents()).toEqual(world.source.contents());
  });

  it('keeps what had failed due, and what was kept', async () => {
    const world = newWorld({ sizes: { childrenPerShard: 10 }, failurePolicy: 'partition', strategy: 'upsert' });
    fill(world, 0, 10);
    world.source.onReading = ({ path }) => {
      if (path === 'leaf-4') throw new Error('not today');
    };
    await world.refresh();
    world.source.onReading = () => {};
    world.source.remove('leaf-7');
    fill(world, 10, 40);

    const run = await world.refresh();

    expect(run).toMatchObject({ ran: { landed: { RETRY: 1, NEW: 30 }, removed: 0 }, totals: { partitions: 40 } });
    expect((await world.contents()).get('leaf-7')).toBe('leaf-7@v1');
  });

  it('also when whoever makes it dies at any write', async () => {
    const scenario = async () => {
      const world = newWorld({ sizes: { childrenPerShard: 3, groupPartitions: 100 } });
      fill(world, 0, 2);
      world.source.leaf('x/below', 'v1');
      await world.refresh();
      fill(world, 2, 12);
      world.source.remove('leaf-1').leaf('leaf-0', 'v2');
      return world;
    };
    const counting = await scenario();
    let writes = 0;
    counting.faults = (call) => {
      if (isWrite(call) && call.step !== 'test') writes += 1;
      return undefined;
    };
    await counting.refresh();
    expect((await counting.node())!.layout.shards).toBe(4);

    for (let at = 1; at <= writes; at++) {
      const world = await scenario();
      world.faults = once('kill after', (call) => isWrite(call) && call.step !== 'test', at);

      const run = await world.refresh();

      expect(run, `at write ${at}`).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 12 } });
      expect(await world.contents(), `at write ${at}`).toEqual(world.source.contents());
      expect(world.violations).toEqual([]);
    }
  });
});
