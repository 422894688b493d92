import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type {
  AsyncConnector,
  Connection,
  ConnectorContext,
  CreateRequest,
} from '../../../../../shared/connectors/async/async-connector.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { type Logger, silentLogger } from '../../../../../shared/core/logger.ts';

export const TOKEN = 'a2b3c4d5e6f7a2b3c4d5e6f7a2b3c4d5e6f7a2b3c4d5e6f7a2b3';
export const NOW = '2026-01-01T00:00:00.000Z';

export interface TestContext extends ConnectorContext {
  /** Warnings as `message {facts}`. */
  readonly warnings: string[];
}

export function aContext(connection: Partial<Connection> = {}, changed: Partial<ConnectorContext> = {}): TestContext {
  const warnings: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, facts) => void warnings.push(`${message} ${JSON.stringify(facts)}`),
    with: () => logger,
  };
  return {
    connection: { secrets: {}, configs: {}, ...connection },
    attempt: 0,
    idempotencyToken: TOKEN,
    signal: new AbortController().signal,
    logger,
    clock: () => new Date(NOW),
    remainingMs: () => 10_000,
    warnings,
    ...changed,
  };
}

export function aRequest(type: string, custom: JsonObject, changed: Partial<CreateRequest> = {}): CreateRequest {
  return { taskTemplate: { type, custom }, outputPrefix: 's3://out/run/1', ...changed };
}

/** The handle as the next call gets it: through its bytes, which hold none of these secrets. */
export function kept<M>(connector: AsyncConnector<M>, handle: M, secrets: readonly string[] = []): M {
  const bytes = connector.metadataType.encode(handle);
  const text = new TextDecoder().decode(bytes);
  for (const secret of secrets) if (text.includes(secret)) throw new Error('a secret is in the handle');
  return connector.metadataType.decode(bytes);
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; or `text` as it is. */
  readonly json?: unknown;
  readonly text?: string;
  /** Ends the connection without an answer. */
  readonly hangUp?: boolean;
}

/** A server on loopback that ends with the test; what it was asked, in order, and a test says what it answers. */
export async function serve(
  answer: (asked: Asked) => Answer | Promise<Answer>,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    asked.push(one);
    const {
      status = 200,
      headers = {},
      json,
      text = json === undefined ? '' : JSON.stringify(json),
      hangUp,
    } = await answer(one);
    if (hangUp) return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

export type Failure = Error & { code?: string; retryable?: boolean; origin?: string; retryAfterMs?: number };

/** The error that a promise ends in; fails the test if it does not. */
export async function failure(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => {
      throw new Error('expected an error');
    },
    (error: Failure) => error,
  );
}
