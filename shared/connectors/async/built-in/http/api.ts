import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { IngestError, isRetryable, retryAfterMs } from '../../../../core/errors.ts';
import { isObject, type JsonValue } from '../../../../core/json.ts';
import { Redactor } from '../../../../core/redaction.ts';
import { KIB, MIB } from '../../../../core/units.ts';
import { AddressRefusedError, addressGuard } from '../../../http/addresses.ts';
import { checkScheme, HttpClient, type HttpReply, parseRetryAfter } from '../../../http/client.ts';
import { checkedHeaders } from '../../../http/credential.ts';
import type { HttpMethod } from '../../../http/exchange.ts';
import type { HttpEnvironment } from '../../../http/session.ts';
import { safeUrl } from '../../../http/urls.ts';
import type { ConnectorContext } from '../../async-connector.ts';
import { BadTaskSpecificationError, type ConditionCode, ConnectorError } from '../../errors.ts';
import { parseJson } from '../json-path.ts';
import { specified } from '../settings.ts';
import { authHeaders, type HttpAuth, trustedOrigins } from './auth.ts';

export interface ApiEnvironment extends Omit<HttpEnvironment, 'clock'> {
  /** Refuse loopback and private networks for every task, whatever its template says. */
  readonly refusePrivateAddresses?: boolean;
}

export interface ApiRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  /** From the template; no secrets. Sent to the origin of `url` only. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: { readonly text: string; readonly type: string };
  readonly auth?: HttpAuth;
  readonly refusePrivateAddresses?: boolean;
}

export interface ApiReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Undefined if the body is not JSON, or longer than 1 MiB. */
  readonly json: JsonValue | undefined;
}

const BODY_MAX_BYTES = MIB;
const REQUEST_MAX_BYTES = MIB;
const SAID_MAX_CHARS = 500;
const TIMEOUTS = { connectTimeoutMs: 10_000, idleTimeoutMs: 30_000 };
const MAX_REDIRECTS = 5;
const ANY_STATUS = Array.from({ length: 500 }, (_, at) => at + 100);

/**
 * One request with the secrets of a connection, by the rules of the `http` connector: link-local addresses and metadata
 * services are never reached, a redirect to another origin loses what was for the first, and only GET and HEAD follow one.
 * Any status is an answer; {@link refusal} makes an error of it.
 *
 * Each call has connections of its own: none outlives the credential it was opened with.
 *
 * @throws {ConnectorError} `BadTaskSpecification` an address or header that is not to be had; `Unavailable` no answer
 */
export async function sendTo(
  request: ApiRequest,
  context: ConnectorContext,
  environment: ApiEnvironment = {},
): Promise<ApiReply> {
  const { method, url, body, auth } = request;
  const {
    random = Math.random,
    resolveAll,
    sleep = async (ms, signal) => delay(ms, undefined, { signal }),
  } = environment;
  const own = specified(() => {
    checkScheme(url);
    return checkedHeaders(request.headers, 'the template');
  });
  const secret = auth ? authorized(auth, url, context) : {};
  if (body && Buffer.byteLength(body.text) > REQUEST_MAX_BYTES) {
    throw new BadTaskSpecificationError(
      `${method} ${safeUrl(url)}: the body is larger than ${REQUEST_MAX_BYTES} bytes`,
    );
  }
  const refusePrivateAddresses = (environment.refusePrivateAddresses || request.refusePrivateAddresses) ?? false;
  using client = new HttpClient({
    ...TIMEOUTS,
    maxRedirects: MAX_REDIRECTS,
    guard: addressGuard({ refusePrivateAddresses, ...(resolveAll ? { resolveAll } : {}) }),
    headers: { ...own, ...secret },
    trustedOrigins: new Set([url.origin]),
    clock: context.clock,
    random,
    sleep,
  });
  try {
    const reply = await client.request({
      method,
      url,
      accept: ANY_STATUS,
      signal: context.signal,
      ...(body ? { headers: { 'content-type': body.type }, body: body.text } : {}),
    });
    return { status: reply.status, headers: reply.headers, json: await jsonOf(reply) };
  } catch (error) {
    context.signal.throwIfAborted();
    throw withoutAnswer(error);
  }
}

/**
 * The headers with the secret, if the connection lets it go there.
 *
 * @throws {ConnectorError} `BadTaskSpecification` it does not; `Unauthenticated` it has no such secret
 */
export function authorized(auth: HttpAuth, url: URL, { connection }: ConnectorContext): Record<string, string> {
  const trusted = specified(() => trustedOrigins(connection));
  if (!trusted.has(url.origin)) {
    throw new BadTaskSpecificationError(
      `the connection's secrets may not go to ${url.origin}: its config "baseUrl" or "origins" must name that origin`,
    );
  }
  try {
    return authHeaders(auth, connection);
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    return specified(() => {
      throw error;
    });
  }
}

async function jsonOf(reply: HttpReply): Promise<JsonValue | undefined> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of reply.body()) {
    received += chunk.byteLength;
    if (received > BODY_MAX_BYTES) return undefined;
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString());
}

function withoutAnswer(error: unknown): unknown {
  if (!(error instanceof IngestError)) return error;
  if (isRetryable(error)) {
    const wait = retryAfterMs(error);
    return new ConnectorError('Unavailable', {
      message: error.message,
      cause: error,
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    });
  }
  if (error instanceof AddressRefusedError) return new BadTaskSpecificationError(error.message, { cause: error });
  return new ConnectorError('HttpRefused', {
    message: error.message,
    cause: error,
    retryable: false,
    origin: 'service',
  });
}

/** Statuses that have a code of their own; the rest of 5xx is `Unavailable`, of 4xx `HttpRefused`. */
const CODES: Readonly<Record<number, ConditionCode>> = {
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  408: 'Unavailable',
  425: 'Unavailable',
  429: 'Throttled',
};
/** Statuses from 500 on that say "never". */
const NEVER = new Set([501, 505]);

/**
 * The error that a reply is, with what the service said about it.
 *
 * @param codes for statuses that mean something else here
 */
export function refusal(
  { method, url }: Pick<ApiRequest, 'method' | 'url'>,
  reply: ApiReply,
  { connection, clock }: Pick<ConnectorContext, 'connection' | 'clock'>,
  codes: Readonly<Record<number, ConditionCode>> = {},
): ConnectorError {
  const { status, headers, json } = reply;
  const said = saidIn(json);
  const message = scrubbed(`${method} ${safeUrl(url)} was answered ${status}${said ? `: ${said}` : ''}`, connection);
  const retryable = status >= 500 && !NEVER.has(status);
  const code = codes[status] ?? CODES[status] ?? (retryable ? 'Unavailable' : 'HttpRefused');
  const wait = parseRetryAfter(headers['retry-after'], clock());
  return new ConnectorError(code, {
    message,
    ...(code === 'HttpRefused' ? { retryable: false, origin: 'service' as const } : {}),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

/** What services commonly put into an error's body. */
function saidIn(json: JsonValue | undefined): string {
  if (!isObject(json)) return '';
  const { error, message, detail, title } = json;
  const inner = isObject(error) ? error.message : error;
  const said = [message, inner, detail, title].find((text) => typeof text === 'string' && text !== '');
  return typeof said === 'string' ? said.slice(0, SAID_MAX_CHARS) : '';
}

/** Without the connection's secrets: a service may repeat what it was sent. */
export function scrubbed(text: string, { secrets }: ConnectorContext['connection']): string {
  const redactor = new Redactor();
  for (const secret of Object.values(secrets)) redactor.add(secret);
  return redactor.redact(text.slice(0, 8 * KIB));
}
