import { randomBytes } from 'node:crypto';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '../shared/core/units.ts';

export const LARGE_BYTES = 2048 * MIB;
export const LARGE_NAME = 'object.bin';

export const largeFolderIn = (folder: string) => join(folder, 'source');

/** Makes a folder with one file of 2 GiB, in which no two blocks are alike. */
export async function makeLargeObject(folder: string): Promise<void> {
  const source = largeFolderIn(folder);
  const path = join(source, LARGE_NAME);
  const known = await stat(path).catch(() => undefined);
  if (known?.size === LARGE_BYTES) return;
  await mkdir(source, { recursive: true });
  await using file = await open(path, 'w');
  const block = randomBytes(8 * MIB);
  for (let at = 0; at < LARGE_BYTES; at += block.byteLength) {
    block.writeUInt32LE(at / MIB);
    await file.write(block, 0, block.byteLength, at);
  }
  await file.sync();
}

export const mibPerSecond = (seconds: number) => ({ seconds, mibPerSecond: LARGE_BYTES / MIB / seconds });
