import { isTooMuch } from '../refresh/delete-guard.ts';
import { FLAT_MANIFEST_MAX_PARTITIONS } from '../refresh/publish.ts';
import { Tally } from './tally.ts';
import {
  doneShardBytes,
  groupMemberBytes,
  listedShardBytes,
  NODE_MEMBER_BYTES,
  type SourceFacts,
  type Weights,
} from './weights.ts';
import { changesPart, type FolderWork, isBuilt, isPlanned, type RunWork, type ShardWork } from './work.ts';

/**
 * The requests of one refresh, counted step by step as the steps make them. Each method below follows the function whose name it
 * tells; a unit test compares them with counted runs, so a step that changes there fails here.
 *
 * Not counted: what is made twice because something failed, a layout that grows, external jobs, sinks, the sweep.
 */
export class RefreshRequests {
  readonly #facts: Pick<SourceFacts, 'pipeline'>;
  readonly #weights: Weights;
  readonly tally = new Tally();

  constructor(facts: Pick<SourceFacts, 'pipeline'>, weights: Weights) {
    this.#facts = facts;
    this.#weights = weights;
  }

  /** `start-refresh` opens the run; `finish-refresh` publishes and ends it. */
  run(work: RunWork): void {
    const { active, record, listMessage, doneNode, latest } = this.#weights;
    const { tally } = this;
    // startRefresh, RunStore.begin, sendRoot
    tally.get('runs', 3, work.ranBefore ? active : 0);
    tally.update('runs', 1, work.ranBefore ? active : 0);
    tally.update('runs', 1, 0);
    tally.send('list-objects', 1, 1, listMessage);
    // The root has told; finishRefresh, publish
    tally.send('finish-refresh', 1, 1, listMessage);
    tally.get('runs', 1, active);
    tally.object('get', 1, work.publishedBefore ? latest : 0);
    tally.get('nodes', 1, doneNode);
    tally.update('runs', 2, record);
    this.#flatManifests(work);
    tally.object('put', 1, latest);
    // endRun
    tally.get('runs', 1, active);
    if (work.ranBefore) tally.update('runs', 1, record);
    tally.update('runs', 1, active);
    tally.update('runs', 1, record);
  }

  /** Written where the tree has changed, and is not too large. */
  #flatManifests({ partitions, parts, folders, publishedBefore, changes }: RunWork): void {
    if (!changes || partitions > FLAT_MANIFEST_MAX_PARTITIONS) return;
    const { manifest, partEntry, flatEntry, garbageLine } = this.#weights;
    const { tally } = this;
    tally.object('put', 1, garbageLine);
    tally.object('get', folders, manifest);
    tally.object('get', parts, parts === 0 ? 0 : (partitions * partEntry) / parts);
    if (publishedBefore) tally.object('get', 1, partitions * flatEntry);
    tally.object('put', 1 + this.#facts.pipeline.manifests.length, partitions * flatEntry);
  }

  /** One folder is listed, planned, read and completed; and tells its parent, which counts there. */
  folder(work: FolderWork): void {
    const { folders, known, depth, shards } = work;
    const { nodeItem, active, doneNode } = this.#weights;
    const { tally } = this;
    const layout = sum(shards.map((shard) => shard.shards));
    const held = known ? nodeBytes(work, this.#weights) : 0;
    // listObjects: load, active; identify reads the parent's item of it, and the parent
    tally.query('nodes', folders, held);
    tally.get('runs', folders, active);
    if (!known && depth > 0) {
      tally.get('partitions', folders, nodeItem);
      tally.get('nodes', folders, doneNode);
    }
    this.#guardRemoval(work);
    tally.update('nodes', folders, known ? doneNode : this.#weights.newNode);
    // openUnchanged: that is all.
    if (known && shards.every((shard) => !isPlanned(shard))) return;
    for (const shard of shards.filter(isPlanned)) this.#shard(work, shard, layout);
    this.#complete(work, layout);
  }

  /** What a listing would remove is looked at in the parts, where most of a folder's shards differ. */
  #guardRemoval({ folders, shards }: FolderWork): void {
    const { deleteGuard, strategy } = this.#facts.pipeline;
    if (deleteGuard === 'off' || strategy === 'upsert') return;
    const suspect = shards.filter(({ agrees, standing }) => !agrees && standing > 0);
    const suspected = sum(suspect.map((shard) => shard.shards * shard.standing));
    const standing = sum(shards.map((shard) => shard.shards * shard.standing));
    if (!isTooMuch(suspected, standing)) return;
    for (const shard of suspect) this.tally.object('get', folders * shard.shards, this.#partBytes(shard));
    // A warning in the run's record.
    const going = sum(shards.map((shard) => shard.shards * shard.removed));
    if (isTooMuch(going, standing)) this.tally.update('runs', folders, this.#weights.record);
  }

  #shard({ folders, known }: FolderWork, shard: ShardWork, layout: number): void {
    const times = folders * shard.shards;
    const { dueItem, dueAgainItem, landedItem, goneItem, nodeItem } = this.#weights;
    const { agrees, heldLeaves, heldNodes, fresh, changed, removed, nodes, newNodes, removedNodes, groups } = shard;
    const { tally } = this;
    const base = known ? this.#weights.doneShard : this.#weights.newShard;
    const total = memberBytes(shard);

    // planShard: takePlan, the items, their marks, the total, the messages
    tally.update('nodes', times, base);
    tally.query('partitions', times, heldNodes * nodeItem + (agrees ? 0 : heldLeaves * landedItem));
    if (removedNodes > 0) tally.object('put', times, removedNodes * this.#weights.garbageLine);
    tally.update('partitions', times * removed, goneItem);
    tally.update('partitions', times * (newNodes + removedNodes), nodeItem);
    tally.update('partitions', times * fresh, dueItem);
    tally.update('partitions', times * changed, dueAgainItem);
    tally.update('nodes', times, base + total);
    const due = fresh + changed;
    const bodyBytes = this.#weights.readMessage + (groups === 0 ? 0 : (due / groups) * this.#weights.namedInMessage);
    tally.send('read-bytes', times, groups, bodyBytes);
    tally.send('list-objects', times, nodes, this.#weights.listMessage);

    this.#groups(shard, times);
    this.#tell(shard, times, base + total);
    if (isBuilt(shard)) this.#build(shard, times, base + 2 * total, known);
    // shardDone
    const { doneNode } = this.#weights;
    const listed = layout * listedShardBytes(layout);
    tally.grow('nodes', folders, shard.shards, doneNode + listed, doneShardBytes(layout));
  }

  /** readBytes, GroupReader */
  #groups({ groups, fresh, changed, dueBytes, dataRequests }: ShardWork, times: number): void {
    if (groups === 0) return;
    const { active, group, doneNode, dueItem, dueAgainItem, landedItem } = this.#weights;
    const { tally } = this;
    tally.get('runs', times * groups, active);
    tally.update('nodes', times * groups, group);
    const due = fresh + changed;
    tally.getMany('partitions', times * groups, due / groups, (fresh * dueItem + changed * dueAgainItem) / due);
    tally.get('nodes', times * groups, doneNode);
    tally.object('put', times, dueBytes, dataRequests);
    tally.update('partitions', times * fresh, landedItem, dueItem);
    tally.update('partitions', times * changed, landedItem, dueAgainItem);
  }

  /** Groups and nodes are done one by one; of the nodes that changed, all but the first find that one has told so before. */
  #tell({ groups, nodes, changedNodes }: ShardWork, times: number, itemBytes: number): void {
    const { tally } = this;
    tally.grow('nodes', times, groups, itemBytes, groupMemberBytes(groups));
    const withGroups = itemBytes + groups * groupMemberBytes(groups);
    tally.grow('nodes', times, nodes, withGroups + NODE_MEMBER_BYTES, NODE_MEMBER_BYTES);
    const again = Math.max(0, changedNodes - 1);
    tally.refused('nodes', times * again, withGroups + (nodes * NODE_MEMBER_BYTES) / 2);
  }

  /** completeShard, buildPart */
  #build(shard: ShardWork, times: number, itemBytes: number, known: boolean): void {
    const { heldLeaves, heldNodes, fresh, removed, newNodes, removedNodes } = shard;
    const { landedItem, nodeItem, doneNode, active, goneItem } = this.#weights;
    const { tally } = this;
    const hadPart = known && heldLeaves + heldNodes > 0;
    if (!hadPart) tally.get('nodes', times, doneNode);
    const nodes = heldNodes + newNodes;
    tally.query('partitions', times, (heldLeaves + fresh) * landedItem + nodes * nodeItem);
    if (nodes - removedNodes > 0) tally.getMany('nodes', times, nodes, doneNode);
    if (hadPart) tally.object('get', times, this.#partBytes(shard));
    if (changesPart(shard)) {
      tally.object('put', times, this.#garbageBytes(shard));
      const left = heldLeaves + fresh - removed + nodes - removedNodes;
      if (left > 0) tally.object('put', times, left * this.#weights.partEntry);
    }
    tally.get('runs', times, active);
    tally.update('nodes', times, itemBytes);
    tally.delete('partitions', times * removed, goneItem);
    tally.delete('partitions', times * removedNodes, nodeItem);
  }

  /** The lister SENDs the node and looks; the last shard completes it. */
  #complete({ folders, depth, known, shards }: FolderWork, layout: number): void {
    const { doneNode, doneShard, active, manifest, garbageLine } = this.#weights;
    const { tally } = this;
    const planned = sum(shards.filter(isPlanned).map((shard) => shard.shards));
    const lists = planned * listedShardBytes(layout);
    tally.update('nodes', folders, (known ? doneNode : this.#weights.newNode) + lists);
    if (depth === 0) tally.update('runs', folders, this.#weights.record);
    const held = doneNode + lists + layout * doneShard;
    const members = sum(shards.filter(isPlanned).map((shard) => shard.shards * memberBytes(shard)));
    tally.query('nodes', folders, held + members);
    tally.query('nodes', folders, held + planned * doneShardBytes(layout) + 2 * members);
    if (!known || shards.some(changesPart)) {
      tally.object('put', folders, garbageLine);
      tally.object('put', folders, manifest + planned);
    }
    tally.get('runs', folders, active);
    tally.update('nodes', folders, doneNode + lists + planned * doneShardBytes(layout));
  }

  #partBytes({ heldLeaves, heldNodes }: ShardWork): number {
    return (heldLeaves + heldNodes) * this.#weights.partEntry;
  }

  #garbageBytes({ changed, removed, removedNodes }: ShardWork): number {
    return (1 + changed + removed + removedNodes) * this.#weights.garbageLine;
  }
}

/** The set of what a shard waits for; that of what is done becomes as large. */
const memberBytes = ({ groups, nodes }: ShardWork): number =>
  groups * groupMemberBytes(groups) + nodes * NODE_MEMBER_BYTES;

/** A node with its shards, as its last refresh left it; of the groups that were then nothing is known. */
export function nodeBytes({ shards }: FolderWork, { doneNode, doneShard }: Weights): number {
  const layout = sum(shards.map((shard) => shard.shards));
  const lists = layout * (listedShardBytes(layout) + doneShardBytes(layout));
  const members = sum(shards.map((shard) => shard.shards * 2 * shard.heldNodes * NODE_MEMBER_BYTES));
  return doneNode + lists + layout * doneShard + members;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
