import { isUtf8 } from 'node:buffer';
import { type BigIntStats, constants, type Dirent } from 'node:fs';
import { lstat, open, opendir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chunksOf } from '../../core/concurrency.ts';
import { RetryableError } from '../../core/errors.ts';
import { InvalidListingError, type ListRun, type Metadata } from '../connector.ts';
import { errorCode, fileError, shownPath } from './errors.ts';
import { type FingerprintOf, hashOf, mtimeAndSize } from './fingerprint.ts';
import { isInside, type Root, realPathInside } from './root.ts';

export interface HowToList {
  /** Not hidden and not ignored; asked of folders too. */
  isTaken(name: string, path: string): boolean;
  isMatched(path: string, name: string): boolean;
  readonly followLinks: boolean;
  readonly fingerprint: FingerprintOf;
}

/** How many names are held, and looked at together: enough to keep the file system busy. */
const BATCH = 256;
const HASHED_AT_ONCE = 4;

/**
 * Yields the files and folders of one folder, in the order in which the file system tells them, holding a few hundred of
 * them at a time. What is gone by the time it is looked at is left out, as if it had gone before.
 *
 * @param folder the path from the root, `''` being the root itself
 * @throws {SourceRefusedError} a folder that may not be read: then the listing is not complete, and nothing is removed
 * @throws {InvalidListingError} a name that is not UTF-8
 */
export async function* listFolder(root: Root, folder: string, how: HowToList, run: ListRun): AsyncGenerator<Metadata> {
  const realFolder = await realPathInside(root, folder, how.followLinks);
  if (realFolder === undefined) {
    run.log.warn('a folder went away, or became a link, before it was listed', { folder });
    return;
  }
  const place: Place = { root, folder, realFolder, how, leftOut: new LeftOut(), signal: run.signal };
  for await (const entries of batchesOf(realFolder, run.signal)) {
    const names = entries.flatMap((entry) => nameOf(entry, folder, how) ?? []);
    for (const some of chunksOf(names, how.fingerprint === 'sha256' ? HASHED_AT_ONCE : BATCH)) {
      const nodes = await Promise.all(some.map((named) => nodeOf(named, place)));
      for (const node of nodes) if (node) yield node;
    }
  }
  place.leftOut.warn(folder, run);
}

/** The folder that is being listed. */
interface Place {
  readonly root: Root;
  readonly folder: string;
  readonly realFolder: string;
  readonly how: HowToList;
  readonly leftOut: LeftOut;
  readonly signal: AbortSignal;
}

interface Named {
  readonly name: string;
  readonly path: string;
  readonly entry: Dirent<Buffer>;
}

async function* batchesOf(folder: string, signal: AbortSignal): AsyncGenerator<Dirent<Buffer>[]> {
  let batch: Dirent<Buffer>[] = [];
  try {
    // As bytes, because decoding would make two names that are not UTF-8 one and the same. The types know `buffer` for
    // readdir only.
    const directory = await opendir(folder, { encoding: 'buffer' as BufferEncoding, bufferSize: BATCH });
    for await (const entry of directory) {
      batch.push(entry as unknown as Dirent<Buffer>);
      if (batch.length < BATCH) continue;
      signal.throwIfAborted();
      yield batch;
      batch = [];
    }
  } catch (error) {
    // What was yielded of it is gone too. The next try finds the folder gone, or whole.
    if (errorCode(error) !== 'ENOENT') throw fileError(error, folder);
    throw new RetryableError(`files: ${shownPath(folder)} went away while it was listed`, { cause: error });
  }
  signal.throwIfAborted();
  yield batch;
}

function nameOf(entry: Dirent<Buffer>, folder: string, how: HowToList): Named | undefined {
  const name = entry.name.toString();
  const path = folder === '' ? name : `${folder}/${name}`;
  if (!how.isTaken(name, path)) return undefined;
  if (isUtf8(entry.name)) return { name, path, entry };
  throw new InvalidListingError(
    `files: in ${shownPath(folder || '.')} the name "${escaped(entry.name)}" is not UTF-8: rename it, or leave it out by ` +
      '"ignore" (where ? stands for each byte that is wrong)',
  );
}

function escaped(name: Buffer): string {
  const byteAsText = (byte: number) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  return Array.from(name, byteAsText).join('');
}

async function nodeOf({ name, path, entry }: Named, place: Place): Promise<Metadata | undefined> {
  const { root, folder, realFolder, how, leftOut, signal } = place;
  let target = join(realFolder, name);
  let isFolder = entry.isDirectory();
  if (entry.isSymbolicLink()) {
    if (!how.followLinks) return leftOut.add('a symbolic link', name);
    const followed = await follow(root, folder, target);
    if (typeof followed === 'string') return leftOut.add(followed, name);
    ({ target, isFolder } = followed);
  }
  if (isFolder) return { name, fingerprint: '', isPrefix: true, path };
  if (!how.isMatched(path, name)) return undefined;
  if (!entry.isFile() && !entry.isSymbolicLink()) return leftOut.add('not a regular file', name);
  try {
    const stats = await lstat(target, { bigint: true });
    if (!stats.isFile()) return leftOut.add('not a regular file', name);
    return leafOf(name, path, stats, how.fingerprint === 'sha256' ? await hashFile(target, signal) : undefined);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw fileError(error, target);
  }
}

function leafOf(name: string, path: string, stats: BigIntStats, sha256: string | undefined): Metadata {
  const { mtime } = stats;
  return {
    name,
    fingerprint: sha256 ?? mtimeAndSize(stats),
    isPrefix: false,
    // A file system holds times that a Date does not.
    ...(Number.isNaN(mtime.getTime()) ? {} : { lastModified: mtime.toISOString() }),
    size: Number(stats.size),
    path,
  };
}

async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const hash = await hashOf(file, Infinity, signal);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/** Where a link leads, or why it is not followed. */
async function follow(
  root: Root,
  folder: string,
  link: string,
): Promise<{ target: string; isFolder: boolean } | string> {
  try {
    const target = await realpath(link);
    if (!isInside(target, root.realPath)) return 'a link that leads out of the folder';
    const isFolder = (await stat(target)).isDirectory();
    if (isFolder && (await isAbove(root, folder, target))) return 'a link to a folder it lies in';
    return { target, isFolder };
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ELOOP') return 'a link that leads nowhere';
    throw fileError(error, link);
  }
}

/** Whether one of the folders on the way to `folder` is, links followed, `target`: to list it there would never end. */
async function isAbove(root: Root, folder: string, target: string): Promise<boolean> {
  if (target === root.realPath) return true;
  const names = folder === '' ? [] : folder.split('/');
  for (let depth = 1; depth <= names.length; depth++) {
    if ((await realpath(join(root.realPath, ...names.slice(0, depth)))) === target) return true;
  }
  return false;
}

/** What was left out and why, for one warning a folder instead of one a name. */
class LeftOut {
  readonly #counts = new Map<string, { count: number; example: string }>();

  add(why: string, name: string): undefined {
    const seen = this.#counts.get(why);
    if (seen) seen.count += 1;
    else this.#counts.set(why, { count: 1, example: name });
  }

  warn(folder: string, run: ListRun): void {
    for (const [why, facts] of this.#counts) run.log.warn(`left out: ${why}`, { folder, ...facts });
  }
}
