import { IngestError } from '../core/errors.ts';
import type { Pipeline } from './define.ts';

/** The pipelines this bundle has. One that cannot be loaded does not keep the others from being found. */
export interface PipelineCatalog {
  names(): Promise<readonly string[]>;
  /**
   * @throws {UnknownPipelineError} no file defines it
   * @throws {InvalidPipelineError} its file does not load or is wrong
   */
  get(name: string): Promise<Pipeline>;
}

/** What was found in one file of `pipelines/`. */
export type LoadedPipeline = { readonly file: string } & (
  | { readonly pipeline: Pipeline }
  | { readonly error: unknown }
);

/** @throws {InvalidPipelineError} two files define one name */
export function catalogOf(loaded: readonly LoadedPipeline[]): PipelineCatalog {
  const byName = new Map<string, LoadedPipeline & { readonly pipeline: Pipeline }>();
  const broken = loaded.filter((one) => 'error' in one);
  for (const one of loaded) {
    if (!('pipeline' in one)) continue;
    const other = byName.get(one.pipeline.name);
    if (other) throw new InvalidPipelineError(one.file, `it defines "${one.pipeline.name}" as ${other.file} does`);
    byName.set(one.pipeline.name, one);
  }
  return {
    names: async () => [...byName.keys()].sort(),
    get: async (name) => {
      const found = byName.get(name);
      if (found) return found.pipeline;
      // A file is usually called as its pipeline: then its own error says more than that the name is unknown.
      const own =
        broken.find(({ file }) => file.replace(/\.[a-z]+$/, '').endsWith(name)) ??
        (byName.size === 0 ? broken[0] : undefined);
      if (own && 'error' in own) throw invalidPipeline(own.file, own.error);
      throw new UnknownPipelineError(name, [...byName.keys()].sort());
    },
  };
}

export class UnknownPipelineError extends IngestError {
  override readonly name = 'UnknownPipelineError';
  readonly code = 'UnknownPipeline';
  readonly retryable = false;

  constructor(name: string, known: readonly string[]) {
    super(`there is no pipeline "${name}"; there ${known.length === 0 ? 'is none' : `are ${known.join(', ')}`}`);
  }
}

export class InvalidPipelineError extends IngestError {
  override readonly name = 'InvalidPipelineError';
  readonly code = 'InvalidPipeline';
  readonly retryable = false;

  constructor(file: string, what: string, options?: ErrorOptions) {
    super(`${file} does not define a pipeline: ${what}`, options);
  }
}

export function invalidPipeline(file: string, error: unknown): InvalidPipelineError {
  if (error instanceof InvalidPipelineError) return error;
  return new InvalidPipelineError(file, error instanceof Error ? error.message : String(error), { cause: error });
}
