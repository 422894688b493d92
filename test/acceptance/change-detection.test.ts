import { describe, expect, it } from 'vitest';
import { newWorld } from '../support/world.ts';

describe('the first refreshes', () => {
  it('reads 10 leaves, then none, then the one that changed', async () => {
    const world = newWorld();
    for (let at = 0; at < 10; at++) world.source.leaf(`leaf-${at}`, 'v1');

    const first = await world.refresh();
    expect(world.source.reads).toHaveLength(10);
    const second = await world.refresh();
    expect(world.source.reads).toHaveLength(0);
    world.source.leaf('leaf-3', 'v2');
    const third = await world.refresh();

    expect(world.source.reads).toEqual(['leaf-3']);
    expect([first, second, third].map(({ state, ran }) => [state, ran?.landed])).toEqual([
      ['SUCCEEDED', { NEW: 10 }],
      ['SUCCEEDED', {}],
      ['SUCCEEDED', { CHANGED: 1 }],
    ]);
    expect(await world.contents()).toEqual(world.source.contents());
    expect(world.violations).toEqual([]);
  });
});
