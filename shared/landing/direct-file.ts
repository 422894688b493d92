import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { alignedMemory, DIRECT_BLOCK_BYTES, isAligned } from './block-memory.ts';

/**
 * A file's second opening, past the page cache (O_DIRECT), for the whole blocks of a large object. It is made durable at once
 * and hardly read here again, so a copy in the cache would only cost: of 2 GiB up to 5 s of processor time, against 0.2 s.
 */
export class DirectFile {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @returns undefined where the platform or the file system has no such thing */
  static async open(path: string): Promise<DirectFile | undefined> {
    if (constants.O_DIRECT === undefined) return undefined;
    try {
      return new DirectFile(await open(path, constants.O_WRONLY | constants.O_DIRECT));
    } catch {
      return undefined;
    }
  }

  /**
   * @param block of {@link DIRECT_BLOCK_BYTES}, copied first unless it is aligned; not to be changed until the call settles
   * @returns how many bytes were written; the others are to be written otherwise, which also tells why, if that fails
   */
  async write(block: Uint8Array, position: number): Promise<number> {
    if (isAligned(block)) return this.#write(block, position);
    const memory = alignedMemory.take();
    memory.set(block);
    try {
      return await this.#write(memory, position);
    } finally {
      alignedMemory.give(memory);
    }
  }

  async #write(block: Uint8Array, position: number): Promise<number> {
    try {
      return (await this.#handle.write(block, 0, DIRECT_BLOCK_BYTES, position)).bytesWritten;
    } catch {
      return 0;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
