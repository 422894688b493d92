import { LINEAGE_COLUMNS } from '../formats/lineage.ts';
import { decompressed } from '../landing/decoder.ts';
import { pathText } from '../landing/flat-manifest.ts';
import { compressionOfKey, type RecordFormat } from '../landing/keys.ts';
import { type LeafEntry, type NodeManifest, readNodeManifest, readPart, shownEntries } from '../landing/manifest.ts';
import type { Objects } from '../landing/objects.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import { newParser, type ParserOptions } from '../parsers/formats.ts';
import { RESCUED } from '../parsers/parser.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { parserOf } from '../pipelines/rows.ts';
import type { RecordBatch } from '../records/schema.ts';
import { type PartitionRecords, PartitionRefusedError, type RowsWanted, type SinkPartition } from '../sinks/sink.ts';
import type { UploadedVersion } from './store.ts';

export function sinkPartition(
  path: readonly string[],
  { fingerprint, sha256, bytes, run, at }: UploadedVersion,
  { feed, generation }: { readonly feed?: readonly string[] | undefined; readonly generation?: string | undefined },
): SinkPartition {
  return {
    path,
    fingerprint,
    sha256,
    sizeBytes: bytes,
    run,
    landedAt: at,
    ...(feed ? { feed } : {}),
    ...(generation === undefined ? {} : { generation }),
  };
}

/** The landed bytes, without the compression around them. */
export async function* landedBytes(
  objects: Objects,
  { objects: stored, name, format }: LeafEntry,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  // As it landed, which may be otherwise than the pipeline would have it now.
  for (const { key } of stored)
    yield* decompressed(objects.read(key, signal ? { signal } : {}), compressionOfKey(key, name, format));
}

/**
 * How a partition is read as rows: as its source says, else as the pipeline does.
 *
 * @param landed what landed, if it is to be read: a file of a format tells its rows itself
 */
export function recordsOf(
  pipeline: Pipeline,
  path: readonly string[],
  landed?: LeafEntry,
): { readonly records: PartitionRecords; readonly parser?: ParserOptions } {
  const told = pipeline.source.records?.(path);
  const given = parserOf(pipeline, path);
  const parser = landed?.format ? landedParser(landed.format, pipeline, given) : given;
  const table = told?.table ?? path[0]!.replace(/\.[^.]*$/, '');
  return { records: { table, change: told?.change ?? 'rows' }, ...(parser ? { parser } : {}) };
}

/** Types are as they were when the rows landed, where somebody has given them; else as the values look. */
function landedParser(
  format: RecordFormat,
  { land: { file }, source: { connector } }: Pipeline,
  given: ParserOptions | undefined,
): ParserOptions {
  if (format === 'parquet' || format === 'avro') return { format };
  const { schema, columns = [] } = (connector.kind === 'records' ? connector.typing : given) ?? {};
  const typed = columns.flatMap(({ sourceName, targetName = sourceName, type }) =>
    type === undefined || targetName === undefined ? [] : [{ targetName, type }],
  );
  const common = {
    compression: 'none',
    ...(schema ? { schema } : {}),
    columns: [...typed, { targetName: RESCUED, type: 'json' }],
    onMismatch: 'rescue',
  } as const;
  if (format === 'ndjson') return { format, ...common };
  return { format, ...common, multiline: true, nullValues: [''], delimiter: file?.delimiter ?? ',' };
}

export interface RowsOptions {
  readonly parser: ParserOptions | undefined;
  readonly wanted: RowsWanted;
  readonly signal: AbortSignal;
  readonly temporaryFolder: string;
  readonly landed: LeafEntry;
  /** Columns of a format that were added when the rows landed; they are left out. */
  readonly hasLineage: boolean;
}

/** Rows of a partition from one on; those before are parsed, since only that finds where they end. */
export async function* rowsOf(
  bytes: AsyncIterable<Uint8Array>,
  path: readonly string[],
  { parser: options, wanted, signal, temporaryFolder, landed, hasLineage }: RowsOptions,
): AsyncGenerator<RecordBatch> {
  const label = pathText(path);
  // Without a row there is no file.
  if (landed.format && landed.objects.length === 0) return;
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
  for await (const parsed of parser.parse(bytes, run)) {
    const batch = landed.format && hasLineage ? withoutColumns(parsed, LINEAGE_COLUMNS) : parsed;
    const end = batch.firstRow + batch.rows.length;
    if (end <= fromRow) continue;
    const skipped = Math.max(0, fromRow - batch.firstRow);
    yield skipped === 0 ? batch : { ...batch, firstRow: batch.firstRow + skipped, rows: batch.rows.slice(skipped) };
  }
}

function withoutColumns(batch: RecordBatch, names: ReadonlySet<string>): RecordBatch {
  const kept = batch.schema.columns.flatMap(({ name }, at) => (names.has(name) ? [] : [at]));
  if (kept.length === batch.schema.columns.length) return batch;
  const columns = kept.map((at) => batch.schema.columns[at]!);
  return { ...batch, schema: { ...batch.schema, columns }, rows: batch.rows.map((row) => kept.map((at) => row[at]!)) };
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
