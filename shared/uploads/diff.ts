import {
  type LeafEntry,
  type NodeEntry,
  type NodeManifest,
  type PartEntry,
  readNodeManifest,
  readPart,
  shownEntries,
} from '../landing/manifest.ts';
import type { Objects } from '../landing/objects.ts';
import { compareText } from '../tables/text-order.ts';

/** One step from the manifest that a sink has applied towards a newer one. */
export type ManifestChange =
  | {
      readonly kind: 'upload';
      readonly path: readonly string[];
      readonly entry: LeafEntry;
      /** What stood there; absent for a partition that is new. */
      readonly was?: LeafEntry;
      readonly feed?: readonly string[];
      readonly generation?: string;
    }
  | {
      readonly kind: 'remove';
      readonly path: readonly string[];
      readonly was: LeafEntry;
      readonly feed?: readonly string[];
      readonly isReplaced: boolean;
    }
  | {
      readonly kind: 'begin generation' | 'finish generation';
      readonly feed: readonly string[];
      readonly generation: string;
    };

/**
 * The difference of two manifests, in an order that is the same whenever it is asked for: node by node, of a folder shard by
 * shard, of a feed by number. What both show is skipped as a whole: a node, or a part, of the same key. At most one shard of
 * each is held in memory.
 *
 * @param before key of the root's manifest that was applied; undefined if none was
 */
export async function* manifestChanges(
  objects: Objects,
  before: string | undefined,
  after: string,
): AsyncGenerator<ManifestChange> {
  if (before === after) return;
  yield* new Differ(objects).nodes(before, after, {});
}

/** What a node's leaves belong to. */
interface Within {
  readonly feed?: readonly string[];
  readonly generation?: string;
}

class Differ {
  readonly #objects: Objects;

  constructor(objects: Objects) {
    this.#objects = objects;
  }

  async *nodes(before: string | undefined, after: string | undefined, within: Within): AsyncGenerator<ManifestChange> {
    if (before === after) return;
    const [old, now] = await Promise.all([this.#manifest(before), this.#manifest(after)]);
    if (now?.kind === 'feed' || (old?.kind === 'feed' && !now)) yield* this.#feeds(old, now);
    else if (old?.kind === 'feed') {
      yield* this.#folders(undefined, now, within);
      yield* this.#feeds(old, undefined);
    }
    // Also of a job that was done again, in another node: what it made takes the place of what stood under the same path.
    else yield* this.#folders(old, now, within);
  }

  async #manifest(key: string | undefined): Promise<NodeManifest | undefined> {
    return key === undefined ? undefined : readNodeManifest(this.#objects, key);
  }

  async *#folders(
    old: NodeManifest | undefined,
    now: NodeManifest | undefined,
    within: Within,
  ): AsyncGenerator<ManifestChange> {
    const path = (now ?? old)!.path;
    for (const { before, after } of aligned(old, now)) {
      const same = new Set(before).intersection(new Set(after));
      const [was, is] = [await this.#entries(before, same), await this.#entries(after, same)];
      const names = [...new Set([...was.keys(), ...is.keys()])].sort(compareText);
      for (const name of names) yield* this.#children(path, was.get(name), is.get(name), within);
    }
  }

  /** By kind and name; a leaf `a` and a folder `a` are two. */
  async #entries(parts: readonly string[], skip: ReadonlySet<string>): Promise<Map<string, PartEntry>> {
    const found = new Map<string, PartEntry>();
    for (const key of parts) {
      if (skip.has(key)) continue;
      for (const entry of await readPart(this.#objects, key))
        if (entry.kind !== 'tombstone') found.set(`${entry.kind === 'leaf' ? '0' : '1'}${entry.name}`, entry);
    }
    return found;
  }

  async *#children(
    path: readonly string[],
    old: PartEntry | undefined,
    now: PartEntry | undefined,
    within: Within,
  ): AsyncGenerator<ManifestChange> {
    const below = [...path, (now ?? old)!.name];
    if (isLeaf(old) || isLeaf(now)) {
      if (isLeaf(now)) {
        if (isLeaf(old) && sameContent(old, now)) return;
        yield { kind: 'upload', path: below, entry: now, ...(isLeaf(old) ? { was: old } : {}), ...within };
      } else if (isLeaf(old)) {
        const { feed } = within;
        yield { kind: 'remove', path: below, was: old, isReplaced: false, ...(feed ? { feed } : {}) };
      }
      return;
    }
    yield* this.nodes(manifestOf(old), manifestOf(now), within);
  }

  /** In order of numbers. What a new generation replaced is removed when all of the new one has come. */
  async *#feeds(old: NodeManifest | undefined, now: NodeManifest | undefined): AsyncGenerator<ManifestChange> {
    const feed = (now ?? old)!.path;
    const sameNode = old !== undefined && old.node === now?.node;
    const oldParts = new Map(sameNode ? old.parts.map(({ shard, key }) => [shard, key]) : []);
    let open: string | undefined;
    // A generation of which nothing was shown begins as one that is new.
    let isNew = !sameNode || now.shown?.from !== old.shown?.from || isEmpty(old.shown);
    for (const { shard, key } of now?.parts ?? []) {
      const before = await this.#numbered(old, oldParts.get(shard));
      // A part that has not changed may have been shown up to an earlier gap.
      for (const entry of await this.#shown(now!, key)) {
        const { generation } = entry;
        if (open !== undefined && generation !== open) {
          yield { kind: 'finish generation', feed, generation: open };
          open = undefined;
        }
        const was = before.get(entry.number!);
        if (isNew && generation !== undefined && !was) {
          isNew = false;
          open = generation;
          yield { kind: 'begin generation', feed, generation };
        }
        yield* this.#children(feed, was, entry, { feed, ...(generation === undefined ? {} : { generation }) });
      }
    }
    if (open !== undefined) yield { kind: 'finish generation', feed, generation: open };
    const isReplaced = sameNode && now?.shown?.from !== old.shown?.from;
    for (const { key } of old?.parts ?? []) {
      for (const entry of await this.#shown(old!, key))
        if (!sameNode || !isShown(now, entry.number!)) yield* this.#gone(feed, entry, isReplaced);
    }
  }

  async #shown(manifest: NodeManifest, part: string): Promise<(LeafEntry | NodeEntry)[]> {
    const entries = shownEntries(manifest, await readPart(this.#objects, part));
    return entries.filter((entry) => entry.kind !== 'tombstone');
  }

  async #numbered(
    manifest: NodeManifest | undefined,
    part: string | undefined,
  ): Promise<ReadonlyMap<number, LeafEntry | NodeEntry>> {
    if (!manifest || part === undefined) return new Map();
    return new Map((await this.#shown(manifest, part)).map((entry) => [entry.number!, entry]));
  }

  async *#gone(
    feed: readonly string[],
    entry: LeafEntry | NodeEntry,
    isReplaced: boolean,
  ): AsyncGenerator<ManifestChange> {
    const path = [...feed, entry.name];
    if (entry.kind === 'leaf') {
      yield { kind: 'remove', path, was: entry, feed, isReplaced };
      return;
    }
    for await (const change of this.nodes(entry.manifest, undefined, { feed }))
      yield change.kind === 'remove' ? { ...change, isReplaced } : change;
  }
}

const isLeaf = (entry: PartEntry | undefined): entry is LeafEntry => entry?.kind === 'leaf';
const manifestOf = (entry: PartEntry | undefined): string | undefined =>
  entry && 'manifest' in entry ? entry.manifest : undefined;

const isEmpty = (shown: NodeManifest['shown']): boolean => shown === undefined || shown.to <= shown.from;

const isShown = (manifest: NodeManifest | undefined, number: number): boolean =>
  manifest?.shown !== undefined && number >= manifest.shown.from && number < manifest.shown.to;

/** Read anew with the same outcome: nothing of it is other than it was. */
const sameContent = (a: LeafEntry, b: LeafEntry): boolean => a.sha256 === b.sha256 && a.versions === b.versions;

/** Keys of parts that hold the same slots, before and after. */
interface Aligned {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * Shard counts are powers of two, and each cuts the same slots in order: so many shards of the larger layout hold what one of
 * the smaller does. A manifest without its count is compared as one.
 */
function aligned(old: NodeManifest | undefined, now: NodeManifest | undefined): Aligned[] {
  const counts = [old?.shards ?? (old ? 1 : undefined), now?.shards ?? (now ? 1 : undefined)];
  const groups = Math.min(...counts.filter((count) => count !== undefined));
  const partsOf = (manifest: NodeManifest | undefined, group: number): string[] =>
    (manifest?.parts ?? [])
      .filter(({ shard }) => groups === 1 || Math.floor((shard * groups) / manifest!.shards!) === group)
      .map(({ key }) => key);
  return Array.from({ length: groups }, (_, group) => ({ before: partsOf(old, group), after: partsOf(now, group) }));
}
