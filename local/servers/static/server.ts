import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { htmlIndex, jsonIndex } from './directory.ts';
import { type Condition, evaluate, parseRange } from './preconditions.ts';
import { type Found, findBelow, openRoot } from './root.ts';

export interface StaticServerOptions {
  /** The folder to serve. Nothing outside it is, whatever a path or a symbolic link says. */
  readonly root: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
}

export interface StaticServer {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

const READ_BYTES = 1024 * 1024;

/**
 * A file server as web servers are: GET and HEAD, strong ETags (of size and time of change), Last-Modified, ranges,
 * conditional requests, an HTML index for each directory, and `index.json`, which names all files below its directory.
 */
export async function startStaticServer({
  root,
  port = 0,
  host = '127.0.0.1',
}: StaticServerOptions): Promise<StaticServer> {
  const realRoot = await openRoot(root);
  const server = createServer((request, response) => {
    answer(realRoot, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${shownHost}:${address.port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405, { allow: 'GET, HEAD' });
  // Not by the URL parser, to which `//name` is a host.
  const pathname = (request.url ?? '/').replace(/[?#].*$/s, '');
  const found = await findBelow(root, pathname);
  if (!found) return await answerIndex(root, pathname, request, response);
  if (found.kind === 'file') return await sendFile(found, request, response);
  if (!pathname.endsWith('/')) return say(response, 301, { location: `${pathname}/` });
  send(response, request, 'text/html; charset=utf-8', await htmlIndex(found.path, pathname));
}

/** A path without a file behind it: `index.json` stands for what is in its directory. */
async function answerIndex(
  root: string,
  pathname: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const directory = /^(.*\/)index\.json$/.exec(pathname)?.[1];
  const found = directory === undefined ? undefined : await findBelow(root, directory);
  if (found?.kind !== 'directory') return say(response, 404);
  send(response, request, 'application/json', await jsonIndex(found.path));
}

async function sendFile(found: Found, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // What is told of the file and what is sent of it come from one open file, though another may take its name meanwhile.
  const file = await open(found.path);
  try {
    const stats = await file.stat({ bigint: true });
    const sizeBytes = Number(stats.size);
    const modified = new Date(Number(stats.mtimeMs));
    const etag = `"${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}"`;
    response.setHeader('etag', etag);
    response.setHeader('last-modified', modified.toUTCString());
    response.setHeader('accept-ranges', 'bytes');
    const condition: Condition = evaluate(request.headers, { etag, modified });
    if (condition !== 'send' && condition !== 'send whole') return say(response, condition);

    const range = condition === 'send whole' ? undefined : parseRange(request.headers.range, sizeBytes);
    if (range === 'unsatisfiable') return say(response, 416, { 'content-range': `bytes */${sizeBytes}` });
    const { start, end }: { start: number; end: number } = range ?? { start: 0, end: sizeBytes };
    if (range) response.setHeader('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
    response.writeHead(range ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': end - start,
    });
    if (request.method === 'HEAD' || start === end) {
      response.end();
      return;
    }
    await pipeline(
      file.createReadStream({ start, end: end - 1, highWaterMark: READ_BYTES, autoClose: false }),
      response,
    );
  } finally {
    await file.close();
  }
}

function send(response: ServerResponse, request: IncomingMessage, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(200, { 'content-type': type, 'content-length': body.byteLength, 'cache-control': 'no-cache' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function say(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  // 304 has no body and no length of its own.
  response.writeHead(status, status === 304 ? headers : { ...headers, 'content-length': 0 });
  response.end();
}
