import { type Backoff, backoffMs } from '../../core/backoff.ts';
import {
  ConnectionFailedError,
  ConnectionRefusedError,
  EmptyBodyError,
  type MaxComputeClientError,
  UnparsableReplyError,
} from './client-errors.ts';
import { MetaTransactionFailedError, RequestQuotaExceededError, ServiceError } from './errors.ts';

/** How often a call is repeated within itself, and after how long: exponential, with full jitter. Times are milliseconds. */
export interface RetryPolicy {
  /** 429, and what else says that it is too much at once. `Retry-After` is a floor. */
  readonly throttled: Backoff & { readonly repeats: number };
  /** 408, 5xx, broken connections. */
  readonly transient: Backoff & { readonly repeats: number };
  /** From the first attempt to the begin of the last. */
  readonly deadlineMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  throttled: { repeats: Number.POSITIVE_INFINITY, firstMs: 1000, maxMs: 64_000 },
  transient: { repeats: 7, firstMs: 1000, maxMs: 64_000 },
  deadlineMs: 600_000,
};

/** For a caller that is billed for waiting: each error is thrown at once, with `retryable` and `retryAfterMs`. */
export const NO_RETRY: RetryPolicy = {
  throttled: { repeats: 0, firstMs: 0, maxMs: 0 },
  transient: { repeats: 0, firstMs: 0, maxMs: 0 },
  deadlineMs: 0,
};

/**
 * When a call may be sent again:
 * - `free`: whenever it may help; the service takes it twice without harm.
 * - `unprocessed`: only if the service has certainly not taken it.
 * - `commit`: as `free`, and also where another transaction was in the way.
 */
export type Replay = 'free' | 'unprocessed' | 'commit';

/** Whether a failure leaves open if the request was processed. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof ServiceError) return error.status === 408 || (error.status >= 500 && error.status !== 503);
  if (error instanceof EmptyBodyError || error instanceof UnparsableReplyError) return true;
  return error instanceof ConnectionFailedError && !(error instanceof ConnectionRefusedError);
}

/** Counts the repetitions of one call. */
export class Repeats {
  readonly #policy: RetryPolicy;
  readonly #random: () => number;
  #endMs: number;
  #throttled = 0;
  #transient = 0;

  constructor(policy: RetryPolicy, random: () => number, nowMs: number) {
    this.#policy = policy;
    this.#random = random;
    this.#endMs = nowMs + policy.deadlineMs;
  }

  /** Failures so far. */
  get count(): number {
    return this.#throttled + this.#transient;
  }

  /** @returns milliseconds to wait before the call is sent again; undefined if it is not to be */
  waitBefore(error: unknown, replay: Replay, nowMs: number): number | undefined {
    if (!isPassing(error, replay) || (replay === 'unprocessed' && isOutcomeUnknown(error))) return undefined;
    const isThrottled = error instanceof RequestQuotaExceededError || (error as ServiceError).status === 429;
    const attempt = isThrottled ? this.#throttled++ : this.#transient++;
    const policy = isThrottled ? this.#policy.throttled : this.#policy.transient;
    if (attempt >= policy.repeats) return undefined;
    const waitMs = backoffMs(attempt, this.#random, policy, (error as ServiceError).retryAfterMs);
    return nowMs + waitMs > this.#endMs ? undefined : waitMs;
  }

  /** Something was received: what comes next is a new failure. */
  progress(nowMs: number): void {
    this.#transient = 0;
    this.#throttled = 0;
    this.#endMs = nowMs + this.#policy.deadlineMs;
  }
}

function isPassing(error: unknown, replay: Replay): error is ServiceError | MaxComputeClientError {
  if (replay === 'commit' && error instanceof MetaTransactionFailedError) return true;
  if (error instanceof ServiceError || error instanceof ConnectionFailedError) return error.retryable;
  return error instanceof EmptyBodyError;
}
