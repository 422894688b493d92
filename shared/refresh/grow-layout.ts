import { writeGarbage } from '../landing/garbage.ts';
import { type Layout, shardOf, slotOf } from '../nodes/layout.ts';
import type { ShardKey } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { RefreshDeps } from './deps.ts';
import type { NodeTask } from './node-task.ts';

const COPY_BATCH = 500;

/**
 * Copies the items of a layout that has become too small to keys of this listing's own. Nobody reads the copies until the plan
 * that names their layout opens; if it does not, they are garbage. What was there before is garbage even if it was empty: a
 * slower planner may still write to it.
 */
export async function replaceLayout(task: NodeTask, present: Layout, layout: Layout, deps: RefreshDeps): Promise<void> {
  const { pipeline, id: node, run } = task;
  const plan = task.node?.plan;
  await writeGarbage(deps.objects, pipeline.name, run, [
    { kind: 'layout', node, layout: layout.id, shards: layout.shards },
    { kind: 'layout', node, layout: present.id, shards: present.shards, ...(plan ? { plan } : {}) },
    { kind: 'manifests', node, keys: [...task.shards.values()].flatMap(({ part }) => (part ? [part] : [])) },
  ]);
  if (layout.from) await copyItems(task, present, layout, deps);
}

async function copyItems(
  { pipeline, id: node }: NodeTask,
  present: Layout,
  layout: Layout,
  deps: RefreshDeps,
): Promise<void> {
  const base = { pipeline: pipeline.name, node };
  const to = ({ name }: PartitionRecord): ShardKey => ({
    ...base,
    layout: layout.id,
    shard: shardOf(slotOf(name), layout.shards),
  });
  for (let shard = 0; shard < present.shards; shard++) {
    let batch: PartitionRecord[] = [];
    for await (const item of deps.partitions.all({ ...base, layout: present.id, shard })) {
      // The new shards could not know whether that mark was carried out.
      if (item.gone) continue;
      batch.push(item.group === undefined ? item : { ...item, origin: { layout: present.id, shard } });
      if (batch.length < COPY_BATCH) continue;
      await deps.partitions.copy(to, batch);
      batch = [];
    }
    if (batch.length > 0) await deps.partitions.copy(to, batch);
  }
}
