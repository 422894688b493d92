import { sha256Hex } from '../../core/ids.ts';
import { renderKey } from '../../landing/key-template.ts';
import type { Objects } from '../../landing/objects.ts';
import type { PartitionRecords, SinkPartition } from '../sink.ts';

/**
 * What a sink has put there for one partition. It is written before anything is, and after: so what a killed upload left is
 * known, and no bucket is ever searched.
 */
export interface Placed {
  readonly version: 1;
  readonly path: readonly string[];
  /** Of what is there; absent as long as nothing is in full. */
  readonly sha256?: string;
  readonly run?: number;
  readonly rows?: number;
  /** In order. */
  readonly keys: readonly string[];
  /** An upload under way, or one that was cut off. */
  readonly writing?: Writing;
}

export interface Writing {
  /** Of content and options: an upload goes on only with what it would have written itself. */
  readonly id: string;
  readonly base: string;
  readonly extension: string;
  /** Files that are complete, and the rows in them. */
  readonly keys: readonly string[];
  readonly rows: number;
}

const FOLDER = '_landfall';

export const placedKey = (pipeline: string, sink: string, path: readonly string[]): string => {
  const id = sha256Hex(JSON.stringify(path)).slice(0, 32);
  return `${FOLDER}/${pipeline}/${sink}/${id.slice(0, 2)}/${id}.json`;
};

export async function readPlaced(objects: Objects, key: string): Promise<Placed | undefined> {
  const stored = await objects.get(key);
  return stored && (JSON.parse(Buffer.from(stored.data).toString()) as Placed);
}

export async function writePlaced(objects: Objects, key: string, placed: Placed): Promise<void> {
  await objects.put(key, Buffer.from(JSON.stringify(placed)), { contentType: 'application/json' });
}

/** Where a partition goes, without what its files end in: the same whenever it is asked for. */
export function baseOf(template: string, partition: SinkPartition, { table }: PartitionRecords): string {
  const { path, run, landedAt, fingerprint } = partition;
  const metadata = { table, version: sha256Hex(fingerprint).slice(0, 16) };
  const rendered = renderKey(template, { path, run, at: new Date(landedAt), metadata });
  return template.includes('{path}') ? rendered : `${rendered}-${sha256Hex(JSON.stringify(path)).slice(0, 16)}`;
}

export const partKey = (base: string, part: number, extension: string): string =>
  `${base}/part-${String(part).padStart(5, '0')}.${extension}`;

/** All keys that may be there of a partition. Files appear one after the other, so the first that is missing ends them. */
export async function keysOfPlaced(objects: Objects, { keys, writing }: Placed): Promise<Set<string>> {
  const all = new Set(keys);
  if (!writing) return all;
  for (const key of writing.keys) all.add(key);
  if (writing.extension === '') return all.add(writing.base);
  for (let part = writing.keys.length; ; part++) {
    const key = partKey(writing.base, part, writing.extension);
    if (!(await objects.head(key))) return all;
    all.add(key);
  }
}
