import { expect, it } from 'vitest';
import { compressionOfKey, dataKey, type LandedFile } from '../../../shared/landing/keys.ts';
import type { Plan } from '../../../shared/nodes/plan.ts';

const keyOf = (name: string, compression: 'none' | 'gzip' | 'zstd', file?: LandedFile) =>
  dataKey({
    ...{ pipeline: 'p', node: 'n', sk: 's', name, fingerprint: 'v', plan: '1.1' as Plan, take: 1, segment: 0 },
    ...{ compression, file },
  });

it.each<[string, 'none' | 'gzip' | 'zstd', LandedFile | undefined, string]>([
  ['a.csv', 'none', undefined, '-1.csv'],
  ['a.csv', 'gzip', undefined, '-1.csv.gz'],
  ['a.csv.gz', 'none', undefined, '-1.gz'],
  ['a.csv.gz', 'gzip', undefined, '-1.gz.gz'],
  ['a.zst', 'gzip', undefined, '-1.zst.gz'],
  ['noname', 'zstd', undefined, '-1.bin.zst'],
  ['a.csv', 'none', 'parquet', '-1.parquet'],
  ['a.csv.gz', 'gzip', 'ndjson', '-1.ndjson.gz'],
  ['a.ndjson', 'zstd', 'csv', '-1.csv.zst'],
  ['a.csv', 'none', 'errors', '-1.errors.ndjson'],
])('a key of %s (%s, %s) ends in what it is, and tells how it is compressed', (name, compression, file, ending) => {
  const key = keyOf(name, compression, file);

  expect(key.endsWith(ending)).toBe(true);
  expect(compressionOfKey(key, name, file)).toBe(compression);
});
