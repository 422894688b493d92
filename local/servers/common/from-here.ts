import type { IncomingMessage } from 'node:http';

/** Not from another machine, nor from a web page that this machine's browser shows. */
export function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return headers.origin === undefined && (address === '::1' || address.startsWith('127.'));
}
