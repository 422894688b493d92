import type { Pipeline } from '../pipelines/define.ts';
import { type LatestManifest, type ManifestLeaf, manifestLeaves } from './manifest.ts';
import type { Objects } from './objects.ts';

/** The manifest in one file, for readers that do not walk the tree. */
export interface FlatManifest {
  readonly connector: string;
  readonly runId: number;
  readonly createdAt: string;
  readonly schemaVersion: 1;
  readonly codeFingerprint: string;
  readonly partitions: readonly FlatPartition[];
  /** Paths that the published manifest before this one had. */
  readonly removed: readonly string[];
  readonly totals: { readonly partitions: number; readonly bytes: number };
}

export interface FlatPartition {
  readonly name: string;
  readonly path: string;
  readonly fingerprint: string;
  readonly contentSha256: string;
  readonly bytes: number;
  readonly objects: readonly { readonly key: string; readonly bytes: number; readonly etag: string }[];
  readonly run: number;
  readonly reason: string;
  /** Of records that were parsed before they landed. */
  readonly format?: string;
  readonly rows?: number;
}

type FlatKeys = { readonly json: string; readonly csv: string; readonly symlink: string };

/** Writes the flat manifests a pipeline asks for, JSON always. @returns the keys written */
export async function writeFlatManifests(
  pipeline: Pipeline,
  run: number,
  root: string,
  before: LatestManifest | undefined,
  keys: FlatKeys,
  { objects, clock }: { readonly objects: Objects; readonly clock: () => Date },
): Promise<LatestManifest['files']> {
  const partitions: FlatPartition[] = [];
  for await (const leaf of manifestLeaves(objects, root)) partitions.push(flat(leaf));
  const present = new Set(partitions.map(({ path }) => path));
  const manifest: FlatManifest = {
    connector: pipeline.name,
    runId: run,
    createdAt: clock().toISOString(),
    schemaVersion: 1,
    codeFingerprint: pipeline.versions,
    partitions,
    removed: (await pathsBefore(objects, before)).filter((path) => !present.has(path)),
    totals: { partitions: partitions.length, bytes: partitions.reduce((sum, { bytes }) => sum + bytes, 0) },
  };
  await objects.put(keys.json, Buffer.from(JSON.stringify(manifest)), { contentType: 'application/json' });
  if (pipeline.manifests.includes('csv'))
    await objects.put(keys.csv, Buffer.from(csvOf(partitions)), { contentType: 'text/csv' });
  if (pipeline.manifests.includes('symlink'))
    await objects.put(keys.symlink, Buffer.from(symlinkOf(partitions, objects)), { contentType: 'text/plain' });
  return {
    json: keys.json,
    ...(pipeline.manifests.includes('csv') ? { csv: keys.csv } : {}),
    ...(pipeline.manifests.includes('symlink') ? { symlink: keys.symlink } : {}),
  };
}

/** A path in one text, for people and flat files; names are what identifies a partition. */
export const pathText = (path: readonly string[]): string =>
  path.map((name, at) => (at < path.length - 1 && !name.endsWith('/') ? `${name}/` : name)).join('');

function flat({ path, entry }: ManifestLeaf): FlatPartition {
  const { name, fingerprint, sha256, bytes, objects, run, reason, format, rows } = entry;
  const records = { ...(format ? { format } : {}), ...(format && rows !== undefined ? { rows } : {}) };
  return { name, path: pathText(path), fingerprint, contentSha256: sha256, bytes, objects, run, reason, ...records };
}

async function pathsBefore(objects: Objects, before: LatestManifest | undefined): Promise<string[]> {
  const stored = before?.files.json === undefined ? undefined : await objects.get(before.files.json);
  if (!stored) return [];
  return (JSON.parse(Buffer.from(stored.data).toString()) as FlatManifest).partitions.map(({ path }) => path);
}

const CSV_COLUMNS = ['path', 'key', 'bytes', 'etag', 'contentSha256', 'fingerprint', 'run', 'reason'];

/** One line an object. */
function csvOf(partitions: readonly FlatPartition[]): string {
  const lines = partitions.flatMap(({ path, objects, contentSha256, fingerprint, run, reason }) =>
    objects.map(({ key, bytes, etag }) =>
      [path, key, bytes, etag, contentSha256, fingerprint, run, reason].map(csvField).join(','),
    ),
  );
  return [CSV_COLUMNS.join(','), ...lines, ''].join('\n');
}

const csvField = (value: string | number): string =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);

/** As Athena and Hive read it: one object's location a line. */
function symlinkOf(partitions: readonly FlatPartition[], objects: Objects): string {
  return partitions.flatMap((partition) => partition.objects.map(({ key }) => `${objects.location(key)}\n`)).join('');
}
