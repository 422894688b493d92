import type { IncomingMessage } from 'node:http';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { type WayOut, wayOut } from './node-http.ts';
import type { Fetch } from './reply.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What proves who asks. It is for the origin that was asked first. */
const PROOFS = /^(authorization|cookie|proxy-authorization|x-auth-token|x-security-token)$/;

/**
 * What the clients take for `fetch`, by the rules of {@link wayOut}: GET and HEAD follow a few redirects, each judged as the
 * first URL was, and what proves who asks stays with its origin. Any other request that is redirected is answered with the
 * redirect itself. `redirect: 'error'` is honoured.
 */
export function webFetch(options: WayOut): Fetch {
  const send = wayOut(options);
  return async (first, init) => {
    const { method = 'GET', redirect = 'follow', body } = init;
    const signal = init.signal ?? new AbortController().signal;
    let headers = Object.fromEntries(new Headers(init.headers));
    for (let url = first, redirects = 0; ; redirects++) {
      const reply = await send(url, { method, headers, signal, ...(body ? { body: body as string } : {}) });
      const { statusCode = 0 } = reply;
      const { location } = reply.headers;
      if (!REDIRECTS.has(statusCode) || location === undefined) return responseOf(reply);
      if (redirect === 'error') throw gaveUp(reply, 'ERR_REDIRECTED');
      if (method !== 'GET' && method !== 'HEAD') return responseOf(reply);
      const next = redirects < MAX_REDIRECTS ? URL.parse(location, url) : null;
      if (!next) throw gaveUp(reply, 'ERR_TOO_MANY_REDIRECTS');
      reply.destroy();
      if (next.origin !== new URL(url).origin) {
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !PROOFS.test(name)));
      }
      url = next.href;
    }
  };
}

/** The message would be shown, so it holds no URL. */
function gaveUp(reply: IncomingMessage, code: string): Error {
  reply.destroy();
  return Object.assign(new Error('the reply is a redirect that is not followed'), { code });
}

function responseOf(reply: IncomingMessage): Response {
  const { statusCode: status = 0, rawHeaders } = reply;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  // A `Response` cannot have a body with these, nor a status out of its range.
  if (status === 204 || status === 205 || status === 304 || status < 200 || status > 599) {
    reply.resume();
    return new Response(null, { status: status < 200 || status > 599 ? 502 : status, headers });
  }
  const unpacking = UNPACKING[reply.headers['content-encoding']?.trim().toLowerCase() ?? '']?.();
  // With a callback, an error of the reply reaches whoever reads what is unpacked.
  const body: Readable = unpacking ? pipeline(reply, unpacking, () => {}) : reply;
  return new Response(Readable.toWeb(body) as ReadableStream<Uint8Array<ArrayBuffer>>, { status, headers });
}

/** As the global `fetch` does. */
const UNPACKING: Readonly<Record<string, () => Transform>> = {
  __proto__: null as never,
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};
