import type { Pipeline } from '../../shared/pipelines/define.ts';
import type { FunctionShape } from './functions.ts';
import type { HistoryOptions } from './history.ts';
import type { Random } from './random.ts';
import type { SourceShape } from './source.ts';

/** What a seed makes of a history. */
export interface Shape extends SourceShape, FunctionShape {
  readonly refreshes: number;
  readonly childrenPerShard: number;
  readonly groupPartitions: number;
  /** How likely the source changes between two refreshes. */
  readonly changes: number;
  /** How likely a trigger forces something; how likely somebody resets the pipeline, or gives up what failed, after a run. */
  readonly forces: number;
  readonly operated: number;
  readonly checks: boolean;
  /** Looks at the end whether a refresh of an unchanged source reads nothing. */
  readonly rereads: boolean;
  /** Looks at the end whether what nothing refers to is gone after the grace, and nothing else. */
  readonly collects: boolean;
  readonly options: Partial<Pipeline>;
}

export function shapeOf(random: Random, options: HistoryOptions): Shape {
  const large = random.chance(0.005);
  const partitions = large ? random.int(20, 200) : random.pick([1, 1, 1, 2, 2, 3, 4, 8]);
  const trusted = random.chance(0.15);
  const lenient = random.chance(0.1);
  const shape: Shape = {
    refreshes: random.pick([1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]),
    partitions,
    depth: random.pick([1, 1, 2, 2, 3, 4]),
    checkpoints: random.chance(0.3),
    shuffled: random.chance(0.3),
    longReads: random.chance(0.3),
    sameContent: random.chance(0.3),
    latencyMs: random.pick([1000, 60_000, 400_000]),
    feeds: random.pick([0, 0, 0, 0, 1, 2]),
    concurrency: random.pick([1, 2, 4, 8, 50]),
    batch: random.pick([1, 3, 10]),
    timeoutMs: random.pick([60_000, 900_000]),
    childrenPerShard: random.pick([1, 2, 4, 1000]),
    groupPartitions: random.pick([1, 2, 100]),
    uneven: random.chance(0.5),
    eager: random.pick([0.05, 0.3, 0.7]),
    changes: random.pick([0.9, 0.9, 0.3]),
    checks: random.chance(0.05),
    forces: random.chance(0.1) ? 0.3 : 0,
    operated: random.chance(0.15) ? 0.5 : 0,
    trusted,
    lenient,
    rereads: random.chance(0.3),
    collects: random.chance(0.4),
    options: {
      failurePolicy: random.pick(['partition', 'partition', 'connector', { count: 2 }, { percent: 30 }]),
      retries: random.pick([0, 1, 3]),
      deleteGuard: random.pick(['off', 'warn', 'hold']),
      onRemove: random.pick(['delete', 'delete', 'keep', 'tombstone']),
      strategy: random.pick(['mirror', 'mirror', 'mirror', 'upsert']),
      sameContent: random.pick(['keep', 'rewrite']),
      emptyInput: random.pick(['ok', 'skip']),
      ...(random.chance(0.1) ? { manifests: ['csv', 'symlink'] as const } : {}),
      ...(random.chance(0.1) ? { retainDays: 1 } : {}),
      ...(trusted ? { trustPrefixFingerprint: true } : {}),
      ...(lenient ? { fingerprints: 'lenient' as const } : {}),
      land: {
        format: 'raw',
        compression: random.pick(['none', 'none', 'none', 'none', 'none', 'none', 'none', 'gzip', 'zstd']),
        ...(random.chance(0.1) ? { key: 'dt={date}/{path}' } : {}),
      },
    },
  };
  return {
    ...shape,
    ...(options.refreshes === undefined ? {} : { refreshes: Math.min(shape.refreshes, options.refreshes) }),
    ...(options.partitions === undefined ? {} : { partitions: Math.min(shape.partitions, options.partitions) }),
  };
}
