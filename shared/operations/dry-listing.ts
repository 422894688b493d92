import type { FeedProgress, FinishedJob } from '../connectors/connector.ts';
import type { Deadline } from '../core/deadline.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { listNode } from '../listing/list-node.ts';
import { FeedListing, Listing, lineageId } from '../listing/listing.ts';
import type { NodeKind } from '../nodes/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RefreshDeps } from '../refresh/deps.ts';

/** A node of a source that is looked at without a run. */
export interface DryNode {
  readonly kind: NodeKind;
  readonly path: readonly string[];
  readonly metadata: JsonObject | null;
  readonly lineage: readonly string[];
  /** Of a job: what it left. */
  readonly job?: FinishedJob;
}

export const DRY_ROOT: DryNode = { kind: 'folder', path: [], metadata: null, lineage: [] };

export const dryChild = (parent: DryNode, name: string, kind: NodeKind, metadata: JsonObject): DryNode => ({
  kind,
  path: [...parent.path, name],
  metadata,
  lineage: [...parent.lineage, lineageId(metadata)],
});

/**
 * Lists a node as a refresh would, writing nothing.
 *
 * @param where of a feed: where its next listing would start, and what has become of what it yielded before
 * @throws {ListingFailedError} {@link ContextError}
 */
export async function dryListing<L extends Listing | FeedListing>(
  pipeline: Pipeline,
  node: DryNode,
  where: { readonly position?: JsonValue | undefined; readonly feed?: FeedProgress },
  deadline: Deadline,
  deps: RefreshDeps,
): Promise<L> {
  const strict = pipeline.fingerprints === 'strict';
  const options = { spoolFolder: deps.spoolFolder, path: node.path, versions: pipeline.versions, strict };
  const listing = node.kind === 'feed' ? new FeedListing(options) : new Listing(options);
  const source = await deps.connectors.open(pipeline, deadline.signal);
  try {
    await listNode(source, listing, {
      pipeline: pipeline.name,
      run: 0,
      path: node.path,
      metadata: node.metadata,
      lineage: node.lineage,
      strict,
      ...(where.position === undefined ? {} : { resumeFrom: where.position }),
      ...(where.feed ? { feed: where.feed } : {}),
      ...(node.job ? { job: node.job } : {}),
      deadline,
      stopWithinMs: 0,
      log: deps.log,
      metric: () => {},
      warn: async (message) => deps.log.warn(message),
    });
  } catch (error) {
    await listing.close();
    throw error;
  }
  return listing as L;
}
