import type { ErrorFacts } from '../core/errors.ts';
import { pathText } from '../landing/flat-manifest.ts';
import type { ShardKey, ShardRecord } from '../nodes/store.ts';
import type { PartitionKind, PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from '../refresh/deps.ts';

export const PARTITION_STATES = ['LANDED', 'DUE', 'FAILED', 'KEPT', 'REMOVED', 'GIVEN_UP', 'LISTING_FAILED'] as const;
export type PartitionState = (typeof PARTITION_STATES)[number];

/** A partition, or a node whose listing failed, as people see it. */
export interface PartitionView {
  readonly path: readonly string[];
  readonly kind: PartitionKind;
  readonly state: PartitionState;
  readonly fingerprint?: string;
  readonly bytes?: number;
  /** The run and the reason of its last landing. */
  readonly run?: number;
  readonly reason?: string;
  readonly landedAt?: number;
  readonly objects?: readonly { readonly key: string; readonly bytes: number }[];
  readonly rows?: number;
  /** Where records are that could not be taken. */
  readonly errors?: { readonly key: string; readonly records: number };
  readonly error?: ErrorFacts;
}

export interface PartitionFilter {
  readonly state?: PartitionState;
  /** Of a partition's path as one text. */
  readonly matches?: (path: string) => boolean;
}

/** The partitions of a pipeline as the tables have them, node by node. */
export async function* listPartitions(
  pipeline: string,
  deps: RefreshDeps,
  filter: PartitionFilter,
): AsyncGenerator<PartitionView> {
  for await (const found of walkPartitions(pipeline, deps)) {
    const view = viewOf(found);
    if (!view || (filter.state && view.state !== filter.state)) continue;
    if (filter.matches && !filter.matches(pathText(view.path))) continue;
    yield view;
  }
}

export interface FoundPartition {
  readonly key: ShardKey;
  readonly shard: ShardRecord;
  readonly item: PartitionRecord;
  readonly path: readonly string[];
  /** Of a child node: why its last listing failed. */
  readonly listingError?: ErrorFacts;
}

/** Every item of every shard below a pipeline's root, children before what is listed after them. */
export async function* walkPartitions(
  pipeline: string,
  deps: Pick<RefreshDeps, 'runs' | 'nodes' | 'partitions'>,
): AsyncGenerator<FoundPartition> {
  const active = await deps.runs.active(pipeline);
  if (active) yield* walkNode(pipeline, active.root, [], deps);
}

async function* walkNode(
  pipeline: string,
  id: string,
  path: readonly string[],
  deps: Pick<RefreshDeps, 'nodes' | 'partitions'>,
): AsyncGenerator<FoundPartition> {
  const loaded = await deps.nodes.load(pipeline, id);
  for (const shard of [...(loaded?.shards.values() ?? [])].sort((a, b) => a.shard - b.shard)) {
    const key: ShardKey = { pipeline, node: id, layout: shard.layout, shard: shard.shard };
    for await (const item of deps.partitions.all(key)) {
      const below = [...path, item.name];
      if (!item.child) yield { key, shard, item, path: below };
      else {
        const node = await deps.nodes.get(pipeline, item.child);
        yield { key, shard, item, path: below, ...(node?.error ? { listingError: node.error } : {}) };
        yield* walkNode(pipeline, item.child, below, deps);
      }
    }
  }
}

/** A mark counts only in the plan that last diffed the shard. */
function viewOf({ shard, item, path, listingError }: FoundPartition): PartitionView | undefined {
  const counts = item.plan === shard.diffed;
  const { kind, landed } = item;
  if (kind !== 'leaf') return listingError && { path, kind, state: 'LISTING_FAILED', error: listingError };
  const base = {
    path,
    kind,
    ...(landed
      ? {
          fingerprint: landed.fingerprint,
          bytes: landed.bytes,
          run: landed.run,
          reason: landed.reason,
          landedAt: landed.at,
        }
      : {}),
    ...(landed ? { objects: landed.objects.map(({ key, bytes }) => ({ key, bytes })) } : {}),
    ...(landed?.rows === undefined ? {} : { rows: landed.rows }),
    ...(landed?.errors ? { errors: { key: landed.errors.key, records: landed.errors.records } } : {}),
    ...(item.error ? { error: item.error } : {}),
  };
  if (item.aside === 'tombstone' || (counts && item.gone)) return { ...base, state: 'REMOVED' };
  if (item.givenUp) return { ...base, state: 'GIVEN_UP' };
  if (counts && item.failed) return { ...base, state: 'FAILED' };
  if (counts && item.due !== undefined) return { ...base, state: 'DUE' };
  if (!landed) return undefined;
  return { ...base, state: item.aside === 'kept' ? 'KEPT' : 'LANDED' };
}
