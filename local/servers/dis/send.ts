import type { ServerResponse } from 'node:http';
import type { SpoiledReply } from './spoil.ts';

export function send({ status, headers, body, cutAfterBytes }: SpoiledReply, response: ServerResponse): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  // 204 has no body, nor a length of one.
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': bytes.length });
  if (cutAfterBytes === undefined) {
    response.end(bytes);
    return;
  }
  response.flushHeaders();
  response.write(bytes.subarray(0, cutAfterBytes), () => response.socket?.destroy());
}
