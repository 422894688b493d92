/** One request, as a test may want to see it: without its headers and body, which hold secrets. */
export interface Call {
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** From `routes.ts`; undefined for what is none. */
  readonly action: string | undefined;
  readonly table?: string;
  readonly query: Readonly<Record<string, string>>;
  /** 0 if the connection was cut instead. */
  readonly status: number;
  readonly requestId: string;
  readonly faults: readonly string[];
  readonly userAgent: string | undefined;
  readonly hasRouteToken: boolean;
  readonly acceptEncoding: string | undefined;
}
