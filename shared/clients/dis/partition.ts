import { hash } from 'node:crypto';

/** 2^63 − 1: the highest hash, and the highest sequence number. */
export const MAX_INT64 = 2n ** 63n - 1n;

/** The first 8 bytes of the MD5 of the key in UTF-8, without the sign: 0 to 2^63 − 1. */
export function hashOfKey(partitionKey: string): bigint {
  return hash('md5', partitionKey, 'buffer').readBigUInt64BE(0) & MAX_INT64;
}

/**
 * The hash by which the service chooses the partition of a record; undefined if the record leaves that to the service.
 * An explicit hash that is none counts as absent.
 */
export function hashOfRecord(record: {
  readonly partitionKey?: string | undefined;
  readonly explicitHashKey?: string | number | bigint | undefined;
}): bigint | undefined {
  const explicit = record.explicitHashKey === undefined ? '' : String(record.explicitHashKey);
  if (/^\d{1,19}$/.test(explicit) && BigInt(explicit) <= MAX_INT64) return BigInt(explicit);
  return record.partitionKey === undefined ? undefined : hashOfKey(record.partitionKey);
}

/**
 * Which of the ACTIVE partitions, in the order of their ids, a hash belongs to. That the service reckons so is likely but
 * not promised: where a record went, only the answer to its upload tells.
 *
 * @param partitionCount of ACTIVE partitions, at least 1
 */
export function partitionIndexOf(keyHash: bigint, partitionCount: number): number {
  const count = BigInt(partitionCount);
  const step = MAX_INT64 / count;
  let index = keyHash / step;
  // A bound belongs to the lower of its two partitions.
  if (index > 0n && keyHash % step === 0n) index -= 1n;
  return Number(index < count ? index : count - 1n);
}

/** The hashes of each of so many ACTIVE partitions, as the service writes them: `[low : high]`. */
export function hashRanges(partitionCount: number): string[] {
  const step = MAX_INT64 / BigInt(partitionCount);
  return Array.from({ length: partitionCount }, (_, at) => {
    const high = at === partitionCount - 1 ? MAX_INT64 : step * BigInt(at + 1);
    return `[${step * BigInt(at)} : ${high}]`;
  });
}

/** `0` and `shardId-0000000000` name the same partition; this is the long form. Other texts are left as they are. */
export function longPartitionId(partitionId: string | number): string {
  const text = String(partitionId);
  return /^\d{1,10}$/.test(text) ? `shardId-${text.padStart(10, '0')}` : text;
}
