import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { SourceRefusedError } from '../connector.ts';
import { errorCode, fileError, shownPath } from './errors.ts';

/** The folder of a source: nothing outside it is listed or read. */
export interface Root {
  readonly path: string;
  /** Where it lies, links followed. The root itself may be a link; it is looked up again for every listing and read. */
  readonly realPath: string;
}

/** @throws {SourceRefusedError} there is no such folder, or it may not be read */
export async function openRoot(path: string): Promise<Root> {
  try {
    return { path, realPath: await realpath(path) };
  } catch (error) {
    throw fileError(error, path);
  }
}

/** @throws {SourceRefusedError} it is a file */
export async function checkFolder({ path, realPath }: Root): Promise<void> {
  if ((await stat(realPath)).isDirectory()) return;
  throw new SourceRefusedError(`files: ${shownPath(path)} is not a folder`);
}

/** The real path of something below the root, or undefined when it is gone, or not where its path says. */
export async function realPathInside(root: Root, path: string, followLinks: boolean): Promise<string | undefined> {
  const expected = join(root.realPath, path);
  try {
    const real = await realpath(expected);
    return isInside(real, root.realPath) && (followLinks || real === expected) ? real : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw fileError(error, expected);
  }
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
