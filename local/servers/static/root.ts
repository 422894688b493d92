import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

export interface Found {
  readonly kind: 'file' | 'directory';
  /** Real path, below the root. */
  readonly path: string;
}

/** @throws if the folder is not there */
export async function openRoot(root: string): Promise<string> {
  const path = await realpath(root);
  if (!(await stat(path)).isDirectory()) throw new Error(`${root} is not a folder`);
  return path;
}

/**
 * The file or directory that a URL's path names. The path is judged after symbolic links were followed, so neither `..`,
 * however encoded, nor a link leads out of the root.
 *
 * @returns undefined if there is nothing, or nothing that may be seen
 */
export async function findBelow(root: string, pathname: string): Promise<Found | undefined> {
  const decoded = decode(pathname);
  if (decoded === undefined || decoded.includes('\0')) return undefined;
  try {
    const path = await realpath(join(root, decoded));
    if (path !== root && !path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const stats = await stat(path);
    if (stats.isDirectory()) return { kind: 'directory', path };
    return stats.isFile() && !decoded.endsWith('/') ? { kind: 'file', path } : undefined;
  } catch {
    return undefined;
  }
}

function decode(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
}
