import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, Readable } from 'node:stream';

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

export type Fetch = (url: string, init: FetchInit) => Promise<FetchReply>;

/**
 * The default way out: Node's own HTTP with connections that stay open. The global `fetch` would do for most, but it unpacks
 * bodies by their `Content-Encoding`, and around those of packed blobs the service has put its checksums.
 *
 * @param connectTimeoutMs for the connection alone
 */
export function nodeFetch(connectTimeoutMs: number): Fetch {
  const http = new HttpAgent({ keepAlive: true });
  const https = new HttpsAgent({ keepAlive: true });
  return (url, { method, headers, body, signal }) => {
    // A request that is over before it begins leaves the failure of its body to nobody.
    if (signal.aborted) return Promise.reject(signal.reason);
    const isTls = url.startsWith('https:');
    const options: RequestOptions = { method, headers, signal, agent: isTls ? https : http };
    const { promise, resolve, reject } = Promise.withResolvers<FetchReply>();
    const request = isTls ? httpsRequest(url, options) : httpRequest(url, options);
    request.once('error', reject);
    request.once('response', (reply) => {
      // From here on the body tells what goes wrong, and a request that is still being sent is of no interest.
      request.on('error', () => {});
      resolve({ status: reply.statusCode ?? 0, headers: headersOf(reply), body: reply });
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

const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT';

function headersOf({ headers }: IncomingMessage): FetchReply['headers'] {
  return {
    get(name) {
      const value = headers[name.toLowerCase()];
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/** Errors that come before anything could be sent. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  CONNECT_TIMEOUT,
]);

/** Whether a request that failed so has certainly not reached the service. */
export function isUnsent(code: string): boolean {
  return UNSENT.has(code);
}
