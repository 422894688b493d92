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

/** Sums of many slots. Only a slot that something falls into takes memory and time: most listings are small. */
export class DigestSums {
  readonly #slots: number;
  /** Of each slot the place of its sum, counted from 1; 0 for none. */
  readonly #places: Uint16Array;
  /** The slot of each place. */
  readonly #used: number[] = [];
  #limbs: Uint32Array<ArrayBuffer>;
  #counts: Uint32Array<ArrayBuffer>;

  constructor(slots: number) {
    const room = Math.min(slots, FIRST_ROOM);
    this.#slots = slots;
    this.#places = new Uint16Array(slots);
    this.#limbs = new Uint32Array(room * LIMBS);
    this.#counts = new Uint32Array(room);
  }

  add(slot: number, child: string): void {
    // As text, a character a byte: a Buffer for each of a million children would take five times as long.
    const digest = hash('sha256', child, 'binary');
    const place = this.#placeOf(slot);
    this.#addLimbs(place * LIMBS, (limb) => limbOf(digest, limb));
    this.#counts[place]! += 1;
  }

  /** The digest and count of the slots `[first, end)` together. */
  sum(first: number, end: number): { digest: Digest; count: number } {
    const total = new DigestSums(1);
    const add = (place: number) => {
      const from = place * LIMBS;
      total.#addLimbs(0, (limb) => this.#limbs[from + limb]!);
      total.#counts[0]! += this.#counts[place]!;
    };
    if (end - first < this.#used.length) {
      for (let slot = first; slot < end; slot++) if (this.#places[slot] !== 0) add(this.#places[slot]! - 1);
    } else {
      for (const [place, slot] of this.#used.entries()) if (slot >= first && slot < end) add(place);
    }
    return { digest: total.#hex(), count: total.#counts[0]! };
  }

  #placeOf(slot: number): number {
    const known = this.#places[slot]!;
    if (known !== 0) return known - 1;
    const place = this.#used.push(slot) - 1;
    this.#places[slot] = place + 1;
    if (place === this.#counts.length) {
      this.#limbs = doubled(this.#limbs);
      this.#counts = doubled(this.#counts);
    }
    return place;
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
    const words = new Uint32Array(this.#slots * (LIMBS + 1));
    for (const [place, slot] of this.#used.entries()) {
      words.set(this.#limbs.subarray(place * LIMBS, (place + 1) * LIMBS), slot * LIMBS);
      words[this.#slots * LIMBS + slot] = this.#counts[place]!;
    }
    return Buffer.from(words.buffer);
  }

  static fromBytes(slots: number, bytes: Uint8Array): DigestSums {
    const sums = new DigestSums(slots);
    const words = new Uint32Array(new Uint8Array(bytes).buffer);
    for (let slot = 0; slot < slots; slot++) {
      const count = words[slots * LIMBS + slot]!;
      if (count === 0) continue;
      const place = sums.#placeOf(slot);
      sums.#limbs.set(words.subarray(slot * LIMBS, (slot + 1) * LIMBS), place * LIMBS);
      sums.#counts[place] = count;
    }
    return sums;
  }
}

const FIRST_ROOM = 16;

function doubled(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
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
