import { describe, expect, it } from 'vitest';
import { Lanes } from '../../../../shared/sinks/maxcompute/lanes.ts';

const kept = (order: number, streamId = `s${order}`) => ({ streamId, version: 1, order, start: 0 });

describe('Lanes', () => {
  it('gives each its own stream, up to the limit, and then those that are free', () => {
    const done = new Set<number>();
    const lanes = new Lanes([], 2, (order) => done.has(order));

    const [a, b] = [lanes.take(0, false), lanes.take(1, false)];
    a.lane.isBusy = false;
    done.add(0);
    const c = lanes.take(2, false);

    expect([a.as, b.as, c.as]).toEqual(['new', 'new', 'shared']);
    expect([a, b, c].map(({ lane }) => lane.streamId)).toEqual(['s1', 's2', 's1']);
  });

  it('lets small ones share although there may be more', () => {
    const lanes = new Lanes([kept(0, 's1')], 9, () => true);

    expect(lanes.take(1, true)).toMatchObject({ as: 'shared', lane: { streamId: 's1' } });
    expect(lanes.take(2, true)).toMatchObject({ as: 'new', lane: { streamId: 's2' } });
  });

  it('gives a stream to nobody else before what was written to it is known to be done', () => {
    const lanes = new Lanes([kept(4, 's1')], 1, () => false);

    // Rather one too many than rows twice.
    expect(lanes.take(5, true)).toMatchObject({ as: 'new', lane: { streamId: 's2' } });
    expect(lanes.take(4, true)).toMatchObject({ as: 'again', lane: { streamId: 's1', order: 4 } });
  });
});
