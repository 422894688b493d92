import { IngestError } from '../core/errors.ts';
import { readPart } from '../landing/manifest.ts';
import type { Listing } from '../listing/listing.ts';
import type { Layout } from '../nodes/layout.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import type { ShardRecord } from '../nodes/store.ts';
import type { ShardChange } from './compare.ts';
import type { RefreshDeps } from './deps.ts';
import type { NodeTask } from './node-task.ts';

const GUARDED_FROM = 100;
const GUARDED_SHARE = 0.5;

/**
 * Looks at what a listing would remove from a node before anything is written: all of it, or more than half and at least 100
 * partitions, is more often a broken source than a cleaned one.
 *
 * @throws {RemovalHeldError} the pipeline holds such a removal, and nobody has confirmed it
 */
export async function guardRemoval(
  task: NodeTask,
  listing: Listing,
  layout: Layout,
  changes: readonly ShardChange[],
  deps: RefreshDeps,
): Promise<void> {
  const { pipeline, shards, run } = task;
  if (pipeline.deleteGuard === 'off' || pipeline.strategy === 'upsert') return;
  const standing = sum([...shards.values()].map(({ totals }) => totals.partitions));
  if (standing === 0) return;
  const changed = new Set(changes.filter(({ agreed }) => agreed === undefined).map(({ shard }) => shard));
  const suspect = [...shards.values()].filter((shard) => isChanged(shard, task, layout, changed));
  // Usually few shards change, and then not even all they hold would be too much.
  if (listing.total > 0 && !isTooMuch(sum(suspect.map(({ totals }) => totals.partitions)), standing)) return;

  const going = await countGoing(suspect, listing, layout, deps);
  if (going === 0 || (listing.total > 0 && !isTooMuch(going, standing))) return;
  const facts = { pipeline: pipeline.name, run, path: task.identity.path, going, standing };
  if (pipeline.deleteGuard === 'hold' && !task.active.request?.confirmRemoval) throw new RemovalHeldError(facts);
  deps.log.warn('a listing removes most of a node', facts);
  await deps.runs.warn(
    pipeline.name,
    run,
    `${where(facts.path)}: ${going} of ${standing} partitions are no longer listed`,
  );
}

/** More often a broken source than a cleaned one. */
export const isTooMuch = (going: number, standing: number) => going >= GUARDED_FROM && going > standing * GUARDED_SHARE;

/** Of a layout that grows every shard is compared anew. */
function isChanged({ shard }: ShardRecord, { node }: NodeTask, layout: Layout, changed: ReadonlySet<number>): boolean {
  return layout !== node?.layout || changed.has(shard);
}

/** Counted from the parts, so that the table is not read twice. */
async function countGoing(
  suspect: readonly ShardRecord[],
  listing: Listing,
  layout: Layout,
  deps: RefreshDeps,
): Promise<number> {
  let going = 0;
  for (const { part } of suspect) {
    if (!part) continue;
    const entries = await readPart(deps.objects, part);
    const listed = new Map<number, ReadonlySet<string>>();
    for (const entry of entries) {
      if (entry.kind === 'tombstone') continue;
      const shard = shardOf(slotOf(entry.name), layout.shards);
      const names =
        listed.get(shard) ?? new Set([...(await listing.children(shard, layout.shards)).children.values()].map(named));
      listed.set(shard, names);
      if (!names.has(named(entry))) going += entry.kind === 'leaf' ? 1 : entry.totals.partitions;
    }
  }
  return going;
}

const named = ({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`;
const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
const where = (path: readonly string[]) => (path.length === 0 ? 'the root' : path.join('/'));

/** The delete guard holds a removal until somebody confirms it. */
export class RemovalHeldError extends IngestError {
  override readonly name = 'RemovalHeldError';
  readonly code = 'RemovalHeld';
  readonly retryable = false;

  constructor({
    pipeline,
    path,
    going,
    standing,
  }: { pipeline: string; path: readonly string[]; going: number; standing: number }) {
    super(
      `the listing of ${where(path)} would remove ${going} of ${standing} partitions; ` +
        `nothing was changed. If that is right: landfall confirm ${pipeline}`,
    );
  }
}
