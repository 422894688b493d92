import { lookAfter } from '../jobs/executor.ts';
import type { PollJobMessage } from '../queue/messages.ts';
import type { Delivery, RefreshDeps } from '../refresh/deps.ts';
import { executorDeps } from '../refresh/job-node.ts';

/** Makes an external job, asks once where it stands, or stops it; then asks to be called again unless it is over. */
export async function pollJob(message: PollJobMessage, delivery: Delivery, deps: RefreshDeps): Promise<void> {
  await deps.pipelines.get(message.pipeline);
  await lookAfter(message, delivery, executorDeps(deps));
}
