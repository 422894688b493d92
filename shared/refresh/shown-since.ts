import { type NodeManifest, readNodeManifest, readPart } from '../landing/manifest.ts';
import { shardOf, slotOf } from '../nodes/layout.ts';
import type { NodeRecord, ShardRecord } from '../nodes/store.ts';
import type { RefreshDeps } from './deps.ts';

/**
 * Whether a published manifest can still show a node as it was. Between a shard and `latest.json` lie the manifests and parts
 * of all nodes above it, and a node that was not listed since, or could not be, or whose run was cut off, names old ones.
 */
export class ShownSince {
  readonly #pipeline: string;
  readonly #deps: Pick<RefreshDeps, 'nodes' | 'objects'>;
  readonly #above = new Map<string, Promise<number | undefined>>();
  readonly #parts = new Map<string, Promise<ReadonlyMap<string, string | undefined>>>();

  constructor(pipeline: string, deps: Pick<RefreshDeps, 'nodes' | 'objects'>) {
    this.#pipeline = pipeline;
    this.#deps = deps;
  }

  /**
   * @returns the last run in which something changed on the way from the node to the root, if all of it shows the node as it
   *   is now; undefined if something still shows it as it was; 0 for a node that is gone
   */
  async of(id: string): Promise<number | undefined> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, id);
    if (!loaded) return 0;
    const { node } = loaded;
    const shards = [...loaded.shards.values()];
    if (!(await this.#showsItsShards(node, shards))) return undefined;
    const above = await this.#placeOf(node);
    if (above === undefined) return undefined;
    return Math.max(node.changed, above, ...shards.map(({ built }) => built));
  }

  async #showsItsShards(node: NodeRecord, shards: readonly ShardRecord[]): Promise<boolean> {
    // Without a manifest nobody shows it.
    if (!node.manifest) return true;
    const { parts }: NodeManifest = await readNodeManifest(this.#deps.objects, node.manifest);
    const shown = new Set(parts.map(({ key }) => key));
    const present = new Set(shards.flatMap(({ part }) => (part ? [part] : [])));
    return shown.size === present.size && shown.isSubsetOf(present);
  }

  /** Kept: a node that showed a manifest once does not go back to an older one. */
  #placeOf(node: NodeRecord): Promise<number | undefined> {
    const id = `${node.id} ${node.manifest}`;
    const known = this.#above.get(id) ?? this.#lookAbove(node);
    this.#above.set(id, known);
    return known;
  }

  async #lookAbove({ id, place, path, manifest }: NodeRecord): Promise<number | undefined> {
    if (!place) return 0;
    const loaded = await this.#deps.nodes.load(this.#pipeline, place.node);
    if (!loaded) return 0;
    const { node: parent, shards } = loaded;
    const holding = parent.kind === 'feed' ? [...shards.keys()] : [shardOf(slotOf(path.at(-1)!), parent.layout.shards)];
    let since = 0;
    for (const number of holding) {
      const shard = shards.get(number);
      if (!shard) return undefined;
      const named = shard.part ? await this.#manifestsIn(shard.part) : new Map<string, string | undefined>();
      if (named.has(id) && named.get(id) !== manifest) return undefined;
      since = Math.max(since, shard.built);
    }
    const above = await this.of(place.node);
    return above === undefined ? undefined : Math.max(since, above);
  }

  /** The child nodes a part names, with their manifests. */
  #manifestsIn(part: string): Promise<ReadonlyMap<string, string | undefined>> {
    const known =
      this.#parts.get(part) ??
      readPart(this.#deps.objects, part).then(
        (entries) =>
          new Map(entries.flatMap((entry) => ('node' in entry ? [[entry.node, entry.manifest] as const] : []))),
      );
    this.#parts.set(part, known);
    return known;
  }
}
