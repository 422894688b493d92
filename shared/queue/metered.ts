import type { Meter } from '../core/meter.ts';
import { KIB } from '../core/units.ts';
import { BATCH_MAX_ENTRIES, checkOutgoing, outgoingBatches } from './outgoing.ts';
import type { QueueName, Queues } from './queue.ts';

/** Names of the operations in the meter. */
export type QueueOperation = 'send' | 'receive' | 'delete' | 'changeVisibility' | 'attributes' | 'redrive';

/** SQS bills a request once for each chunk of so much of what it carries, begun or full. */
const BILLED_CHUNK_BYTES = 64 * KIB;

/**
 * The same queues, with every request counted as SQS would bill it, whichever kind they are: service `sqs`, the queue
 * as the resource, units of 64 KiB chunks. What failed is not counted, nor is what the SDK repeated.
 */
export function meteredQueues(queues: Queues, meter: Meter): Queues {
  const count = (queue: QueueName, operation: QueueOperation, bytes = 0, pipeline?: string): void => {
    const units = Math.max(1, Math.ceil(bytes / BILLED_CHUNK_BYTES));
    meter.count('sqs', operation, { units, bytes, resource: queue, pipeline });
  };

  return {
    async send(queue, messages) {
      await queues.send(queue, messages);
      for (const batch of outgoingBatches(messages, checkOutgoing(queue, messages))) {
        count(queue, 'send', bytesOf(batch), batch[0]?.group);
      }
    },

    async receive(queue, options) {
      const received = await queues.receive(queue, options);
      count(queue, 'receive', bytesOf(received));
      return received;
    },

    async delete(queue, receiptHandles) {
      await queues.delete(queue, receiptHandles);
      for (let at = 0; at < receiptHandles.length; at += BATCH_MAX_ENTRIES) count(queue, 'delete');
    },

    async retryAfter(queue, receiptHandle, delaySeconds) {
      await queues.retryAfter(queue, receiptHandle, delaySeconds);
      count(queue, 'changeVisibility');
    },

    async counts(queue) {
      const counts = await queues.counts(queue);
      // Of the queue and of its dead letters.
      count(queue, 'attributes');
      count(queue, 'attributes');
      return counts;
    },

    async redrive(queue) {
      const moved = await queues.redrive(queue);
      count(queue, 'redrive');
      return moved;
    },
  };
}

function bytesOf(messages: readonly { readonly body: string }[]): number {
  return messages.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
}
