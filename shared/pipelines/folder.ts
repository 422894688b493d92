import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isObject } from '../core/json.ts';
import {
  catalogOf,
  InvalidPipelineError,
  invalidPipeline,
  type LoadedPipeline,
  type PipelineCatalog,
} from './catalog.ts';
import type { Pipeline } from './define.ts';

const PIPELINE_FILE = /^[a-z0-9][\w.-]*\.(ts|mts|js|mjs)$/;

/**
 * The pipelines of a folder: every `.ts` and `.js` file in it, each exporting one pipeline as its default. Sub-folders are for
 * what they share.
 *
 * @throws {InvalidPipelineError} there is no such folder, or two files define one name
 */
export async function loadPipelines(folder: string): Promise<PipelineCatalog> {
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => PIPELINE_FILE.test(file) && !file.includes('.test.'));
  } catch (cause) {
    throw new InvalidPipelineError(folder, 'it is no folder that can be read', { cause });
  }
  return catalogOf(await Promise.all(files.sort().map((file) => load(join(folder, file)))));
}

async function load(file: string): Promise<LoadedPipeline> {
  try {
    return { file, pipeline: pipelineOf(file, await import(pathToFileURL(resolve(file)).href)) };
  } catch (error) {
    return { file, error: invalidPipeline(file, error) };
  }
}

/** @throws {InvalidPipelineError} the module's default export is not what `definePipeline` returns */
export function pipelineOf(file: string, module: unknown): Pipeline {
  const pipeline = isObject(module) ? module.default : undefined;
  if (isObject(pipeline) && typeof pipeline.name === 'string' && typeof pipeline.versions === 'string') {
    return pipeline as unknown as Pipeline;
  }
  throw new InvalidPipelineError(file, 'it must export default definePipeline({ … })');
}
