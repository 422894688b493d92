import type { Clock } from '../../../shared/core/clock.ts';

/**
 * The server's time: runs with the clock it is given, ahead of it by as much as it was advanced. Signatures are checked by the
 * machine's own, since clients sign by it.
 */
export class ServerClock {
  readonly #base: Clock;
  #aheadMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  nowMs(): number {
    return this.machineMs() + this.#aheadMs;
  }

  machineMs(): number {
    return this.#base().getTime();
  }

  advance(byMs: number): void {
    if (!Number.isFinite(byMs) || byMs < 0) throw new RangeError(`the clock moves forward only, not by ${byMs} ms`);
    this.#aheadMs += Math.round(byMs);
  }
}
