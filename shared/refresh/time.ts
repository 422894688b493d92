import type { Deadline } from '../core/deadline.ts';

const STOP_WITHIN_MS = 60_000;
const STOP_WITHIN_SHARE = 0.25;

/**
 * With less than this left a function stops at the next point where it can go on later: a minute, or a quarter of its time if
 * it has little. Asked once, at its beginning.
 */
export function stopWithinMs(deadline: Deadline): number {
  const left = deadline.remainingMs();
  return Number.isFinite(left) ? Math.min(STOP_WITHIN_MS, left * STOP_WITHIN_SHARE) : 0;
}
