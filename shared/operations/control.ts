import { pathText } from '../landing/flat-manifest.ts';
import { writeGarbage } from '../landing/garbage.ts';
import type { ShardKey } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { QUEUE_NAMES, type Queues } from '../queue/queue.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { endRun } from '../refresh/failure.ts';
import { isWholeJob } from '../refresh/job-children.ts';
import { type OrphanContext, orphansOfMarks } from '../refresh/orphans.ts';
import { type StartRefreshAnswer, startRefresh } from '../steps/start-refresh.ts';
import { walkPartitions } from './partitions.ts';

/**
 * Ends the active run of a pipeline; what still works for it is refused from then on, and what has landed stays.
 *
 * @returns the run's number, or undefined if none was active
 */
export async function cancelRun(pipeline: string, deps: RefreshDeps): Promise<number | undefined> {
  const run = (await deps.runs.active(pipeline))?.active;
  if (run === undefined) return undefined;
  await endRun(pipeline, run, { state: 'CANCELLED' }, deps);
  return run;
}

/**
 * Forgets all that is known of a pipeline's source: at the next refresh everything is NEW. Readers see what was published last
 * until then; what it names goes after its grace.
 *
 * @returns false if a run is going on: cancel it first
 */
export async function resetPipeline(pipeline: string, deps: RefreshDeps): Promise<boolean> {
  const active = await deps.runs.active(pipeline);
  if (!active) return true;
  if (active.active !== undefined) return false;
  // On the list before it happens: if it does not, the root is still named, and stays.
  await writeGarbage(deps.objects, pipeline, active.number + 1, [
    { kind: 'node', parent: '', name: '', node: active.root },
  ]);
  return (await deps.runs.resetRoot(pipeline)) !== undefined;
}

/**
 * Starts a run over what failed: its nodes are listed again, and what failed is read again. Dead letters go back to their
 * queues.
 *
 * @param paths only these partitions are forced; none: whatever failed
 */
export async function redrive(
  pipeline: Pipeline,
  paths: readonly string[],
  deps: RefreshDeps,
  queues: Pick<Queues, 'redrive'>,
): Promise<StartRefreshAnswer & { readonly deadLetters: number }> {
  let deadLetters = 0;
  for (const queue of QUEUE_NAMES) deadLetters += await queues.redrive(queue);
  const answer = await startRefresh(
    { pipeline: pipeline.name, trigger: 'redrive', ...(paths.length > 0 ? { force: paths } : {}) },
    deps,
  );
  return { ...answer, deadLetters };
}

/**
 * Gives up partitions of a feed that hold back what follows them. They are not tried again, and the manifest goes on behind
 * them from the next refresh. Of what has landed, and was to be read again, only that is given up: it stands, and may be forced.
 *
 * @returns how many were given up
 */
export async function giveUp(pipeline: string, paths: readonly string[], deps: RefreshDeps): Promise<number> {
  let given = 0;
  const run = (await deps.runs.active(pipeline))?.number ?? 0;
  for await (const { key, item, path } of walkPartitions(pipeline, deps)) {
    if (item.number === undefined || !paths.includes(pathText(path))) continue;
    if (item.kind === 'job') {
      if (await giveUpJob(key, item, deps)) given += 1;
      continue;
    }
    if (item.due === undefined) continue;
    await writeGarbage(deps.objects, pipeline, run, await orphansOfMarks(key, [item], GIVEN_UP, deps));
    const claim = {
      sk: item.sk,
      plan: item.plan,
      due: item.due,
      ...(item.take === undefined ? {} : { take: item.take }),
    };
    const change = {
      set: item.landed ? {} : { givenUp: true },
      remove: ['due', 'reason', 'failed', 'take', 'lost', 'attempts', 'progress'],
    };
    if (await deps.partitions.changeIfDue(key, claim, change)) given += 1;
  }
  return given;
}

/** Nobody goes on with what its reads have left. */
const GIVEN_UP: OrphanContext = { carried: undefined, keepsProgress: () => false };

/** What a job of it made and has landed is given up with it. */
async function giveUpJob(key: ShardKey, item: PartitionRecord, deps: RefreshDeps): Promise<boolean> {
  const node = item.child === undefined ? undefined : await deps.nodes.get(key.pipeline, item.child);
  if (item.givenUp || isWholeJob(item, node)) return false;
  return (await deps.partitions.markThere(key, item.sk, item.plan, { set: { givenUp: true } })) !== undefined;
}
