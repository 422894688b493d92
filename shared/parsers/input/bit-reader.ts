/** Bits of a stream, the highest first. `fill` waits for bytes; `read` takes from those that are there. */
export class BitReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #truncated: () => Error;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #isOver = false;
  #bits = 0;
  #count = 0;

  /** @param truncated makes the error for bits that are not there */
  constructor(chunks: AsyncIterable<Uint8Array>, truncated: () => Error) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#truncated = truncated;
  }

  /** Waits until so many bytes are there, or all that are left. */
  async fill(bytes: number): Promise<void> {
    let left = this.#bytes.length - this.#at;
    if (left >= bytes || this.#isOver) return;
    const parts: Uint8Array[] = [this.#bytes.subarray(this.#at)];
    while (left < bytes) {
      const next = await this.#chunks.next();
      if (next.done) {
        this.#isOver = true;
        break;
      }
      parts.push(next.value);
      left += next.value.length;
    }
    this.#bytes = Buffer.concat(parts);
    this.#at = 0;
  }

  async hasMore(): Promise<boolean> {
    await this.fill(1);
    return this.#at < this.#bytes.length;
  }

  /** @param count 1 to 24 */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw this.#truncated();
      this.#at += 1;
      this.#bits = ((this.#bits << 8) | byte) & 0xffffffff;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#bits >>> this.#count) & ((1 << count) - 1);
  }

  /** Lets go of the source, which may have more. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  alignToByte(): void {
    this.#count = 0;
  }
}
