import { badRequest } from '../errors.ts';
import type { Range, Scan, ScanPart } from '../tables/scan.ts';

export const SPLIT_MODES = ['Size', 'Parallelism', 'RowOffset', 'Bucket'] as const;
export type SplitMode = (typeof SPLIT_MODES)[number];

export interface SplitOptions {
  readonly mode: SplitMode;
  /** Bytes of a split, or number of splits; of no account to the other modes. */
  readonly number: number;
  readonly crossPartition: boolean;
  /** Segments of a split at most; 0: any number. */
  readonly maxFiles: number;
}

export interface Splits {
  readonly ranges: readonly Range[];
  /** The bucket behind each range. */
  readonly bucketIds: readonly number[];
}

/**
 * Cuts the rows of a session. Every mode makes ranges of rows that meet and cover all; `RowOffset` leaves the cutting to the
 * client.
 */
export async function split(scan: Scan, options: SplitOptions): Promise<Splits> {
  switch (options.mode) {
    case 'RowOffset':
      return { ranges: [], bucketIds: [] };
    case 'Bucket':
      return byBucket(scan);
    case 'Parallelism':
      return { ranges: byNumber(scan, options), bucketIds: [] };
    case 'Size':
      return { ranges: await bySize(scan, options), bucketIds: [] };
  }
}

/** The scan has its segments in the order of their buckets. */
function byBucket({ parts, record }: Scan): Splits {
  if (!record.clusteredBy) throw badRequest(`table ${record.name} has no buckets to split by`);
  const bucketIds = [...new Set(parts.map(({ segment }) => segment.bucket ?? 0))];
  return {
    ranges: bucketIds.map((id) => rangeOf(parts.filter(({ segment }) => (segment.bucket ?? 0) === id))),
    bucketIds,
  };
}

const rangeOf = (parts: readonly ScanPart[]): Range => [
  parts[0]!.start,
  parts.at(-1)!.start + parts.at(-1)!.segment.rows,
];

function byNumber(scan: Scan, { number, crossPartition }: SplitOptions): Range[] {
  if (scan.rows === 0) return [];
  if (crossPartition) return evenly([0, scan.rows], number);
  const partitions = byPartition(scan.parts).map(rangeOf);
  const count = Math.max(number, partitions.length);
  // Each partition gets at least one, and of the others its share by rows.
  return partitions.flatMap((range) => evenly(range, Math.round((count * (range[1] - range[0])) / scan.rows)));
}

function evenly([start, end]: Range, wanted: number): Range[] {
  const count = Math.max(1, Math.min(wanted, end - start));
  return Array.from({ length: count }, (_, index): Range => [at(index), at(index + 1)]);
  function at(index: number): number {
    return start + Math.floor(((end - start) * index) / count);
  }
}

function byPartition(parts: readonly ScanPart[]): ScanPart[][] {
  const groups: ScanPart[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (last && last[0]!.partition === part.partition) last.push(part);
    else groups.push([part]);
  }
  return groups;
}

async function bySize({ table, parts }: Scan, options: SplitOptions): Promise<Range[]> {
  const ranges: Range[] = [];
  let start = 0;
  let end = 0;
  let bytes = 0;
  let files = 0;
  const close = () => {
    if (end > start) ranges.push([start, end]);
    start = end;
    bytes = 0;
    files = 0;
  };
  let partition: readonly string[] | undefined;
  for (const part of parts) {
    if (!options.crossPartition && partition !== part.partition) close();
    partition = part.partition;
    if (options.maxFiles > 0 && files >= options.maxFiles) close();
    files += 1;
    for (const batch of (await table.reader(part.segment)).batches) {
      const size = batch.end - batch.start;
      if (bytes > 0 && bytes + size > options.number) {
        close();
        files = 1;
      }
      bytes += size;
      end += batch.rows;
    }
  }
  close();
  return ranges;
}
