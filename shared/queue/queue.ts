import { IngestError } from '../core/errors.ts';

/** The queues of the bundle. Each has a dead-letter queue. */
export const QUEUE_NAMES = ['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/**
 * Queues that deliver at least once and in no order, as SQS does. A message that is received is invisible until its
 * visibility timeout is over; then it is delivered again, up to `maxReceiveCount` times, and after that it is a dead letter.
 */
export interface Queues {
  /** Sends all, in batches within SQS's limits (10 messages, 1 MiB). May be repeated: then some may be there twice. */
  send(queue: QueueName, messages: readonly OutgoingMessage[]): Promise<void>;
  /** @returns up to `max` messages (1 to 10); waits up to `waitSeconds` (0 to 20) for the first */
  receive(queue: QueueName, options: ReceiveOptions): Promise<ReceivedMessage[]>;
  delete(queue: QueueName, receiptHandles: readonly string[]): Promise<void>;
  /** Makes a received message visible again after `delaySeconds` (0 to 43,200). A receipt that is out of date is ignored. */
  retryAfter(queue: QueueName, receiptHandle: string, delaySeconds: number): Promise<void>;
  counts(queue: QueueName): Promise<QueueCounts>;
  /** Sends dead letters back to their queue. @returns how many */
  redrive(queue: QueueName): Promise<number>;
}

export interface OutgoingMessage {
  /** At most 1 MiB of UTF-8. */
  readonly body: string;
  /** 0 to 900. */
  readonly delaySeconds?: number;
  /** Messages of one group do not hold back those of others: the pipeline's name. */
  readonly group?: string;
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
}

export interface ReceiveOptions {
  readonly max: number;
  readonly visibilityTimeoutSeconds: number;
  readonly waitSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface QueueCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly dead: number;
}

export const MESSAGE_MAX_BYTES = 1024 * 1024;
export const DELAY_MAX_SECONDS = 900;
/** After so many deliveries a message is a dead letter. The sweep recovers long before. */
export const MAX_RECEIVE_COUNT = 10;

/** The queue could not be reached, or was busy for too long. */
export class QueueUnavailableError extends IngestError {
  override readonly name = 'QueueUnavailableError';
  readonly code = 'QueueUnavailable';
  readonly retryable = true;
}
