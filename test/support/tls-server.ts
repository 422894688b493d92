import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/tls', name), 'utf8');
/** For `localhost` and `127.0.0.1`, signed by nobody but itself. */
export const CERTIFICATE = fixture('certificate.pem');
const IDENTITY = { cert: CERTIFICATE, key: fixture('key.pem') };

/** A web server that nobody has a reason to trust. Ends with its test. @returns its URL */
export async function serveTls(answer: RequestListener): Promise<string> {
  const server = createServer(IDENTITY, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a PostgreSQL server does until TLS is there; tells what comes behind it. Ends with its test. @returns its port */
export async function servePostgresTls(onStartup: (bytes: Buffer) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, ...IDENTITY });
      secure.on('error', () => {});
      secure.on('data', (bytes: Buffer) => {
        onStartup(bytes);
        secure.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
