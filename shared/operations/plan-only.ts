import type { Deadline } from '../core/deadline.ts';
import { changesPart, NO_WORK, type ShardWork } from '../costs/work.ts';
import type { DuePartition, WorkSum } from '../costs/work-sum.ts';
import type { FeedListing, Listing } from '../listing/listing.ts';
import { EMPTY_DIGEST } from '../nodes/digest.ts';
import { shardsFor } from '../nodes/layout.ts';
import type { NodeRecord, ShardKey, ShardRecord } from '../nodes/store.ts';
import { diffShard } from '../partitions/diff.ts';
import type { PartitionKind, PartitionRecord, Reason } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { feedProgress } from '../refresh/feed-progress.ts';
import { chooseJob } from '../refresh/job-children.ts';
import { DRY_ROOT, type DryNode, dryChild, dryListing } from './dry-listing.ts';

/** What a refresh would do with a partition, or with how many it would do nothing. */
export interface PlannedChange {
  readonly path: readonly string[];
  readonly kind: PartitionKind;
  readonly reason: Reason | 'REMOVED' | 'UNCHANGED';
  /** Expected bytes, where the listing tells. */
  readonly bytes?: number;
  /** With UNCHANGED: how many partitions right below this node. */
  readonly partitions?: number;
}

/**
 * Lists a pipeline's source and says what a refresh would read or remove, and why. Reads no partition and writes nothing.
 *
 * @param work gets what decides the requests of that refresh; whole when the last change is out
 */
export async function* planOnly(
  pipeline: Pipeline,
  deps: RefreshDeps,
  deadline: Deadline,
  work?: WorkSum,
): AsyncGenerator<PlannedChange> {
  const active = await deps.runs.active(pipeline.name);
  if (work && (active?.number ?? 0) > 0) work.ranBefore();
  yield* new DryRun(pipeline, deps, deadline, work).node(DRY_ROOT, active?.root);
}

interface Stored {
  readonly node: NodeRecord;
  readonly shards: ReadonlyMap<number, ShardRecord>;
}

class DryRun {
  readonly #pipeline: Pipeline;
  readonly #deps: RefreshDeps;
  readonly #deadline: Deadline;
  readonly #work: WorkSum | undefined;

  constructor(pipeline: Pipeline, deps: RefreshDeps, deadline: Deadline, work: WorkSum | undefined) {
    this.#pipeline = pipeline;
    this.#deps = deps;
    this.#deadline = deadline;
    this.#work = work;
  }

  /** @returns whether the node will show something else than before */
  async *node(node: DryNode, id: string | undefined): AsyncGenerator<PlannedChange, boolean> {
    const stored = id === undefined ? undefined : await this.#deps.nodes.load(this.#pipeline.name, id);
    return node.kind === 'feed' ? yield* this.#feed(node, stored) : yield* this.#folder(node, stored);
  }

  async *#feed(node: DryNode, stored: Stored | undefined): AsyncGenerator<PlannedChange, boolean> {
    /** Kept only for whoever asks what it costs. */
    const due: DuePartition[] = [];
    let leaves = 0;
    let jobs = 0;
    for (const shard of stored?.shards.values() ?? []) {
      if (shard.digest !== undefined) continue;
      for await (const item of this.#deps.partitions.all(this.#key(stored!, shard.shard))) {
        if (item.due !== undefined) {
          leaves += 1;
          const { sk, name, due: fingerprint, metadata = {} } = item;
          if (this.#work) due.push({ sk, name, fingerprint, metadata });
          yield this.#change(node, item.name, 'leaf', item.failed ? 'RETRY' : (item.reason ?? 'NEW'));
        } else if (item.kind === 'job' && (await this.#jobReason(item, item)) !== undefined) {
          jobs += 1;
          yield this.#change(node, item.name, 'job', 'RETRY');
        }
      }
    }
    const listing = await dryListing<FeedListing>(
      this.#pipeline,
      node,
      await this.#whereFeedIs(stored),
      this.#deadline,
      this.#deps,
    );
    try {
      for (const child of await listing.children()) {
        if (child.kind === 'leaf') leaves += 1;
        else jobs += 1;
        if (this.#work && child.kind === 'leaf') due.push(child);
        yield this.#change(node, child.name, child.kind, 'NEW', child.size);
      }
    } finally {
      await listing.close();
    }
    this.#work?.feed(node.path.length, stored !== undefined, due, jobs);
    return stored === undefined || leaves + jobs > 0;
  }

  async *#folder(node: DryNode, stored: Stored | undefined): AsyncGenerator<PlannedChange, boolean> {
    const listing = await dryListing<Listing>(this.#pipeline, node, {}, this.#deadline, this.#deps);
    const below: { readonly child: DryNode; readonly id: string | undefined; readonly in: number }[] = [];
    const works: ShardWork[] = [];
    /** Of each shard, nodes that will show something else. */
    const changed = new Map<number, number>();
    let unchanged = 0;
    try {
      const shards = stored?.node.layout.shards ?? shardsFor(listing.total, this.#deps.sizes.childrenPerShard);
      for (let shard = 0; shard < shards; shard++) {
        const slice = listing.digest(shard, shards);
        const agrees = slice.digest === (stored?.shards.get(shard)?.digest ?? (stored ? undefined : EMPTY_DIGEST));
        const held = stored?.shards.get(shard);
        const work = {
          ...NO_WORK,
          agrees,
          stale: held !== undefined && held.childChanged >= held.built,
          standing: held?.totals.partitions ?? 0,
        };
        if (agrees) unchanged += slice.count - slice.nodes;
        if (agrees && slice.nodes === 0) {
          works.push({ ...work, heldLeaves: slice.count });
          continue;
        }
        const { children } = await listing.children(shard, shards, agrees ? 'nodes' : 'all');
        const items = await this.#items(stored, shard, agrees);
        const diff = diffShard(items, children, {
          carried: stored?.shards.get(shard)?.carried,
          versions: this.#pipeline.versions,
          run: 0,
          forced: () => false,
          unlisted: this.#pipeline.strategy === 'upsert' ? 'keep' : 'remove',
          emptyFingerprintChanges: this.#pipeline.fingerprints === 'lenient',
        });
        for (const { listed, reason } of diff.due) yield this.#change(node, listed.name, 'leaf', reason, listed.size);
        for (const { item, action } of diff.settled)
          if (action === 'gone') yield this.#change(node, item.name, item.kind, 'REMOVED', item.landed?.bytes);
        works.push({
          ...work,
          ...this.#work?.shard(items.values(), diff, agrees ? slice.count - slice.nodes : undefined),
        });
        if (!agrees) unchanged += [...children.values()].filter(({ kind }) => kind === 'leaf').length - diff.due.length;
        for (const { listed, item, anew } of diff.children) {
          if (listed.kind === 'job') {
            const reason = await this.#jobReason(listed, anew ? undefined : item);
            if (!reason) {
              unchanged += 1;
              continue;
            }
            changed.set(shard, (changed.get(shard) ?? 0) + 1);
            this.#work?.unknown('jobs');
            yield this.#change(node, listed.name, 'job', reason);
            continue;
          }
          const kind = listed.kind === 'feed' ? 'feed' : 'folder';
          const child = dryChild(node, listed.name, kind, listed.metadata);
          below.push({ child, id: anew ? undefined : item?.child, in: shard });
        }
      }
    } finally {
      await listing.close();
    }
    if (unchanged > 0) yield { path: node.path, kind: 'folder', reason: 'UNCHANGED', partitions: unchanged };
    for (const { child, id, in: shard } of below)
      if (yield* this.node(child, id)) changed.set(shard, (changed.get(shard) ?? 0) + 1);
    const shards = works.map((work, shard) => ({ ...work, changedNodes: changed.get(shard) ?? 0 }));
    this.#work?.folder({ folders: 1, depth: node.path.length, known: stored !== undefined, shards });
    return stored === undefined || shards.some(changesPart);
  }

  async #whereFeedIs(stored: Stored | undefined) {
    if (!stored) return {};
    const { node, shards } = stored;
    const feed = await feedProgress({ pipeline: this.#pipeline, id: node.id, node, shards }, this.#deps);
    return { position: node.feed?.position, feed };
  }

  /** Why a job would be done; undefined if what it made has landed. What it will make is not known before. */
  async #jobReason(
    { metadata }: Pick<PartitionRecord, 'metadata'>,
    item: PartitionRecord | undefined,
  ): Promise<Reason | undefined> {
    if (!item?.child) return 'NEW';
    const nodes = await this.#deps.nodes.getMany(this.#pipeline.name, [item.child]);
    const { versions } = this.#pipeline;
    const fingerprint = String(metadata?.fingerprint);
    const context = { fingerprint, versions, run: 0, isForced: false };
    const { is, madeFor } = chooseJob(item, new Map(nodes.map((node) => [node.id, node])), context);
    if (is === 'whole') return undefined;
    if (item.number !== undefined || item.madeFor === madeFor) return nodes[0]?.error ? 'RETRY' : 'NEW';
    return item.metadata?.fingerprint === fingerprint ? 'CODE_CHANGED' : 'CHANGED';
  }

  async #items(stored: Stored | undefined, shard: number, agrees: boolean): Promise<Map<string, PartitionRecord>> {
    const items = new Map<string, PartitionRecord>();
    if (!stored) return items;
    const key = this.#key(stored, shard);
    for await (const item of agrees ? this.#deps.partitions.childNodes(key) : this.#deps.partitions.all(key))
      items.set(item.sk, item);
    return items;
  }

  #key({ node }: Stored, shard: number): ShardKey {
    return { pipeline: this.#pipeline.name, node: node.id, layout: node.layout.id, shard };
  }

  #change(
    node: DryNode,
    name: string,
    kind: PartitionKind,
    reason: PlannedChange['reason'],
    bytes?: number,
  ): PlannedChange {
    return { path: [...node.path, name], kind, reason, ...(bytes === undefined ? {} : { bytes }) };
  }
}
