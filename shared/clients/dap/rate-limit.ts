import { unlessAborted } from '../transport/abort.ts';

/** The five routes of the API. Each has a budget of its own. */
export type Route = 'tables' | 'schema' | 'start' | 'job' | 'urls';

/** Calls in any minute; `Infinity` for no limit of ours. */
export type RateLimits = Readonly<Record<Route, number>>;

/** What the service publishes. */
export const DEFAULT_RATE_LIMITS: RateLimits = { tables: 5, schema: 500, start: 5, job: 500, urls: 200 };

/** Paces calls. Give one of your own to share a budget among processes; it may throw a retryable error instead of waiting. */
export interface RateLimiter {
  /** Resolves when one call of the route may be made. */
  take(route: Route, signal: AbortSignal): Promise<void>;
  /** The service refused a call of the route: none is made for so long, in milliseconds. */
  pause?(route: Route, forMs: number): void;
}

export interface RateLimiterMachine {
  readonly nowMs: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * At most so many calls in any minute, counted over a sliding window: a bucket that is full at first would let twice as
 * many through in its first minute.
 */
export function slidingWindowLimiter(limits: RateLimits, { nowMs, sleep }: RateLimiterMachine): RateLimiter {
  /** When the last calls were let through; at most as many as the limit. */
  const passed = new Map<Route, number[]>();
  const pausedUntil = new Map<Route, number>();
  const queues = new Map<Route, Promise<void>>();

  const waitMs = (route: Route, calls: readonly number[]): number => {
    const oldest = calls.length < limits[route] ? Number.NEGATIVE_INFINITY : calls[0]! + WINDOW_MS;
    return Math.max(oldest, pausedUntil.get(route) ?? 0) - nowMs();
  };

  const pass = async (route: Route, signal: AbortSignal): Promise<void> => {
    const calls = passed.get(route) ?? [];
    passed.set(route, calls);
    for (let ms = waitMs(route, calls); ms > 0; ms = waitMs(route, calls)) await sleep(ms, signal);
    signal.throwIfAborted();
    if (!Number.isFinite(limits[route])) return;
    calls.push(nowMs());
    if (calls.length > limits[route]) calls.shift();
  };

  return {
    take(route, signal) {
      // One after the other, by when they really went: a timer that rings late must not shorten the next wait.
      const turn = (queues.get(route) ?? Promise.resolve()).then(() => pass(route, signal));
      queues.set(
        route,
        turn.catch(() => {}),
      );
      return unlessAborted(turn, signal);
    },
    pause(route, forMs) {
      pausedUntil.set(route, Math.max(pausedUntil.get(route) ?? 0, nowMs() + forMs));
    },
  };
}

/** A minute, and a second for calls that take longer to arrive than those behind them. */
const WINDOW_MS = 61_000;
