import { posix } from 'node:path';
import { InvalidInputError } from '../core/errors.ts';

/** Whether a file, folder or object is meant, by its path from where the source begins and its own name. */
export type PathTest = (path: string, name: string) => boolean;

/**
 * True for what at least one glob pattern fits. As in a shell: `*` and `?` stop at `/`, `**` does not, and none of them
 * fits a leading dot, which a pattern has to name. A pattern without `/` is compared with the name alone, at any depth; one
 * with `/` with the whole path. Large and small letters differ.
 *
 * @throws {InvalidInputError} a pattern that could fit nothing: empty, or not relative to the folder
 */
export function anyOf(option: string, patterns: string | readonly string[]): PathTest {
  const globs = (typeof patterns === 'string' ? [patterns] : patterns).map((pattern) => {
    const glob = pattern.replace(/\/+$/, '');
    if (glob === '' || /^\.{0,2}\//.test(pattern) || /(^|\/)\.\.?($|\/)/.test(glob)) {
      throw new InvalidInputError(
        `"${option}" takes relative patterns such as "*.csv" or "2024/**", got ${JSON.stringify(pattern)}`,
      );
    }
    return { glob, hasSlash: glob.includes('/') };
  });
  return (path, name) => globs.some(({ glob, hasSlash }) => posix.matchesGlob(hasSlash ? path : name, glob));
}
