import { type Backoff, backoffMs } from '../core/backoff.ts';
import { errorFacts, isRetryable, retryAfterMs } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import { InvalidMessageError } from './messages.ts';
import type { QueueName, Queues } from './queue.ts';

/** The part of an SQS event that a step needs; a type of ours, so that `shared/` does not depend on Lambda's. */
export interface BatchRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes?: { readonly ApproximateReceiveCount?: string };
}

export interface BatchAnswer {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

export interface Inbox {
  readonly queue: QueueName;
  readonly queues: Pick<Queues, 'retryAfter'>;
  readonly log: Logger;
  readonly redactor: Redactor;
}

/** What a step gets of a message besides its body. */
export interface DeliveredMessage {
  readonly messageId: string;
  readonly receiveCount: number;
}

/**
 * Runs a step for each message of a batch, side by side, and answers with those that are to be delivered again. One message
 * that fails does not touch the others. This alone reads `retryable`: what can never succeed is logged and, since nothing
 * would change, left to become a dead letter.
 */
export async function settleBatch(
  records: readonly BatchRecord[],
  { queue, queues, log, redactor }: Inbox,
  step: (body: unknown, message: DeliveredMessage) => Promise<void>,
): Promise<BatchAnswer> {
  const batchItemFailures: { itemIdentifier: string }[] = [];
  await Promise.all(
    records.map(async (record) => {
      const receiveCount = Number(record.attributes?.ApproximateReceiveCount ?? 1);
      try {
        await step(parseBody(record.body), { messageId: record.messageId, receiveCount });
      } catch (error) {
        batchItemFailures.push({ itemIdentifier: record.messageId });
        const facts = { queue, messageId: record.messageId, receiveCount, error: errorFacts(error, redactor.redact) };
        if (isRetryable(error)) log.warn('a message will be delivered again', facts);
        else log.error('a message failed', facts);
        await putOff(record, retryAfterMs(error) ?? backoffMs(receiveCount - 1, always, REDELIVERY));
      }
    }),
  );
  return { batchItemFailures };

  /** Without it the message comes again when its visibility timeout is over, which is as right, and later. */
  async function putOff({ receiptHandle, messageId }: BatchRecord, delayMs: number): Promise<void> {
    try {
      await queues.retryAfter(queue, receiptHandle, Math.min(MAX_PUT_OFF_SECONDS, Math.ceil(delayMs / 1000)));
    } catch (error) {
      log.warn('a message could not be put off', { queue, messageId, error: errorFacts(error, redactor.redact) });
    }
  }
}

const MAX_PUT_OFF_SECONDS = 43_200;
const REDELIVERY: Backoff = { firstMs: 1000, maxMs: 900_000 };
/** No jitter is needed for a message: others of its batch went their own ways. */
const always = () => 1;

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new InvalidMessageError(`a message must be JSON, got ${JSON.stringify(body.slice(0, 60))}`);
  }
}
