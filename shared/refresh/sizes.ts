import { MIB } from '../core/units.ts';

/** How finely work is cut. The defaults suit real sources; with small ones a few partitions meet every case. */
export interface Sizes {
  /** A shard of a folder holds about so many children before its layout grows. */
  readonly childrenPerShard: number;
  /** A shard of a feed holds exactly so many; a feed that has begun keeps this. */
  readonly feedShard: number;
  /** A group holds at most so many partitions. */
  readonly groupPartitions: number;
  /** A segment of a long read is closed at the first checkpoint after so many bytes. */
  readonly segmentBytes: number;
}

export const SIZES: Sizes = {
  childrenPerShard: 1000,
  feedShard: 1000,
  groupPartitions: 100,
  segmentBytes: 64 * MIB,
};
