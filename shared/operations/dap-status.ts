import { Instant } from '../clients/dap/index.ts';
import { SCHEMA_NAME, type TablePosition } from '../connectors/dap/listing.ts';
import { InvalidInputError } from '../core/errors.ts';
import type { JobRecord } from '../jobs/store.ts';
import type { NodeRecord } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { feedProgress } from '../refresh/feed-progress.ts';

/** How one table of a DAP pipeline stands. */
export interface DapTableStatus {
  readonly table: string;
  /** The service's own: all up to it has landed. Absent before the first snapshot has. */
  readonly watermark?: string;
  /** How old the watermark is. */
  readonly lagMs?: number;
  readonly schemaVersion?: number;
  /** The newest query. */
  readonly lastJob?: { readonly name: string; readonly phase: string; readonly at: number; readonly error?: string };
  /** Of what stands; without those of Parquet files, whose rows nobody counted. */
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  readonly next: string;
}

/** @throws {InvalidInputError} the pipeline's source is another one */
export async function* dapStatus(pipeline: Pipeline, deps: RefreshDeps): AsyncGenerator<DapTableStatus> {
  if (pipeline.source.type !== 'dap')
    throw new InvalidInputError(`pipeline ${pipeline.name} reads from ${pipeline.source.type}, not from dap`);
  const active = await deps.runs.active(pipeline.name);
  if (!active) return;
  for await (const item of childrenOf(pipeline.name, active.root, deps)) {
    if (item.kind !== 'feed' || !item.child || item.gone) continue;
    yield tableStatus(pipeline, item, deps);
  }
}

async function tableStatus(
  pipeline: Pipeline,
  { name: table, child }: PartitionRecord,
  deps: RefreshDeps,
): Promise<DapTableStatus> {
  const loaded = await deps.nodes.load(pipeline.name, child!);
  const standing = { rows: 0, files: 0, bytes: 0 };
  let newest: PartitionRecord | undefined;
  for await (const query of childrenOf(pipeline.name, child!, deps)) {
    newest = query;
    if (!query.child || query.gone) continue;
    for await (const { landed, metadata, name } of childrenOf(pipeline.name, query.child, deps)) {
      if (!landed || metadata?.schemaVersion !== undefined || name === SCHEMA_NAME) continue;
      standing.rows += landed.rows ?? 0;
      standing.files += 1;
      standing.bytes += landed.bytes;
    }
  }
  const position = loaded?.node.landedPosition as TablePosition | undefined;
  const job = newest?.child ? await deps.jobs.latest(pipeline.name, newest.child) : undefined;
  const { outstanding } = loaded
    ? await feedProgress({ pipeline, id: child!, node: loaded.node, shards: loaded.shards }, deps)
    : { outstanding: [] };
  return {
    table,
    ...(position ? { watermark: position.watermark, lagMs: lagOf(position.watermark, deps) } : {}),
    ...(typeof position?.schemaVersion === 'number' ? { schemaVersion: position.schemaVersion } : {}),
    ...(newest && job ? { lastJob: lastJob(newest.name, job, loaded?.node) } : {}),
    ...standing,
    next: nextStep(position, outstanding.at(-1)?.error?.code, outstanding.length, job),
  };
}

function lastJob(name: string, { phase, finishedAt, createdAt, error }: JobRecord, node: NodeRecord | undefined) {
  const said = error ?? node?.error;
  return { name, phase, at: finishedAt ?? createdAt, ...(said ? { error: `${said.code}: ${said.message}` } : {}) };
}

function nextStep(
  position: TablePosition | undefined,
  failure: string | undefined,
  outstanding: number,
  job: JobRecord | undefined,
): string {
  if (job && job.status !== 'DONE') return 'wait for the query';
  if (failure === 'DapSnapshotRequired' || failure === 'DapOutOfRange') return 'a new snapshot';
  if (outstanding > 0) return failure ? 'try the query again' : 'land the query';
  return position ? `what changed since ${position.watermark}` : 'a snapshot';
}

const lagOf = (watermark: string, { clock }: RefreshDeps): number =>
  Math.max(0, clock().getTime() - Instant.parse(watermark).epochMs);

async function* childrenOf(pipeline: string, id: string, deps: RefreshDeps): AsyncGenerator<PartitionRecord> {
  const loaded = await deps.nodes.load(pipeline, id);
  for (const { shard, layout } of [...(loaded?.shards.values() ?? [])].sort((a, b) => a.shard - b.shard))
    yield* deps.partitions.all({ pipeline, node: id, layout, shard });
}
