import type { FeedProgress, Outstanding } from '../connectors/connector.ts';
import type { ShardKey, ShardRecord } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from './deps.ts';
import { hasLanded, shownOfFeed } from './feed-view.ts';
import { isWholeJob } from './job-children.ts';
import type { NodeTask } from './node-task.ts';

const OUTSTANDING_MAX = 1000;

/**
 * What has become of what a feed yielded before. Where all of it has landed, the shards say so; only the items of others are
 * read. Position and outstanding are told from the same shards: a run may have ended before the node was told of what they hold.
 */
export async function feedProgress(
  { pipeline, id, node, shards }: Pick<NodeTask, 'pipeline' | 'id' | 'node' | 'shards'>,
  deps: RefreshDeps,
): Promise<FeedProgress> {
  const outstanding: Outstanding[] = [];
  if (!node?.feed) return { outstanding };
  const ordered = [...shards.values()].sort((a, b) => a.shard - b.shard);
  const { shown, position } = shownOfFeed(node.feed, ordered, deps.sizes.feedShard);
  const landedPosition = position ?? node.landedPosition;
  // What a newer generation has replaced is dropped by the next plan, however it ended.
  const range = { from: shown.from, end: node.feed.end };
  for (const shard of ordered) {
    if (shard.digest !== undefined) continue;
    const key = { pipeline: pipeline.name, node: id, layout: shard.layout, shard: shard.shard };
    outstanding.push(...(await outstandingIn(key, shard, range, deps)));
    if (outstanding.length >= OUTSTANDING_MAX) break;
  }
  return {
    ...(landedPosition === undefined ? {} : { landedPosition }),
    outstanding: outstanding.slice(0, OUTSTANDING_MAX),
  };
}

async function outstandingIn(
  key: ShardKey,
  shard: ShardRecord,
  { from, end }: { readonly from: number; readonly end: number },
  deps: RefreshDeps,
): Promise<Outstanding[]> {
  const items: PartitionRecord[] = [];
  for await (const item of deps.partitions.all(key)) {
    if (
      item.number! >= from &&
      item.number! < end &&
      !item.gone &&
      !item.givenUp &&
      (item.kind === 'job' || !item.landed || item.due !== undefined)
    )
      items.push(item);
  }
  const ids = items.flatMap(({ child }) => (child ? [child] : []));
  const nodes = new Map((await deps.nodes.getMany(key.pipeline, ids)).map((node) => [node.id, node]));
  return items.flatMap((item) => {
    const node = item.child === undefined ? undefined : nodes.get(item.child);
    // What a job made may have landed without the shard knowing of it: then the position does not cover it yet.
    if (item.kind === 'job' && hasLanded(shard, item.number!) && isWholeJob(item, node)) return [];
    const { name, generation } = item;
    const error = item.error ?? node?.error;
    return {
      name,
      ...(generation === undefined ? {} : { generation }),
      ...(error ? { error: { code: error.code, message: error.message } } : {}),
    };
  });
}
