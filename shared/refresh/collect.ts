import { hours } from '../core/units.ts';
import { type Garbage, readGarbage, writeGarbage } from '../landing/garbage.ts';
import { garbagePrefix, latestKey, runOfGarbageKey } from '../landing/keys.ts';
import { readLatest, readNodeManifest, readPart } from '../landing/manifest.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import { type Plan, runOf } from '../nodes/plan.ts';
import type { NodeRecord, ShardKey, ShardRecord } from '../nodes/store.ts';
import { wasRemoved } from '../partitions/diff.ts';
import { landedKeys, type PartitionRecord } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { heldBySinks } from '../uploads/wake.ts';
import { nowMs, type RefreshDeps } from './deps.ts';
import { isWholeJob } from './job-children.ts';
import { childNodes, orphansOfMarks } from './orphans.ts';
import { ShownSince } from './shown-since.ts';

/**
 * Carries out the garbage lists of a pipeline: those of runs before which no manifest is kept any more. Everything on a list
 * is looked at again, and what the present parts name stays.
 *
 * @returns how many objects were deleted
 */
export async function collectGarbage(pipeline: Pipeline, deps: RefreshDeps, outOfTime: () => boolean): Promise<number> {
  const newest = await collectableRun(pipeline, deps);
  if (newest === undefined) return 0;
  // What a sink has applied is where its next difference begins, so it counts as kept.
  const upTo = Math.min(newest, await heldBySinks(pipeline, deps));
  const collector = new Collector(pipeline, upTo, deps);
  for await (const key of deps.objects.list(garbagePrefix(pipeline.name))) {
    if (runOfGarbageKey(key) > upTo || outOfTime()) break;
    await collector.carryOutList(key);
  }
  await collector.endLists();
  return collector.deleted;
}

/** So many lists share what they put off. */
const LISTS_AT_ONCE = 100;

/** The newest run that published long enough ago for the manifests before it to be gone. */
async function collectableRun({ name, removeGraceHours }: Pipeline, deps: RefreshDeps): Promise<number | undefined> {
  const until = nowMs(deps) - hours(removeGraceHours);
  for await (const record of deps.runs.records(name)) {
    if (record.publishedAt !== undefined && record.publishedAt <= until) return record.run;
  }
  return undefined;
}

/** What a shard names, and the run in which that last changed. */
interface Named {
  readonly keys: ReadonlySet<string>;
  readonly changedIn: number;
}

class Collector {
  readonly #pipeline: string;
  /** What was removed from the source stays. */
  readonly #keeps: boolean;
  /** Every manifest that is kept is of this run or a later one. */
  readonly #upTo: number;
  readonly #deps: RefreshDeps;
  /** What a shard names, kept for the lines of one list. */
  readonly #named = new Map<string, Promise<Named>>();
  readonly #shownSince: ShownSince;
  /** Lines for the lists of later runs. */
  readonly #later = new Map<number, Garbage[]>();
  readonly #ended: string[] = [];
  deleted = 0;

  constructor({ name: pipeline, onRemove }: Pipeline, upTo: number, deps: RefreshDeps) {
    this.#pipeline = pipeline;
    this.#keeps = onRemove === 'keep';
    this.#upTo = upTo;
    this.#deps = deps;
    this.#shownSince = new ShownSince(pipeline, deps);
  }

  async carryOutList(key: string): Promise<void> {
    for (const garbage of await readGarbage(this.#deps.objects, key)) await this.#carryOut(garbage);
    this.#named.clear();
    this.#ended.push(key);
    if (this.#ended.length >= LISTS_AT_ONCE) await this.endLists();
  }

  async #carryOut(garbage: Garbage): Promise<void> {
    switch (garbage.kind) {
      case 'objects': {
        const { keys, changedIn } = await this.#unnamed(garbage.node, garbage.name, garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, garbage.node, changedIn, () => this.delete(keys));
      }
      case 'manifests': {
        const { keys, changedIn } = await this.#unnamedManifests(garbage.node, garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, garbage.node, changedIn, () => this.delete(keys));
      }
      case 'files': {
        const { keys, changedIn } = await this.#unnamedFiles(garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, undefined, changedIn, () => this.delete(keys));
      }
      case 'layout':
        return this.#layout(garbage);
      case 'node': {
        const { named, changedIn } = await this.#isNamed(garbage);
        if (named) return;
        if (garbage.parent === '' && (await this.#isPublished(garbage.node)))
          return this.#putOff(this.#upTo + 1, garbage);
        const remove = () => this.removeNode(garbage.node, garbage.keepsObjects === true);
        return this.#unlessLater(garbage, garbage.parent, changedIn, remove);
      }
    }
  }

  /**
   * A line was written before what it tells happened, and that may have come much later, or in another way: then manifests
   * which are still kept name it. So what dropped out in a run that is not collected yet goes on the list of that run, and
   * what a node above may still show is looked at again after the next one.
   *
   * @param node the node that named it; after it was looked at, so that what it shows now no longer names it
   * @param changedIn the run in which what was looked at last changed
   */
  async #unlessLater(
    garbage: Garbage,
    node: string | undefined,
    changedIn: number,
    carryOut: () => Promise<void>,
  ): Promise<void> {
    if ('keys' in garbage && garbage.keys.length === 0) return;
    if (garbage.putOff) return carryOut();
    const since = node === undefined ? 0 : await this.#shownSince.of(node);
    if (since === undefined) return this.#putOff(Math.max(changedIn, this.#upTo + 1), garbage);
    const run = Math.max(since, changedIn);
    return run > this.#upTo ? this.#putOff(run, { ...garbage, putOff: true }) : carryOut();
  }

  #putOff(run: number, garbage: Garbage): void {
    this.#later.set(run, [...(this.#later.get(run) ?? []), garbage]);
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#deps.objects.delete(keys);
    this.deleted += keys.length;
  }

  /** Last of all the lists themselves: cut off before that, they are carried out again, which finds nothing left. */
  async endLists(): Promise<void> {
    for (const [run, lines] of this.#later) await writeGarbage(this.#deps.objects, this.#pipeline, run, lines);
    this.#later.clear();
    await this.delete(this.#ended.splice(0));
  }

  /** Of these keys those that neither the node's present part nor an item of it names. */
  async #unnamed(id: string, name: string, keys: readonly string[]): Promise<{ keys: string[]; changedIn: number }> {
    let left = [...keys];
    const { node, shards } = await this.#shardsOf(id, name);
    let changedIn = openIn(node);
    for (const shard of shards) {
      const at = JSON.stringify(shard);
      if (!this.#named.has(at)) this.#named.set(at, this.#namedIn(shard));
      const named = await this.#named.get(at)!;
      changedIn = Math.max(changedIn, named.changedIn);
      left = left.filter((key) => !named.keys.has(key));
    }
    return { keys: left, changedIn };
  }

  async #namedIn(key: ShardKey): Promise<Named> {
    const named = new Set<string>();
    const shard = await this.#deps.nodes.shard(key);
    for await (const item of this.#deps.partitions.all(key)) {
      // Its deletion was decided; whoever was to do it was cut off.
      if (wasRemoved(item, shard?.carried)) continue;
      for (const object of objectsOf(item)) named.add(object);
    }
    for (const object of shard?.part ? await this.#objectsIn(shard.part) : []) named.add(object);
    return { keys: named, changedIn: shard?.built ?? 0 };
  }

  /** None if the part is gone: its shard is being removed for the second time. */
  async #objectsIn(part: string): Promise<string[]> {
    if (!(await this.#deps.objects.head(part))) return [];
    const entries = await readPart(this.#deps.objects, part);
    return entries.flatMap((entry) => (entry.kind === 'leaf' ? landedKeys(entry) : []));
  }

  /** Where the node keeps a child of this name: one shard of a folder; of a feed, where names may repeat, any. */
  async #shardsOf(id: string, name: string): Promise<{ node?: NodeRecord; shards: ShardKey[] }> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    if (!loaded) return { shards: [] };
    const { node, shards } = loaded;
    const keyOf = (shard: number): ShardKey => ({ pipeline: this.#pipeline, node: id, layout: node.layout.id, shard });
    const numbers = node.kind === 'feed' ? [...shards.keys()] : [shardOf(slotOf(name), node.layout.shards)];
    return { node, shards: numbers.map(keyOf) };
  }

  async #unnamedManifests(id: string, keys: readonly string[]): Promise<{ keys: string[]; changedIn: number }> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    const shards = [...(loaded?.shards.values() ?? [])];
    const named = new Set<string | undefined>([loaded?.node.manifest, ...shards.map(({ part }) => part)]);
    const changedIn = Math.max(openIn(loaded?.node), loaded?.node.changed ?? 0, ...shards.map(({ built }) => built));
    return { keys: keys.filter((key) => !named.has(key)), changedIn };
  }

  async #unnamedFiles(keys: readonly string[]): Promise<{ keys: string[]; changedIn: number }> {
    const latest = await readLatest(this.#deps.objects, latestKey(this.#pipeline));
    const named = new Set<string>(Object.values(latest?.latest.files ?? {}));
    return { keys: keys.filter((key) => !named.has(key)), changedIn: latest?.latest.run ?? 0 };
  }

  async #layout({ node: id, layout, shards, plan }: Garbage & { kind: 'layout' }): Promise<void> {
    const node = await this.#deps.nodes.get(this.#pipeline, id);
    if (node?.layout.id === layout) return;
    for (let shard = 0; shard < shards; shard++) {
      const key: ShardKey = { pipeline: this.#pipeline, node: id, layout, shard };
      await this.#strays(key, plan);
      await this.#deps.partitions.removeShard(key);
    }
    await this.#deps.nodes.removeLayout(this.#pipeline, id, layout);
  }

  /**
   * What a planner wrote to a layout that another one replaced meanwhile: no copy of it was made.
   *
   * @param plan the node's plan when the layout was replaced: it may have gone on there, and have completed shards
   */
  async #strays(key: ShardKey, plan: Plan | undefined): Promise<void> {
    const carried = (await this.#deps.nodes.shard(key))?.carried;
    const strays: PartitionRecord[] = [];
    for await (const item of this.#deps.partitions.all(key)) {
      if (carried === undefined || item.plan > carried || item.plan === plan) strays.push(item);
    }
    const context = { carried: undefined, keepsProgress: () => false };
    const objects = this.#keeps ? [] : await orphansOfMarks(key, strays, context, this.#deps);
    for (const garbage of [...childNodes(key, strays, this.#keeps), ...objects]) await this.#carryOut(garbage);
  }

  async #isNamed({
    parent,
    name,
    node,
    ofJob,
  }: Garbage & { kind: 'node' }): Promise<{ readonly named: boolean; readonly changedIn: number }> {
    const { node: above, shards } = await this.#shardsOf(parent, name);
    let changedIn = openIn(above);
    for (const key of shards) {
      const shard = await this.#deps.nodes.shard(key);
      changedIn = Math.max(changedIn, shard?.built ?? 0);
      // A feed keys its children by number.
      const items = above?.kind === 'feed' ? this.#deps.partitions.all(key) : this.#deps.partitions.childNodes(key);
      for await (const item of items) {
        if (wasRemoved(item, shard?.carried)) continue;
        if (item.child === node || (item.previous === node && !(await this.#isWhole(item))))
          return { named: true, changedIn };
      }
      if (ofJob && shard?.part && (await this.#nodesIn(shard.part)).includes(node)) return { named: true, changedIn };
    }
    const active = await this.#deps.runs.active(this.#pipeline);
    // A root that was replaced: nobody knows by which run, so by the last one.
    return { named: active?.root === node, changedIn: above ? changedIn : parent === '' ? (active?.number ?? 0) : 0 };
  }

  /** Does `latest.json` show this root? One that was replaced is shown until a run of the new one has published. */
  async #isPublished(root: string): Promise<boolean> {
    const { objects } = this.#deps;
    const published = await readLatest(objects, latestKey(this.#pipeline));
    return published !== undefined && (await readNodeManifest(objects, published.latest.manifest)).node === root;
  }

  /** Has the job's new node landed, so that the one before is not shown any more? */
  async #isWhole(item: PartitionRecord): Promise<boolean> {
    return isWholeJob(item, item.child ? await this.#deps.nodes.get(this.#pipeline, item.child) : undefined);
  }

  async #nodesIn(part: string): Promise<string[]> {
    const entries = await readPart(this.#deps.objects, part);
    return entries.flatMap((entry) => ('node' in entry ? [entry.node] : []));
  }

  /** Walks what is dead: the objects, parts and items of a node and of all below it. */
  async removeNode(id: string, keepsObjects: boolean): Promise<void> {
    const node = await this.#deps.nodes.get(this.#pipeline, id);
    const shards = await this.#deps.nodes.allShards(this.#pipeline, id);
    for (const shard of shards) await this.#removeShard(id, shard, keepsObjects);
    if (node?.manifest) await this.delete([node.manifest]);
    // The node's own items last: cut off before them, the walk begins again.
    await this.#deps.nodes.remove(this.#pipeline, id);
  }

  async #removeShard(
    node: string,
    { layout, shard, part, carried }: ShardRecord,
    keepsObjects: boolean,
  ): Promise<void> {
    const key: ShardKey = { pipeline: this.#pipeline, node, layout, shard };
    const items: PartitionRecord[] = [];
    for await (const item of this.#deps.partitions.all(key)) {
      if (item.child) await this.removeNode(item.child, keepsObjects);
      if (item.previous) await this.removeNode(item.previous, false);
      await this.delete(keepsObjects ? segmentsOf(item) : objectsOf(item));
      items.push(item);
    }
    const orphans = await orphansOfMarks(key, items, { carried, keepsProgress: () => true }, this.#deps);
    await this.delete(orphans.flatMap((garbage) => ('keys' in garbage ? garbage.keys : [])));
    if (part) {
      // What a plan replaced that never completed is named by the part only.
      if (!keepsObjects) await this.delete(await this.#objectsIn(part));
      await this.delete([part]);
    }
    await this.#deps.partitions.removeShard(key);
  }
}

/** The run that is at work in a node, or was cut off there: what it will have changed is not to be seen yet. */
const openIn = (node: NodeRecord | undefined): number => (node?.plan && node.state !== 'DONE' ? runOf(node.plan) : 0);

/** Of a read that did not come to its end: nobody will go on with it. */
const segmentsOf = ({ progress }: PartitionRecord): string[] => (progress?.segments ?? []).map(({ key }) => key);

const objectsOf = (item: PartitionRecord): string[] => [
  ...(item.landed ? landedKeys(item.landed) : []),
  ...segmentsOf(item),
];
