import { type DurationMs, ms } from './units.ts';

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** 1 s, doubling up to 5 min: what a source is given before it is asked again. */
export const SOURCE_BACKOFF: Backoff = { firstMs: 1000, maxMs: 300_000 };

/**
 * Exponential with full jitter: anything from 0 to `first × 2^attempt`, so that a thousand workers do not come back at
 * once. What the other side asked for (`retryAfterMs`) is a floor.
 *
 * @param attempt 0 for the first repetition
 */
export function backoffMs(
  attempt: number,
  random: () => number,
  { firstMs, maxMs }: Backoff = SOURCE_BACKOFF,
  retryAfterMs = 0,
): DurationMs {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return ms(Math.max(retryAfterMs, Math.round(random() * ceiling)));
}
