import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataKeyParts, dataKey, garbageKey, partKey, runOfGarbageKey } from '../../../shared/landing/keys.ts';
import { checkKey } from '../../../shared/landing/object-key.ts';
import { planOf, runOf } from '../../../shared/nodes/plan.ts';
import { sortKey } from '../../../shared/partitions/store.ts';

const parts = (fields: Partial<DataKeyParts> = {}): DataKeyParts => ({
  pipeline: 'p',
  node: 'n1',
  sk: sortKey('leaf', fields.name ?? 'a.csv'),
  name: 'a.csv',
  fingerprint: 'v1',
  plan: planOf(7, 3),
  take: 2,
  segment: 0,
  compression: 'none',
  ...fields,
});

describe('dataKey', () => {
  it('ends in plan and take, then the segment, then what the content is', () => {
    expect(dataKey(parts())).toMatch(
      /^p\/data\/([0-9a-f]{2})\/\1[0-9a-f]{30}\/[0-9a-f]{16}-00000007\.00000003-2\.csv$/,
    );
    expect(dataKey(parts({ segment: 12, compression: 'gzip' }))).toMatch(/-00000007\.00000003-2-12\.csv\.gz$/);
    expect(dataKey(parts({ compression: 'zstd', name: 'no extension' }))).toMatch(/-2\.bin\.zst$/);
  });

  it('is another for another node, name, fingerprint, plan, take, segment and compression', () => {
    const others: Partial<DataKeyParts>[] = [
      {},
      { node: 'n2' },
      { name: 'b.csv' },
      { fingerprint: 'v2' },
      { plan: planOf(7, 4) },
      { plan: planOf(8, 3) },
      { take: 3 },
      { segment: 1 },
      { compression: 'gzip' },
    ];

    expect(new Set(others.map((fields) => dataKey(parts(fields)))).size).toBe(others.length);
  });

  it('is a safe key whatever the name and fingerprint', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary' }), (name, fingerprint) => {
        const key = dataKey(parts({ name, fingerprint }));
        checkKey(key);
        expect(key.startsWith('p/data/') && key.split('/').length === 5).toBe(true);
      }),
    );
  });
});

describe('other keys', () => {
  it('a garbage list tells its run, and lists lie in the order of runs', () => {
    expect(runOfGarbageKey(garbageKey('p', 42, 'id'))).toBe(42);
    expect(garbageKey('p', 9, 'z') < garbageKey('p', 10, 'a')).toBe(true);
  });

  it('a part is named by node, shard, plan and content', () => {
    expect(partKey('p', 'n1', 3, planOf(7, 3), 'abc')).toBe('p/manifest/n1/3-00000007.00000003-abc.ndjson.gz');
  });

  it('plans compare as their numbers do, and tell their run', () => {
    const ordered = [planOf(1, 99), planOf(2, 1), planOf(2, 10), planOf(10, 1), planOf(99_999_999, 1)];

    expect(ordered.toSorted()).toEqual(ordered);
    expect(ordered.map(runOf)).toEqual([1, 2, 2, 10, 99_999_999]);
  });
});

describe('sortKey', () => {
  it('puts the kind first, and hashes what is longer than 1,000 bytes', () => {
    expect(sortKey('leaf', 'a')).toBe('leaf#a');
    expect(sortKey('folder', 'a')).toBe('node.folder#a');
    expect(sortKey('leaf', 'é'.repeat(500))).toBe(`leaf#${'é'.repeat(500)}`);
    expect(sortKey('leaf', `${'é'.repeat(500)}x`)).toMatch(/^leaf#sha256:[0-9a-f]{64}$/);
  });
});
