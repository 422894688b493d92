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

const KEPT = 100_000;

/** What was asked of the server, oldest first; the newest hundred thousand. */
export class CallLog {
  #calls: Call[] = [];

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > 2 * KEPT) this.#calls = this.#calls.slice(-KEPT);
  }

  get calls(): readonly Call[] {
    return this.#calls.slice(-KEPT);
  }

  clear(): void {
    this.#calls = [];
  }
}
