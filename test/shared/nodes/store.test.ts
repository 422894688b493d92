import { beforeEach, describe, expect, it } from 'vitest';
import { addMs, type EpochMs, minutes } from '../../../shared/core/units.ts';
import type { Digest } from '../../../shared/nodes/digest.ts';
import { type Plan, planOf } from '../../../shared/nodes/plan.ts';
import { allShardsDone, groupMember, groupOf, isComplete, NodeStore } from '../../../shared/nodes/store.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';

const KEY = { pipeline: 'p', node: 'n', layout: '0', shard: 0 };
const [FIRST, SECOND] = [planOf(1, 1), planOf(1, 2)] as [Plan, Plan];

let store: NodeStore;
beforeEach(() => {
  store = new NodeStore(sqliteTables(new SqliteDatabase(':memory:')).nodes);
});

describe('a plan', () => {
  it('opens on the version that was read: of two listings one wins', async () => {
    expect(await store.openPlan('p', 'n', 0, { plan: FIRST, state: 'PLANNED' })).toMatchObject({ version: 1 });
    expect(await store.openPlan('p', 'n', 0, { plan: FIRST, state: 'PLANNED' })).toBeUndefined();
    expect(await store.openPlan('p', 'n', 1, { plan: SECOND, state: 'PLANNED' })).toMatchObject({ version: 2 });
  });

  it('forgets what the one before waited for, and its error', async () => {
    await store.openPlan('p', 'n', 0, {
      plan: FIRST,
      state: 'PLANNED',
      error: { name: 'E', code: 'X', message: '', retryable: false },
    });
    await store.sent('p', 'n', FIRST, [0, 1]);
    await store.shardDone(KEY, FIRST);

    const opened = await store.openPlan('p', 'n', 1, { plan: SECOND, state: 'PLANNED' });

    expect(opened).toMatchObject({ done: new Set(), state: 'PLANNED' });
    expect(opened!.shards).toBeUndefined();
    expect(opened!.error).toBeUndefined();
    expect(await store.shardDone(KEY, FIRST)).toBeUndefined();
  });

  it('is taken by a shard once; older ones are refused', async () => {
    expect(await store.takePlan(KEY, SECOND)).toMatchObject({ plan: SECOND, diffed: SECOND });
    expect(await store.takePlan(KEY, SECOND)).toBeUndefined();
    expect(await store.takePlan(KEY, FIRST)).toBeUndefined();
  });

  it('drops the digest of a shard that disagrees, and keeps it where it agrees', async () => {
    await store.takePlan(KEY, FIRST);
    await store.changeShardInPlan(KEY, FIRST, { set: { digest: 'd' } });
    expect(await store.takePlan(KEY, SECOND, 'd' as Digest)).toMatchObject({ digest: 'd', diffed: FIRST });
    expect((await store.takePlan(KEY, planOf(2, 1)))!.digest).toBeUndefined();
  });

  it('agrees with no shard that another plan has taken since it was read', async () => {
    await store.takePlan(KEY, FIRST);
    await store.changeShardInPlan(KEY, FIRST, { set: { digest: 'd' } });
    await store.takePlan(KEY, SECOND);

    expect(await store.takePlan(KEY, planOf(2, 1), 'd' as Digest)).toBeUndefined();
    expect(await store.takePlan(KEY, planOf(2, 1))).toMatchObject({ diffed: planOf(2, 1) });
  });
});

describe('completion', () => {
  it('no set is complete before its total is there', async () => {
    await store.takePlan(KEY, FIRST);
    const early = await store.memberDone(KEY, FIRST, groupMember(0));
    expect(isComplete(early!)).toBe(false);

    expect(isComplete((await store.totalIs(KEY, FIRST, ['g0', 'child-1']))!)).toBe(false);
    expect(isComplete((await store.childDone(KEY, FIRST, 'child-1', 1))!)).toBe(true);
  });

  it('a total of nothing is complete at once', async () => {
    await store.takePlan(KEY, FIRST);

    expect(isComplete((await store.totalIs(KEY, FIRST, []))!)).toBe(true);
  });

  it('members of another plan do not count', async () => {
    await store.takePlan(KEY, FIRST);
    await store.takePlan(KEY, SECOND);

    expect(await store.memberDone(KEY, FIRST, 'g0')).toBeUndefined();
  });

  it('of two completions the one that read later wins', async () => {
    await store.takePlan(KEY, FIRST);
    expect(await store.changeShardInPlan(KEY, FIRST, { set: { builds: 1, part: 'one' } }, 0)).toBeDefined();
    expect(await store.changeShardInPlan(KEY, FIRST, { set: { builds: 1, part: 'old' } }, 0)).toBeUndefined();
    expect(await store.changeShardInPlan(KEY, FIRST, { set: { builds: 2, part: 'two' } }, 1)).toMatchObject({
      part: 'two',
    });
  });

  it('a child tells the latest run in which it changed, whatever comes late', async () => {
    await store.takePlan(KEY, FIRST);
    await store.childDone(KEY, FIRST, 'a', 5);

    expect(await store.childDone(KEY, FIRST, 'b', 3)).toMatchObject({ childChanged: 5, done: new Set(['a', 'b']) });
  });

  it('a node is whole when every shard it waits for is', async () => {
    await store.openPlan('p', 'n', 0, { plan: FIRST, state: 'PLANNED' });
    expect(allShardsDone((await store.get('p', 'n'))!)).toBe(false);
    expect(allShardsDone((await store.sent('p', 'n', FIRST, []))!)).toBe(true);
    expect(allShardsDone((await store.sent('p', 'n', FIRST, [0, 1]))!)).toBe(false);
    await store.shardDone(KEY, FIRST);
    expect(allShardsDone((await store.shardDone({ ...KEY, shard: 1 }, FIRST))!)).toBe(true);
  });
});

describe('a group', () => {
  const at = 1_000_000 as EpochMs;
  const lease = (holder: string, now: EpochMs = at) => ({ holder, now, until: addMs(now, minutes(15)) });

  it('is taken by one message at a time, each take with the next number', async () => {
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m1'))).toBe(1);
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m2'))).toBeUndefined();
    // The same message comes again only when its worker is gone.
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m1'))).toBe(2);
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m2', addMs(at, minutes(15))))).toBe(3);
    expect(await store.takeGroup(KEY, SECOND, 0, lease('m2'))).toBe(1);
    expect(await store.takeGroup(KEY, FIRST, 1, lease('m2'))).toBe(1);
  });

  it('is released at once, or when what goes on with it is due', async () => {
    await store.takeGroup(KEY, FIRST, 0, lease('m1'));
    await store.releaseGroup(KEY, FIRST, 0, 'somebody else');
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m2'))).toBeUndefined();
    await store.releaseGroup(KEY, FIRST, 0, 'm1');
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m2'))).toBe(2);
    await store.releaseGroup(KEY, FIRST, 0, 'm2', addMs(at, minutes(5)));

    expect(await store.takeGroup(KEY, FIRST, 0, lease('m3', addMs(at, minutes(4))))).toBeUndefined();
    expect(await store.takeGroup(KEY, FIRST, 0, lease('m3', addMs(at, minutes(5))))).toBe(3);
    expect((await store.groups(KEY, FIRST)).get(0)).toMatchObject({ number: 0, take: 3 });
  });

  it.each([
    ['g0', 0],
    ['g999', 999],
    ['gA-bcdefghijklmn', undefined],
    ['g12345678901234x', undefined],
    ['x12', undefined],
  ])('%s is the member of group %s', (member, group) => {
    expect(groupOf(member)).toBe(group);
  });
});
