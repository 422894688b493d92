import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file of the server, and what is unusual about how it is served. */
export interface Resource {
  readonly body: string | Uint8Array;
  /** Verbatim; absent for a server that gives none. */
  readonly etag?: string;
  readonly modified?: string;
  readonly type?: string;
  /** Answers Range, and says so. Default true. */
  readonly ranges?: boolean;
  /** Honours If-Match and If-Unmodified-Since. Default true. */
  readonly conditions?: boolean;
  /** What HEAD is answered; default as GET without the body. */
  readonly headStatus?: number;
  /** Sends without Content-Length. */
  readonly chunked?: boolean;
}

/** What happens instead of, or to, the next answer for a path; each is used once, in order. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Ends the connection after so many bytes of the body. */
  | { readonly cutAfter: number }
  /** Sends so many bytes of the body, and then nothing. */
  | { readonly stallAfter: number }
  /** Ends the connection without an answer. */
  | { readonly hangUp: true };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A web server on loopback whose every answer a test decides. */
export class HttpServer {
  readonly requests: SeenRequest[] = [];
  readonly #resources = new Map<string, Resource>();
  readonly #redirects = new Map<string, string>();
  readonly #faults = new Map<string, Fault[]>();
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<HttpServer> {
    const server = new HttpServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  put(path: string, resource: Resource): void {
    this.#resources.set(path, resource);
  }

  redirect(path: string, location: string): void {
    this.#redirects.set(path, location);
  }

  /** For GET requests of this path. */
  fail(path: string, ...faults: Fault[]): void {
    this.#faults.set(path, [...(this.#faults.get(path) ?? []), ...faults]);
  }

  seen(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: path = '', headers } = request;
    this.requests.push({ method, path, headers });
    const fault = method === 'GET' ? this.#faults.get(path)?.shift() : undefined;
    if (fault && 'hangUp' in fault) return void request.socket.destroy();
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers ?? {}).end();
    const location = this.#redirects.get(path);
    if (location !== undefined) return void response.writeHead(302, { location, 'content-length': 0 }).end();
    const resource = this.#resources.get(path);
    if (!resource) return void response.writeHead(404, { 'content-length': 0 }).end();
    this.#serve(resource, request, response, fault);
  }

  #serve(resource: Resource, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
    const { etag, modified, type = 'application/octet-stream', ranges = true, conditions = true, chunked } = resource;
    const { method, headers } = request;
    if (method === 'HEAD' && resource.headStatus) return void response.writeHead(resource.headStatus).end();
    const isOther = headers['if-match'] !== undefined && headers['if-match'] !== etag;
    const isNewer = headers['if-unmodified-since'] !== undefined && headers['if-unmodified-since'] !== modified;
    if (conditions && (isOther || isNewer)) return void response.writeHead(412, { 'content-length': 0 }).end();

    const whole = Buffer.from(resource.body);
    const range = ranges ? /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') : null;
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, whole.length) : whole.length;
    if (range && start >= whole.length) return void response.writeHead(416, { 'content-length': 0 }).end();
    response.writeHead(range ? 206 : 200, {
      'content-type': type,
      ...(chunked ? {} : { 'content-length': end - start }),
      ...(ranges ? { 'accept-ranges': 'bytes' } : {}),
      ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${whole.length}` } : {}),
      ...(etag ? { etag } : {}),
      ...(modified ? { 'last-modified': modified } : {}),
    });
    if (method === 'HEAD') return void response.end();
    const body = whole.subarray(start, end);
    if (!fault) return void response.end(body);
    const kept = 'cutAfter' in fault ? fault.cutAfter : 'stallAfter' in fault ? fault.stallAfter : 0;
    response.write(body.subarray(0, kept), () => {
      if ('cutAfter' in fault) request.socket.destroy();
    });
    if (kept === 0) response.flushHeaders();
  }
}
