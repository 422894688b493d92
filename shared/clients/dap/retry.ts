import { backoffMs } from '../../core/backoff.ts';
import {
  ConnectionFailedError,
  GatewayTimeoutError,
  NoDataError,
  ProcessingError,
  RateLimitedError,
  ServerError,
} from './errors.ts';

/** How often a call is repeated within itself, and after how long. Times are milliseconds. */
export interface RetryPolicy {
  /** 429: after what `Retry-After` asks for, else after `waitMs`. */
  readonly rateLimited: { readonly repeats: number; readonly waitMs: number };
  /** 502, 503, 504, a broken or refused connection, no answer in time: exponential, with full jitter. */
  readonly transient: { readonly repeats: number; readonly firstMs: number; readonly maxMs: number };
  /** 500, and jobs that failed: after `waitMs` × the number of the attempt that failed. */
  readonly processing: { readonly repeats: number; readonly waitMs: number };
}

export const DEFAULT_RETRY: RetryPolicy = {
  rateLimited: { repeats: 8, waitMs: 30_000 },
  transient: { repeats: 5, firstMs: 1000, maxMs: 60_000 },
  processing: { repeats: 2, waitMs: 30_000 },
};

/** For a caller that is billed for waiting: each error is thrown at once, with `retryable` and `retryAfterMs`. */
export const NO_RETRY: RetryPolicy = {
  rateLimited: { repeats: 0, waitMs: 30_000 },
  transient: { repeats: 0, firstMs: 1000, maxMs: 60_000 },
  processing: { repeats: 0, waitMs: 30_000 },
};

/** Counts the repetitions of one call, each kind of failure for itself. */
export class Repeats {
  readonly #policy: RetryPolicy;
  readonly #random: () => number;
  #rateLimited = 0;
  #transient = 0;
  #processing = 0;

  constructor(policy: RetryPolicy, random: () => number) {
    this.#policy = policy;
    this.#random = random;
  }

  /** @returns milliseconds to wait before the call is repeated; undefined if it is not to be */
  waitBefore(error: unknown): number | undefined {
    const { rateLimited, transient, processing } = this.#policy;
    switch (kindOf(error)) {
      case 'rateLimited':
        if (++this.#rateLimited > rateLimited.repeats) return undefined;
        return (error as RateLimitedError).retryAfterMs ?? rateLimited.waitMs;
      case 'transient':
        if (++this.#transient > transient.repeats) return undefined;
        return backoffMs(this.#transient - 1, this.#random, transient);
      case 'processing':
        if (++this.#processing > processing.repeats) return undefined;
        return processing.waitMs * this.#processing;
      case 'final':
        return undefined;
    }
  }

  /** Progress was made: what comes next is a new failure. */
  progress(): void {
    this.#transient = 0;
    this.#rateLimited = 0;
  }
}

function kindOf(error: unknown): 'rateLimited' | 'transient' | 'processing' | 'final' {
  if (error instanceof RateLimitedError) return 'rateLimited';
  if (error instanceof GatewayTimeoutError) return 'transient';
  if (error instanceof ConnectionFailedError) return error.retryable ? 'transient' : 'final';
  if (error instanceof ServerError) {
    if (error.facts.status === 500) return 'processing';
    return error.retryable && TRANSIENT_STATUSES.has(error.facts.status) ? 'transient' : 'final';
  }
  // The other statuses of this class were a refusal of the request itself.
  if (error instanceof ProcessingError && !(error instanceof NoDataError) && error.facts.status >= 500) {
    return error.facts.status === 500 ? 'processing' : 'transient';
  }
  return 'final';
}

const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);
