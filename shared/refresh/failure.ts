import type { ErrorFacts } from '../core/errors.ts';
import type { NodeKind } from '../nodes/store.ts';
import type { FailurePolicy, Pipeline } from '../pipelines/define.ts';
import type { RunOutcome } from '../runs/store.ts';
import { nowMs, type RefreshDeps } from './deps.ts';

/** Unless a pipeline says otherwise, one error stops a folder's run, and leaves the rest of a feed, and other jobs, alone. */
export const policyOf = (pipeline: Pipeline, kind: NodeKind): FailurePolicy =>
  pipeline.failurePolicy ?? (kind === 'folder' ? 'connector' : 'partition');

/**
 * A partition or a listing has failed for good: ends the run if the pipeline's policy says so.
 *
 * @returns true if the run is over
 */
export async function countFailure(
  pipeline: Pipeline,
  run: number,
  kind: NodeKind,
  error: ErrorFacts,
  deps: RefreshDeps,
): Promise<boolean> {
  const policy = policyOf(pipeline, kind);
  if (policy === 'partition') return false;
  if (policy !== 'connector') {
    const failures = await deps.runs.countFailure(pipeline.name, run);
    if (policy.count === undefined || failures <= policy.count) return false;
  }
  await endRun(pipeline.name, run, { state: 'FAILED', error }, deps);
  return true;
}

/** Ends a run and, if one is pending, begins the next. A run that is over already stays as it ended. */
export async function endRun(pipeline: string, run: number, outcome: RunOutcome, deps: RefreshDeps): Promise<void> {
  const requests = deps.meter?.take(pipeline);
  const ended = await deps.runs.end(pipeline, run, { ...outcome, ...(requests ? { requests } : {}) }, nowMs(deps));
  if (!ended) return;
  const facts = { pipeline, run, state: outcome.state, ...(outcome.error ? { error: outcome.error } : {}) };
  if (outcome.state === 'FAILED') deps.log.error('run failed', facts);
  else deps.log.info('run ended', facts);
  if (ended.next !== undefined) await sendRoot(pipeline, ended.next, deps);
}

/** A run begins with its root on the queue. */
export async function sendRoot(pipeline: string, run: number, deps: RefreshDeps): Promise<void> {
  const active = await deps.runs.active(pipeline);
  if (active?.active !== run) return;
  await deps.queues.send('list-objects', [
    { body: JSON.stringify({ pipeline, run, node: active.root }), group: pipeline },
  ]);
}
