import { beforeEach, describe, expect, it } from 'vitest';
import { type Plan, planOf } from '../../../shared/nodes/plan.ts';
import { PartitionStore } from '../../../shared/partitions/store.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';

const SHARD = { pipeline: 'p', node: 'n', layout: '0', shard: 0 };
const [OLD, PLAN, NEWER] = [planOf(1, 1), planOf(1, 2), planOf(2, 3)] as [Plan, Plan, Plan];
const due = (plan: Plan, take?: number) => ({ sk: 'leaf#a', plan, due: 'v1', ...(take === undefined ? {} : { take }) });

let store: PartitionStore;
beforeEach(() => {
  store = new PartitionStore(sqliteTables(new SqliteDatabase(':memory:')).partitions);
});
const item = () => store.get(SHARD, 'leaf#a');

describe('a mark', () => {
  it('is written by its plan and by newer ones, and refused to older ones', async () => {
    expect(await store.mark(SHARD, 'leaf#a', PLAN, { set: { due: 'v1' } })).toMatchObject({ plan: PLAN, due: 'v1' });
    expect(await store.mark(SHARD, 'leaf#a', PLAN, { set: { due: 'v2' } })).toMatchObject({ due: 'v2' });
    expect(await store.mark(SHARD, 'leaf#a', OLD, { set: { due: 'v0' } })).toBeUndefined();
    expect(await store.mark(SHARD, 'leaf#a', NEWER, { set: { due: 'v3' } })).toMatchObject({ plan: NEWER, due: 'v3' });
  });

  it('made anew is refused where the item is not as it was read', async () => {
    expect(await store.makeAnew(SHARD, 'leaf#a', OLD, undefined, { set: { child: 'one' } })).toBeDefined();
    // This plan read before the other wrote: a second id would leave somebody waiting for the first for ever.
    expect(await store.makeAnew(SHARD, 'leaf#a', PLAN, undefined, { set: { child: 'two' } })).toBeUndefined();
    expect(await store.makeAnew(SHARD, 'leaf#a', PLAN, OLD, { set: { child: 'two' } })).toBeDefined();
    expect(await store.makeAnew(SHARD, 'leaf#a', NEWER, OLD, { set: { child: 'three' } })).toBeUndefined();
    expect(await item()).toMatchObject({ child: 'two', plan: PLAN });
  });
});

describe('a commit', () => {
  beforeEach(() => store.mark(SHARD, 'leaf#a', PLAN, { set: { due: 'v1' } }));
  const commit = { set: { landed: 'bytes' }, remove: ['due'] };

  it('needs the plan, the fingerprint and that it is still due', async () => {
    expect(await store.changeIfDue(SHARD, due(OLD), commit)).toBeUndefined();
    expect(await store.changeIfDue(SHARD, { ...due(PLAN), due: 'v2' }, commit)).toBeUndefined();
    expect(await store.changeIfDue(SHARD, due(PLAN), commit)).toMatchObject({ landed: 'bytes' });
    expect(await store.changeIfDue(SHARD, due(PLAN), commit)).toBeUndefined();
  });

  it('needs the take, once one has claimed it', async () => {
    expect(await store.claim(SHARD, due(PLAN), 2)).toMatchObject({ take: 2, lost: 1 });
    expect(await store.changeIfDue(SHARD, due(PLAN), commit)).toBeUndefined();
    expect(await store.changeIfDue(SHARD, due(PLAN, 1), commit)).toBeUndefined();
    expect(await store.changeIfDue(SHARD, due(PLAN, 2), commit)).toBeDefined();
  });

  it('a later take claims it over an earlier one, and each claim counts a worker', async () => {
    await store.claim(SHARD, due(PLAN), 2);
    expect(await store.claim(SHARD, due(PLAN), 3)).toMatchObject({ take: 3, lost: 2 });
    expect(await store.claim(SHARD, due(PLAN), 2)).toBeUndefined();
  });
});

describe('what is gone', () => {
  it('is deleted as it was read, and not if a newer plan wants it', async () => {
    await store.mark(SHARD, 'leaf#a', PLAN, { set: { gone: true } });
    const read = (await item())!;
    await store.mark(SHARD, 'leaf#a', NEWER, { set: { due: 'v1' }, remove: ['gone'] });

    await store.carryOut(SHARD, 'leaf#a', PLAN, false);
    await store.deleteGone(SHARD, read);

    expect(await item()).toMatchObject({ due: 'v1' });
  });

  it('is deleted by its own plan', async () => {
    await store.mark(SHARD, 'leaf#a', PLAN, { set: { gone: true } });

    await store.carryOut(SHARD, 'leaf#a', PLAN, false);

    expect(await item()).toBeUndefined();
  });

  it('stays as a tombstone where that is asked for, without what had landed', async () => {
    await store.mark(SHARD, 'leaf#a', PLAN, { set: { gone: true, landed: 'bytes' } });

    await store.carryOut(SHARD, 'leaf#a', PLAN, true);

    expect(await item()).toEqual({ pk: expect.any(String), sk: 'leaf#a', plan: PLAN, aside: 'tombstone' });
  });
});

describe('reading', () => {
  it('child nodes are read without the leaves', async () => {
    for (const sk of ['leaf#a', 'leaf#node.folder#x', 'node.feed#f', 'node.folder#x', 'number#000000000001'])
      await store.mark(SHARD, sk, PLAN, { set: { name: sk } });

    const nodes = await Array.fromAsync(store.childNodes(SHARD));

    expect(nodes.map(({ sk }) => sk)).toEqual(['node.feed#f', 'node.folder#x']);
    expect(await Array.fromAsync(store.all(SHARD))).toHaveLength(5);
    expect(await Array.fromAsync(store.all({ ...SHARD, layout: 'other' }))).toEqual([]);
  });
});
