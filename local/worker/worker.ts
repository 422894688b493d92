import type { Logger } from '../../shared/core/logger.ts';
import { hours } from '../../shared/core/units.ts';
import type { BatchAnswer, BatchRecord } from '../../shared/queue/batch.ts';
import type { QueueName, Queues, ReceivedMessage } from '../../shared/queue/queue.ts';
import { pause } from './pause.ts';

/** A function as Lambda would call it for a queue. */
export type QueueHandler = (
  event: { readonly Records: readonly BatchRecord[] },
  context: { getRemainingTimeInMillis(): number; readonly awsRequestId: string },
) => Promise<unknown>;

export interface WorkerOptions {
  readonly queues: Queues;
  readonly handlers: Readonly<Partial<Record<QueueName, QueueHandler>>>;
  /** Batches under way at a time, per queue. Default 8. */
  readonly concurrency?: Readonly<Partial<Record<QueueName, number>>>;
  /** How long an invocation may take, in milliseconds. Default 11.5 hours: nothing here ends a long read, but a message stays unseen for 12 at most. */
  readonly timeoutMs?: number;
  readonly log: Logger;
  /** Called when nothing is being worked on and no message is to be had; not more often than every 20 ms. */
  readonly onIdle?: () => Promise<void>;
  /** Called when the last invocation under way has ended; more messages may be waiting. */
  readonly onPause?: () => void;
  /** How long a poll waits for messages, in seconds; 0 to 20, default 1. */
  readonly waitSeconds?: number;
  /** Ends the worker: it takes no more messages, and returns when those it has are done. */
  readonly signal: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = hours(11.5);
const DEFAULT_CONCURRENCY = 8;
const BATCH_SIZE: Readonly<Record<QueueName, number>> = {
  'list-objects': 10,
  'poll-job': 10,
  'read-bytes': 1,
  'finish-refresh': 1,
  'stream-upload': 1,
};
/** A message is not delivered again while its function may still run. */
const VISIBILITY_MARGIN_SECONDS = 30;
const LOOK_AGAIN_MS = 20;

/**
 * Feeds queues to functions as Lambda's event source mapping does: batches, partial failures, visibility, a deadline per
 * invocation. Works on any queues, so it runs on one machine and in a container alike.
 */
export class Worker {
  readonly #options: WorkerOptions;
  #busy = 0;
  #idling: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Works until the signal fires. @throws what `onIdle` throws; handlers' failures are answers, not errors */
  async run(): Promise<void> {
    const { handlers, signal } = this.#options;
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const pollers = Object.keys(handlers).map((queue) =>
      this.#poll(queue as QueueName, until).catch((error: unknown) => {
        stop.abort();
        throw error;
      }),
    );
    const ends = await Promise.allSettled(pollers);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** One poller a queue; what it receives is worked on side by side, up to the queue's concurrency. */
  async #poll(queue: QueueName, signal: AbortSignal): Promise<void> {
    const { queues, concurrency, waitSeconds = 1, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const limit = concurrency?.[queue] ?? DEFAULT_CONCURRENCY;
    const visibilityTimeoutSeconds = Math.min(43_200, Math.ceil(timeoutMs / 1000) + VISIBILITY_MARGIN_SECONDS);
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      const messages = await queues.receive(queue, {
        max: BATCH_SIZE[queue],
        visibilityTimeoutSeconds,
        waitSeconds,
        signal,
      });
      if (messages.length === 0) {
        // A long read must not keep what is sent meanwhile waiting, and without a wait this would spin.
        if (running.size > 0) await Promise.race([...running, pause(LOOK_AGAIN_MS, signal)]);
        else await this.#idle();
        continue;
      }
      this.#busy += 1;
      const invocation = this.#invoke(queue, messages).finally(() => {
        running.delete(invocation);
        this.#busy -= 1;
        if (this.#busy === 0) this.#options.onPause?.();
      });
      running.add(invocation);
      if (running.size >= limit) await Promise.race(running);
    }
    await Promise.all(running);
  }

  async #idle(): Promise<void> {
    const { onIdle } = this.#options;
    if (this.#busy > 0 || !onIdle) return pause(LOOK_AGAIN_MS, this.#options.signal);
    // All pollers may be idle at once; one of them looks.
    this.#idling ??= onIdle().finally(() => {
      this.#idling = undefined;
    });
    await this.#idling;
    // Also where a poll does not wait, there is time for others.
    await pause(LOOK_AGAIN_MS, this.#options.signal);
  }

  async #invoke(queue: QueueName, messages: readonly ReceivedMessage[]): Promise<void> {
    const { handlers, queues, timeoutMs = DEFAULT_TIMEOUT_MS, log } = this.#options;
    const until = performance.now() + timeoutMs;
    const context = {
      // A worker that is to end has no time left: what is under way stops where it can go on.
      getRemainingTimeInMillis: () => (this.#options.signal.aborted ? 0 : until - performance.now()),
      awsRequestId: messages[0]!.messageId,
    };
    try {
      const answer = await handlers[queue]!({ Records: messages.map(asRecord) }, context);
      const failed = new Set(
        (answer as Partial<BatchAnswer> | undefined)?.batchItemFailures?.map(({ itemIdentifier }) => itemIdentifier),
      );
      const done = messages.filter(({ messageId }) => !failed.has(messageId));
      await queues.delete(
        queue,
        done.map(({ receiptHandle }) => receiptHandle),
      );
    } catch (error) {
      // As on Lambda: the whole batch comes again. A second from now, else a queue that fails at once would spin.
      log.error('an invocation failed', { queue, error });
      await Promise.allSettled(messages.map(({ receiptHandle }) => queues.retryAfter(queue, receiptHandle, 1)));
    }
  }
}

const asRecord = ({ messageId, receiptHandle, body, receiveCount }: ReceivedMessage): BatchRecord => ({
  messageId,
  receiptHandle,
  body,
  attributes: { ApproximateReceiveCount: String(receiveCount) },
});
