import { describe, expect, it } from 'vitest';
import { PARTS_MAX, S3_PARTS, writeRequests } from '../../../shared/landing/parts.ts';

const MIB = 1024 * 1024;
const TIB = MIB * MIB;

function bytesOf(parts: number): number {
  let sum = 0;
  for (let number = 1; number <= parts; number++) sum += S3_PARTS.blockBytes(number);
  return sum;
}

describe('the parts of an object in S3', () => {
  it('hold 1 TiB without passing the limit', () => {
    expect(bytesOf(PARTS_MAX)).toBeGreaterThanOrEqual(TIB);
  });

  it('are within what S3 takes, and never shrink', () => {
    for (let number = 2; number <= PARTS_MAX; number++) {
      expect(S3_PARTS.blockBytes(number)).toBeGreaterThanOrEqual(S3_PARTS.blockBytes(number - 1));
    }
    expect(S3_PARTS.blockBytes(1)).toBe(8 * MIB);
  });

  it('need less than 64 MiB of memory up to 80 GiB, four at a time where they are small', () => {
    expect(bytesOf(6000)).toBeGreaterThan(80 * 1024 * MIB);
    for (const number of [1, 1000, 1001, 4000, 4001, 6000]) {
      expect((S3_PARTS.inFlight(number) + 1) * S3_PARTS.blockBytes(number)).toBeLessThan(64 * MIB);
    }
    expect(S3_PARTS.inFlight(1)).toBe(4);
    expect(S3_PARTS.inFlight(PARTS_MAX)).toBe(1);
  });

  it.each([
    [0, 1],
    [8 * MIB, 1],
    [8 * MIB + 1, 4],
    [16 * MIB, 4],
    [1000 * 8 * MIB, 1002],
    [1000 * 8 * MIB + 1, 1003],
    [1000 * 8 * MIB + 12 * MIB + 1, 1004],
  ])('of %i bytes take %i requests', (bytes, requests) => {
    expect(writeRequests(bytes)).toBe(requests);
  });
});
