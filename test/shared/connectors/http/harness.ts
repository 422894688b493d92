import { afterEach, beforeEach } from 'vitest';
import type { BytesConnector, Metadata, ReadRun } from '../../../../shared/connectors/connector.ts';
import { type HttpOptions, http } from '../../../../shared/connectors/http/http.ts';
import type { HttpEnvironment } from '../../../../shared/connectors/http/session.ts';
import { aRun, bytesOf, collect } from '../../../support/connector-run.ts';
import { HttpServer } from '../../../support/http-server.ts';

export const NOW = '2026-01-01T00:00:00Z';

/** No pause in a test takes time; those asked for are kept. */
export const waits: number[] = [];
const environment: HttpEnvironment = {
  clock: () => new Date(NOW),
  random: () => 1,
  sleep: async (ms) => void waits.push(ms),
};

/** A server for each test, as `current.server`, and a way to a source whose connections end with the test. */
export const current: { server: HttpServer } = { server: undefined as unknown as HttpServer };
const opened: (() => void)[] = [];

export function useHttpServer(): void {
  beforeEach(async () => {
    current.server = await HttpServer.start();
    waits.length = 0;
  });
  afterEach(async () => {
    for (const close of opened.splice(0)) close();
    await current.server.close();
  });
}

export async function open(options: HttpOptions, credential = '', changed: HttpEnvironment = {}) {
  const { connector } = http(options, { ...environment, ...changed });
  const typed = connector as BytesConnector;
  const context = await typed.context(credential, aRun().run);
  opened.push(() => void typed.close?.(context));
  return {
    list: async (metadata: Metadata | null = null, run: Partial<ReadRun> = {}) =>
      (await collect(typed.listObjects(context, metadata, aRun(run).run))) as Metadata[],
    read: async (metadata: Metadata, run: ReadRun = aRun().run) => bytesOf(typed.readBytes(context, metadata, run)),
    chunks: (metadata: Metadata, run: ReadRun = aRun().run) => typed.readBytes(context, metadata, run),
  };
}

/** The error that a promise ends in; fails the test if it does not. */
export async function failure(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; retryable?: boolean; retryAfterMs?: number }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}
