const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const rotl = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));

/** xxHash of 32 bits with seed 0, the checksum of LZ4 frames; over bytes that come in pieces. */
export class Xxh32 {
  #v1 = (P1 + P2) | 0;
  #v2 = P2 | 0;
  #v3 = 0;
  #v4 = -P1 | 0;
  #total = 0;
  readonly #rest = new Uint8Array(16);
  #restBytes = 0;

  update(bytes: Uint8Array): this {
    this.#total += bytes.byteLength;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(16 - this.#restBytes, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < 16) return this;
      this.#stripes(this.#rest, 0, 16);
      this.#restBytes = 0;
    }
    const whole = at + ((bytes.byteLength - at) & ~15);
    this.#stripes(bytes, at, whole);
    this.#restBytes = bytes.byteLength - whole;
    this.#rest.set(bytes.subarray(whole));
    return this;
  }

  /** As an unsigned number. May be asked in between. */
  digest(): number {
    let hash =
      this.#total >= 16
        ? rotl(this.#v1, 1) + rotl(this.#v2, 7) + rotl(this.#v3, 12) + rotl(this.#v4, 18)
        : (this.#v3 + P5) | 0;
    hash = (hash + this.#total) | 0;
    let at = 0;
    for (; at + 4 <= this.#restBytes; at += 4) {
      hash = Math.imul(rotl((hash + Math.imul(word(this.#rest, at), P3)) | 0, 17), P4);
    }
    for (; at < this.#restBytes; at++) {
      hash = Math.imul(rotl((hash + Math.imul(this.#rest[at]!, P5)) | 0, 11), P1);
    }
    hash = Math.imul(hash ^ (hash >>> 15), P2);
    hash = Math.imul(hash ^ (hash >>> 13), P3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #stripes(bytes: Uint8Array, from: number, to: number): void {
    let [v1, v2, v3, v4] = [this.#v1, this.#v2, this.#v3, this.#v4];
    for (let at = from; at < to; at += 16) {
      v1 = Math.imul(rotl((v1 + Math.imul(word(bytes, at), P2)) | 0, 13), P1);
      v2 = Math.imul(rotl((v2 + Math.imul(word(bytes, at + 4), P2)) | 0, 13), P1);
      v3 = Math.imul(rotl((v3 + Math.imul(word(bytes, at + 8), P2)) | 0, 13), P1);
      v4 = Math.imul(rotl((v4 + Math.imul(word(bytes, at + 12), P2)) | 0, 13), P1);
    }
    [this.#v1, this.#v2, this.#v3, this.#v4] = [v1, v2, v3, v4];
  }
}

export function xxh32(bytes: Uint8Array): number {
  return new Xxh32().update(bytes).digest();
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
