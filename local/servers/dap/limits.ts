import type { RouteName } from './faults.ts';

/** Requests that a route takes in any minute. */
export type RateLimits = Readonly<Partial<Record<RouteName, number>>>;

/** As the service publishes them. */
export const PUBLISHED_LIMITS: RateLimits = { tables: 5, schema: 500, query: 5, job: 500, urls: 200 };

const MINUTE_MS = 60_000;

/** Counts each route alone, over the last minute. What it refuses does not count. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #taken = new Map<RouteName, number[]>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** @returns undefined if the request may pass, else in how many seconds it may come again */
  take(route: RouteName, nowMs: number): number | undefined {
    const limit = this.#limits[route];
    if (limit === undefined) return undefined;
    const taken = (this.#taken.get(route) ?? []).filter((at) => at > nowMs - MINUTE_MS);
    this.#taken.set(route, taken);
    if (taken.length >= limit) return Math.max(1, Math.ceil((taken[0]! + MINUTE_MS - nowMs) / 1000));
    taken.push(nowMs);
    return undefined;
  }
}
