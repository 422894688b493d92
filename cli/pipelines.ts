import type { Pipeline } from '../shared/pipelines/define.ts';
import type { RefreshDeps } from '../shared/refresh/deps.ts';

/**
 * The names a command is for: those that were given, each once, or all there are.
 *
 * @throws {UnknownPipelineError} {@link InvalidPipelineError} before anything was done for any of them
 */
export async function chosenPipelines(
  names: readonly string[],
  all: boolean,
  deps: Pick<RefreshDeps, 'pipelines'>,
): Promise<readonly string[]> {
  if (all) return deps.pipelines.names();
  const chosen = [...new Set(names)];
  for (const name of chosen) await deps.pipelines.get(name);
  return chosen;
}

/** @throws {UnknownPipelineError} {@link InvalidPipelineError} */
export const pipelineNamed = (name: string, deps: Pick<RefreshDeps, 'pipelines'>): Promise<Pipeline> =>
  deps.pipelines.get(name);
