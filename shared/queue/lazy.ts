import type { Queues } from './queue.ts';

/** Queues that are opened at their first use; if that fails, the next use tries again. */
export function lazyQueues(open: () => Promise<Queues>): Queues {
  let opened: Promise<Queues> | undefined;
  const queues = (): Promise<Queues> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    send: async (queue, messages) => {
      if (messages.length > 0) await (await queues()).send(queue, messages);
    },
    receive: async (queue, options) => (await queues()).receive(queue, options),
    delete: async (queue, receiptHandles) => (await queues()).delete(queue, receiptHandles),
    retryAfter: async (queue, receiptHandle, delaySeconds) =>
      (await queues()).retryAfter(queue, receiptHandle, delaySeconds),
    counts: async (queue) => (await queues()).counts(queue),
    redrive: async (queue) => (await queues()).redrive(queue),
  };
}
