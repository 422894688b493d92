import { decompressed } from '../landing/decoder.ts';
import { pathText } from '../landing/flat-manifest.ts';
import { type LeafEntry, type NodeManifest, readNodeManifest, readPart, shownEntries } from '../landing/manifest.ts';
import type { Objects } from '../landing/objects.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import { newParser, type ParserOptions } from '../parsers/formats.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RecordBatch } from '../records/schema.ts';
import { type PartitionRecords, PartitionRefusedError, type RowsWanted, type SinkPartition } from '../sinks/sink.ts';

export function sinkPartition(
  path: readonly string[],
  { fingerprint, sha256, bytes, run }: LeafEntry,
  { feed, generation }: { readonly feed?: readonly string[] | undefined; readonly generation?: string | undefined },
): SinkPartition {
  return {
    path,
    fingerprint,
    sha256,
    sizeBytes: bytes,
    run,
    ...(feed ? { feed } : {}),
    ...(generation === undefined ? {} : { generation }),
  };
}

/** The landed bytes, without the pipeline's own compression. */
export async function* landedBytes(
  objects: Objects,
  { land }: Pipeline,
  { objects: stored }: LeafEntry,
  signal?: AbortSignal,
) {
  for (const { key } of stored) {
    yield* decompressed(objects.read(key, signal ? { signal } : {}), land.compression);
  }
}

/** How a partition is read as rows: as its source says, else as the pipeline does. */
export function recordsOf(
  { source, land }: Pipeline,
  path: readonly string[],
): { readonly records: PartitionRecords; readonly parser?: ParserOptions } {
  const told = source.records?.(path);
  const parser = told?.parser ?? land.parser;
  const table = told?.table ?? path[0]!.replace(/\.[^.]*$/, '');
  return { records: { table, change: told?.change ?? 'rows' }, ...(parser ? { parser } : {}) };
}

export interface RowsOptions {
  readonly parser: ParserOptions | undefined;
  readonly wanted: RowsWanted;
  readonly signal: AbortSignal;
  readonly temporaryFolder: string;
}

/** Rows of a partition from one on; those before are parsed, since only that finds where they end. */
export async function* rowsOf(
  bytes: AsyncIterable<Uint8Array>,
  path: readonly string[],
  { parser: options, wanted, signal, temporaryFolder }: RowsOptions,
): AsyncGenerator<RecordBatch> {
  const label = pathText(path);
  if (!options) {
    throw new PartitionRefusedError(
      `${label} cannot be read as rows: the pipeline names no parser (land: { parser: { format: 'csv' } })`,
      { code: 'NoParser' },
    );
  }
  const { fromRow = 0, schema, quarantine } = wanted;
  const parser = await newParser({
    ...options,
    ...(schema ? { schema } : {}),
    ...(quarantine ? { badRecords: 'quarantine' as const } : {}),
  });
  const run = { label, signal, temporaryFolder, ...(quarantine ? { quarantine } : {}) };
  for await (const batch of parser.parse(bytes, run)) {
    const end = batch.firstRow + batch.rows.length;
    if (end <= fromRow) continue;
    const skipped = Math.max(0, fromRow - batch.firstRow);
    yield skipped === 0 ? batch : { ...batch, firstRow: batch.firstRow + skipped, rows: batch.rows.slice(skipped) };
  }
}

/** Finds one leaf of a manifest by its path; reads one part a level. */
export async function findLeaf(
  objects: Objects,
  root: string,
  path: readonly string[],
): Promise<LeafEntry | undefined> {
  let manifest: NodeManifest = await readNodeManifest(objects, root);
  for (const [depth, name] of path.entries()) {
    const isLast = depth === path.length - 1;
    let next: string | undefined;
    for (const { shard, key } of manifest.parts) {
      if (manifest.shards !== undefined && shardOf(slotOf(name), manifest.shards) !== shard) continue;
      for (const entry of shownEntries(manifest, await readPart(objects, key))) {
        if (entry.name !== name) continue;
        if (isLast && entry.kind === 'leaf') return entry;
        if (!isLast && 'manifest' in entry && entry.manifest) next = entry.manifest;
      }
    }
    if (isLast || next === undefined) return undefined;
    manifest = await readNodeManifest(objects, next);
  }
  return undefined;
}
