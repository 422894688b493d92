import { writeRequests } from '../landing/parts.ts';
import { FIRST_LAYOUT, layoutFor } from '../nodes/layout.ts';
import type { Diff, ListedChild } from '../partitions/diff.ts';
import { groupDue } from '../partitions/groups.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { Sizes } from '../refresh/sizes.ts';
import type { SourceFacts } from './weights.ts';
import { changesPart, type FolderWork, NO_WORK, type RunWork, type ShardWork } from './work.ts';

/** A due partition, as it was listed. */
export interface DuePartition extends Pick<ListedChild, 'sk' | 'name' | 'fingerprint'> {
  readonly metadata: unknown;
  /** Expected bytes, where the listing tells. */
  readonly size?: number;
}

/** What cannot be known before the refresh, so that an estimate says too little. */
export type Unknown = 'sizes' | 'jobs' | 'feeds' | 'growth';

type Averages = Pick<SourceFacts, 'nameBytes' | 'fingerprintBytes' | 'metadataBytes'>;

/** Of a source whose names nobody has seen: such as nothing is due of. */
const TYPICAL: Averages = { nameBytes: 32, fingerprintBytes: 32, metadataBytes: 160 };

/** Gathers what a refresh will do, folder by folder; folders that are alike are kept once. */
export class WorkSum {
  readonly #sizes: Pick<Sizes, 'groupPartitions' | 'feedShard' | 'childrenPerShard'>;
  readonly #folders = new Map<string, FolderWork>();
  readonly #unknown = new Set<Unknown>();
  readonly #seen = { partitions: 0, names: 0, fingerprints: 0, due: 0, metadata: 0 };
  #ranBefore = false;
  #largestBytes = 0;

  constructor(sizes: Pick<Sizes, 'groupPartitions' | 'feedShard' | 'childrenPerShard'>) {
    this.#sizes = sizes;
  }

  ranBefore(): void {
    this.#ranBefore = true;
  }

  unknown(what: Unknown): void {
    this.#unknown.add(what);
  }

  folder(work: FolderWork): void {
    const { folders, ...alike } = { ...work, shards: mergedShards(work.shards) };
    const key = JSON.stringify(alike);
    const known = this.#folders.get(key);
    this.#folders.set(key, { ...alike, folders: folders + (known?.folders ?? 0) });
    const { childrenPerShard } = this.#sizes;
    const grown = alike.shards.reduce((children, one) => children + one.shards * childrenAfter(one), 0);
    const layout = alike.shards.reduce((sum, { shards }) => sum + shards, 0);
    const present = { ...FIRST_LAYOUT, shards: layout };
    const next = layoutFor(grown, present, true, childrenPerShard, () => '');
    if (work.known && next !== present) this.unknown('growth');
  }

  /**
   * What a listing means for one shard.
   *
   * @param items that were read
   * @param leaves of a shard that agrees: they were not
   */
  shard(items: Iterable<PartitionRecord>, diff: Diff<DuePartition & ListedChild>, leaves?: number): Partial<ShardWork> {
    let heldLeaves = leaves ?? 0;
    let heldNodes = 0;
    for (const { kind, name, landed } of items) {
      if (kind !== 'leaf') heldNodes += 1;
      else if (leaves === undefined) heldLeaves += 1;
      if (landed) this.#saw(name, landed.fingerprint);
    }
    const gone = diff.settled.filter(({ action }) => action !== 'unmark' && action !== 'keep');
    const removed = gone.filter(({ item }) => item.kind === 'leaf').length;
    return {
      ...{ heldLeaves, heldNodes, removed, removedNodes: gone.length - removed },
      fresh: diff.due.filter(({ item }) => !item).length,
      changed: diff.due.filter(({ item }) => item).length,
      ...this.#due(diff.due.map(({ listed }) => listed)),
      nodes: diff.children.length,
      newNodes: diff.children.filter(({ item, anew }) => !item || anew).length,
    };
  }

  /** A feed: what is new or still due in it goes into shards that are filled one after the other. */
  feed(depth: number, known: boolean, due: readonly DuePartition[], jobs: number): void {
    this.unknown('feeds');
    if (jobs > 0) this.unknown('jobs');
    const parts = Math.max(1, Math.ceil((due.length + jobs) / this.#sizes.feedShard));
    const nodes = { nodes: jobs, newNodes: jobs, changedNodes: jobs };
    const all = { ...NO_WORK, agrees: due.length + jobs === 0, fresh: due.length, ...this.#due(due), ...nodes };
    const shares = Object.entries(all).map(([name, value]) => [
      name,
      typeof value === 'number' && name !== 'shards' ? value / parts : value,
    ]);
    this.folder({ folders: 1, depth, known, shards: [{ ...Object.fromEntries(shares), shards: parts } as ShardWork] });
  }

  #due(due: readonly DuePartition[]): Pick<ShardWork, 'groups' | 'dueBytes' | 'dataRequests'> {
    let dueBytes = 0;
    let dataRequests = 0;
    for (const { name, fingerprint, metadata, size } of due) {
      if (size === undefined) this.unknown('sizes');
      dueBytes += size ?? 0;
      dataRequests += writeRequests(size ?? 0);
      this.#largestBytes = Math.max(this.#largestBytes, size ?? 0);
      this.#saw(name, fingerprint);
      this.#seen.due += 1;
      this.#seen.metadata += Buffer.byteLength(JSON.stringify(metadata));
    }
    return { groups: groupDue(due, this.#sizes.groupPartitions).length, dueBytes, dataRequests };
  }

  #saw(name: string, fingerprint: string): void {
    this.#seen.partitions += 1;
    this.#seen.names += Buffer.byteLength(name);
    this.#seen.fingerprints += Buffer.byteLength(fingerprint);
  }

  folders(): FolderWork[] {
    return [...this.#folders.values()];
  }

  unknowns(): Unknown[] {
    return [...this.#unknown].sort();
  }

  /** Of the partitions that are due. */
  get largestBytes(): number {
    return this.#largestBytes;
  }

  /** Of the partitions that are due, or stand beside them; of others nobody has looked at the names. */
  averages(): Averages {
    const { partitions, names, fingerprints, due, metadata } = this.#seen;
    if (partitions === 0) return TYPICAL;
    const nameBytes = names / partitions;
    const fingerprintBytes = fingerprints / partitions;
    return { nameBytes, fingerprintBytes, metadataBytes: due > 0 ? metadata / due : nameBytes + fingerprintBytes };
  }

  run(): RunWork {
    return runWork(this.folders(), this.#ranBefore);
  }
}

/** The refresh as a whole, from all its folders. */
export function runWork(folders: readonly FolderWork[], ranBefore: boolean): RunWork {
  const sum = (of: (folder: FolderWork, shard: ShardWork) => number): number =>
    folders.reduce(
      (total, folder) =>
        total + folder.folders * folder.shards.reduce((part, shard) => part + shard.shards * of(folder, shard), 0),
      0,
    );
  const root = folders.find(({ depth }) => depth === 0);
  return {
    ranBefore,
    publishedBefore: root?.known === true,
    partitions: sum((_, { heldLeaves, fresh, removed }) => heldLeaves + fresh - removed),
    parts: sum((_, shard) => (childrenAfter(shard) > 0 ? 1 : 0)),
    folders: folders.reduce((total, one) => total + one.folders, 0),
    changes: root === undefined || !root.known || root.shards.some(changesPart),
  };
}

const childrenAfter = ({ heldLeaves, fresh, removed, heldNodes, newNodes, removedNodes }: ShardWork): number =>
  heldLeaves + fresh - removed + heldNodes + newNodes - removedNodes;

function mergedShards(shards: readonly ShardWork[]): ShardWork[] {
  const merged = new Map<string, ShardWork>();
  for (const { shards: count, ...alike } of shards) {
    const key = JSON.stringify(alike);
    merged.set(key, { ...alike, shards: count + (merged.get(key)?.shards ?? 0) });
  }
  return [...merged.values()];
}
