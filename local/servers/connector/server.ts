import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpAnswer, HttpApi } from '../../../shared/connectors/async/http-api.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { MIB } from '../../../shared/core/units.ts';

export interface ConnectorServerOptions {
  readonly api: HttpApi;
  /** Default 0: any free one. */
  readonly port?: number;
  /** `127.0.0.1` (default) or `::1`: whoever reaches this server may use every connection it knows. */
  readonly host?: string;
  /** Gives up what is under way. */
  readonly signal?: AbortSignal;
}

export interface ConnectorServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string;
}

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1'];
/** A function gets no more either. */
const BODY_MAX_BYTES = 6 * MIB;

/**
 * The connector service on this machine, for programs of this machine. A page in a browser here is not one: what was sent
 * under another host's name (DNS rebinding), or by a page of another origin, is refused.
 *
 * @throws {InvalidInputError} the host is not the loopback interface
 */
export async function startConnectorServer({
  api,
  port = 0,
  host = '127.0.0.1',
  signal,
}: ConnectorServerOptions): Promise<ConnectorServer> {
  if (!LOOPBACK.includes(host)) {
    throw new InvalidInputError(
      `the connector service listens on ${LOOPBACK.join(' or ')} only, got ${JSON.stringify(host)}`,
    );
  }
  const server = createServer((request, response) => {
    answer(request, own.port).then(
      (done) => send(response, done),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const own = server.address() as AddressInfo;
  return {
    url: `http://${own.family === 'IPv6' ? `[${own.address}]` : own.address}:${own.port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, ownPort: number): Promise<HttpAnswer> {
    const complaint = complaintOf(request, ownPort);
    if (complaint) return complaint;
    const body = await bodyOf(request);
    if (body === undefined) return refusal(413, 3, `a body has at most ${BODY_MAX_BYTES} bytes`);
    const [path = '/', ...query] = (request.url ?? '/').split('?');
    const headers = request.headers as Readonly<Record<string, string | undefined>>;
    const method = request.method ?? 'GET';
    return api({ method, path, query: query.join('?'), headers, body }, signal ? { signal } : {});
  }
}

function complaintOf({ headers, method, socket }: IncomingMessage, port: number): HttpAnswer | undefined {
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);
  // Without a port it is 80, where we may be too.
  if (port === 80) hosts.push('127.0.0.1', 'localhost', '[::1]');
  if (!hosts.includes((headers.host ?? '').toLowerCase())) {
    return refusal(403, 7, `the Host of a request must be one of ${hosts.join(', ')}`);
  }
  if (headers.origin !== undefined && !hosts.includes(headers.origin.replace(/^http:\/\//, ''))) {
    return refusal(403, 7, 'requests of pages of another origin are refused');
  }
  if (!/^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? '')) {
    return refusal(403, 7, 'requests must come from this machine');
  }
  // What a page may send anywhere without being asked is a form or plain text.
  if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    return refusal(415, 3, 'the body must be application/json');
  }
  return undefined;
}

/** @returns undefined if it is too long */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    // Read to its end, else the answer would not arrive; but not kept.
    if (bytes <= BODY_MAX_BYTES) chunks.push(chunk);
  }
  return bytes > BODY_MAX_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}

function refusal(status: number, code: number, message: string): HttpAnswer {
  const body = `${JSON.stringify({ code, message, details: [] })}\n`;
  return { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body };
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
