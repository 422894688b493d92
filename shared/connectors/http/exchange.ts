import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { RetryableError } from '../../core/errors.ts';
import { safeUrl } from './urls.ts';

export interface Timeouts {
  /** For name, connection and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Without a byte from the server, in milliseconds. The time in which nobody asks for one does not count. */
  readonly idleTimeoutMs: number;
}

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Outgoing {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Connections kept open to the servers of one source. */
export class Connections implements Disposable {
  readonly #http = new http.Agent({ keepAlive: true });
  readonly #https = new https.Agent({ keepAlive: true });
  readonly #lookup: LookupFunction;
  readonly #timeouts: Timeouts;

  constructor(lookup: LookupFunction, timeouts: Timeouts) {
    this.#lookup = lookup;
    this.#timeouts = timeouts;
  }

  /** Sends one request and answers as soon as the head of the reply is there, whatever its status. Redirects are not followed. */
  exchange({ method, url, headers, body, signal }: Outgoing): Promise<IncomingMessage> {
    const secure = url.protocol === 'https:';
    const { connectTimeoutMs, idleTimeoutMs } = this.#timeouts;
    return new Promise((resolve, reject) => {
      const options = { method, headers, signal, lookup: this.#lookup, agent: secure ? this.#https : this.#http };
      const request = (secure ? https : http).request(url, options);
      const giveUp = (what: string, afterMs: number) =>
        setTimeout(() => {
          request.destroy(new RetryableError(`${method} ${safeUrl(url)}: ${what} within ${afterMs} ms`));
        }, afterMs);
      let timer = giveUp('no connection', connectTimeoutMs);
      const connected = () => {
        clearTimeout(timer);
        timer = giveUp('no answer', idleTimeoutMs);
      };
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      request.once('close', () => clearTimeout(timer));
      // Stays for the life of the request: an error after the head belongs to the body, which tells it itself.
      request.on('error', (error) => reject(error));
      request.once('response', (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      request.end(body);
    });
  }

  /** The bytes of a reply, as sent. Leaving early ends the connection. */
  async *body(response: IncomingMessage, url: URL): AsyncGenerator<Uint8Array> {
    const { idleTimeoutMs } = this.#timeouts;
    const chunks = response[Symbol.asyncIterator]();
    let waiting = false;
    const timer = setTimeout(() => {
      if (waiting) response.destroy(new RetryableError(`${safeUrl(url)}: no byte within ${idleTimeoutMs} ms`));
    }, idleTimeoutMs);
    try {
      for (;;) {
        // The time that the consumer takes, to store what it got, is not the server's.
        waiting = true;
        timer.refresh();
        const { done, value } = await chunks.next();
        waiting = false;
        if (done) return;
        yield value;
      }
    } finally {
      clearTimeout(timer);
      response.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
