import middy from '@middy/core';
import { deadlineOf, type InvocationContext } from '../shared/core/deadline.ts';
import { isObject } from '../shared/core/json.ts';
import { type BatchAnswer, type BatchRecord, settleBatch } from '../shared/queue/batch.ts';
import type { QueueName } from '../shared/queue/queue.ts';
import type { Delivery, RefreshDeps } from '../shared/refresh/deps.ts';
import { answering } from './answering.ts';
import type { Runtime } from './runtime.ts';

/** A batch from SQS, or, for an invocation by hand, a message's body alone. */
export type QueueEvent = { readonly Records: readonly BatchRecord[] } | Readonly<Record<string, unknown>>;

export interface QueueFunction<M> {
  readonly queue: QueueName;
  readonly parse: (body: unknown) => M;
  readonly step: (message: M, delivery: Delivery, deps: RefreshDeps) => Promise<void>;
}

/** The handler of a function that a queue feeds: parse, call, answer with what is to be delivered again. */
export function queueHandler<M>({ queue, parse, step }: QueueFunction<M>, runtime: () => Promise<Runtime>) {
  // middy's early timeout would drop the answers of records already done; our deadline stops the work before it instead.
  return middy<QueueEvent>({ timeoutEarlyInMillis: 0 })
    .use(answering(runtime))
    .handler(async (event: QueueEvent, context: InvocationContext): Promise<BatchAnswer | { done: true }> => {
      const { deps, inbox } = await runtime();
      using deadline = deadlineOf(context);
      if (!isBatch(event)) {
        await step(parse(event), { messageId: deps.newId(), receiveCount: 1, deadline }, deps);
        return { done: true };
      }
      return settleBatch(event.Records, inbox(queue), (body, message) =>
        step(parse(body), { ...message, deadline }, deps),
      );
    });
}

function isBatch(event: QueueEvent): event is { readonly Records: readonly BatchRecord[] } {
  return isObject(event) && Array.isArray(event.Records);
}
