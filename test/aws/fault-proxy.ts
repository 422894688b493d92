import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault = 'delay' | 'cut before' | 'cut after' | '500' | '503' | 'throttle';
const FAULTS: readonly Fault[] = ['delay', 'cut before', 'cut after', '500', '503', 'throttle'];

export interface FaultProxy {
  readonly url: string;
  readonly dealt: ReadonlyMap<Fault, number>;
  /** No faults from now on. */
  heal(): void;
  close(): Promise<void>;
}

/** Stands before an AWS-compatible endpoint and lets one request in so many go wrong, before or after it took effect. */
export async function startFaultProxy(target: string, share: number, random: () => number): Promise<FaultProxy> {
  const dealt = new Map<Fault, number>();
  let healed = false;
  const server = createServer((request, response) => {
    const fault = !healed && random() < share ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
    if (fault) dealt.set(fault, (dealt.get(fault) ?? 0) + 1);
    if (fault === 'cut before') return void request.socket.destroy();
    if (fault === '500' || fault === '503' || fault === 'throttle') return refuse(request, response, fault);
    const pass = () => relay(target, request, response, fault === 'cut after');
    if (fault === 'delay') setTimeout(pass, 200);
    else pass();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dealt,
    heal: () => {
      healed = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function relay(target: string, request: IncomingMessage, response: ServerResponse, cutAfter: boolean): void {
  const { hostname, port } = new URL(target);
  const onward = forward(
    { hostname, port, method: request.method, path: request.url, headers: request.headers },
    (reply) => {
      if (cutAfter) {
        reply.resume();
        reply.once('end', () => request.socket.destroy());
        return;
      }
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    },
  );
  onward.once('error', () => request.socket.destroy());
  request.pipe(onward);
}

/** In the words of the service that was asked: JSON for DynamoDB and SQS, XML for S3. */
function refuse(request: IncomingMessage, response: ServerResponse, fault: '500' | '503' | 'throttle'): void {
  request.resume();
  const json = request.headers['x-amz-target'] !== undefined;
  const status = fault === '500' ? 500 : json && fault === 'throttle' ? 400 : 503;
  const code =
    fault === 'throttle'
      ? json
        ? 'ThrottlingException'
        : 'SlowDown'
      : fault === '503'
        ? 'ServiceUnavailable'
        : 'InternalServerError';
  const body = json
    ? JSON.stringify({ __type: `com.amazonaws.fault#${code}`, message: 'injected' })
    : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
  request.once('end', () => {
    response.writeHead(status, { 'content-type': json ? 'application/x-amz-json-1.0' : 'application/xml' });
    response.end(body);
  });
}
