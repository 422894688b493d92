import { sha256Hex } from '../core/ids.ts';
import { isObject } from '../core/json.ts';
import { InvalidPipelineError, invalidPipeline, type LoadedPipeline } from './catalog.ts';
import { definedIn, type Pipeline } from './define.ts';

/** Identifies the text of a pipeline's file. Line ends do not count, since a checkout may change them. */
export function textSha256(text: string): string {
  return sha256Hex(text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n'));
}

/**
 * Loads one file of `pipelines/`: from the folder, or out of a bundle that was made from it. A file that fails does not
 * keep the others from loading; its error is told when its pipeline is used.
 *
 * @param fileSha256 of the file's own text, as {@link textSha256} computes it
 */
export async function loadPipeline(
  file: string,
  fileSha256: string,
  importModule: () => Promise<unknown>,
): Promise<LoadedPipeline> {
  try {
    return { file, pipeline: pipelineOf(file, await importModule(), fileSha256) };
  } catch (error) {
    return { file, error: invalidPipeline(file, error) };
  }
}

/** @throws {InvalidPipelineError} the module's default export is not what `definePipeline` returns */
export function pipelineOf(file: string, module: unknown, fileSha256: string): Pipeline {
  const pipeline = isObject(module) ? module.default : undefined;
  if (isObject(pipeline) && typeof pipeline.name === 'string' && typeof pipeline.versions === 'string') {
    return definedIn(pipeline as unknown as Pipeline, fileSha256);
  }
  throw new InvalidPipelineError(file, 'it must export default definePipeline({ … })');
}
