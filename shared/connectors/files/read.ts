import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { InvalidInputError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { MIB } from '../../core/units.ts';
import { type Metadata, type ReadRun, SourceChangedError, SourceTruncatedError } from '../connector.ts';
import { errorCode, fileError, shownPath } from './errors.ts';
import { type FingerprintOf, hashOf, mtimeAndSize, READ_BYTES } from './fingerprint.ts';
import { type Root, realPathInside } from './root.ts';

export interface HowToRead {
  readonly followLinks: boolean;
  readonly fingerprint: FingerprintOf;
}

const CHECKPOINT_BYTES = 64 * MIB;

/**
 * Yields a file's bytes from `run.resumeFrom` (an offset) on, in chunks of 1 MiB.
 *
 * @throws {SourceChangedError} the file is not, before the first byte or after the last, what was listed, or is gone
 * @throws {SourceTruncatedError} it ended before its size
 */
export async function* readFile(
  root: Root,
  path: string,
  metadata: Metadata,
  how: HowToRead,
  run: ReadRun,
): AsyncGenerator<Uint8Array> {
  const file = await openInside(root, path, how.followLinks);
  try {
    const before = await file.stat({ bigint: true });
    const size = Number(before.size);
    const listed = how.fingerprint === 'sha256' ? String(metadata.size) : metadata.fingerprint;
    const found = how.fingerprint === 'sha256' ? String(size) : mtimeAndSize(before);
    if (!before.isFile() || found !== listed) throw changed(path, 'since it was listed', listed, found);

    let at = offsetOf(run.resumeFrom, size);
    let checkpointAt = at;
    // A hash cannot be taken up again in the middle, so what had been read before is read once more, for it alone.
    const hash = how.fingerprint === 'sha256' ? await hashOf(file, at, run.signal) : undefined;
    while (at < size) {
      run.signal.throwIfAborted();
      const chunk = await readAt(file, at, Math.min(READ_BYTES, size - at), path);
      if (chunk.length === 0) {
        throw new SourceTruncatedError(`files: ${shownPath(path)} ended after ${at} bytes instead of ${size}`);
      }
      hash?.update(chunk);
      yield chunk;
      at += chunk.length;
      if (at - checkpointAt < CHECKPOINT_BYTES || at === size) continue;
      await run.checkpoint(at);
      checkpointAt = at;
    }

    const now = hash ? hash.digest('hex') : mtimeAndSize(await file.stat({ bigint: true }));
    if (now !== metadata.fingerprint) throw changed(path, 'while it was read', metadata.fingerprint, now);
  } finally {
    await file.close();
  }
}

async function openInside(root: Root, path: string, followLinks: boolean): Promise<FileHandle> {
  const real = await realPathInside(root, path, followLinks);
  try {
    // Links are resolved by now. Not to block: a pipe in the place of the file would wait for a writer for ever.
    if (real !== undefined) return await open(real, constants.O_RDONLY | NO_FOLLOW | NO_BLOCK);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ELOOP') throw fileError(error, real ?? path);
  }
  throw new SourceChangedError(`files: ${shownPath(path)} is gone, or now leads elsewhere, since it was listed`);
}

// Windows has neither.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_BLOCK = constants.O_NONBLOCK ?? 0;

/** A new buffer each time: whoever takes the chunks may hold more than one. */
async function readAt(file: FileHandle, at: number, length: number, path: string): Promise<Uint8Array> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw fileError(error, path);
  }
}

function offsetOf(cursor: JsonValue | undefined, size: number): number {
  if (cursor === undefined) return 0;
  if (typeof cursor === 'number' && Number.isSafeInteger(cursor) && cursor >= 0 && cursor <= size) return cursor;
  throw new InvalidInputError(`files: a read goes on at an offset of 0 to ${size}, got ${JSON.stringify(cursor)}`);
}

function changed(path: string, when: string, listed: string, found: string): SourceChangedError {
  return new SourceChangedError(`files: ${shownPath(path)} changed ${when}: it was ${listed} and is ${found}`);
}
