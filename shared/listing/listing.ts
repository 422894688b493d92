import { type ListedNode, parseListed } from '../connectors/metadata.ts';
import { IngestError } from '../core/errors.ts';
import { sha256Hex } from '../core/ids.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../core/json.ts';
import { parseJson } from '../core/parse-json.ts';
import { childText, type Digest, DigestSums } from '../nodes/digest.ts';
import { SLOTS, slotOf, slotsOf } from '../nodes/layout.ts';
import type { ListedChild } from '../partitions/diff.ts';
import { sortKey } from '../partitions/store.ts';
import { Spool, type SpoolIndex } from './spool.ts';

/** A child with what the platform carries for it. */
export interface ListingChild extends ListedChild {
  readonly metadata: JsonObject;
  readonly size?: number;
  readonly generation?: string;
}

export interface ListingOptions {
  readonly spoolFolder: string;
  readonly path: readonly string[];
  /** Identifies the code and options that would read what is listed: part of the digests. */
  readonly versions: string;
  /** Refuse leaves with an empty fingerprint. */
  readonly strict: boolean;
  readonly spoolBudgetBytes?: number;
}

/**
 * A folder's listing as it streams in: its lines in a spool cut by slot, and per slot the sum that shards are compared by.
 * Memory does not depend on how much is listed.
 */
export class Listing {
  readonly #options: ListingOptions;
  readonly #spool: Spool;
  #sums = new DigestSums(SLOTS);
  #nodeCounts = new Uint32Array(SLOTS);
  #total = 0;
  /** Of a job in a feed: the position it told. */
  told: JsonValue | undefined;
  /** What all leaves that it lists are to have together, if it told. */
  expectedRows: number | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
    this.#spool = new Spool(
      options.spoolFolder,
      SLOTS,
      options.spoolBudgetBytes ? { budgetBytes: options.spoolBudgetBytes } : {},
    );
  }

  /** How many children, duplicates counted. */
  get total(): number {
    return this.#total;
  }

  /** @returns true if `flush` should be awaited before the next. @throws {InvalidListingError} */
  add(listed: ListedNode): boolean {
    const slot = slotOf(listed.name);
    this.#total += 1;
    this.#sums.add(slot, this.#text(listed));
    if (listed.kind !== 'leaf') this.#nodeCounts[slot]! += 1;
    return this.#spool.add(slot, `${listed.kind === 'leaf' ? 'L' : 'N'}${JSON.stringify(listed.metadata)}`);
  }

  flush(): Promise<void> {
    return this.#spool.flush();
  }

  #text({ kind, name, fingerprint }: { kind: string; name: string; fingerprint: string }): string {
    if (kind !== 'leaf') return childText(kind, name, '', '');
    // An empty fingerprint is always changed: what is listed then agrees with nothing that is held.
    return childText(kind, name, fingerprint === '' ? '\0' : fingerprint, this.#options.versions);
  }

  digest(shard: number, shards: number): { digest: Digest; count: number; nodes: number } {
    const { first, end } = slotsOf(shard, shards);
    let nodes = 0;
    for (let slot = first; slot < end; slot++) nodes += this.#nodeCounts[slot]!;
    return { ...this.#sums.sum(first, end), nodes };
  }

  /**
   * The children of one shard by sort key, duplicates folded.
   *
   * @param only `nodes` leaves the leaves out without reading them
   * @throws {DuplicatePartitionError} one name with two fingerprints
   */
  async children(shard: number, shards: number, only: 'all' | 'nodes' = 'all'): Promise<ShardListing> {
    const { first, end } = slotsOf(shard, shards);
    const { path, strict } = this.#options;
    const children = new Map<string, ListingChild>();
    const sums = new DigestSums(1);
    let duplicates = 0;
    for (const line of await this.#spool.lines(first, end)) {
      if (only === 'nodes' && line.charCodeAt(0) === LEAF_MARK) continue;
      const child = listingChild(parseListed(parseJson(line.slice(1)) as JsonObject, path, { strict }));
      const other = children.get(child.sk);
      if (other && other.fingerprint !== child.fingerprint && child.kind === 'leaf')
        throw new DuplicatePartitionError(path, other, child);
      if (other) duplicates += 1;
      else sums.add(0, this.#text(child));
      children.set(child.sk, child);
    }
    return { children, duplicates, digest: sums.sum(0, 1).digest };
  }

  /** For the invocation that goes on: what to keep beside the spool's bytes. */
  async save(): Promise<{ readonly state: ListingState; readonly data: AsyncIterable<Uint8Array> }> {
    const { index, data } = await this.#spool.save();
    const nodeCounts = Buffer.from(this.#nodeCounts.buffer).toString('base64');
    return {
      state: {
        index,
        total: this.#total,
        sums: Buffer.from(this.#sums.toBytes()).toString('base64'),
        nodeCounts,
        ...(this.told === undefined ? {} : { told: this.told }),
        ...(this.expectedRows === undefined ? {} : { expectedRows: this.expectedRows }),
      },
      data,
    };
  }

  static async restore(
    options: ListingOptions,
    state: ListingState,
    data: AsyncIterable<Uint8Array>,
  ): Promise<Listing> {
    const listing = new Listing(options);
    await listing.#spool.restore(state.index, data);
    listing.#total = state.total;
    listing.told = state.told;
    listing.expectedRows = state.expectedRows;
    listing.#sums = DigestSums.fromBytes(SLOTS, Buffer.from(state.sums, 'base64'));
    listing.#nodeCounts = new Uint32Array(new Uint8Array(Buffer.from(state.nodeCounts, 'base64')).buffer);
    return listing;
  }

  close(): Promise<void> {
    return this.#spool.close();
  }
}

export interface ShardListing {
  readonly children: ReadonlyMap<string, ListingChild>;
  readonly duplicates: number;
  readonly digest: Digest;
}

export interface ListingState {
  readonly index: SpoolIndex;
  readonly total: number;
  readonly sums: string;
  readonly nodeCounts: string;
  readonly told?: JsonValue;
  readonly expectedRows?: number;
}

const LEAF_MARK = 'L'.charCodeAt(0);

export function listingChild(listed: ListedNode): ListingChild {
  return {
    sk: sortKey(listed.kind, listed.name),
    name: listed.name,
    kind: listed.kind,
    fingerprint: listed.fingerprint,
    metadata: listed.metadata as JsonObject,
    ...(listed.size === undefined ? {} : { size: listed.size }),
    ...(listed.generation === undefined ? {} : { generation: listed.generation }),
  };
}

/** What a feed's listing yielded, in order, with the positions its connector told. */
export class FeedListing {
  readonly #spool: Spool;
  readonly #options: ListingOptions;
  #total = 0;
  #position: JsonValue | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
    this.#spool = new Spool(options.spoolFolder, 1);
  }

  get total(): number {
    return this.#total;
  }

  /** The last position told: the feed is known up to there. What was yielded after it is not taken. */
  get position(): JsonValue | undefined {
    return this.#position;
  }

  add(listed: ListedNode): boolean {
    this.#total += 1;
    return this.#spool.add(0, `L${JSON.stringify(listed.metadata)}`);
  }

  checkpoint(position: JsonValue): boolean {
    this.#position = position;
    return this.#spool.add(0, `P${JSON.stringify(position)}`);
  }

  flush(): Promise<void> {
    return this.#spool.flush();
  }

  /** The children up to the last position, in order; each with the position told right after it, if one was. */
  async children(): Promise<FeedChild[]> {
    const { path, strict } = this.#options;
    const taken: FeedChild[] = [];
    let since: FeedChild[] = [];
    for (const line of await this.#spool.lines(0, 1)) {
      if (line.charCodeAt(0) === LEAF_MARK) {
        since.push(listingChild(parseListed(parseJson(line.slice(1)) as JsonObject, path, { strict })));
        continue;
      }
      const last = since.at(-1);
      if (last) since[since.length - 1] = { ...last, position: parseJson(line.slice(1)) as JsonValue };
      taken.push(...since);
      since = [];
    }
    return taken;
  }

  close(): Promise<void> {
    return this.#spool.close();
  }
}

export interface FeedChild extends ListingChild {
  readonly position?: JsonValue;
}

/** What a node's metadata is told apart by: all that decides how it is listed, so not its fingerprint and times. */
export function lineageId(metadata: JsonObject): string {
  const { fingerprint, lastModified, last_modified, size, ...deciding } = metadata;
  return sha256Hex(canonicalJson(deciding)).slice(0, 16);
}

export const metadataIdOf = (metadata: JsonObject): string => sha256Hex(canonicalJson(metadata)).slice(0, 16);

/** One listing named a partition twice, with different fingerprints: which of them holds cannot be known. */
export class DuplicatePartitionError extends IngestError {
  override readonly name = 'DuplicatePartitionError';
  readonly code = 'DuplicatePartition';
  readonly retryable = false;

  constructor(path: readonly string[], one: ListingChild, other: ListingChild) {
    const where = path.length === 0 ? 'the root' : JSON.stringify(path.join('/'));
    super(
      `the listing of ${where} names ${JSON.stringify(one.name)} twice, with the fingerprints ` +
        `${JSON.stringify(one.fingerprint)} and ${JSON.stringify(other.fingerprint)}`,
    );
  }
}
