import { constants } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import { mapInOrder } from '../core/concurrency.ts';
import { sha256Hex } from '../core/ids.ts';
import { type EpochMs, KIB } from '../core/units.ts';
import type { NodeKind } from '../nodes/store.ts';
import type { Totals } from '../nodes/totals.ts';
import type { Landed } from '../partitions/store.ts';
import type { Objects } from './objects.ts';
import { ManifestDamagedError, readObject, readObjects } from './stored-json.ts';

export { ManifestDamagedError };

/** One line of a part: what stands under one name. */
export type PartEntry = LeafEntry | NodeEntry | TombstoneEntry;

export interface LeafEntry extends Landed {
  readonly kind: 'leaf';
  readonly name: string;
  /** In a feed. */
  readonly number?: number;
  readonly generation?: string;
}

export interface NodeEntry {
  readonly kind: NodeKind;
  readonly name: string;
  readonly node: string;
  /** Key of the node's manifest; absent as long as its listing never succeeded. */
  readonly manifest?: string;
  readonly totals: Totals;
  /** In a feed. */
  readonly number?: number;
  readonly generation?: string;
}

export interface TombstoneEntry {
  readonly kind: 'tombstone';
  readonly name: string;
  readonly run: number;
}

/** What a node shows: the parts of its shards, in order. */
export interface NodeManifest {
  readonly version: 1;
  readonly pipeline: string;
  readonly node: string;
  readonly kind: NodeKind;
  readonly path: readonly string[];
  /** How many shards its children are spread over; a shard without any has no part. Not of a feed. */
  readonly shards?: number;
  readonly parts: readonly { readonly shard: number; readonly key: string }[];
  readonly totals: Totals;
  /** Of a feed: only entries of these numbers are shown, `[from, to)`. */
  readonly shown?: { readonly from: number; readonly to: number };
}

/** `latest.json`: swapped last, and never back. */
export interface LatestManifest {
  readonly version: 1;
  readonly pipeline: string;
  readonly run: number;
  readonly publishedAt: EpochMs;
  /** Key of the root's manifest. */
  readonly manifest: string;
  readonly totals: Totals;
  /** Flat manifests, where there are at most 50,000 partitions. */
  readonly files: { readonly json?: string; readonly csv?: string; readonly symlink?: string };
}

export interface EncodedPart {
  readonly id: string;
  readonly data: Uint8Array;
}

const compressAside = promisify<Uint8Array, { level: number }, Buffer>(gzip);
const expandAside = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);
/** The longest text there is. */
const EXPANDED = { maxOutputLength: constants.MAX_STRING_LENGTH };
const LEVEL = 4;
/** Below this a hand-over to another thread takes six times as long as the work itself (18 µs against 110 µs). */
const ASIDE_FROM_BYTES = 128 * KIB;

const compress = async (data: Uint8Array): Promise<Uint8Array> =>
  data.length < ASIDE_FROM_BYTES ? gzipSync(data, { level: LEVEL }) : compressAside(data, { level: LEVEL });
const expand = async (data: Uint8Array): Promise<Buffer> =>
  data.length < ASIDE_FROM_BYTES / 2 ? gunzipSync(data, EXPANDED) : expandAside(data, EXPANDED);

/** Newline-delimited JSON, gzip, in order of kind and name (of number in a feed), named by its content. */
export async function encodePart(entries: readonly PartEntry[]): Promise<EncodedPart> {
  const text = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  return { id: contentId(text), data: await compress(text) };
}

export async function readPart(objects: Objects, key: string): Promise<PartEntry[]> {
  return readObjects<PartEntry>(await readCompressed(objects, key), key, { kind: 'string', name: 'string' });
}

export async function encodeNodeManifest(manifest: NodeManifest): Promise<EncodedPart> {
  const text = Buffer.from(JSON.stringify(manifest));
  return { id: contentId(text), data: await compress(text) };
}

export async function readNodeManifest(objects: Objects, key: string): Promise<NodeManifest> {
  const text = await readCompressed(objects, key);
  const manifest = readObject<NodeManifest>(text, key, { path: 'array', parts: 'array' });
  if (manifest.parts.every((part) => typeof part?.key === 'string')) return manifest;
  throw new ManifestDamagedError(`the manifest object ${key} is damaged: a part has no key`);
}

export async function readLatest(
  objects: Objects,
  key: string,
): Promise<{ readonly latest: LatestManifest; readonly etag: string } | undefined> {
  const stored = await objects.get(key);
  if (!stored) return undefined;
  const latest = readObject<LatestManifest>(Buffer.from(stored.data).toString(), key, { manifest: 'string' });
  return { latest, etag: stored.etag };
}

async function readCompressed(objects: Objects, key: string): Promise<string> {
  const stored = await objects.get(key);
  if (!stored) throw new ManifestDamagedError(`the manifest object ${key} is missing`);
  try {
    return (await expand(stored.data)).toString();
  } catch (cause) {
    throw new ManifestDamagedError(`the manifest object ${key} is damaged`, { cause });
  }
}

const contentId = (text: Uint8Array) => sha256Hex(text).slice(0, 24);

/** A leaf of the tree with its path. */
export interface ManifestLeaf {
  readonly path: readonly string[];
  readonly entry: LeafEntry;
}

/** Every leaf below a node's manifest, depth first. In memory are a part of each level and {@link NODES_AHEAD} of the nodes that follow. */
export async function* manifestLeaves(objects: Objects, key: string): AsyncGenerator<ManifestLeaf> {
  yield* leavesBelow(objects, await openNode(objects, key));
}

/** Nodes read at once: a source may have tens of thousands, and a round trip to S3 takes tens of milliseconds. */
export const NODES_AHEAD = 16;

/** A node of which the first part, most often the only one, is in memory. */
interface OpenNode {
  readonly manifest: NodeManifest;
  readonly first: readonly PartEntry[];
}

async function openNode(objects: Objects, key: string): Promise<OpenNode> {
  const manifest = await readNodeManifest(objects, key);
  const [first] = manifest.parts;
  return { manifest, first: first ? await readPart(objects, first.key) : [] };
}

async function* leavesBelow(objects: Objects, { manifest, first }: OpenNode): AsyncGenerator<ManifestLeaf> {
  for (const [at, part] of manifest.parts.entries()) {
    const entries = shownEntries(manifest, at === 0 ? first : await readPart(objects, part.key));
    const keys = entries.flatMap((entry) => ('manifest' in entry && entry.manifest ? [entry.manifest] : []));
    const nodes = mapInOrder(keys, NODES_AHEAD, (key) => openNode(objects, key));
    for (const entry of entries) {
      if (entry.kind === 'leaf') yield { path: [...manifest.path, entry.name], entry };
      else if ('manifest' in entry && entry.manifest) yield* leavesBelow(objects, (await nodes.next()).value!);
    }
  }
}

/** Of a feed only what is before its first gap, and only of the generation that is shown. */
export function shownEntries(manifest: NodeManifest, entries: readonly PartEntry[]): readonly PartEntry[] {
  const { shown } = manifest;
  if (!shown) return entries;
  return entries.filter((entry) => 'number' in entry && entry.number! >= shown.from && entry.number! < shown.to);
}
