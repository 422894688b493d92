import type { LosslessValue } from '../../core/lossless-json.ts';
import { unlessAborted } from '../transport/abort.ts';
import { AccessToken, Credentials } from './auth.ts';
import {
  AccountDisabledError,
  AccountNotOnboardedError,
  AccountUnderMaintenanceError,
  AuthenticationError,
  InvalidCredentialsError,
  OperationError,
  RateLimitedError,
  RequestTypeForbiddenError,
  ServerError,
} from './errors.ts';
import { exchangeJson } from './http.ts';
import type { Machine } from './machine.ts';
import { type RateLimiter, type Route, slidingWindowLimiter } from './rate-limit.ts';
import { Repeats } from './retry.ts';
import { parseTokenProperties } from './wire.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** Below the root of the API, with a slash first, its segments percent-encoded. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Whether the route takes the organisation as a parameter. */
  readonly takesScope?: boolean;
}

/** Authenticated calls of the service: paced, repeated where that may help, with one token for all. */
export class Api {
  readonly #machine: Machine;
  readonly #limiter: RateLimiter;
  readonly #traceparent: string;
  #token: AccessToken | undefined;
  #renewal: Promise<AccessToken> | undefined;

  constructor(machine: Machine) {
    const { settings } = machine;
    this.#machine = machine;
    this.#limiter =
      settings.rateLimiter ??
      slidingWindowLimiter(settings.rateLimits, {
        nowMs: () => machine.nowMs,
        sleep: (ms, signal) => machine.pause(ms, signal),
      });
    this.#traceparent = `00-${hexId(16, settings.random)}-${hexId(8, settings.random)}-00`;
  }

  async call(route: Route, request: ApiRequest, signal: AbortSignal): Promise<LosslessValue> {
    return this.#repeatedly(
      request.path,
      signal,
      async () => {
        const token = await this.authenticate(signal);
        try {
          return await this.#send(route, request, token, signal);
        } catch (error) {
          if (!isUnauthorized(error)) throw error;
          this.#forget(token);
          return await this.#send(route, request, await this.authenticate(signal), signal);
        }
      },
      route,
    );
  }

  /** The token, renewed if it is about to expire. All who ask meanwhile share one request. */
  async authenticate(signal: AbortSignal): Promise<AccessToken> {
    if (this.#token && !this.#token.isExpiring()) return this.#token;
    if (!this.#renewal) {
      // Ends with the session, not with the caller who happened to be first.
      this.#renewal = this.#requestToken(this.#machine.signalOf()).finally(() => {
        this.#renewal = undefined;
      });
      this.#renewal.catch(() => {});
    }
    return unlessAborted(this.#renewal, signal);
  }

  /** Only the token that was refused: another caller may have renewed it already. */
  #forget(token: AccessToken): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #send(route: Route, request: ApiRequest, token: AccessToken, signal: AbortSignal): Promise<LosslessValue> {
    const { baseUrl, apiRoot, scope, userAgent } = this.#machine.settings;
    const { method, path, body, takesScope } = request;
    await this.#limiter.take(route, signal);
    const query = takesScope && scope !== undefined ? `?scope=${encodeURIComponent(scope)}` : '';
    const headers: Record<string, string> = {
      accept: 'application/json',
      authorization: `Bearer ${token.reveal()}`,
      'user-agent': userAgent,
      traceparent: this.#traceparent,
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const outgoing = {
      method,
      url: `${baseUrl}${apiRoot}${path}${query}`,
      headers,
      label: `${method} ${apiRoot}${path}`,
    };
    return exchangeJson(
      this.#machine,
      body === undefined ? outgoing : { ...outgoing, body: JSON.stringify(body) },
      signal,
    );
  }

  async #requestToken(signal: AbortSignal): Promise<AccessToken> {
    const { settings, redactor } = this.#machine;
    const { baseUrl, userAgent, clock, tokenSkewSeconds } = settings;
    const credentials = await settings.credentials();
    if (!(credentials instanceof Credentials)) throw new InvalidCredentialsError('no credentials were provided');
    for (const secret of credentials.secrets()) redactor.add(secret);
    const headers = {
      accept: 'application/json',
      authorization: `Basic ${credentials.basicCredentials}`,
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': userAgent,
      traceparent: this.#traceparent,
    };
    const body = 'grant_type=client_credentials';
    const label = `POST ${TOKEN_PATH}`;
    const reply = await this.#repeatedly(TOKEN_PATH, signal, () =>
      exchangeJson(
        this.#machine,
        { method: 'POST', url: `${baseUrl}${TOKEN_PATH}`, headers, body, label, isSecret: true },
        signal,
      ).catch((error: unknown) => {
        throw asAuthenticationError(error);
      }),
    );
    const { access_token } = parseTokenProperties(reply);
    redactor.add(access_token);
    this.#token = new AccessToken(access_token, clock, tokenSkewSeconds);
    return this.#token;
  }

  async #repeatedly<T>(path: string, signal: AbortSignal, attempt: () => Promise<T>, route?: Route): Promise<T> {
    const { settings } = this.#machine;
    const repeats = new Repeats(settings.retry, settings.random);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        const waitMs = repeats.waitBefore(error);
        if (error instanceof RateLimitedError && route) {
          this.#limiter.pause?.(route, error.retryAfterMs ?? settings.retry.rateLimited.waitMs);
        }
        if (waitMs === undefined) throw error;
        settings.logger.warn('the call is repeated', { path, waitMs, error });
        await this.#machine.pause(waitMs, signal);
      }
    }
  }
}

const TOKEN_PATH = '/ids/auth/login';

function isUnauthorized(error: unknown): boolean {
  return error instanceof OperationError && error.facts.status === 401;
}

/** Whatever body a gateway refuses credentials with, this is what it means; only what it says of the account stands. */
function asAuthenticationError(error: unknown): unknown {
  if (!(error instanceof ServerError || error instanceof OperationError)) return error;
  const { facts } = error;
  if ((facts.status !== 401 && facts.status !== 403) || ABOUT_ACCOUNT.some((kind) => error instanceof kind))
    return error;
  const { type = '', uuid = '', serverMessage = '' } = error instanceof OperationError ? error : {};
  const message = serverMessage || `the credentials were refused (${facts.status})`;
  return new AuthenticationError({ type, uuid, message }, facts);
}

const ABOUT_ACCOUNT = [
  AccountDisabledError,
  AccountNotOnboardedError,
  AccountUnderMaintenanceError,
  RequestTypeForbiddenError,
];

/** A random hexadecimal id of so many bytes, not all of them zero. */
function hexId(bytes: number, random: () => number): string {
  const id = Array.from({ length: bytes }, () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, '0'),
  ).join('');
  return /^0+$/.test(id) ? `${id.slice(1)}1` : id;
}
