import { nodeBytes } from './requests.ts';
import { Tally } from './tally.ts';
import type { Weights } from './weights.ts';
import { changesPart, type FolderWork, type RunWork, type ShardWork } from './work.ts';

/**
 * What the sweep asks for to clear up after a refresh, once its grace is over: each list of garbage is read, and for each line of it
 * whether anything still names what it tells. Its rounds themselves are not counted, since they come whatever a refresh did.
 */
export function clearingRequests(folders: readonly FolderWork[], run: RunWork, weights: Weights): Tally {
  const tally = new Tally();
  for (const folder of folders) clearFolder(tally, folder, weights);
  if (run.changes) {
    // The flat manifests
    tally.object('get', 2, weights.latest);
  }
  return tally;
}

/** Collector: a list of each shard whose part was built anew, and one of the node's manifest. */
function clearFolder(tally: Tally, folder: FolderWork, weights: Weights): void {
  const { folders, known, depth, shards } = folder;
  const changed = shards.filter(changesPart);
  if (known && changed.length === 0) return;
  const held = nodeBytes(folder, weights);
  const lists = folders * (1 + sum(changed, (shard) => shard.shards));
  tally.object('get', lists, weights.garbageLine);
  // unnamedManifests: nothing has dropped out of what is new.
  tally.query('nodes', lists, held);
  if (!known) return;
  const parts = sum(changed, (shard) => shard.shards);
  const dropped = sum(changed, (shard) => shard.shards * linesOf(shard));
  // unnamed, once a line; namedIn, once a shard
  tally.query('nodes', folders * dropped, held);
  for (const shard of changed.filter((one) => linesOf(one) > 0))
    clearShard(tally, folders * shard.shards, shard, weights);
  // ShownSince.of, for every line
  const lines = folders * (dropped + parts + 1);
  tally.query('nodes', lines, held);
  tally.object('get', lines, weights.manifest);
  tally.object('delete', lines, 0);
  if (depth === 0) return;
  // lookAbove, once a folder
  tally.query('nodes', 2 * folders, held);
  tally.object('get', folders, weights.manifest);
}

function clearShard(tally: Tally, times: number, { heldLeaves, fresh, removed }: ShardWork, weights: Weights): void {
  const leaves = heldLeaves + fresh - removed;
  tally.get('nodes', times, weights.doneShard);
  tally.query('partitions', times, leaves * weights.landedItem);
  tally.object('head', times, 0);
  tally.object('get', times, leaves * weights.partEntry);
}

/** Partitions whose object was replaced, or is to go. */
const linesOf = ({ changed, removed }: ShardWork): number => changed + removed;

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
