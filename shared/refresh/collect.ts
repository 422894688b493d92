import { hours } from '../core/units.ts';
import { type Garbage, readGarbage } from '../landing/garbage.ts';
import { garbagePrefix, latestKey, runOfGarbageKey } from '../landing/keys.ts';
import { readLatest, readPart } from '../landing/manifest.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import type { ShardKey, ShardRecord } from '../nodes/store.ts';
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
  const collector = new Collector(pipeline.name, deps);
  for await (const key of deps.objects.list(garbagePrefix(pipeline.name))) {
    if (runOfGarbageKey(key) > upTo || outOfTime()) break;
    for (const garbage of await readGarbage(deps.objects, key)) await collector.carryOut(garbage);
    collector.forget();
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

class Collector {
  readonly #pipeline: string;
  readonly #deps: RefreshDeps;
  /** What a shard names, kept for the lines of one list. */
  readonly #named = new Map<string, Promise<ReadonlySet<string>>>();
  deleted = 0;

  constructor(pipeline: string, deps: RefreshDeps) {
    this.#pipeline = pipeline;
    this.#deps = deps;
  }

  async carryOut(garbage: Garbage): Promise<void> {
    switch (garbage.kind) {
      case 'objects':
        return this.delete(await this.#unnamed(garbage.node, garbage.name, garbage.keys));
      case 'manifests':
        return this.#manifests(garbage.node, garbage.keys);
      case 'layout':
        return this.#layout(garbage.node, garbage.layout, garbage.shards);
      case 'node':
        return (await this.#isNamed(garbage))
          ? undefined
          : this.removeNode(garbage.node, garbage.keepsObjects === true);
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#deps.objects.delete(keys);
    this.deleted += keys.length;
  }

  forget(): void {
    this.#named.clear();
  }

  /** Of these keys those that neither the node's present part nor an item of it names. */
  async #unnamed(node: string, name: string, keys: readonly string[]): Promise<string[]> {
    let left = [...keys];
    for (const shard of await this.#shardsOf(node, name)) {
      const id = JSON.stringify(shard);
      if (!this.#named.has(id)) this.#named.set(id, this.#namedIn(shard));
      const named = await this.#named.get(id)!;
      left = left.filter((key) => !named.has(key));
    }
    return left;
  }

  async #namedIn(key: ShardKey): Promise<ReadonlySet<string>> {
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
    return named;
  }

  /** Where the node keeps a child of this name: one shard of a folder; of a feed, where names may repeat, any. */
  async #shardsOf(id: string, name: string): Promise<ShardKey[]> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    if (!loaded) return [];
    const { node, shards } = loaded;
    const keyOf = (shard: number): ShardKey => ({ pipeline: this.#pipeline, node: id, layout: node.layout.id, shard });
    return node.kind === 'feed' ? [...shards.keys()].map(keyOf) : [keyOf(shardOf(slotOf(name), node.layout.shards))];
  }

  async #manifests(id: string, keys: readonly string[]): Promise<void> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    const latest = await readLatest(this.#deps.objects, latestKey(this.#pipeline));
    const named = new Set<string | undefined>([
      loaded?.node.manifest,
      ...[...(loaded?.shards.values() ?? [])].map(({ part }) => part),
      latest?.latest.manifest,
      ...Object.values(latest?.latest.files ?? {}),
    ]);
    await this.delete(keys.filter((key) => !named.has(key)));
  }

  async #layout(id: string, layout: string, shards: number): Promise<void> {
    const node = await this.#deps.nodes.get(this.#pipeline, id);
    if (node?.layout.id === layout) return;
    for (let shard = 0; shard < shards; shard++) {
      await this.#deps.partitions.removeShard({ pipeline: this.#pipeline, node: id, layout, shard });
    }
    await this.#deps.nodes.removeLayout(this.#pipeline, id, layout);
  }

  async #isNamed({ parent, name, node }: Garbage & { kind: 'node' }): Promise<boolean> {
    for (const key of await this.#shardsOf(parent, name)) {
      const carried = (await this.#deps.nodes.shard(key))?.carried;
      for await (const item of this.#deps.partitions.childNodes(key)) {
        if (item.child === node && !wasRemoved(item, carried)) return true;
      }
    }
    const active = await this.#deps.runs.active(this.#pipeline);
    return active?.root === node;
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
      if (!keepsObjects) await this.delete(objectsOf(item));
      items.push(item);
    }
    const orphans = await orphansOfMarks(key, items, { carried, keepsProgress: () => true }, this.#deps);
    await this.delete(orphans.flatMap((garbage) => ('keys' in garbage ? garbage.keys : [])));
    if (part) await this.delete([part]);
    await this.#deps.partitions.removeShard(key);
  }
}

const objectsOf = ({ landed, progress }: PartitionRecord): string[] =>
  [...(landed?.objects ?? []), ...(progress?.segments ?? [])].map(({ key }) => key);
