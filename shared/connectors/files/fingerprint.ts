import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { MIB } from '../../core/units.ts';

export type FingerprintOf = 'mtime+size' | 'sha256';

export const READ_BYTES = MIB;

/**
 * The time of the last change to the content, in nanoseconds, and the size. The inode is left out: a copy that keeps
 * times (a restore, `rsync -a`, an unpacked archive) is the same content in another inode, and network file systems do not
 * keep inodes stable. So is ctime, which a change of owner or mode moves. What it cannot see: a file replaced by one of the
 * same size and mtime, or rewritten in place at the same size within one tick of the file system's clock. `sha256` does.
 */
export function mtimeAndSize(stats: BigIntStats): string {
  return `${stats.mtimeNs}-${stats.size}`;
}

/** Of a file's first `length` bytes. Ends early, without complaint, where the file does. */
export async function hashOf(file: FileHandle, length: number, signal: AbortSignal) {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length));
  for (let at = 0; at < length; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash;
}
