import { createReadStream } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { bodySize, isFile } from './replies.ts';
import type { SpoiledReply } from './spoil.ts';

/** @returns the status that the client has seen, 0 if the connection was cut before the end */
export async function send(reply: SpoiledReply, response: ServerResponse): Promise<number> {
  const { status, headers, body, cutAfterBytes } = reply;
  response.writeHead(status, { ...headers, 'content-length': bodySize(body) });
  const end = cutAfterBytes === undefined ? bodySize(body) : cutAfterBytes;
  if (isFile(body)) {
    // A cut body must not end the response, which Node would refuse for having fewer bytes than announced.
    if (end > 0) {
      await pipeline(createReadStream(body.path, { start: body.start, end: body.start + end - 1 }), response, {
        end: cutAfterBytes === undefined,
      });
    } else if (cutAfterBytes === undefined) response.end();
  } else {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (cutAfterBytes === undefined) response.end(bytes);
    else await new Promise<void>((resolve) => response.write(bytes.subarray(0, end), () => resolve()));
  }
  if (cutAfterBytes === undefined) return status;
  response.flushHeaders();
  response.socket?.destroy();
  return 0;
}
