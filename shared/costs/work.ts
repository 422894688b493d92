/**
 * What a refresh will do, as far as it decides requests: folders, their shards, and what is due in each. Made from a plan, where
 * the source was listed, or from the shape of a source, on paper.
 */
export interface FolderWork {
  /** So many folders are alike. */
  readonly folders: number;
  /** Names above it; the root has none. */
  readonly depth: number;
  /** An earlier run has listed it, and its parent lists it as before. */
  readonly known: boolean;
  readonly shards: readonly ShardWork[];
}

/** Shards of one folder that are alike. Partitions are leaves; nodes are folders, feeds and jobs. */
export interface ShardWork {
  readonly shards: number;
  /** What is listed is what it holds: its items are not read. */
  readonly agrees: boolean;
  /** Its part is built though it agrees: something below changed in the run that built it. */
  readonly stale: boolean;
  /** What its items are before, in each shard. */
  readonly heldLeaves: number;
  readonly heldNodes: number;
  /** Landed partitions it shows before, those below its nodes among them. */
  readonly standing: number;
  /** Due partitions without an item, and with one. */
  readonly fresh: number;
  readonly changed: number;
  readonly removed: number;
  /** Messages that its due partitions go out in, and what it takes to write their objects. */
  readonly groups: number;
  readonly dueBytes: number;
  readonly dataRequests: number;
  /** Nodes listed; of those, such as no item names yet, and such as change what they show in this run. */
  readonly nodes: number;
  readonly newNodes: number;
  readonly changedNodes: number;
  readonly removedNodes: number;
}

export const NO_WORK: ShardWork = {
  shards: 1,
  agrees: true,
  stale: false,
  heldLeaves: 0,
  heldNodes: 0,
  standing: 0,
  fresh: 0,
  changed: 0,
  removed: 0,
  groups: 0,
  dueBytes: 0,
  dataRequests: 0,
  nodes: 0,
  newNodes: 0,
  changedNodes: 0,
  removedNodes: 0,
};

/** The refresh as a whole. */
export interface RunWork {
  /** Another run has ended before. */
  readonly ranBefore: boolean;
  /** A manifest is published. */
  readonly publishedBefore: boolean;
  /** What the tree is afterwards: for the flat manifests. */
  readonly partitions: number;
  readonly parts: number;
  readonly folders: number;
  /** The root shows something else than before. */
  readonly changes: boolean;
}

/** Does it show something else than before? */
export const changesPart = (shard: ShardWork): boolean =>
  shard.fresh + shard.changed + shard.removed + shard.changedNodes + shard.removedNodes > 0;

/** Is it planned at all, and so waited for? */
export const isPlanned = ({ agrees, nodes }: ShardWork): boolean => !agrees || nodes > 0;

/** Is its part built from its items? */
export const isBuilt = (shard: ShardWork): boolean => !shard.agrees || shard.stale || shard.changedNodes > 0;
