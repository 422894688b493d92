import { MIB } from '../core/units.ts';
import type { BlockPlan } from './block-writer.ts';

/** S3's limit for a multipart upload. */
export const PARTS_MAX = 10_000;
/** Smaller objects are written by one request. */
export const FIRST_PART_BYTES = 8 * MIB;

const MEMORY_BYTES = 64 * MIB;
const PARTS_AT_ONCE = 4;

/**
 * The size of the parts up to a number: small ones first, which most objects never leave, then as large as memory
 * allows. Up to 82 GiB an object takes less than 64 MiB of memory; the last step, for objects of up to 1 TiB, 512 MiB.
 */
const STEPS = [
  { upToPart: 1000, partBytes: FIRST_PART_BYTES },
  { upToPart: 4000, partBytes: 12 * MIB },
  { upToPart: 6000, partBytes: 20 * MIB },
  { upToPart: Infinity, partBytes: 256 * MIB },
];

export const S3_PARTS: BlockPlan = {
  blockBytes: (number) => STEPS.find(({ upToPart }) => number <= upToPart)!.partBytes,
  // One part fills while the others are sent.
  inFlight: (number) => Math.max(1, Math.min(PARTS_AT_ONCE, Math.ceil(MEMORY_BYTES / S3_PARTS.blockBytes(number)) - 2)),
};

/** How many requests it takes to write an object: one, or one for each part and two around them. */
export function writeRequests(totalBytes: number): number {
  if (totalBytes <= FIRST_PART_BYTES) return 1;
  let parts = 0;
  let left = totalBytes;
  for (const { upToPart, partBytes } of STEPS) {
    const here = Math.min(Math.ceil(left / partBytes), upToPart - parts);
    parts += here;
    left -= here * partBytes;
    if (left <= 0) break;
  }
  return parts + 2;
}
