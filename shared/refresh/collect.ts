import { hours } from '../core/units.ts';
import { type Garbage, readGarbage, writeGarbage } from '../landing/garbage.ts';
import { garbagePrefix, latestKey, runOfGarbageKey } from '../landing/keys.ts';
import { readLatest, readPart } from '../landing/manifest.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import { runOf } from '../nodes/plan.ts';
import type { NodeRecord, ShardKey, ShardRecord } from '../nodes/store.ts';
import { wasRemoved } from '../partitions/diff.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { nowMs, type RefreshDeps } from './deps.ts';
import { orphansOfMarks } from './orphans.ts';

/**
 * Carries out the garbage lists of a pipeline: those of runs before which no manifest is kept any more. Everything on a list
 * is looked at again, and what the present parts name stays.
 *
 * @returns how many objects were deleted
 */
export async function collectGarbage(pipeline: Pipeline, deps: RefreshDeps, outOfTime: () => boolean): Promise<number> {
  const upTo = await collectableRun(pipeline, deps);
  if (upTo === undefined) return 0;
  const collector = new Collector(pipeline.name, upTo, deps);
  for await (const key of deps.objects.list(garbagePrefix(pipeline.name))) {
    if (runOfGarbageKey(key) > upTo || outOfTime()) break;
    for (const garbage of await readGarbage(deps.objects, key)) await collector.carryOut(garbage);
    await collector.endList();
    // Last: cut off before it, the list is carried out again, which finds nothing left.
    await collector.delete([key]);
  }
  return collector.deleted;
}

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
  /** Every manifest that is kept is of this run or a later one. */
  readonly #upTo: number;
  readonly #deps: RefreshDeps;
  /** What a shard names, kept for the lines of one list. */
  readonly #named = new Map<string, Promise<Named>>();
  /** Lines for the lists of later runs. */
  readonly #later = new Map<number, Garbage[]>();
  deleted = 0;

  constructor(pipeline: string, upTo: number, deps: RefreshDeps) {
    this.#pipeline = pipeline;
    this.#upTo = upTo;
    this.#deps = deps;
  }

  async carryOut(garbage: Garbage): Promise<void> {
    switch (garbage.kind) {
      case 'objects': {
        const { keys, changedIn } = await this.#unnamed(garbage.node, garbage.name, garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, changedIn, () => this.delete(keys));
      }
      case 'manifests': {
        const { keys, changedIn } = await this.#unnamedManifests(garbage.node, garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, changedIn, () => this.delete(keys));
      }
      case 'files': {
        const { keys, changedIn } = await this.#unnamedFiles(garbage.keys);
        return this.#unlessLater({ ...garbage, keys }, changedIn, () => this.delete(keys));
      }
      case 'layout':
        return this.#layout(garbage.node, garbage.layout, garbage.shards);
      case 'node': {
        const { named, changedIn } = await this.#isNamed(garbage);
        if (named) return;
        const remove = () => this.removeNode(garbage.node, garbage.keepsObjects === true);
        return this.#unlessLater(garbage, changedIn, remove);
      }
    }
  }

  /**
   * A line was written before what it tells happened, and that may have come much later, or in another way: then manifests
   * which are still kept name it. So what dropped out in a run that is not collected yet goes on the list of that run.
   */
  async #unlessLater(garbage: Garbage, changedIn: number, carryOut: () => Promise<void>): Promise<void> {
    if (garbage.putOff || changedIn <= this.#upTo) return carryOut();
    if ('keys' in garbage && garbage.keys.length === 0) return;
    this.#later.set(changedIn, [...(this.#later.get(changedIn) ?? []), { ...garbage, putOff: true }]);
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#deps.objects.delete(keys);
    this.deleted += keys.length;
  }

  /** To be called before a list is deleted. */
  async endList(): Promise<void> {
    for (const [run, lines] of this.#later) await writeGarbage(this.#deps.objects, this.#pipeline, run, lines);
    this.#later.clear();
    this.#named.clear();
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
    for (const entry of shard?.part ? await readPart(this.#deps.objects, shard.part) : []) {
      if (entry.kind === 'leaf') for (const object of entry.objects) named.add(object.key);
    }
    return { keys: named, changedIn: shard?.built ?? 0 };
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

  async #layout(id: string, layout: string, shards: number): Promise<void> {
    const node = await this.#deps.nodes.get(this.#pipeline, id);
    if (node?.layout.id === layout) return;
    for (let shard = 0; shard < shards; shard++) {
      await this.#deps.partitions.removeShard({ pipeline: this.#pipeline, node: id, layout, shard });
    }
    await this.#deps.nodes.removeLayout(this.#pipeline, id, layout);
  }

  async #isNamed({
    parent,
    name,
    node,
  }: Garbage & { kind: 'node' }): Promise<{ readonly named: boolean; readonly changedIn: number }> {
    const { node: above, shards } = await this.#shardsOf(parent, name);
    let changedIn = openIn(above);
    for (const key of shards) {
      const shard = await this.#deps.nodes.shard(key);
      changedIn = Math.max(changedIn, shard?.built ?? 0);
      for await (const item of this.#deps.partitions.childNodes(key)) {
        if (item.child === node && !wasRemoved(item, shard?.carried)) return { named: true, changedIn };
      }
    }
    const active = await this.#deps.runs.active(this.#pipeline);
    // A root that was replaced: nobody knows by which run, so by the last one.
    return { named: active?.root === node, changedIn: above ? changedIn : parent === '' ? (active?.number ?? 0) : 0 };
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
      await this.delete(keepsObjects ? segmentsOf(item) : objectsOf(item));
      items.push(item);
    }
    const orphans = await orphansOfMarks(key, items, { carried, keepsProgress: () => true }, this.#deps);
    await this.delete(orphans.flatMap((garbage) => ('keys' in garbage ? garbage.keys : [])));
    if (part) await this.delete([part]);
    await this.#deps.partitions.removeShard(key);
  }
}

/** The run that is at work in a node, or was cut off there: what it will have changed is not to be seen yet. */
const openIn = (node: NodeRecord | undefined): number => (node?.plan && node.state !== 'DONE' ? runOf(node.plan) : 0);

/** Of a read that did not come to its end: nobody will go on with it. */
const segmentsOf = ({ progress }: PartitionRecord): string[] => (progress?.segments ?? []).map(({ key }) => key);

const objectsOf = ({ landed, progress }: PartitionRecord): string[] =>
  [...(landed?.objects ?? []), ...(progress?.segments ?? [])].map(({ key }) => key);
