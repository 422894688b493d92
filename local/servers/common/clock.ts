import type { Clock } from '../../../shared/core/clock.ts';

/**
 * A server's time: runs with the clock it is given, ahead of it by as much as it was advanced. It never goes back, because a
 * client compares what it reads (`exp`, `expires_at`) with earlier readings.
 */
export class ServerClock {
  readonly #base: Clock;
  #aheadMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): Date {
    return new Date(this.nowMs());
  }

  nowMs(): number {
    return this.machineMs() + this.#aheadMs;
  }

  /** Without what it was advanced by: clients sign by the machine's own time. */
  machineMs(): number {
    return this.#base().getTime();
  }

  advance(byMs: number): void {
    if (!Number.isFinite(byMs) || byMs < 0) throw new RangeError(`the clock moves forward only, not by ${byMs} ms`);
    this.#aheadMs += Math.round(byMs);
  }
}
