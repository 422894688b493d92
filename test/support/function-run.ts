import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';
import type { Backend } from '../../shared/backends/backend.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { systemClock } from '../../shared/core/clock.ts';
import type { BatchAnswer, BatchRecord } from '../../shared/queue/batch.ts';
import type { QueueName, ReceivedMessage } from '../../shared/queue/queue.ts';

/** What a function is called with, as Lambda or `serverless invoke local` would. */
export type Invoke = (event: unknown) => Promise<unknown>;

/**
 * A home of its own for the functions of one test file, with the example pipelines. Set before a handler is imported, since it
 * reads its settings then.
 */
export function functionHome() {
  const home = mkdtempSync(join(tmpdir(), 'landfall-functions-'));
  for (const name of Object.keys(process.env)) if (name.startsWith('LANDFALL_')) delete process.env[name];
  process.env.LANDFALL_HOME = home;
  process.env.LANDFALL_LOG_LEVEL = 'error';
  const backend = openEmbedded({ home, env: {}, clock: systemClock });
  afterAll(() => {
    backend.close();
    rmSync(home, { recursive: true });
  });
  return { home, backend };
}

/** The handler of a function, with fifteen minutes for each invocation. */
export async function openFunction(name: string): Promise<Invoke> {
  const { handler } = (await import(`../../functions/${name}/handler.ts`)) as {
    handler: (event: unknown, context: object) => Promise<unknown>;
  };
  return async (event) => handler(event, { getRemainingTimeInMillis: () => 900_000 });
}

export function sampleEvent<T = unknown>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, `../../events/${name}.json`), 'utf8'));
}

export interface SampleBatch {
  readonly Records: readonly BatchRecord[];
}

/** The sample's record with other bodies, one record each: `m0`, `m1`, … */
export function batchOf(sample: string, bodies: readonly unknown[]): SampleBatch {
  const [record] = sampleEvent<SampleBatch>(sample).Records;
  return {
    Records: bodies.map((body, number) => ({
      ...record!,
      messageId: `m${number}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })),
  };
}

/** Delivers what waits in a queue to its function, as the event source does. @returns how many messages there were */
export async function deliver(backend: Backend, queue: QueueName, invoke: Invoke): Promise<number> {
  const messages = await backend.queues.receive(queue, { max: 10, visibilityTimeoutSeconds: 900 });
  if (messages.length === 0) return 0;
  const answer = (await invoke({ Records: messages.map(asRecord) })) as BatchAnswer;
  const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  const done = messages.filter(({ messageId }) => !failed.has(messageId));
  await backend.queues.delete(
    queue,
    done.map(({ receiptHandle }) => receiptHandle),
  );
  return messages.length;
}

const asRecord = ({ messageId, receiptHandle, body, receiveCount }: ReceivedMessage): BatchRecord => ({
  messageId,
  receiptHandle,
  body,
  attributes: { ApproximateReceiveCount: String(receiveCount) },
});

/** The error a function ends with, as Lambda shows it, and the lines it logged. */
export async function failureOf(
  call: () => Promise<unknown>,
): Promise<{ errorType: string; errorMessage: unknown; logged: Record<string, unknown>[] }> {
  const lines: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  try {
    await call();
  } catch (error) {
    const { name, message } = error as Error;
    return { errorType: name, errorMessage: JSON.parse(message), logged: lines.map((line) => JSON.parse(line)) };
  } finally {
    spy.mockRestore();
  }
  throw new Error('the function did not fail');
}
