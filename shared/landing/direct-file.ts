import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MIB } from '../core/units.ts';

/** What is written directly: blocks of this size, at multiples of it. */
export const DIRECT_BLOCK_BYTES = MIB;

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

  /** @returns how many bytes were written; the others are to be written otherwise, which also tells why, if that fails */
  async write(block: Uint8Array, position: number): Promise<number> {
    const memory = free.pop() ?? alignedMemory();
    try {
      memory.set(block);
      return (await this.#handle.write(memory, 0, DIRECT_BLOCK_BYTES, position)).bytesWritten;
    } catch {
      return 0;
    } finally {
      free.push(memory);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

const WEB_ASSEMBLY_PAGE_BYTES = 65_536;

/** Node has it, and its types do not tell. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

/** O_DIRECT takes memory on a page boundary only. WebAssembly's begins on one; a buffer lies anywhere. */
function alignedMemory(): Uint8Array {
  const pages = DIRECT_BLOCK_BYTES / WEB_ASSEMBLY_PAGE_BYTES;
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
}

/** As many as were ever written at once. */
const free: Uint8Array[] = [];
