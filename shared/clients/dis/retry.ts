import { backoffMs } from '../../core/backoff.ts';
import { ConnectionFailedError, ReplyTimeoutError, ServerError, ThrottledError } from './errors.ts';

/** How often something is repeated, and after how long: up to `firstMs`, then `factor` times as long, up to `maxMs`. */
export interface Repetition {
  readonly repeats: number;
  readonly firstMs: number;
  readonly maxMs: number;
}

export interface RetryPolicy {
  /** Whole requests: 5xx, 429, throttled as a whole, a connection that was refused or broke. Each wait doubles. */
  readonly requests: Repetition;
  /** Single records of an upload. Each wait is 1.5 times the one before; both start anew whenever a record got through. */
  readonly records: Repetition;
}

export const DEFAULT_RETRY: RetryPolicy = {
  requests: { repeats: 5, firstMs: 250, maxMs: 30_000 },
  records: { repeats: 10, firstMs: 50, maxMs: 30_000 },
};

/** For a caller that is billed for waiting: errors are thrown, and failed records told, at once. */
export const NO_RETRY: RetryPolicy = {
  requests: { repeats: 0, firstMs: 250, maxMs: 30_000 },
  records: { repeats: 0, firstMs: 50, maxMs: 30_000 },
};

/** @returns milliseconds to wait before a request is sent again; undefined if it is not to be */
export function waitBeforeRequest(
  { requests }: RetryPolicy,
  repeatsSoFar: number,
  error: unknown,
  method: string,
  random: () => number,
): number | undefined {
  if (repeatsSoFar >= requests.repeats || !mayRepeat(error, method)) return undefined;
  return backoffMs(repeatsSoFar, random, requests, (error as ThrottledError).retryAfterMs);
}

/** Only what did nothing, or may do its work twice: an upload is at least once. */
function mayRepeat(error: unknown, method: string): boolean {
  if (error instanceof ConnectionFailedError) return error.retryable;
  if (error instanceof ReplyTimeoutError) return method === 'GET';
  if (error instanceof ThrottledError) return error.serviceCode !== ADDRESS_BLOCKED;
  return error instanceof ServerError;
}

/** Every further request would only make it last longer. */
const ADDRESS_BLOCKED = 'DIS.4309';

/** Whether a single record that was refused with this code is worth sending again. */
export function isRecordRetryable(errorCode: string): boolean {
  return errorCode === 'DIS.4303' || errorCode.startsWith('DIS.5');
}

/** @param failures in a row, from 0 */
export function waitBeforeRecords({ records }: RetryPolicy, failures: number, random: () => number): number {
  return Math.round(random() * Math.min(records.maxMs, records.firstMs * 1.5 ** failures));
}
