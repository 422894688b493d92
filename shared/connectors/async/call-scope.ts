import { unlessAborted } from '../../clients/transport/abort.ts';
import type { Clock } from '../../core/clock.ts';
import { type Operation, OperationTimeoutError } from './classify.ts';

export const DEADLINE_DEFAULT_MS = 10_000;

/** The time that one call of a connector has: until its own limit, or until the caller gives up. */
export class CallScope implements Disposable {
  readonly signal: AbortSignal;
  readonly #limit = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #began: number;
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param limitMs 0 for none */
  constructor(
    operation: Operation,
    taskType: string,
    { limitMs, caller, clock }: { limitMs: number; caller: AbortSignal | undefined; clock: Clock },
  ) {
    this.#caller = caller;
    this.#clock = clock;
    this.#began = clock().getTime();
    this.#limitMs = limitMs;
    this.signal = caller ? AbortSignal.any([this.#limit.signal, caller]) : this.#limit.signal;
    const tooLong = () => this.#limit.abort(new OperationTimeoutError(operation, taskType, limitMs));
    // setTimeout takes 31 bits of milliseconds.
    if (limitMs > 0 && limitMs < 2 ** 31) this.#timer = setTimeout(tooLong, limitMs);
  }

  elapsedMs(): number {
    return this.#clock().getTime() - this.#began;
  }

  remainingMs(): number {
    return this.#limitMs === 0 ? Infinity : Math.max(0, this.#limitMs - this.elapsedMs());
  }

  /** What the work comes to, or why its time is up: a connector that does not listen to its signal is not waited for. */
  async within<T>(work: () => T | Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    try {
      const working = Promise.try(work);
      // Nobody may listen to it any more when it fails.
      working.catch(() => {});
      return await unlessAborted(working, this.signal);
    } catch (error) {
      // What a library makes of an abort is of many kinds; the reason says what it was.
      throw this.signal.aborted ? this.signal.reason : error;
    }
  }

  /** True if the caller gave up, and what was thrown is its own reason. */
  isCallers(error: unknown): boolean {
    return this.#caller?.aborted === true && error === this.#caller.reason;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
