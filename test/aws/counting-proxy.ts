import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountingProxy {
  readonly url: string;
  /** Requests by service and operation since this was last asked. */
  take(): Map<string, number>;
  close(): Promise<void>;
}

/** Stands before an AWS-compatible endpoint and counts what really goes over the wire. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  let counts = new Map<string, number>();
  const { hostname, port } = new URL(target);
  const server = createServer((request, response) => {
    const name = operationOf(request);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const { method, url: path, headers } = request;
    const onward = forward({ hostname, port, method, path, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.once('error', () => request.socket.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = counts;
      counts = new Map();
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** As `dynamodb UpdateItem`, `sqs SendMessageBatch`, `s3 PUT`. */
function operationOf({ method, headers }: IncomingMessage): string {
  const [service, operation] = String(headers['x-amz-target'] ?? '').split('.');
  if (!operation) return `s3 ${method}`;
  return `${service!.startsWith('DynamoDB') ? 'dynamodb' : 'sqs'} ${operation}`;
}
