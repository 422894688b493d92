import { backoffMs } from '../core/backoff.ts';
import { isRetryable, retryAfterMs } from '../core/errors.ts';
import type { StreamUploadMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import { RetryLaterError } from '../queue/retry-later.ts';
import type { Delivery } from '../refresh/deps.ts';
import { stopWithinMs } from '../refresh/time.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { bringOn } from '../uploads/upload.ts';

/**
 * Brings one sink of a pipeline to the newest published manifest; goes on in another invocation if this one's time is up.
 *
 * @throws {RetryLaterError} the sink may take it later
 */
export async function streamUpload(message: StreamUploadMessage, delivery: Delivery, deps: UploadDeps): Promise<void> {
  const { pipeline: name, sink: sinkName } = message;
  const pipeline = await deps.pipelines.get(name);
  const sink = pipeline.sinks.find((one) => one.name === sinkName);
  if (!sink) {
    deps.log.info('dropped: the pipeline has no such sink any more', { pipeline: name, sink: sinkName });
    return;
  }
  try {
    const end = await bringOn(pipeline, sink, delivery, stopWithinMs(delivery.deadline), deps);
    if (end === 'out of time') await deps.queues.send('stream-upload', [{ body: messageJson(message), group: name }]);
  } catch (error) {
    deps.log.error('a sink could not be brought on', { pipeline: name, sink: sinkName, error });
    // What cannot go well by itself waits for the sweep, which tries once an hour, or for somebody who mends it.
    if (!isRetryable(error)) return;
    throw new RetryLaterError(backoffMs(delivery.receiveCount - 1, deps.random, undefined, retryAfterMs(error)), error);
  }
}
