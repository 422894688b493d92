import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Writes a file so that it appears under its name only once it is whole and on disk; what was there before stays until
 * then, and stays if this fails.
 */
export async function writeWhole(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.part`);
  const handle = await open(temporary, 'wx');
  try {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.byteLength; ) {
        // A disk that is nearly full takes a part; the next call tells why.
        at += (await handle.write(chunk, at, chunk.byteLength - at)).bytesWritten;
      }
    }
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

/**
 * Fills a folder so that it appears under its name only once `fill` has ended well. If there is one already, the new files
 * take the place of those of the same name.
 *
 * @param fill gets an empty folder beside the final one
 */
export async function fillWhole<T>(path: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const temporary = join(dirname(path), `.${randomUUID()}.part`);
  await mkdir(temporary, { recursive: true });
  try {
    const result = await fill(temporary);
    try {
      await rename(temporary, path);
    } catch (error) {
      if (!EXISTS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      for (const name of await readdir(temporary)) await rename(join(temporary, name), join(path, name));
    }
    return result;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const EXISTS = new Set(['EEXIST', 'ENOTEMPTY', 'EPERM']);
