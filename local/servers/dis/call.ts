import type { RouteName } from './routes.ts';

/** One request, as a test may want to see it: without what signs it. */
export interface Call {
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** Percent-encoded, without the question mark; a cursor in it is left out. */
  readonly query: string;
  readonly route: RouteName | undefined;
  /** 0 if the connection was cut instead. */
  readonly status: number;
  /** Of the answer, if it was an error. */
  readonly code?: string;
  readonly faults: readonly string[];
  readonly requestBytes: number;
  readonly contentType: string | undefined;
  readonly userAgent: string | undefined;
  readonly authentication: 'token' | 'signature' | 'none';
}
