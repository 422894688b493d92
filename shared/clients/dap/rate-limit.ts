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
  /** When the last calls were, or will be, let through; as many as the limit. */
  const slots = new Map<Route, number[]>();
  const pausedUntil = new Map<Route, number>();

  const reserve = (route: Route): number => {
    const limit = limits[route];
    const earliest = Math.max(nowMs(), pausedUntil.get(route) ?? 0);
    if (!Number.isFinite(limit)) return earliest;
    const taken = slots.get(route) ?? [];
    slots.set(route, taken);
    const free = taken.length < limit ? earliest : Math.max(earliest, taken[taken.length - limit]! + WINDOW_MS);
    taken.push(free);
    if (taken.length > limit) taken.shift();
    return free;
  };

  return {
    async take(route, signal) {
      const atMs = reserve(route);
      const waitMs = () => Math.max(atMs, pausedUntil.get(route) ?? 0) - nowMs();
      while (waitMs() > 0) await sleep(waitMs(), signal);
    },
    pause(route, forMs) {
      pausedUntil.set(route, Math.max(pausedUntil.get(route) ?? 0, nowMs() + forMs));
    },
  };
}

/** A minute, and a second for calls that take longer to arrive than those behind them. */
const WINDOW_MS = 61_000;
