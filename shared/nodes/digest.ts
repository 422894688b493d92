import { hash } from 'node:crypto';

/**
 * The digest of a shard: the sum modulo 2^256 of one SHA-256 per child. Sums do not depend on order and can be added up,
 * so a listing that streams in any order is compared with what a shard holds without being kept.
 */
const LIMBS = 8;
const DIGEST_BYTES = 32;

export type Digest = string & { readonly __digest: unique symbol };

/** What a child counts as. The fingerprint of a folder is left out: a folder is always listed. */
export function childText(kind: string, name: string, fingerprint: string, versions: string): string {
  // Length-prefixed: no two children read alike.
  return `${kind}:${name.length}:${name}:${fingerprint.length}:${fingerprint}:${versions}`;
}

/** Sums of many slots, in one flat array of 32-bit limbs. */
export class DigestSums {
  readonly #limbs: Uint32Array;
  readonly counts: Uint32Array;

  constructor(slots: number) {
    this.#limbs = new Uint32Array(slots * LIMBS);
    this.counts = new Uint32Array(slots);
  }

  add(slot: number, child: string): void {
    // As text, a character a byte: a Buffer for each of a million children would take five times as long.
    const digest = hash('sha256', child, 'binary');
    this.#addLimbs(slot * LIMBS, (limb) => limbOf(digest, limb));
    this.counts[slot]! += 1;
  }

  /** The digest and count of the slots `[first, end)` together. */
  sum(first: number, end: number): { digest: Digest; count: number } {
    const total = new DigestSums(1);
    for (let slot = first; slot < end; slot++) {
      const count = this.counts[slot]!;
      if (count === 0) continue;
      const from = slot * LIMBS;
      total.#addLimbs(0, (limb) => this.#limbs[from + limb]!);
      total.counts[0]! += count;
    }
    return { digest: total.#hex(), count: total.counts[0]! };
  }

  #addLimbs(at: number, limbOf: (limb: number) => number): void {
    let carry = 0;
    for (let limb = 0; limb < LIMBS; limb++) {
      const sum = this.#limbs[at + limb]! + limbOf(limb) + carry;
      this.#limbs[at + limb] = sum;
      carry = sum > 0xffffffff ? 1 : 0;
    }
  }

  #hex(): Digest {
    return Buffer.from(this.#limbs.buffer, 0, DIGEST_BYTES).toString('base64url') as Digest;
  }

  /** For a listing that goes on in another invocation. */
  toBytes(): Uint8Array {
    return Buffer.concat([Buffer.from(this.#limbs.buffer), Buffer.from(this.counts.buffer)]);
  }

  static fromBytes(slots: number, bytes: Uint8Array): DigestSums {
    const sums = new DigestSums(slots);
    const words = new Uint32Array(new Uint8Array(bytes).buffer);
    sums.#limbs.set(words.subarray(0, slots * LIMBS));
    sums.counts.set(words.subarray(slots * LIMBS));
    return sums;
  }
}

/** 32 bits of a text that holds a byte a character, the least significant first. */
function limbOf(digest: string, limb: number): number {
  const at = limb * 4;
  const high = digest.charCodeAt(at + 3) * 0x1000000;
  return high + ((digest.charCodeAt(at + 2) << 16) | (digest.charCodeAt(at + 1) << 8) | digest.charCodeAt(at));
}

export function digestOf(children: Iterable<string>): Digest {
  const sums = new DigestSums(1);
  for (const child of children) sums.add(0, child);
  return sums.sum(0, 1).digest;
}

export const EMPTY_DIGEST: Digest = digestOf([]);
