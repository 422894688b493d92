import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressGuard } from '../../clients/transport/addresses.ts';
import { type Backoff, backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { IngestError, isRetryable, RetryableError, retryAfterMs } from '../../core/errors.ts';
import { SourceRefusedError } from '../connector.ts';
import { Connections, type HttpMethod, type Timeouts } from './exchange.ts';
import { safeUrl } from './urls.ts';

export interface HttpClientOptions extends Timeouts {
  readonly guard: AddressGuard;
  /** Sent to `trustedOrigins` only: what the pipeline configured, and the credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly trustedOrigins: ReadonlySet<string>;
  readonly maxRedirects: number;
  /** Follow a redirect from https to http. */
  readonly allowInsecureRedirects?: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface HttpRequest {
  /** GET and HEAD are repeated and redirected; what may change something is sent once, and to that address alone. */
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Statuses beyond 2xx that the caller understands. Any other is thrown. */
  readonly accept?: readonly number[];
  readonly signal: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where the reply came from, after redirects. */
  readonly url: URL;
  /** The bytes as sent; must be read, left early or dropped. */
  body(): AsyncGenerator<Uint8Array>;
  /** Gives the connection back, or ends it if much is still to come. */
  drop(): void;
}

/** Repeated within the call: a listing of ten thousand files must not start over for one busy answer. */
const QUICK_RETRIES = 2;
const QUICK_BACKOFF: Backoff = { firstMs: 200, maxMs: 2000 };
/** What would take longer is left to the platform, which waits without a function running. */
const QUICK_WAIT_MAX_MS = 5000;
const DROP_MAX_BYTES = 64 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** A few words, as standards have them: what else a server says there may be what we sent to it. */
const REASON = /^[A-Za-z][A-Za-z' -]{1,48}$/;
/** Statuses below 500 that say "later". */
const BUSY = new Set([408, 425, 429]);
/** Statuses from 500 on that say "never". */
const NEVER = new Set([501, 505]);

/** Requests, GET and HEAD with redirects, an address guard, credentials that stay where they belong, and named errors. */
export class HttpClient implements Disposable {
  readonly #options: HttpClientOptions;
  readonly #connections: Connections;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#connections = new Connections(options.guard.lookup, options);
  }

  /**
   * @throws {RetryableError} 429, 408, 425, 5xx, a timeout or a broken connection; with what Retry-After asked for
   * @throws {SourceRefusedError} any other status that is neither 2xx nor accepted, too many redirects, a bad URL
   * @throws {AddressRefusedError} an address that is off limits, also behind a redirect
   */
  async request(request: HttpRequest): Promise<HttpReply> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#follow(request);
      } catch (error) {
        request.signal.throwIfAborted();
        const waitMs = backoffMs(attempt, this.#options.random, QUICK_BACKOFF, retryAfterMs(error));
        if (attempt >= QUICK_RETRIES || !isSafe(request) || !isRetryable(error) || waitMs > QUICK_WAIT_MAX_MS)
          throw error;
        await this.pause(waitMs, request.signal);
      }
    }
  }

  async pause(waitMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.sleep(waitMs, signal);
    } finally {
      signal.throwIfAborted(); // with the reason that was given, not the timer's
    }
  }

  async #follow(request: HttpRequest): Promise<HttpReply> {
    const { guard, headers, trustedOrigins, maxRedirects, allowInsecureRedirects } = this.#options;
    let { url } = request;
    let trusted = trustedOrigins.has(url.origin);
    for (let redirects = 0; ; redirects++) {
      checkScheme(url);
      await guard.admit(url);
      const response = await this.#exchange(request, url, trusted ? headers : {});
      const isRedirect = isSafe(request) && REDIRECTS.has(response.statusCode ?? 0);
      const location = isRedirect ? response.headers.location : undefined;
      if (location === undefined) return this.#judge(request, response, url);
      drop(response);
      if (redirects === maxRedirects) {
        throw new SourceRefusedError(`${request.method} ${safeUrl(request.url)}: more than ${maxRedirects} redirects`);
      }
      const next = redirectTarget(location, url);
      if (url.protocol === 'https:' && next.protocol === 'http:' && !allowInsecureRedirects) {
        throw new SourceRefusedError(`${safeUrl(url)} redirects to ${next.host} without TLS (allowInsecureRedirects)`);
      }
      // Once the trail has left the origin that may see them, credentials are not sent again, not even back to it.
      trusted &&= next.origin === url.origin;
      url = next;
    }
  }

  async #exchange(request: HttpRequest, url: URL, own: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const { method, body, signal } = request;
    // Without compression on the way, lengths and ranges mean what they say.
    const headers = {
      'user-agent': 'landfall',
      accept: '*/*',
      'accept-encoding': 'identity',
      ...own,
      ...request.headers,
    };
    try {
      return await this.#connections.exchange({
        method,
        url,
        headers,
        ...(body === undefined ? {} : { body }),
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof IngestError) throw error;
      const Kind = isRetryable(error) ? RetryableError : SourceRefusedError;
      throw new Kind(`${method} ${safeUrl(url)} failed`, { cause: error });
    }
  }

  #judge({ method, accept = [], signal }: HttpRequest, response: IncomingMessage, url: URL): HttpReply {
    const { statusCode: status = 0, statusMessage, headers } = response;
    if ((status >= 200 && status < 300) || accept.includes(status)) {
      return { status, headers, url, body: () => this.#body(response, url, signal), drop: () => drop(response) };
    }
    drop(response);
    const message = `${method} ${safeUrl(url)} was answered ${status}${REASON.test(statusMessage ?? '') ? ` ${statusMessage}` : ''}`;
    if (!BUSY.has(status) && (status < 500 || NEVER.has(status))) throw new SourceRefusedError(message);
    const waitMs = parseRetryAfter(headers['retry-after'], this.#options.clock());
    throw new RetryableError(message, waitMs === undefined ? {} : { retryAfterMs: waitMs });
  }

  async *#body(response: IncomingMessage, url: URL, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#connections.body(response, url);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof IngestError) throw error;
      throw new RetryableError(`${safeUrl(url)}: the connection broke while the body was read`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }
}

const isSafe = ({ method }: HttpRequest): boolean => method === 'GET' || method === 'HEAD';

/** Only these two: `file:`, `ftp:` or `data:` in an index or a redirect would reach what the source does not own. */
export function checkScheme(url: URL): void {
  if (url.protocol === 'http:' || url.protocol === 'https:') return;
  throw new SourceRefusedError(`only http and https are followed, got ${url.protocol}//${url.host}`);
}

function redirectTarget(location: string, from: URL): URL {
  const target = URL.parse(location, from.href);
  if (!target) throw new SourceRefusedError(`${safeUrl(from)} redirects to what is not a URL`);
  target.username = '';
  target.password = '';
  return target;
}

function drop(response: IncomingMessage): void {
  // Reading a short rest keeps the connection for the next request; a long one costs more than a new connection.
  if (Number(response.headers['content-length'] ?? Infinity) <= DROP_MAX_BYTES) response.resume();
  else response.destroy();
}

/** @returns milliseconds from now; undefined if the header is absent or says nothing (it holds seconds or a date) */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
