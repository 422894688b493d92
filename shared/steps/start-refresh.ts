import { InvalidInputError } from '../core/errors.ts';
import type { StartRefreshRequest } from '../queue/messages.ts';
import { nowMs, type RefreshDeps } from '../refresh/deps.ts';
import { sendRoot } from '../refresh/failure.ts';

export interface StartRefreshAnswer {
  readonly pipeline: string;
  /** The run that began; absent if another is going on. */
  readonly run?: number;
  /** Another run begins when the present one has ended. */
  readonly pending: boolean;
}

/**
 * Opens a run of a pipeline and sends its root. A trigger that comes while one is going on is kept for its end; several such
 * make one run.
 *
 * @throws {UnknownPipelineError} {@link InvalidPipelineError} {@link PipelinePausedError}
 */
export async function startRefresh(request: StartRefreshRequest, deps: RefreshDeps): Promise<StartRefreshAnswer> {
  const pipeline = await deps.pipelines.get(request.pipeline);
  const active = await deps.runs.active(pipeline.name);
  if (pipeline.paused || active?.paused) throw new PipelinePausedError(pipeline.name);
  const run = await deps.runs.begin(request, nowMs(deps));
  if (run === undefined) {
    deps.log.info('a run is going on; another begins after it', { pipeline: pipeline.name, trigger: request.trigger });
    return { pipeline: pipeline.name, pending: true };
  }
  deps.log.info('run began', { pipeline: pipeline.name, run, trigger: request.trigger });
  await sendRoot(pipeline.name, run, deps);
  return { pipeline: pipeline.name, run, pending: false };
}

/** The pipeline takes no triggers; what runs goes on. */
export class PipelinePausedError extends InvalidInputError {
  constructor(pipeline: string) {
    super(`pipeline "${pipeline}" is paused; it takes no triggers until it is resumed`);
  }
}
