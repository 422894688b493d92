import { KIB } from '../core/units.ts';
import type { BlockMemory } from './block-memory.ts';

const FIRST_BYTES = 16 * KIB;

/**
 * Bytes gathered up to a size. It begins small and grows by eight,
 * so that many small objects at once need little memory and a large one is copied hardly more than once.
 */
export class Block {
  readonly maxBytes: number;
  readonly #memory: BlockMemory | undefined;
  #buffer: Buffer;
  #bytes = 0;

  /** @param memory for when it has grown to its full size, if it is of that size */
  constructor(maxBytes: number, memory?: BlockMemory) {
    this.maxBytes = maxBytes;
    this.#memory = memory?.blockBytes === maxBytes ? memory : undefined;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, maxBytes));
  }

  get isFull(): boolean {
    return this.#bytes === this.maxBytes;
  }

  /** Copies what fits of `chunk` from `start` on. @returns how many bytes */
  add(chunk: Uint8Array, start: number): number {
    const count = Math.min(chunk.byteLength - start, this.maxBytes - this.#bytes);
    this.#grow(this.#bytes + count);
    this.#buffer.set(count === chunk.byteLength ? chunk : chunk.subarray(start, start + count), this.#bytes);
    this.#bytes += count;
    return count;
  }

  /** What has been gathered: a view, valid until `clear` or `release`. */
  get data(): Uint8Array {
    return this.#buffer.subarray(0, this.#bytes);
  }

  /** Empties it for the next bytes; the memory is kept. */
  clear(): void {
    this.#bytes = 0;
  }

  /** Gives its memory back; it is empty then, and small. */
  release(): void {
    const buffer = this.#buffer;
    this.#bytes = 0;
    this.#buffer = Buffer.alloc(0);
    if (buffer.byteLength === this.maxBytes) this.#memory?.give(buffer);
  }

  #grow(needed: number): void {
    if (needed <= this.#buffer.byteLength) return;
    let size = Math.max(this.#buffer.byteLength, 1);
    while (size < needed) size = Math.min(size * 8, this.maxBytes);
    const larger = size === this.maxBytes && this.#memory ? this.#memory.take() : Buffer.allocUnsafeSlow(size);
    larger.set(this.data);
    this.#buffer = larger;
  }
}
