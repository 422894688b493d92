import type { JsonObject } from '../core/json.ts';
import { pathText } from '../landing/flat-manifest.ts';
import { lineageId } from '../listing/listing.ts';
import type { NodeKind, NodeRecord, Place, ShardKey, ShardRecord } from '../nodes/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import type { ActiveRun } from '../runs/store.ts';
import type { RefreshDeps } from './deps.ts';

/** One node that is to be listed and planned in a run, with what was read of it before the listing. */
export interface NodeTask {
  readonly pipeline: Pipeline;
  readonly run: number;
  readonly active: ActiveRun;
  readonly id: string;
  readonly place?: Place;
  readonly identity: NodeIdentity;
  /** As read before the listing: the plan opens only if it is still so. Absent for a node that was never listed. */
  readonly node?: NodeRecord;
  readonly shards: ReadonlyMap<number, ShardRecord>;
}

/** What a node is, as its parent listed it. */
export interface NodeIdentity {
  readonly kind: NodeKind;
  readonly path: readonly string[];
  readonly metadata: JsonObject | null;
  readonly metadataId: string;
  readonly lineage: readonly string[];
}

const ROOT: NodeIdentity = { kind: 'folder', path: [], metadata: null, metadataId: '', lineage: [] };

/**
 * What a node is: from its own item if the parent listed it as before, else from its item in the parent's shard.
 *
 * @returns undefined if the parent names it no more: the message is out of date
 */
export async function identify(
  message: ListObjectsMessage,
  node: NodeRecord | undefined,
  deps: RefreshDeps,
): Promise<NodeIdentity | undefined> {
  const { pipeline, place, key, metadataId = '' } = message;
  if (!place || !key) return ROOT;
  if (node && node.version > 0 && node.metadataId === metadataId) return node;
  const shard: ShardKey = { pipeline, node: place.node, layout: place.layout, shard: place.shard };
  const [item, parent] = await Promise.all([deps.partitions.get(shard, key), deps.nodes.get(pipeline, place.node)]);
  if (!item || !parent || item.child !== message.node || item.kind === 'leaf' || !item.metadata) return undefined;
  return {
    kind: item.kind,
    path: [...parent.path, item.name],
    metadata: item.metadata,
    metadataId: item.metadataId ?? '',
    lineage: [...parent.lineage, lineageId(item.metadata)],
  };
}

/** Is a child of this node to be read although nothing changed? */
export function forcing({ request }: ActiveRun, path: readonly string[]): Forcing {
  const force = request?.force;
  if (!force) return NOT_FORCED;
  if (force === 'all') return { all: true, names: new Set() };
  // A path as it is shown; a slash at its end says no more.
  const here = withoutSlash(pathText(path));
  const paths = force.map(withoutSlash);
  if (paths.some((forced) => here === forced || here.startsWith(`${forced}/`))) return { all: true, names: new Set() };
  const below = here === '' ? '' : `${here}/`;
  return {
    all: false,
    names: new Set(paths.filter((forced) => forced.startsWith(below)).map((forced) => forced.slice(below.length))),
  };
}

export interface Forcing {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
}

const NOT_FORCED: Forcing = { all: false, names: new Set() };

const withoutSlash = (path: string) => (path.endsWith('/') ? path.slice(0, -1) : path);
