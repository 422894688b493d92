import { hash } from 'node:crypto';

/** A hash of 63 bits, as two numbers: a record is routed by comparing, and big integers would cost more than the rest of it. */
export interface KeyHash {
  /** 31 bits. */
  readonly high: number;
  /** 32 bits. */
  readonly low: number;
}

const HASH_MAX = 2n ** 63n - 1n;

const hashes = new Map<string, KeyHash>();
const REMEMBERED_KEYS = 10_000;

/**
 * The first 8 bytes of the key's MD5, big-endian, without the top bit. Keys repeat, and hashing one takes longer than all else that
 * is done for a record.
 */
export function hashOfKey(key: string): KeyHash {
  const known = hashes.get(key);
  if (known) return known;
  const digest = hash('md5', key, 'buffer');
  const found = { high: digest.readUInt32BE(0) & 0x7fff_ffff, low: digest.readUInt32BE(4) };
  if (hashes.size >= REMEMBERED_KEYS) hashes.clear();
  if (key.length <= 100) hashes.set(key, found);
  return found;
}

/** An `explicit_hash_key`, or undefined if it is no number from 0 to 2^63-1: then the record goes by its partition key. */
export function explicitHash(given: string): KeyHash | undefined {
  if (!/^\d{1,19}$/.test(given)) return undefined;
  const value = BigInt(given);
  return value > HASH_MAX ? undefined : split(value);
}

const split = (value: bigint): KeyHash => ({ high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) });

/** How hashes are spread over so many active partitions; a bound belongs to the lower partition. */
export class HashRanges {
  /** `[low : high]` of each partition. */
  readonly texts: readonly string[];
  readonly #bounds: readonly KeyHash[];

  constructor(partitions: number) {
    const step = HASH_MAX / BigInt(partitions);
    const upper = Array.from({ length: partitions }, (_, at) =>
      at === partitions - 1 ? HASH_MAX : step * BigInt(at + 1),
    );
    this.texts = upper.map((bound, at) => `[${at === 0 ? 0n : upper[at - 1]} : ${bound}]`);
    this.#bounds = upper.map(split);
  }

  /** Place of the hash's partition among the active ones, in the order of their ids. */
  indexOf({ high, low }: KeyHash): number {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length - 1 && (high > bounds[at]!.high || (high === bounds[at]!.high && low > bounds[at]!.low)))
      at++;
    return at;
  }
}

const rangesByCount = new Map<number, HashRanges>();

export function hashRanges(partitions: number): HashRanges {
  let ranges = rangesByCount.get(partitions);
  if (!ranges) {
    ranges = new HashRanges(partitions);
    rangesByCount.set(partitions, ranges);
  }
  return ranges;
}
