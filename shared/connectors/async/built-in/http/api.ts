import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { AddressRefusedError, addressGuard } from '../../../../clients/transport/addresses.ts';
import { IngestError, InvalidInputError, isRetryable, retryAfterMs } from '../../../../core/errors.ts';
import type { JsonValue } from '../../../../core/json.ts';
import { MIB } from '../../../../core/units.ts';
import { checkScheme, HttpClient, type HttpReply } from '../../../http/client.ts';
import { checkedHeaders } from '../../../http/credential.ts';
import type { HttpMethod } from '../../../http/exchange.ts';
import type { HttpEnvironment } from '../../../http/session.ts';
import { safeUrl } from '../../../http/urls.ts';
import type { ConnectorContext } from '../../async-connector.ts';
import { BadTaskSpecificationError, ConnectorError } from '../../errors.ts';
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
/** Some services begin JSON with it. */
const BYTE_ORDER_MARK = /^\uFEFF/;
const TIMEOUTS = { connectTimeoutMs: 10_000, idleTimeoutMs: 30_000 };
const MAX_REDIRECTS = 5;
const ANY_STATUS = Array.from({ length: 500 }, (_, at) => at + 100);

/**
 * One request with the secrets of a connection, by the rules of the `http` connector: link-local addresses and metadata
 * services are never reached, a redirect to another origin loses what was for the first, and only GET and HEAD follow one.
 * Any status is an answer; `refusal` makes an error of it.
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
  const { method, url, body } = request;
  const {
    random = Math.random,
    resolveAll,
    sleep = async (ms, signal) => delay(ms, undefined, { signal }),
  } = environment;
  const refusePrivateAddresses = refusesPrivate(request, environment);
  const headers = checkTarget(request, context, environment);
  if (body && Buffer.byteLength(body.text) > REQUEST_MAX_BYTES) {
    throw new BadTaskSpecificationError(
      `${method} ${safeUrl(url)}: the body is larger than ${REQUEST_MAX_BYTES} bytes`,
    );
  }
  using client = new HttpClient({
    ...TIMEOUTS,
    maxRedirects: MAX_REDIRECTS,
    guard: addressGuard({ refusePrivateAddresses, own: () => ownUrls(request, context), resolveAll }),
    // A template may name a type of its own, such as application/vnd.api+json.
    headers: body ? { 'content-type': body.type, ...headers } : headers,
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
      ...(body ? { body: body.text } : {}),
    });
    return { status: reply.status, headers: reply.headers, json: await jsonOf(reply) };
  } catch (error) {
    context.signal.throwIfAborted();
    throw withoutAnswer(error);
  }
}

/**
 * Whether a request may be made at all, as far as can be told before its host is resolved.
 *
 * @returns its headers, the secret among them: for the origin of `url` only
 * @throws {BadTaskSpecificationError} a scheme, address or header that is not to be had, or an origin at which the connection
 *   does not want its secrets
 * @throws {ConnectorError} `Unauthenticated`: the connection has no such secret
 */
export function checkTarget(
  request: Pick<ApiRequest, 'url' | 'headers' | 'auth' | 'refusePrivateAddresses'>,
  { connection }: Pick<ConnectorContext, 'connection'>,
  environment: ApiEnvironment,
): Record<string, string> {
  const { url, headers, auth } = request;
  return specified(() => {
    checkScheme(url);
    addressGuard({ refusePrivateAddresses: refusesPrivate(request, environment), own: () => [url.origin] }).check(url);
    const own = checkedHeaders(headers, 'the template');
    if (!auth) return own;
    if (!trustedOrigins(connection).has(url.origin)) {
      throw new InvalidInputError(
        `the connection's secrets may not go to ${url.origin}: its config "baseUrl" or "origins" must name that origin`,
      );
    }
    return { ...own, ...authHeaders(auth, connection) };
  });
}

/** The environment may refuse for all; a template cannot take that back. */
const refusesPrivate = (
  request: Pick<ApiRequest, 'refusePrivateAddresses'>,
  environment: ApiEnvironment,
): boolean | undefined => environment.refusePrivateAddresses || request.refusePrivateAddresses;

/** What the template and the connection name. All else is from an answer: where a redirect leads. */
const ownUrls = ({ url }: Pick<ApiRequest, 'url'>, { connection }: Pick<ConnectorContext, 'connection'>): string[] => [
  url.origin,
  ...trustedOrigins(connection),
];

async function jsonOf(reply: HttpReply): Promise<JsonValue | undefined> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of reply.body()) {
    received += chunk.byteLength;
    if (received > BODY_MAX_BYTES) return undefined;
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString().replace(BYTE_ORDER_MARK, ''));
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
