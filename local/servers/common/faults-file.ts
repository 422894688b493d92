import { readFile } from 'node:fs/promises';
import { InvalidInputError } from '../../../shared/core/errors.ts';

/** @throws {InvalidInputError} the file cannot be read, or has a rule that is wrong; named by its path */
export async function readFaultsFile<Rule>(path: string, parse: (value: unknown) => Rule[]): Promise<Rule[]> {
  try {
    return parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidInputError(`faults file ${path}: ${reason}`, { cause: error });
  }
}
