/** Reads so many bytes from chunks of any size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, or all that are left if there are fewer. May share memory with the chunk they came in. */
  async read(count: number): Promise<Uint8Array> {
    if (!(await this.#fill())) return new Uint8Array(0);
    if (this.#chunk.byteLength - this.#at >= count) return this.#take(count);
    const pieces: Uint8Array[] = [];
    for (let missing = count; missing > 0 && (await this.#fill()); ) {
      const piece = this.#take(Math.min(missing, this.#chunk.byteLength - this.#at));
      pieces.push(piece);
      missing -= piece.byteLength;
    }
    return Buffer.concat(pieces);
  }

  /** Whatever is at hand, at most `max` bytes; undefined at the end. */
  async some(max: number): Promise<Uint8Array | undefined> {
    if (!(await this.#fill())) return undefined;
    return this.#take(Math.min(max, this.#chunk.byteLength - this.#at));
  }

  /** What the next `count` bytes are, without taking them; fewer at the end. */
  async peek(count: number): Promise<Uint8Array> {
    if ((await this.#fill()) && this.#chunk.byteLength - this.#at >= count) {
      return this.#chunk.subarray(this.#at, this.#at + count);
    }
    const bytes = await this.read(count);
    if (bytes.byteLength > 0) {
      this.#chunk = Buffer.concat([bytes, this.#chunk.subarray(this.#at)]);
      this.#at = 0;
    }
    return bytes;
  }

  /** All that is left, as it comes. */
  async *rest(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = await this.some(Number.POSITIVE_INFINITY);
        if (!chunk) return;
        yield chunk;
      }
    } finally {
      await this.close();
    }
  }

  /** Ends the source. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #take(count: number): Uint8Array {
    const bytes = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    return bytes;
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.byteLength) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#chunk = value;
      this.#at = 0;
    }
    return true;
  }
}
