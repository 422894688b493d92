import type { FeedProgress, Outstanding } from '../connectors/connector.ts';
import type { ShardKey } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from './deps.ts';
import { isWholeJob } from './job-children.ts';
import type { NodeTask } from './node-task.ts';

const OUTSTANDING_MAX = 1000;

/**
 * What has become of what a feed yielded before. Where all of it has landed, the shards say so; only the items of others are
 * read.
 */
export async function feedProgress(
  { pipeline, id, node, shards }: Pick<NodeTask, 'pipeline' | 'id' | 'node' | 'shards'>,
  deps: RefreshDeps,
): Promise<FeedProgress> {
  const outstanding: Outstanding[] = [];
  const landed = node?.landedPosition === undefined ? {} : { landedPosition: node.landedPosition };
  if (!node?.feed) return { ...landed, outstanding };
  for (const { digest, layout, shard } of [...shards.values()].sort((a, b) => a.shard - b.shard)) {
    if (digest !== undefined) continue;
    outstanding.push(
      ...(await outstandingIn({ pipeline: pipeline.name, node: id, layout, shard }, node.feed.end, deps)),
    );
    if (outstanding.length >= OUTSTANDING_MAX) break;
  }
  return { ...landed, outstanding: outstanding.slice(0, OUTSTANDING_MAX) };
}

async function outstandingIn(key: ShardKey, end: number, deps: RefreshDeps): Promise<Outstanding[]> {
  const items: PartitionRecord[] = [];
  for await (const item of deps.partitions.all(key)) {
    if (
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
    if (item.kind === 'job' && isWholeJob(item, node)) return [];
    const { name, generation } = item;
    const error = item.error ?? node?.error;
    return {
      name,
      ...(generation === undefined ? {} : { generation }),
      ...(error ? { error: { code: error.code, message: error.message } } : {}),
    };
  });
}
