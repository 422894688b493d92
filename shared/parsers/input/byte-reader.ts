/** Takes bytes off a stream in pieces of a given size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #isOver = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** @returns exactly so many bytes, or undefined if the input has fewer left */
  async take(bytes: number): Promise<Buffer | undefined> {
    await this.#fill(bytes);
    if (this.#size < bytes) return undefined;
    const all = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = bytes < all.length ? [all.subarray(bytes)] : [];
    this.#size -= bytes;
    return Buffer.from(all.buffer, all.byteOffset, bytes);
  }

  async hasMore(): Promise<boolean> {
    await this.#fill(1);
    return this.#size > 0;
  }

  /** Lets go of the source, which may have more. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(bytes: number): Promise<void> {
    while (this.#size < bytes && !this.#isOver) {
      const next = await this.#chunks.next();
      if (next.done) this.#isOver = true;
      else if (next.value.length > 0) {
        this.#waiting.push(next.value);
        this.#size += next.value.length;
      }
    }
  }
}
