import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { catalogOf, InvalidPipelineError, type LoadedPipeline, type PipelineCatalog } from './catalog.ts';
import { loadPipeline, textSha256 } from './file.ts';

const PIPELINE_FILE = /^[a-z0-9][\w.-]*\.(ts|mts|js|mjs)$/;

/**
 * The pipelines of a folder: every `.ts` and `.js` file in it, each exporting one pipeline as its default. Sub-folders are for
 * what they share.
 *
 * @throws {InvalidPipelineError} there is no such folder, or two files define one name
 */
export async function loadPipelines(folder: string): Promise<PipelineCatalog> {
  return catalogOf(await loadPipelineFiles(folder));
}

/** What is in each file of the folder, those that fail included. @throws {InvalidPipelineError} there is no such folder */
export async function loadPipelineFiles(folder: string): Promise<LoadedPipeline[]> {
  return Promise.all(
    pipelineFiles(folder).map(({ file, fileSha256 }) =>
      loadPipeline(file, fileSha256, () => import(pathToFileURL(resolve(file)).href)),
    ),
  );
}

export interface PipelineFile {
  /** Begins with the folder, as that was given. */
  readonly file: string;
  /** Of its text. */
  readonly fileSha256: string;
}

/** The files of a folder that define pipelines, in order. @throws {InvalidPipelineError} there is no such folder */
export function pipelineFiles(folder: string): PipelineFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => PIPELINE_FILE.test(name) && !name.includes('.test.'));
  } catch (cause) {
    throw new InvalidPipelineError(folder, 'it is no folder that can be read', { cause });
  }
  return names.sort().map((name) => {
    const file = join(folder, name);
    return { file, fileSha256: textSha256(readFileSync(file, 'utf8')) };
  });
}
