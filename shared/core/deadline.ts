/** How long a function still has. `Infinity` where nothing limits it. */
export interface Deadline {
  remainingMs(): number;
  /** Fires shortly before the time is up, so that what is going on ends in order. */
  readonly signal: AbortSignal;
}

/** What of a function's time is kept back for ending in order, in milliseconds. */
export const RESERVE_MS = 5000;

/** The part of a Lambda context that a deadline needs. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}

export function deadlineOf(context: InvocationContext): Deadline & Disposable {
  const stop = new AbortController();
  const left = context.getRemainingTimeInMillis() - RESERVE_MS;
  // setTimeout takes 31 bits of milliseconds, and a worker without a limit answers Infinity.
  const timer =
    Number.isFinite(left) && left < 2 ** 31
      ? setTimeout(() => stop.abort(new DeadlineError()), Math.max(0, left))
      : undefined;
  timer?.unref();
  return {
    remainingMs: () => context.getRemainingTimeInMillis() - RESERVE_MS,
    signal: stop.signal,
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

export const noDeadline = (signal: AbortSignal = new AbortController().signal): Deadline => ({
  remainingMs: () => Infinity,
  signal,
});

/** The function's time is up. What was going on goes on in the next invocation. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly code = 'Deadline';
  readonly retryable = true;
  constructor() {
    super('the function has no time left; it goes on in the next invocation');
  }
}
