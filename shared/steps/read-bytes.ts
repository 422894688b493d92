import type { ReadBytesMessage } from '../queue/messages.ts';
import type { Delivery, RefreshDeps } from '../refresh/deps.ts';
import { GroupReader } from '../refresh/read-group.ts';

/** Reads one group of partitions and commits each of them; goes on in another invocation where that is needed. */
export async function readBytes(message: ReadBytesMessage, delivery: Delivery, deps: RefreshDeps): Promise<void> {
  const pipeline = await deps.pipelines.get(message.pipeline);
  const active = await deps.runs.active(message.pipeline);
  if (active?.active !== message.run) {
    deps.log.info('dropped: the run is over', { pipeline: message.pipeline, run: message.run, node: message.node });
    return;
  }
  await new GroupReader(message, pipeline, delivery, deps).read();
}
