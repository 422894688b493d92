/** Reads exact numbers of bytes from chunks of any size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** @throws {RangeError} if the body ends before so many bytes */
  async take(length: number): Promise<Buffer> {
    const taken = await this.upTo(length);
    if (taken.length < length) throw new RangeError(`the body ends after ${taken.length} of ${length} bytes`);
    return taken;
  }

  /** Fewer only at the end of the body. */
  async upTo(length: number): Promise<Buffer> {
    while (this.#heldBytes < length) {
      const { value, done } = await this.#chunks.next();
      if (done) break;
      if (value.length === 0) continue;
      this.#held.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      this.#heldBytes += value.length;
    }
    return this.#cut(Math.min(length, this.#heldBytes));
  }

  /** Whatever comes next, at most so many bytes; empty at the end. */
  async some(maxBytes: number): Promise<Buffer> {
    if (this.#heldBytes === 0) {
      const first = await this.upTo(1);
      if (first.length === 0) return first;
      this.#held.unshift(first);
      this.#heldBytes += 1;
    }
    return this.#cut(Math.min(maxBytes, this.#held[0]!.length));
  }

  #cut(length: number): Buffer {
    if (length === 0) return Buffer.alloc(0);
    this.#heldBytes -= length;
    const first = this.#held[0]!;
    if (first.length >= length) {
      if (first.length === length) this.#held.shift();
      else this.#held[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const cut = Buffer.allocUnsafe(length);
    let at = 0;
    while (at < length) {
      const chunk = this.#held[0]!;
      const taken = chunk.copy(cut, at, 0, Math.min(chunk.length, length - at));
      at += taken;
      if (taken === chunk.length) this.#held.shift();
      else this.#held[0] = chunk.subarray(taken);
    }
    return cut;
  }
}
