import type { Clock } from '../../shared/core/clock.ts';

/** A clock that stands still until a test moves it. */
export class FakeClock {
  #nowMs: number;
  readonly #alarms = new Set<{ readonly atMs: number; readonly ring: () => void }>();

  constructor(start = '2026-01-01T00:00:00.000Z') {
    this.#nowMs = Date.parse(start);
  }

  readonly clock: Clock = () => new Date(this.#nowMs);

  get nowMs(): number {
    return this.#nowMs;
  }

  advance(byMs: number): void {
    this.moveTo(this.#nowMs + byMs);
  }

  /** Moves forward, and rings the alarms on the way. Never back. */
  moveTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    for (const alarm of this.#alarms) {
      if (alarm.atMs > this.#nowMs) continue;
      this.#alarms.delete(alarm);
      alarm.ring();
    }
  }

  /** @returns what takes the alarm off again */
  alarm(atMs: number, ring: () => void): () => void {
    const alarm = { atMs, ring };
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  }
}
