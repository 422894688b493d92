import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { isStream } from './replies.ts';
import type { SpoiledReply } from './spoil.ts';

/** Streams go out chunked, as fast as they are taken. */
export async function send(reply: SpoiledReply, response: ServerResponse): Promise<void> {
  const { status, headers, body, cutAfterBytes } = reply;
  if (!isStream(body)) {
    const bytes = Buffer.from(body);
    response.writeHead(status, { ...headers, 'content-length': bytes.length });
    if (cutAfterBytes === undefined) {
      response.end(bytes);
      return;
    }
    await cut(response, bytes.subarray(0, cutAfterBytes));
    return;
  }
  response.writeHead(status, headers);
  let sent = 0;
  for await (const chunk of body) {
    if (response.destroyed) return;
    if (cutAfterBytes !== undefined && sent + chunk.length > cutAfterBytes) {
      await cut(response, chunk.subarray(0, cutAfterBytes - sent));
      return;
    }
    sent += chunk.length;
    if (!response.write(chunk)) await drained(response);
  }
  if (cutAfterBytes !== undefined) await cut(response, Buffer.alloc(0));
  else response.end();
}

/** Until there is room again, or nobody listens any more. */
async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const events = [once(response, 'drain', { signal }), once(response, 'close', { signal })];
  await Promise.race(events);
  over.abort();
  await Promise.allSettled(events);
}

async function cut(response: ServerResponse, last: Uint8Array): Promise<void> {
  response.flushHeaders();
  if (last.length > 0) await new Promise<void>((resolve) => response.write(last, () => resolve()));
  response.socket?.destroy();
}
