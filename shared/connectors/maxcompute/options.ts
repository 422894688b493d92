import { SplitMode, TimestampUnit } from '../../clients/maxcompute/index.ts';
import { InvalidInputError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { type Checked, checkOptions } from '../../core/options.ts';
import { ENDPOINT_SPEC, type MaxComputeEndpoint } from './access.ts';

/** How a table is cut into splits: exactly one of the four. */
export type SplitOption = (
  | { readonly rows: number }
  | { readonly bytes: number }
  | { readonly count: number }
  | { readonly buckets: true }
) & {
  /** Whether one split may hold rows of two partitions. Default true. */
  readonly crossPartition?: boolean;
};

export interface IncrementalOptions {
  /** What kind of changes, in the service's own words. Default `append`. */
  readonly mode?: string;
  /** Whether the service counts the version that a read starts from among what it reads. Default false. */
  readonly includesStart?: boolean;
}

export interface MaxComputeOptions extends MaxComputeEndpoint {
  /** Of the tables. Default: the project's own. */
  readonly schema?: string;
  /** `all` (default): whatever tables there are at each refresh, but no views; or the names of some. */
  readonly tables?: 'all' | readonly string[];
  /** Default: all. */
  readonly columns?: readonly string[];
  /** Those that come as columns behind the others. Default: all of a table. */
  readonly partitionColumns?: readonly string[];
  /** Such as `pt=2026` or `pt=2026,region=a`; leading levels are enough. Default: all. */
  readonly partitions?: readonly string[];
  /** SQL-like, such as `amount > 10 AND region = 'a'`. */
  readonly filter?: string;
  /** Lets the service filter by itself what the files cannot, instead of refusing. Default false. */
  readonly filterFallback?: boolean;
  /** Default `{ rows: 1_000_000 }`, which every table takes, and whose rows are counted split by split. */
  readonly split?: SplitOption;
  /** `table` (default): a session a table; `partition`: one for each partition, so that only those that changed are read again. */
  readonly sessionPer?: 'table' | 'partition';
  /** After the first read only what came since, where the table reports versions. Default false: a changed table is read whole. */
  readonly incremental?: boolean | IncrementalOptions;
  /** Inside the record batches. Default `none`. */
  readonly compression?: 'none' | 'zstd' | 'lz4';
  /** Of `timestamp` columns. Default `nano`. */
  readonly timestampUnit?: TimestampUnit;
  /** Of `datetime` columns. Default `milli`. */
  readonly dateTimeUnit?: TimestampUnit;
  /** Rows of a record batch, at most; 1 to 1,000,000, default 4,096. */
  readonly batchRows?: number;
  /** A read that breaks goes on behind its last whole batch; else the split is read anew. Default true. */
  readonly resume?: boolean;
  /** Sessions that may be opened in a minute, over all workers; 1 to 10,000, default 600. */
  readonly startsPerMinute?: number;
  /** How long a session may be prepared, in hours: 1 (default) to 24. */
  readonly timeoutHours?: number;
}

const UNITS = Object.values(TimestampUnit);

const SPEC = {
  ...ENDPOINT_SPEC,
  schema: { kind: 'string', min: 1 },
  tables: { kind: ['string', 'array'], default: 'all' },
  columns: { kind: 'array', of: 'string', min: 1 },
  partitionColumns: { kind: 'array', of: 'string' },
  partitions: { kind: 'array', of: 'string', min: 1 },
  filter: { kind: 'string', min: 1 },
  filterFallback: { kind: 'boolean', default: false },
  split: {
    kind: 'object',
    fields: {
      rows: { kind: 'integer', min: 1 },
      bytes: { kind: 'integer', min: 1 },
      count: { kind: 'integer', min: 1 },
      buckets: { kind: 'boolean', oneOf: [true] },
      crossPartition: { kind: 'boolean' },
    },
    default: { rows: 1_000_000 },
  },
  sessionPer: { kind: 'string', oneOf: ['table', 'partition'], default: 'table' },
  incremental: {
    kind: ['boolean', 'object'],
    fields: { mode: { kind: 'string', min: 1 }, includesStart: { kind: 'boolean' } },
    default: false,
  },
  compression: { kind: 'string', oneOf: ['none', 'zstd', 'lz4'], default: 'none' },
  timestampUnit: { kind: 'string', oneOf: UNITS, default: TimestampUnit.NANO },
  dateTimeUnit: { kind: 'string', oneOf: UNITS, default: TimestampUnit.MILLI },
  batchRows: { kind: 'integer', min: 1, max: 1_000_000, default: 4096 },
  resume: { kind: 'boolean', default: true },
  startsPerMinute: { kind: 'integer', min: 1, max: 10_000, default: 600 },
  timeoutHours: { kind: 'integer', min: 1, max: 24, default: 1 },
} as const;

export type CheckedMaxComputeOptions = Checked<MaxComputeOptions, typeof SPEC>;

const NAME = /^[A-Za-z0-9_]+$/;

/** @throws {InvalidInputError} naming every option that is unknown or wrong */
export function checkMaxComputeOptions(options: MaxComputeOptions): CheckedMaxComputeOptions {
  const checked = checkOptions<MaxComputeOptions, typeof SPEC>('maxcompute', options, SPEC) as CheckedMaxComputeOptions;
  const { tables, split, incremental, sessionPer, partitions = [] } = checked;
  const complaints: string[] = [];
  if (typeof tables === 'string' ? tables !== 'all' : tables.length === 0 || !tables.every((one) => isName(one)))
    complaints.push('"tables" must be "all", or names of letters, digits and "_"; their schema is the option "schema"');
  if (Array.isArray(tables) && new Set(tables).size < tables.length) complaints.push('"tables" names one twice');
  const cuts = ['rows', 'bytes', 'count', 'buckets'].filter((cut) => Object.hasOwn(split, cut));
  if (cuts.length !== 1) complaints.push('"split" must have exactly one of rows, bytes, count and buckets');
  for (const spec of partitions)
    if (!parseSpec(spec)) complaints.push(`"partitions" must be such as pt=1 or pt=1,region=a, got ${spec}`);
  if (incremental && sessionPer === 'partition')
    complaints.push('"incremental" reads a table as a whole: "sessionPer" cannot be "partition"');
  if (complaints.length > 0) throw new InvalidInputError(`maxcompute: ${complaints.join('; ')}`);
  return checked;
}

const isName = (value: unknown): boolean => typeof value === 'string' && NAME.test(value);

/** The levels of a partition's name; undefined if it is none. Quotes around values are taken off. */
export function parseSpec(spec: string): ReadonlyMap<string, string> | undefined {
  const levels = new Map<string, string>();
  for (const level of spec.split(/[,/]/)) {
    const [, name, quoted] = /^\s*([A-Za-z0-9_]+)\s*=\s*(.+?)\s*$/.exec(level) ?? [];
    if (name === undefined || quoted === undefined || levels.has(name)) return undefined;
    levels.set(name, quoted.replace(/^(['"])(.*)\1$/, '$2'));
  }
  return levels;
}

/** A read session as it is asked for, as JSON: the same for one that reads the same. */
export function sessionRequest(
  options: CheckedMaxComputeOptions,
  partitionColumns: readonly string[],
  partitions: readonly string[] | undefined = options.partitions,
): JsonObject {
  const { columns, filter, filterFallback, timestampUnit, dateTimeUnit } = options;
  return {
    ...(columns ? { requiredDataColumns: [...columns] } : {}),
    ...(partitionColumns.length > 0 ? { requiredPartitionColumns: [...partitionColumns] } : {}),
    ...(partitions ? { requiredPartitions: [...partitions] } : {}),
    ...(filter === undefined ? {} : { filterPredicate: filter, filterPredicateFallback: filterFallback }),
    splitOptions: splitOptionsOf(options.split),
    arrowOptions: { timestampUnit, dateTimeUnit },
  };
}

function splitOptionsOf(split: SplitOption): JsonObject {
  const { crossPartition = true } = split;
  if ('rows' in split) return { splitMode: SplitMode.ROW_OFFSET, splitNumber: split.rows, crossPartition };
  if ('bytes' in split) return { splitMode: SplitMode.SIZE, splitNumber: split.bytes, crossPartition };
  if ('count' in split) return { splitMode: SplitMode.PARALLELISM, splitNumber: split.count, crossPartition };
  return { splitMode: SplitMode.BUCKET, crossPartition };
}

/** All that decides what a read yields, but not when or how fast. */
export function identityOf(options: CheckedMaxComputeOptions): JsonObject {
  const { project, schema, compression, batchRows, partitionColumns } = options;
  return {
    version: 1,
    project,
    ...(schema === undefined ? {} : { schema }),
    ...(partitionColumns ? { partitionColumns: [...partitionColumns] } : {}),
    compression,
    batchRows,
    request: sessionRequest(options, []) as JsonValue,
  };
}
