import { type BigIntStats, lstatSync, renameSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { forEachLimit } from '../core/concurrency.ts';
import { days, KIB } from '../core/units.ts';
import { alignedMemory, DIRECT_BLOCK_BYTES } from './block-memory.ts';
import { type BlockPlan, type BlockSink, BlockWriter } from './block-writer.ts';
import { Directories } from './directories.ts';
import { folderError, inFolder, isMissing } from './folder-errors.ts';
import { checkKey, checkPrefix, TEMPORARY } from './object-key.ts';
import { ObjectMissingError, type Objects, type PutOptions, type StoredObject } from './objects.ts';
import { etagOf, storedObject, TemporaryFile } from './temporary-file.ts';

export interface FolderOptions {
  /** Runs work while no other process runs any under the same lock: `SqliteDatabase.write` of the embedded backend. */
  readonly exclusively: <T>(work: () => T) => Promise<T>;
}

/**
 * Objects as files of a folder. A file is written aside, made durable and renamed into its place, so that nobody sees a
 * part of one, and what was written survives a power failure.
 *
 * The conditions of `put` hold among all processes for keys that are only ever written by `put` with a condition.
 *
 * @param root made when it is needed
 */
export function folderObjects(root: string, { exclusively }: FolderOptions): Objects {
  const top = resolve(root);
  const directories = new Directories(top);

  const pathOf = (key: string): string => {
    checkKey(key);
    return join(top, key);
  };

  /** @param place renames; it is called again if the directory went away, as it does when its last object is deleted */
  async function putInPlace<T>(path: string, place: () => T | Promise<T>): Promise<T> {
    const directory = dirname(path);
    for (let attempt = 1; ; attempt++) {
      await directories.make(directory);
      try {
        const placed = await place();
        await directories.sync(directory);
        return placed;
      } catch (error) {
        if (attempt === PLACE_ATTEMPTS || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        directories.forget();
      }
    }
  }

  async function putFile(path: string, data: Uint8Array, options: PutOptions): Promise<StoredObject | undefined> {
    options.signal?.throwIfAborted();
    const isConditional = options.ifMatch !== undefined || options.ifAbsent;
    // Most refusals are seen at once, before anything is written.
    if (isConditional && !holds(options, statNow(path))) return undefined;
    const file = new TemporaryFile(top, directories);
    try {
      await file.write(data, 0);
      const stored = await file.seal();
      options.signal?.throwIfAborted();
      if (!isConditional) {
        await putInPlace(path, () => rename(file.path, path));
        return stored;
      }
      const placeIfItHolds = (): boolean => {
        if (!holds(options, statNow(path))) return false;
        renameSync(file.path, path);
        return true;
      };
      if (await putInPlace(path, () => exclusively(placeIfItHolds))) return stored;
      await file.remove();
      return undefined;
    } catch (error) {
      await file.remove();
      throw error;
    }
  }

  return {
    create(key, { signal } = {}) {
      const path = pathOf(key);
      const file = new TemporaryFile(top, directories);
      const finish = async (): Promise<StoredObject> => {
        const stored = await file.seal();
        signal?.throwIfAborted();
        await putInPlace(path, () => rename(file.path, path));
        return stored;
      };
      const sink: BlockSink = {
        whole: (data) => inFolder(path, () => file.write(data, 0).then(finish)),
        block: (data, number) => inFolder(path, () => file.write(data, (number - 1) * DIRECT_BLOCK_BYTES)),
        finish: () => inFolder(path, finish),
        cancel: () => file.remove(),
      };
      return new BlockWriter(sink, FOLDER_BLOCKS, signal);
    },

    async put(key, data, options = {}) {
      const path = pathOf(key);
      return inFolder(path, () => putFile(path, data, options));
    },

    async get(key) {
      const path = pathOf(key);
      return inFolder(path, async () => {
        const opened = await openObject(path);
        if (!opened) return undefined;
        await using handle = opened.handle;
        return { data: await handle.readFile(), etag: etagOf(opened.stat) };
      });
    },

    async *read(key, { start = 0, end = Infinity, signal } = {}) {
      const path = pathOf(key);
      const opened = await inFolder(path, () => openObject(path));
      if (!opened) throw new ObjectMissingError(key);
      await using handle = opened.handle;
      const stop = Math.min(end, Number(opened.stat.size));
      for (let at = start; at < stop; ) {
        signal?.throwIfAborted();
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, stop - at));
        const { bytesRead } = await inFolder(path, () => handle.read(buffer, 0, buffer.byteLength, at));
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    },

    async head(key) {
      const path = pathOf(key);
      return inFolder(path, async () => {
        const stat = await lstat(path, { bigint: true }).catch(undefinedIfMissing);
        return stat?.isFile() ? storedObject(stat) : undefined;
      });
    },

    async delete(keys) {
      const paths = keys.map(pathOf);
      await forEachLimit(paths, DELETES_AT_ONCE, (path) =>
        inFolder(path, () => unlink(path).catch(undefinedIfMissing)),
      );
      for (const directory of new Set(paths.map(dirname))) await directories.removeEmpty(directory);
    },

    async *list(prefix) {
      checkPrefix(prefix);
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      yield* listFolder(top, folder, prefix);
    },

    location: (key) => pathOf(key),
  };
}

/**
 * Removes what writers that were killed have left, and what waits in `staging/` for an invocation that never came: what the
 * bucket's lifecycle rules do on S3.
 *
 * @param options.olderThanMs since the last write, default 2 days: no object is written that slowly
 * @returns how many files
 */
export async function cleanTemporary(root: string, options: CleaningOptions): Promise<number> {
  return (await cleanUnfinished(root, options)) + (await cleanBelow(join(resolve(root), STAGING), options));
}

/** The same of a folder that is not a backend's: only what writers that were killed have left. */
export const cleanUnfinished = (root: string, options: CleaningOptions): Promise<number> =>
  cleanBelow(join(resolve(root), TEMPORARY), options);

export interface CleaningOptions {
  readonly clock: Clock;
  readonly olderThanMs?: number;
}

async function cleanBelow(top: string, { clock, olderThanMs = days(2) }: CleaningOptions): Promise<number> {
  const before = clock().getTime() - olderThanMs;
  let removed = 0;
  for (const name of await readdir(top, { recursive: true }).catch(emptyIfMissing)) {
    const path = join(top, name);
    const stat = await lstat(path).catch(undefinedIfMissing);
    if (!stat?.isFile() || stat.mtimeMs >= before) continue;
    await inFolder(path, () => unlink(path).catch(undefinedIfMissing));
    removed++;
  }
  return removed;
}

const STAGING = 'staging';
const FOLDER_BLOCKS: BlockPlan = { blockBytes: () => DIRECT_BLOCK_BYTES, inFlight: () => 2, memory: alignedMemory };
const READ_BYTES = 256 * KIB;
const DELETES_AT_ONCE = 8;
const PLACE_ATTEMPTS = 5;

function statNow(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

function holds({ ifMatch, ifAbsent }: PutOptions, stat: BigIntStats | undefined): boolean {
  if (ifAbsent && stat) return false;
  return ifMatch === undefined || (stat !== undefined && etagOf(stat) === ifMatch);
}

async function openObject(path: string): Promise<{ handle: FileHandle; stat: BigIntStats } | undefined> {
  const handle = await open(path, 'r').catch(undefinedIfMissing);
  if (!handle) return undefined;
  const stat = await handle.stat({ bigint: true });
  if (stat.isFile()) return { handle, stat };
  await handle.close();
  return undefined;
}

/** In the order of the keys, in which a folder stands where its name with `/` would. */
async function* listFolder(top: string, folder: string, prefix: string): AsyncIterable<string> {
  const entries = await readdir(join(top, folder), { withFileTypes: true }).catch(emptyIfMissing);
  const keys = entries.map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`).sort(byCharacters);
  for (const key of keys) {
    if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue;
    if (key === `${TEMPORARY}/`) continue;
    if (key.endsWith('/')) yield* listFolder(top, key, prefix);
    else if (key.startsWith(prefix)) yield key;
  }
}

const byCharacters = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
  return undefined;
}

function emptyIfMissing(error: unknown): [] {
  if (!isMissing(error)) throw folderError(error, 'list');
  return [];
}
