import { type FolderWork, NO_WORK, type RunWork, type ShardWork } from '../../shared/costs/work.ts';
import { runWork } from '../../shared/costs/work-sum.ts';
import { writeRequests } from '../../shared/landing/parts.ts';
import { shardsFor } from '../../shared/nodes/layout.ts';
import { groupDue } from '../../shared/partitions/groups.ts';
import { SIZES } from '../../shared/refresh/sizes.ts';

/** A source on paper: so many partitions of one size, in folders that are alike. */
export interface Shape {
  readonly partitions: number;
  /** Of all partitions together. */
  readonly bytes: number;
  /** Partitions of a folder, and folders of a folder above those. */
  readonly leaves: number;
  readonly folders: number;
}

export type Refresh =
  /** Nothing has been listed before. */
  | { readonly is: 'first' }
  /** What was listed before, twice. */
  | { readonly is: 'unchanged' }
  /** This share of the partitions has another fingerprint: as many in every shard, or whole folders. */
  | { readonly is: 'changed'; readonly share: number; readonly spread: 'evenly' | 'by folder' };

export interface PaperWork {
  readonly folders: readonly FolderWork[];
  readonly run: RunWork;
  readonly largestBytes: number;
}

/** What a refresh of a source of this shape has to do. */
export function workOf(shape: Shape, refresh: Refresh): PaperWork {
  const size = shape.bytes / shape.partitions;
  const levels = levelsOf(shape);
  const depth = levels.length - 1;
  const known = refresh.is !== 'first';
  const folders = levels.flatMap((count, level) => {
    const base = { depth: level, known };
    if (level === depth)
      return leafFolders(shape.partitions / count, count, size, refresh).map((one) => ({ ...base, ...one }));
    const nodes = levels[level + 1]! / count;
    return [{ ...base, folders: count, shards: [upperShard(nodes, shape.partitions / count, refresh)] }];
  });
  return { folders, run: runWork(folders, known), largestBytes: refresh.is === 'unchanged' ? 0 : size };
}

/** How many folders there are at each level, from the root down. */
function levelsOf({ partitions, leaves, folders }: Shape): number[] {
  const levels = [Math.max(1, Math.ceil(partitions / leaves))];
  while (levels[0]! > 1) levels.unshift(Math.ceil(levels[0]! / folders));
  return levels;
}

/** Folders of leaves: alike, or some changed as a whole. */
function leafFolders(
  leaves: number,
  count: number,
  size: number,
  refresh: Refresh,
): Pick<FolderWork, 'folders' | 'shards'>[] {
  const shards = shardsFor(leaves, SIZES.childrenPerShard);
  const perShard = Math.round(leaves / shards);
  const held = { ...NO_WORK, heldLeaves: perShard, standing: perShard };
  const all = { ...held, shards };
  if (refresh.is === 'unchanged') return [{ folders: count, shards: [all] }];
  if (refresh.is === 'first')
    return [
      { folders: count, shards: [{ ...NO_WORK, ...due(perShard, size), shards, agrees: false, fresh: perShard }] },
    ];
  const changes = (changed: number) => ({ ...held, ...due(changed, size), agrees: false, changed });
  /** In each folder so many shards like this, the others as they were. */
  const some = (shard: ShardWork, of: number): Pick<FolderWork, 'folders' | 'shards'>[] => {
    const each = [
      { ...shard, shards: of },
      { ...held, shards: shards - of },
    ];
    return [{ folders: count, shards: each.filter((one) => one.shards > 0) }];
  };
  if (refresh.spread === 'by folder') {
    // Of few folders whole shards.
    if (count * refresh.share < 1) return some(changes(perShard), Math.max(1, Math.round(shards * refresh.share)));
    const changed = Math.min(count, Math.round(count * refresh.share));
    return [
      { folders: changed, shards: [{ ...changes(perShard), shards }] },
      { folders: count - changed, shards: [all] },
    ].filter((one) => one.folders > 0);
  }
  const each = perShard * refresh.share;
  if (each >= 1) return [{ folders: count, shards: [{ ...changes(Math.round(each)), shards }] }];
  // Less than one in every shard: one in some of them.
  return some(changes(1), Math.max(1, Math.round(shards * each)));
}

function upperShard(nodes: number, below: number, refresh: Refresh): ShardWork {
  const shards = shardsFor(nodes, SIZES.childrenPerShard);
  const perShard = nodes / shards;
  const known = { ...NO_WORK, shards, heldNodes: perShard, nodes: perShard, standing: below / shards };
  if (refresh.is === 'unchanged') return known;
  if (refresh.is === 'first')
    return { ...NO_WORK, shards, agrees: false, nodes: perShard, newNodes: perShard, changedNodes: perShard };
  const share = refresh.spread === 'evenly' ? 1 : refresh.share;
  return { ...known, changedNodes: Math.max(1, Math.round(perShard * share)) };
}

/** Cut into groups as a plan cuts them. */
function due(partitions: number, size: number): Pick<ShardWork, 'groups' | 'dueBytes' | 'dataRequests'> {
  const all = Array.from({ length: partitions }, () => ({ sk: SAMPLE_SORT_KEY, size }));
  return {
    groups: groupDue(all, SIZES.groupPartitions).length,
    dueBytes: partitions * size,
    dataRequests: partitions * writeRequests(size),
  };
}

/** As long as the names of the table's source. */
const SAMPLE_SORT_KEY = `leaf#${'n'.repeat(32)}`;
