import { type ErrorFacts, errorFacts, IngestError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { writeGarbage } from '../landing/garbage.ts';
import { manifestKey } from '../landing/keys.ts';
import { encodeNodeManifest, type NodeManifest } from '../landing/manifest.ts';
import { type Plan, runOf } from '../nodes/plan.ts';
import {
  allShardsDone,
  attributes,
  isComplete,
  type NodeRecord,
  type ShardKey,
  type ShardRecord,
} from '../nodes/store.ts';
import { addRan, addTotals, NO_TOTALS, noneIn, sameTotals } from '../nodes/totals.ts';
import { acknowledge } from './acknowledge.ts';
import type { RefreshDeps } from './deps.ts';
import { countFailure } from './failure.ts';
import { shownOfFeed } from './feed-view.ts';
import { buildPart } from './part.ts';

/**
 * Completion: whoever sees a complete set completes it, from the leaves' shards up to the root. Every step may be repeated,
 * by anybody, at any time; what it writes comes from what the items hold, never from what was listed.
 */
export class Completion {
  readonly #pipeline: string;
  readonly #deps: RefreshDeps;

  constructor(pipeline: string, deps: RefreshDeps) {
    this.#pipeline = pipeline;
    this.#deps = deps;
  }

  /** A group or child has finished in this plan; completes the shard if it was the last one. */
  async memberDone(key: ShardKey, plan: Plan, member: string, facts: { retaken?: boolean } = {}): Promise<void> {
    const shard = await this.#deps.nodes.memberDone(key, plan, member, facts);
    if (shard && isComplete(shard)) await this.completeShard(key, plan, shard);
  }

  /** For a node whose messages may have been lost on the way: completes what is complete, or tells the parent again. */
  async lookAgain(id: string, plan: Plan): Promise<void> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    if (loaded?.node.plan !== plan) return;
    const { node, shards } = loaded;
    if (node.state === 'DONE') {
      await acknowledge(this.#pipeline, node, this.#deps);
      return this.tellParent(node, runOf(plan));
    }
    if (node.state !== 'SENT') return;
    for (const number of node.shards ?? []) {
      const shard = shards.get(number);
      if (node.done.has(String(number)) || shard?.plan !== plan || !isComplete(shard)) continue;
      await this.completeShard(this.#key(node, number), plan, shard);
    }
    if (allShardsDone(node)) await this.completeNode(id, plan);
  }

  async completeShard(key: ShardKey, plan: Plan, read?: ShardRecord): Promise<void> {
    const { nodes, partitions } = this.#deps;
    for (let shard = read; ; shard = undefined) {
      shard ??= await nodes.shard(key);
      if (shard?.plan !== plan) return;
      if (shard.diffed === plan || shard.childChanged >= shard.built) {
        const built = await buildPart(key, shard, plan, this.#deps);
        // A feed shows nothing of a plan before its position is committed; the lister looks again then.
        if (built === 'not yet') return;
        if (!(await this.#isActive(plan))) return;
        // Of two completions the one that read later must win, or the manifest goes back.
        if (!(await nodes.changeShardInPlan(key, plan, built.change, shard.builds))) continue;
        for (const { sk, tombstone } of built.gone) await partitions.carryOut(key, sk, plan, tombstone);
      }
      const node = await nodes.shardDone(key, plan);
      if (node && allShardsDone(node)) await this.completeNode(node.id, plan);
      return;
    }
  }

  async completeNode(id: string, plan: Plan): Promise<void> {
    const { nodes, objects } = this.#deps;
    for (;;) {
      const loaded = await nodes.load(this.#pipeline, id);
      if (loaded?.node.plan !== plan || loaded.node.state === 'PLANNED') return;
      const refusal = refusalOf(loaded.node, [...loaded.shards.values()]);
      const node = refusal ? { ...loaded.node, error: refusal } : loaded.node;
      const shows = await this.whatItShows(node, [...loaded.shards.values()], plan);
      if (!shows.same) {
        // The old one drops out; the new one does, should somebody else complete the node first.
        const keys = [...(node.manifest ? [node.manifest] : []), shows.manifest];
        await writeGarbage(objects, this.#pipeline, runOf(plan), [{ kind: 'manifests', node: id, keys }]);
        await objects.put(shows.manifest, shows.data);
      }
      if (!(await this.#isActive(plan))) return;
      // Its parent makes another node for such a job.
      const refused = refusal ? { error: refusal, spent: true } : {};
      const set = attributes({ ...shows.fields, ...refused, state: 'DONE', builds: node.builds + 1 });
      const done = await nodes.changeInPlan(this.#pipeline, id, plan, { set }, node.builds);
      if (!done) continue;
      if (refusal && (await this.#failed(done, refusal))) return;
      await acknowledge(this.#pipeline, done, this.#deps);
      await this.tellParent(done, runOf(plan));
      return;
    }
  }

  /** @returns true if the run is over with that */
  async #failed({ kind, path, plan }: NodeRecord, error: ErrorFacts): Promise<boolean> {
    const run = runOf(plan!);
    this.#deps.log.error('what a job made is not whole', { pipeline: this.#pipeline, run, path, error });
    return countFailure(await this.#deps.pipelines.get(this.#pipeline), run, kind, error, this.#deps);
  }

  /**
   * A straggler of a run that is over completes nothing: what it took out of a part now would be on the list of its own run, and
   * that may be carried out while a later run's manifest still shows it.
   */
  async #isActive(plan: Plan): Promise<boolean> {
    return (await this.#deps.runs.active(this.#pipeline))?.active === runOf(plan);
  }

  /** What a node shows, from the parts of its shards; and whether that is other than before. */
  async whatItShows(node: NodeRecord, shards: readonly ShardRecord[], plan: Plan) {
    const run = runOf(plan);
    const ordered = [...shards].sort((a, b) => a.shard - b.shard);
    let totals = ordered.reduce((sum, shard) => addTotals(sum, shard.totals), NO_TOTALS);
    if (node.error) totals = addTotals(totals, { ...NO_TOTALS, failed: 1 });
    const ran = ordered.reduce((sum, shard) => addRan(sum, shard.ran), noneIn(run));
    const view = node.feed ? shownOfFeed(node.feed, ordered, this.#deps.sizes.feedShard) : undefined;
    const manifest: NodeManifest = {
      version: 1,
      pipeline: this.#pipeline,
      node: node.id,
      kind: node.kind,
      path: node.path,
      ...(node.feed ? {} : { shards: node.layout.shards }),
      parts: ordered.flatMap(({ shard, part }) => (part ? [{ shard, key: part }] : [])),
      totals,
      ...(view ? { shown: view.shown } : {}),
    };
    const { id, data } = await encodeNodeManifest(manifest);
    const same = id === node.manifestId && node.manifest !== undefined;
    const manifestName = same ? node.manifest! : manifestKey(this.#pipeline, node.id, plan, id);
    // Also what failed counts: the node may show the same, and be whole again.
    const unchanged = same && sameTotals(totals, node.totals);
    const { versions } = await this.#deps.pipelines.get(this.#pipeline);
    const fingerprint = totals.failed === 0 ? (node.metadata as JsonObject | null)?.fingerprint : undefined;
    return {
      same,
      unchanged,
      data,
      manifest: manifestName,
      fields: {
        manifest: manifestName,
        manifestId: id,
        totals,
        ran,
        changed: unchanged ? node.changed : run,
        landedVersions: landedWith(node, ordered) ?? versions,
        landedFingerprint: typeof fingerprint === 'string' ? fingerprint : '',
        landedPosition: view?.position ?? node.landedPosition,
      },
    };
  }

  /** Tells the place that the write which made the node DONE returned, never one read later. */
  async tellParent(node: NodeRecord, run: number): Promise<void> {
    const { place } = node;
    if (!place) {
      const body = JSON.stringify({ pipeline: this.#pipeline, run });
      await this.#deps.queues.send('finish-refresh', [{ body, group: this.#pipeline }]);
      return;
    }
    const key: ShardKey = { pipeline: this.#pipeline, node: place.node, layout: place.layout, shard: place.shard };
    // A shard that knows of a later change need not be told of this one: that saves a write for every unchanged child.
    const shard =
      place.childChanged !== undefined && place.childChanged >= node.changed
        ? await this.#deps.nodes.memberDone(key, place.plan, node.id)
        : await this.#deps.nodes.childDone(key, place.plan, node.id, node.changed);
    if (shard && isComplete(shard)) await this.completeShard(key, place.plan, shard);
  }

  #key(node: NodeRecord, shard: number): ShardKey {
    return { pipeline: this.#pipeline, node: node.id, layout: node.layout.id, shard };
  }
}

/** Why what has landed in full below a node is not what its source said it would be; undefined if it is. */
function refusalOf({ expectedRows, path }: NodeRecord, shards: readonly ShardRecord[]): ErrorFacts | undefined {
  if (expectedRows === undefined) return undefined;
  const { rows = 0, failed } = shards.reduce((sum, { totals }) => addTotals(sum, totals), NO_TOTALS);
  if (failed > 0 || rows === expectedRows) return undefined;
  return errorFacts(new RowCountError(path, expectedRows, rows));
}

/** What a job made was read in full, and is more or less than its source said. */
class RowCountError extends IngestError {
  override readonly name = 'RowCountError';
  readonly code = 'RowCountMismatch';
  readonly retryable = true;
  constructor(path: readonly string[], expected: number, landed: number) {
    super(`${path.join('/')} was to have ${expected} rows, and ${landed} have landed; what stood before it stands on`);
  }
}

/** Code may be deployed while a run reads: what counts is what read the bytes. */
function landedWith({ kind }: NodeRecord, shards: readonly ShardRecord[]): string | undefined {
  const all = new Set(kind === 'feed' ? [] : shards.flatMap(({ versions }) => versions ?? []));
  return all.size > 1 ? '' : [...all][0];
}
