import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../shared/core/backoff.ts';

describe('backoffMs', () => {
  it.each([
    [0, 1000],
    [1, 2000],
    [5, 32_000],
    [9, 300_000],
    [100, 300_000],
  ])('before repetition %i it waits up to %i ms', (attempt, most) => {
    expect(backoffMs(attempt, () => 1)).toBe(most);
    expect(backoffMs(attempt, () => 0.5)).toBe(most / 2);
    expect(backoffMs(attempt, () => 0)).toBe(0);
  });

  it('what the other side asked for is a floor', () => {
    expect(backoffMs(0, () => 1, undefined, 60_000)).toBe(60_000);
    expect(backoffMs(9, () => 1, undefined, 60_000)).toBe(300_000);
  });
});
