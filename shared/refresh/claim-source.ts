import { type Claim, ExclusiveUseError } from '../connectors/connector.ts';
import { InvalidInputError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { UnknownPipelineError } from '../pipelines/catalog.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { nowMs, type RefreshDeps } from './deps.ts';

/**
 * Takes what the source of a pipeline needs for itself alone, by one conditional write: of two pipelines one gets it.
 *
 * @throws {ExclusiveUseError} another pipeline, which is still defined and still uses it, was first
 */
export async function claimSource(pipeline: Pipeline, note: JsonObject, deps: RefreshDeps): Promise<Claim> {
  const { exclusive } = pipeline.source;
  if (exclusive === undefined) throw new InvalidInputError(`the source of ${pipeline.name} names nothing exclusive`);
  const now = nowMs(deps);
  for (let claim = await deps.runs.claim(exclusive, pipeline.name, note, now); ; ) {
    if (claim.pipeline === pipeline.name) return claim;
    if (await isInUse(claim.pipeline, exclusive, deps)) {
      throw new ExclusiveUseError(
        `${exclusive} is in use by the pipeline ${claim.pipeline} since ${new Date(claim.at).toISOString()}; ` +
          'what is drained by two would be complete in neither',
      );
    }
    claim = await deps.runs.claim(exclusive, pipeline.name, note, now, claim);
  }
}

/** A pipeline whose file is broken for the moment keeps what it has. */
async function isInUse(holder: string, exclusive: string, deps: RefreshDeps): Promise<boolean> {
  try {
    return (await deps.pipelines.get(holder)).source.exclusive === exclusive;
  } catch (error) {
    return !(error instanceof UnknownPipelineError);
  }
}
