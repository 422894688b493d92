import { CONNECT_TIMEOUT, type FetchInit, type FetchReply } from '../transport/node-http.ts';

export type { FetchInit, FetchReply };

export type Fetch = (url: string, init: FetchInit) => Promise<FetchReply>;

/** Errors that come before anything could be sent. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  CONNECT_TIMEOUT,
]);

/** Whether a request that failed so has certainly not reached the service. */
export function isUnsent(code: string): boolean {
  return UNSENT.has(code);
}
