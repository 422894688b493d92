import type { FinishRefreshMessage } from '../queue/messages.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { publish } from '../refresh/publish.ts';
import { wakeSinks } from '../uploads/wake.ts';

/** Publishes what the root shows, and ends the run. Any number of these have the effect of one. */
export async function finishRefresh({ pipeline: name, run }: FinishRefreshMessage, deps: RefreshDeps): Promise<void> {
  const pipeline = await deps.pipelines.get(name);
  const active = await deps.runs.active(name);
  if (active?.active !== run) {
    deps.log.info('dropped: the run is over', { pipeline: name, run });
    return;
  }
  await publish(pipeline, run, active.root, deps);
  if (pipeline.sinks.length > 0) await wakeSinks(pipeline, deps);
}
