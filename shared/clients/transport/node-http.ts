import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, Readable } from 'node:stream';
import { type AddressGuardOptions, addressGuard, refuseDowngrade } from './addresses.ts';

/** What a request carries. `RequestInit` of the global `fetch` takes it as it is. */
export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly duplex?: 'half';
}

/** What is needed of a reply. The `Response` of the global `fetch` is one. */
export interface FetchReply {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** As it came, still packed. */
  readonly body: AsyncIterable<Uint8Array> | null;
}

export interface WayOut extends AddressGuardOptions {
  /** For the connection alone. */
  readonly connectTimeoutMs: number;
}

/** Sends one request, and answers with the head of its reply. Redirects are not followed. */
export type Send = (url: string, init: FetchInit) => Promise<IncomingMessage>;

/**
 * Node's own HTTP with connections that stay open, and that go only where the address guard lets them. The global `fetch`
 * cannot be told which addresses it may connect to.
 *
 * @throws {AddressRefusedError} an address that is off limits, or one without TLS although all that is configured has it
 */
export function wayOut({ connectTimeoutMs, ...guardOptions }: WayOut): Send {
  const guard = addressGuard(guardOptions);
  const http = new HttpAgent(KEPT_OPEN);
  const https = new HttpsAgent(KEPT_OPEN);
  return async (url, { method, headers, body, signal }) => {
    // A request that is over before it begins leaves the failure of its body to nobody.
    signal.throwIfAborted();
    const target = new URL(url);
    refuseDowngrade(target, guardOptions.own());
    await guard.admit(target);
    signal.throwIfAborted();
    const isTls = target.protocol === 'https:';
    const options: RequestOptions = { method, headers, signal, lookup: guard.lookup, agent: isTls ? https : http };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = isTls ? httpsRequest(target, options) : httpRequest(target, options);
    request.once('error', reject);
    request.once('response', (reply) => {
      // From here on the body tells what goes wrong, and a request that is still being sent is of no interest.
      request.on('error', () => {});
      resolve(reply);
    });
    request.once('socket', (socket) => {
      if (!socket.connecting) return;
      const late = Object.assign(new Error(`no connection within ${connectTimeoutMs} ms`), { code: CONNECT_TIMEOUT });
      const timer = setTimeout(() => request.destroy(late), connectTimeoutMs);
      const done = () => clearTimeout(timer);
      socket.once(isTls ? 'secureConnect' : 'connect', done).once('close', done);
    });
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) request.end(body);
    else pipeline(Readable.from(body), request, (error) => error && reject(error));
    return promise;
  };
}

/** A connection that nobody uses is closed before the other side may do so while a request is under way to it. */
const KEPT_OPEN = { keepAlive: true, timeout: 4000 };

/** As {@link FetchReply}: the body as it came. The global `fetch` unpacks bodies by their `Content-Encoding`. */
export function nodeFetch(options: WayOut): (url: string, init: FetchInit) => Promise<FetchReply> {
  const send = wayOut(options);
  return async (url, init) => {
    const reply = await send(url, init);
    return { status: reply.statusCode ?? 0, headers: headersOf(reply), body: reply };
  };
}

export const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT';

function headersOf({ headers }: IncomingMessage): FetchReply['headers'] {
  return {
    get(name) {
      const value = headers[name.toLowerCase()];
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
    },
  };
}
