import type { Clock } from '../../core/clock.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { addMs, type EpochMs, epochMs, MIB, ms, seconds } from '../../core/units.ts';
import { SourceRefusedError } from '../connector.ts';
import { parseRetryAfter } from '../http/client.ts';
import { type ServiceAccount, signAssertion } from './service-account.ts';

export interface GoogleApiOptions {
  readonly account: ServiceAccount;
  readonly tokenUrl: URL;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

/** A reply is held whole to be parsed. */
const REPLY_MAX_BYTES = 64 * MIB;
/** The Sheets API gives up after 180 s itself. */
const TIMEOUT_MS = seconds(180);
/** A token is not used in its last minute: a request must not outlive it. */
const EXPIRY_MARGIN_MS = seconds(60);
const DEFAULT_TOKEN_SECONDS = 3600;
const SHOWN_MAX_CHARS = 300;
/** 403 is also how Drive says "too fast". */
const BUSY_REASONS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'sharingRateLimitExceeded']);

/** Google's JSON APIs for one service account. Errors name what was asked for and never hold a token. */
export class GoogleApi {
  readonly #options: GoogleApiOptions;
  #token: { readonly text: string; readonly staleAt: EpochMs } | undefined;
  #signingIn: Promise<string> | undefined;

  constructor(options: GoogleApiOptions) {
    this.#options = options;
  }

  /**
   * GETs a JSON object. A token that is refused is replaced once.
   *
   * @param what is asked for, in words, for the message
   * @throws {SourceRefusedError} 401 with a new token, 403, 404, and every other status that will not change by waiting
   * @throws {RetryableError} 429, a rate limit told as 403, 5xx, no answer; with what Retry-After asked for
   */
  async get(url: URL, what: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    for (let attempt = 0; ; attempt++) {
      const token = await this.#accessToken();
      const { status, retryAfterMs, body } = await this.#send(url, what, signal, { authorization: `Bearer ${token}` });
      if (status === 200 && body) return body;
      if (status === 401 && this.#token?.text === token) this.#token = undefined;
      if (status !== 401 || attempt > 0)
        throw refusal(what, status, googleMessage(body), reasonsOf(body), retryAfterMs, token);
    }
  }

  /** One sign-in serves all that wait for it, so it hangs on none of their signals. */
  #accessToken(): Promise<string> {
    if (this.#token && epochMs(this.#options.clock()) < this.#token.staleAt) return Promise.resolve(this.#token.text);
    this.#signingIn ??= this.#signIn().finally(() => {
      this.#signingIn = undefined;
    });
    return this.#signingIn;
  }

  async #signIn(): Promise<string> {
    const { account, tokenUrl, clock } = this.#options;
    const what = 'an access token';
    const askedAt = epochMs(clock());
    const assertion = signAssertion(account, tokenUrl.href, clock);
    const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
    const { status, retryAfterMs, body } = await this.#send(tokenUrl, what, undefined, {}, form);
    const token = body?.access_token;
    if (status !== 200 || typeof token !== 'string' || token === '') {
      const message = [body?.error, body?.error_description].filter((part) => typeof part === 'string').join(': ');
      throw refusal(what, status, message, [], retryAfterMs, assertion);
    }
    const lifeSeconds = typeof body?.expires_in === 'number' ? body.expires_in : DEFAULT_TOKEN_SECONDS;
    this.#token = { text: token, staleAt: addMs(askedAt, ms(lifeSeconds * 1000 - EXPIRY_MARGIN_MS)) };
    return token;
  }

  async #send(
    url: URL,
    what: string,
    signal: AbortSignal | undefined,
    headers: Record<string, string>,
    form?: URLSearchParams,
  ): Promise<Reply> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await this.#options.fetch(url, {
        method: form ? 'POST' : 'GET',
        headers: { accept: 'application/json', ...headers },
        ...(form && { body: form }),
        // Neither API redirects. Whoever does shall not see what we send.
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after') ?? undefined, this.#options.clock());
      return { status: response.status, retryAfterMs, body: await jsonOf(response, what) };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof SourceRefusedError || error instanceof RetryableError) throw error;
      throw new RetryableError(`google-sheets: no answer to the request for ${what}`, { cause: causeOf(error) });
    }
  }
}

interface Reply {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: Record<string, unknown> | undefined;
}

/** https, or http to this very machine, where tests and proxies listen. @throws {InvalidInputError} */
export function secureUrl(option: string, text: string): URL {
  const url = URL.parse(text);
  const isLoopback = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) {
    if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return url;
  }
  throw new InvalidInputError(
    `google-sheets: "${option}" must be an https URL (http only for loopback) without user, query or fragment`,
  );
}

async function jsonOf(response: Response, what: string): Promise<Record<string, unknown> | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > REPLY_MAX_BYTES) {
      throw new SourceRefusedError(
        `google-sheets: the reply with ${what} is larger than ${REPLY_MAX_BYTES} bytes: ask for fewer "rowsPerRequest"`,
      );
    }
    chunks.push(chunk);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    // The parser's message quotes the text. An error page in front of the API is judged by its status.
    if (response.ok) throw new RetryableError(`google-sheets: the reply with ${what} is not JSON`);
  }
  return isObject(body) ? body : undefined;
}

function refusal(
  what: string,
  status: number,
  theirs: string,
  reasons: readonly string[],
  retryAfterMs: number | undefined,
  secret: string,
): SourceRefusedError | RetryableError {
  const said = theirs.replaceAll(secret, '[redacted]').slice(0, SHOWN_MAX_CHARS);
  const message = `google-sheets: the request for ${what} was answered ${status}${said ? `: ${said}` : ''}`;
  const isBusy =
    status === 429 || status >= 500 || (status === 403 && reasons.some((reason) => BUSY_REASONS.has(reason)));
  if (isBusy) return new RetryableError(message, retryAfterMs === undefined ? {} : { retryAfterMs });
  const isHidden = status === 403 || status === 404;
  return new SourceRefusedError(isHidden ? `${message} (is it shared with the service account?)` : message);
}

function googleMessage(body: Record<string, unknown> | undefined): string {
  const error = body?.error;
  return isObject(error) && typeof error.message === 'string' ? error.message : '';
}

function reasonsOf(body: Record<string, unknown> | undefined): string[] {
  const errors = isObject(body?.error) ? body.error.errors : undefined;
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((one: unknown) => (isObject(one) && typeof one.reason === 'string' ? [one.reason] : []));
}

/** `fetch` says only "fetch failed"; what happened is one level below. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}
