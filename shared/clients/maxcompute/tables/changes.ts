import type { PartitionMetadata, TableMetadata } from './metadata.ts';

/** Modification times have seconds; what is younger may still change without its time changing. */
const RESOLUTION_MS = 2000;

/** What tells that a table, or a partition, has changed, without opening a session. */
export interface ChangeStamp {
  /** Equal texts, no change, if both are settled. Empty where the service tells no times. */
  readonly text: string;
  /** False for a stamp that is so young that another change may share it: count it as changed next time. */
  readonly isSettled: boolean;
}

/**
 * A stamp of modification times, of a partitioned table by partition. Where a session tells a `latestVersion`, that is
 * better.
 *
 * @param now of the service if it is known
 */
export function changeStamp(of: TableMetadata | PartitionMetadata, now: Date): ChangeStamp {
  const times = [of.lastModifiedTime, 'lastDdlTime' in of ? of.lastDdlTime : null].filter((time) => time !== null);
  const newestMs = Math.max(...times.map((time) => time.getTime()));
  return {
    text: times.map((time) => time.toISOString()).join('/'),
    isSettled: times.length > 0 && now.getTime() - newestMs >= RESOLUTION_MS,
  };
}
