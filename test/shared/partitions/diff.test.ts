import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../shared/nodes/plan.ts';
import { planOf } from '../../../shared/nodes/plan.ts';
import { type DiffContext, diffShard, type ListedChild, wasRemoved } from '../../../shared/partitions/diff.ts';
import { type PartitionKind, type PartitionRecord, sortKey } from '../../../shared/partitions/store.ts';

const CARRIED = planOf(3, 7);
const LATER = planOf(4, 8);

const child = (name: string, fingerprint = 'v1', kind: PartitionKind = 'leaf'): ListedChild => ({
  sk: sortKey(kind, name),
  name,
  kind,
  fingerprint,
});

function item(name: string, fields: Partial<PartitionRecord> = {}, kind: PartitionKind = 'leaf'): PartitionRecord {
  return { sk: sortKey(kind, name), name, kind, plan: CARRIED, ...fields };
}

const landed = (fingerprint = 'v1', fields: object = {}): Pick<PartitionRecord, 'landed'> => ({
  landed: {
    fingerprint,
    versions: 'code-1',
    run: 3,
    reason: 'NEW',
    at: 0 as never,
    sha256: '',
    bytes: 1,
    chunks: 1,
    objects: [],
    ...fields,
  },
});

const CONTEXT: DiffContext = {
  carried: CARRIED,
  versions: 'code-1',
  run: 4,
  forced: () => false,
  unlisted: 'remove',
  emptyFingerprintChanges: false,
};

function diffOf(items: readonly PartitionRecord[], listed: readonly ListedChild[], context: Partial<DiffContext> = {}) {
  const { due, settled, children } = diffShard(
    new Map(items.map((one) => [one.sk, one])),
    new Map(listed.map((one) => [one.sk, one])),
    { ...CONTEXT, ...context },
  );
  return {
    due: due.map(({ listed: { name }, reason, anew }) => [name, reason, anew]),
    settled: settled.map((one) => [one.item.name, one.action]),
    children: children.map(({ listed: { name }, anew }) => [name, anew]),
  };
}

describe('a leaf that is listed', () => {
  it.each<[string, PartitionRecord | undefined, ListedChild, Partial<DiffContext>, string | undefined]>([
    ['NEW: no item', undefined, child('a'), {}, 'NEW'],
    ['NEW: it never landed', item('a', { due: 'v1' }), child('a'), {}, 'NEW'],
    ['NEW: it was removed, and that was carried out', item('a', { gone: true, ...landed() }), child('a'), {}, 'NEW'],
    ['NEW: it is a tombstone', item('a', { aside: 'tombstone' }), child('a'), {}, 'NEW'],
    ['UNCHANGED', item('a', landed()), child('a'), {}, undefined],
    ['CHANGED', item('a', landed('v0')), child('a'), {}, 'CHANGED'],
    ['RETRY', item('a', { due: 'v1', failed: true }), child('a'), {}, 'RETRY'],
    ['RETRY: of a change', item('a', { due: 'v1', failed: true, ...landed('v0') }), child('a'), {}, 'RETRY'],
    [
      'CHANGED: it failed as another version',
      item('a', { due: 'v0', failed: true, ...landed('v00') }),
      child('a'),
      {},
      'CHANGED',
    ],
    [
      'UNCHANGED: it failed, and is again as it had landed',
      item('a', { due: 'v2', failed: true, ...landed() }),
      child('a'),
      {},
      undefined,
    ],
    ['CODE_CHANGED', item('a', landed()), child('a'), { versions: 'code-2' }, 'CODE_CHANGED'],
    ['FORCED', item('a', landed()), child('a'), { forced: (name) => name === 'a' }, 'FORCED'],
    [
      'FORCED: also without a fingerprint',
      item('a', landed('')),
      child('a', ''),
      { forced: () => true, emptyFingerprintChanges: true },
      'FORCED',
    ],
    [
      'forced, but landed in this very run',
      item('a', landed('v1', { run: 4 })),
      child('a'),
      { forced: () => true },
      undefined,
    ],
    [
      'an empty fingerprint in lenient mode',
      item('a', landed('')),
      child('a', ''),
      { emptyFingerprintChanges: true },
      'CHANGED',
    ],
    [
      'an empty fingerprint that landed in this run',
      item('a', landed('', { run: 4 })),
      child('a', ''),
      { emptyFingerprintChanges: true },
      undefined,
    ],
    ['CHANGED: from kept aside', item('a', { aside: 'kept', ...landed('v0') }), child('a'), {}, 'CHANGED'],
  ])('%s', (_what, before, listed, context, reason) => {
    const { due } = diffOf(before ? [before] : [], [listed], context);

    expect(due.map(([, code]) => code)).toEqual(reason === undefined ? [] : [reason]);
  });

  it.each([
    ['due', { due: 'v2', ...landed() }],
    ['due and failed', { due: 'v2', failed: true, ...landed() }],
    ['gone by a plan that was not carried out', { gone: true, plan: LATER, ...landed() }],
    ['kept aside', { aside: 'kept' as const, ...landed() }],
  ])('as it had landed, but marked %s, is unmarked', (_what, fields) => {
    expect(diffOf([item('a', fields)], [child('a')])).toMatchObject({ due: [], settled: [['a', 'unmark']] });
  });

  it('comes anew where it was removed, so that what had landed under its name is forgotten', () => {
    expect(diffOf([item('a', { gone: true, ...landed() })], [child('a')]).due).toEqual([['a', 'NEW', true]]);
    expect(diffOf([item('a', { gone: true, plan: LATER, ...landed('v0') })], [child('a')]).due).toEqual([
      ['a', 'CHANGED', false],
    ]);
  });
});

describe('what is listed no more', () => {
  it.each<[string, PartitionRecord, Partial<DiffContext>, string | undefined]>([
    ['REMOVED: marked gone first', item('a', landed()), {}, 'gone'],
    ['a folder too', item('a', { child: 'n1' }, 'folder'), {}, 'gone'],
    ['deleted if it was removed', item('a', { gone: true }), {}, 'delete'],
    [
      'marked anew where that plan was not carried out',
      item('a', { gone: true, plan: LATER, ...landed() }),
      {},
      'gone',
    ],
    ['kept under upsert also then', item('a', { gone: true, plan: LATER, ...landed() }), { unlisted: 'keep' }, 'keep'],
    ['left alone as a tombstone', item('a', { aside: 'tombstone' }), {}, undefined],
    ['KEPT under upsert', item('a', landed()), { unlisted: 'keep' }, 'keep'],
    ['left alone if it is kept already', item('a', { aside: 'kept', ...landed() }), { unlisted: 'keep' }, undefined],
    ['kept, and due no more', item('a', { aside: 'kept', due: 'v2', ...landed() }), { unlisted: 'keep' }, 'keep'],
    ['gone under upsert if it never landed', item('a', { due: 'v1' }), { unlisted: 'keep' }, 'gone'],
  ])('%s', (_what, before, context, action) => {
    expect(diffOf([before], [], context).settled).toEqual(action === undefined ? [] : [['a', action]]);
  });
});

describe('kinds', () => {
  it('KIND_CHANGED: a leaf that was a folder; the folder is gone', () => {
    expect(diffOf([item('a', { child: 'n1' }, 'folder')], [child('a')])).toEqual({
      due: [['a', 'KIND_CHANGED', true]],
      settled: [['a', 'gone']],
      children: [],
    });
  });

  it('a folder that was a leaf: the leaf is gone, the folder is anew', () => {
    expect(diffOf([item('a', landed())], [child('a', '', 'folder')])).toEqual({
      due: [],
      settled: [['a', 'gone']],
      children: [['a', true]],
    });
  });

  it('NEW where the folder of that name was removed before', () => {
    expect(diffOf([item('a', { child: 'n1', gone: true }, 'folder')], [child('a')]).due).toEqual([['a', 'NEW', true]]);
  });

  it('a leaf and a folder of one name are two children', () => {
    expect(diffOf([], [child('a'), child('a', '', 'folder')])).toMatchObject({
      due: [['a', 'NEW', true]],
      children: [['a', true]],
    });
  });

  it('a folder keeps its node, unless it was removed', () => {
    expect(diffOf([item('a', { child: 'n1' }, 'folder')], [child('a', '', 'folder')]).children).toEqual([['a', false]]);
    expect(diffOf([item('a', { child: 'n1', gone: true }, 'folder')], [child('a', '', 'folder')]).children).toEqual([
      ['a', true],
    ]);
  });

  it('a folder whose removal was not carried out is unmarked', () => {
    const marked = item('a', { child: 'n1', gone: true, plan: LATER }, 'folder');

    expect(diffOf([marked], [child('a', '', 'folder')])).toMatchObject({
      settled: [['a', 'unmark']],
      children: [['a', false]],
    });
  });
});

describe('wasRemoved', () => {
  it.each<[Partial<PartitionRecord>, Plan | undefined, boolean]>([
    [{ gone: true }, CARRIED, true],
    [{ gone: true, plan: LATER }, CARRIED, false],
    [{ gone: true }, undefined, false],
    [{ aside: 'tombstone', plan: LATER }, CARRIED, true],
    [{ aside: 'kept' }, CARRIED, false],
    [{}, CARRIED, false],
  ])('%o with %s: %s', (fields, carried, removed) => {
    expect(wasRemoved(item('a', fields), carried)).toBe(removed);
  });
});
