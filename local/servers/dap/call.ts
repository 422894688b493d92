import type { RouteName } from './faults.ts';

/** One request, as a test may want to see it: without its headers, its body and the query of its URL, which hold secrets. */
export interface Call {
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly route: RouteName | undefined;
  readonly namespace?: string;
  readonly table?: string;
  /** 0 if the connection was cut instead. */
  readonly status: number;
  readonly faults: readonly string[];
  readonly userAgent: string | undefined;
  readonly traceparent: string | undefined;
  /** Whether the request carried `Authorization` or `x-instauth`. */
  readonly isAuthenticated: boolean;
}
