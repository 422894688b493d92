import { partitionId } from './fields.ts';
import type { PartitionLog } from './storage/partition-log.ts';

export type PartitionStatus = 'CREATING' | 'ACTIVE' | 'DELETED' | 'EXPIRED';

/** What is kept of a partition besides its records. */
export interface SavedPartition {
  readonly number: number;
  /** When it can be written to, again after it was taken back by a scaling up. */
  readonly activeFromMs: number;
  readonly deletedAtMs?: number;
}

export class Partition {
  readonly number: number;
  readonly id: string;
  readonly log: PartitionLog;
  readonly #retentionMs: number;
  /** Sequence number of the first record ever. */
  readonly #base: bigint;
  activeFromMs: number;
  deletedAtMs: number | undefined;

  constructor(saved: SavedPartition, log: PartitionLog, retentionMs: number, base: bigint) {
    this.number = saved.number;
    this.id = partitionId(saved.number);
    this.log = log;
    this.activeFromMs = saved.activeFromMs;
    this.deletedAtMs = saved.deletedAtMs;
    this.#retentionMs = retentionMs;
    this.#base = base;
  }

  statusAt(nowMs: number): PartitionStatus {
    if (this.deletedAtMs !== undefined) return nowMs >= this.deletedAtMs + this.#retentionMs ? 'EXPIRED' : 'DELETED';
    return nowMs < this.activeFromMs ? 'CREATING' : 'ACTIVE';
  }

  /** Number of the oldest record that can be read: it is until `retention_period` after its write time. */
  oldest(nowMs: number): number {
    return this.log.oldest(nowMs - this.#retentionMs);
  }

  get next(): number {
    return this.log.next;
  }

  sequence(index: number): bigint {
    return this.#base + BigInt(index);
  }

  /** The same for many records: quick where the numbers are small, which they mostly are. */
  sequenceText(index: number): string {
    return this.#base === 0n ? String(index) : String(this.sequence(index));
  }

  /** The record's number here, which is no whole number of any record if the sequence number was never given out. */
  index(sequence: bigint): number {
    return Number(sequence - this.#base);
  }

  /** Removes the files whose records have aged out. */
  dropOld(nowMs: number): void {
    this.log.dropUntil(nowMs - this.#retentionMs);
  }

  toJSON(): SavedPartition {
    const { number, activeFromMs, deletedAtMs } = this;
    return { number, activeFromMs, ...(deletedAtMs === undefined ? {} : { deletedAtMs }) };
  }
}
