import { finishRefreshFunction } from '../../functions/finish-refresh/handler.ts';
import { listObjectsFunction } from '../../functions/list-objects/handler.ts';
import { pollJobFunction } from '../../functions/poll-job/handler.ts';
import { queueHandler } from '../../functions/queue-function.ts';
import { readBytesFunction } from '../../functions/read-bytes/handler.ts';
import { runtimeOf } from '../../functions/runtime.ts';
import { streamUploadFunction } from '../../functions/stream-upload/handler.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { sweepJobs } from '../../shared/jobs/executor.ts';
import type { Pipeline } from '../../shared/pipelines/define.ts';
import { QUEUE_NAMES } from '../../shared/queue/queue.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { executorDeps } from '../../shared/refresh/job-node.ts';
import { sweepRun } from '../../shared/steps/sweep.ts';
import { laggingSinks, wakeSinks } from '../../shared/uploads/wake.ts';
import { pause } from './pause.ts';
import { type QueueHandler, Worker, type WorkerOptions } from './worker.ts';

export interface RunUntilIdleOptions
  extends Pick<WorkerOptions, 'concurrency' | 'timeoutMs' | 'signal'>,
    Partial<Pick<WorkerOptions, 'handlers'>> {
  readonly backend: Backend;
  readonly deps: RefreshDeps;
  /** Returns when none of these has an active run. */
  readonly pipelines: readonly string[];
  /** How long a poll waits, in seconds. Default 1. */
  readonly waitSeconds?: number;
}

/** The handlers of the queue-fed functions, on dependencies that are open already. */
export function queueHandlers(backend: Backend, deps: RefreshDeps): Record<(typeof QUEUE_NAMES)[number], QueueHandler> {
  const runtime = async () => runtimeOf(deps, backend);
  return {
    'list-objects': queueHandler(listObjectsFunction, runtime) as unknown as QueueHandler,
    'poll-job': queueHandler(pollJobFunction, runtime) as unknown as QueueHandler,
    'read-bytes': queueHandler(readBytesFunction, runtime) as unknown as QueueHandler,
    'finish-refresh': queueHandler(finishRefreshFunction, runtime) as unknown as QueueHandler,
    'stream-upload': queueHandler(streamUploadFunction, runtime) as unknown as QueueHandler,
  };
}

/**
 * Works until no named pipeline has an active run and their sinks have applied what is published, or have failed; or the signal
 * fires. What is left then goes on with the next run.
 */
export async function workUntilDone({
  backend,
  deps,
  pipelines,
  signal,
  ...options
}: RunUntilIdleOptions): Promise<void> {
  const finished = new AbortController();
  let paused = new AbortController();
  const nextPause = () => {
    paused = new AbortController();
    return paused.signal;
  };
  await backend.housekeep();
  const watch = watchRuns(deps, pipelines, nextPause, finished);
  const worker = new Worker({
    queues: backend.queues,
    handlers: queueHandlers(backend, deps),
    log: deps.log,
    signal: AbortSignal.any([signal, finished.signal]),
    onIdle: () => recover(backend, deps, pipelines),
    onPause: () => paused.abort(),
    timeoutMs: invocationTimeoutMs(backend),
    ...options,
  });
  try {
    await worker.run();
  } finally {
    finished.abort();
    await watch;
  }
}

/**
 * How long an invocation may take unless somebody says otherwise. On one machine nothing has to end a long read, since what a
 * killed worker held is given back at once; elsewhere it is unseen until its time is over.
 */
export const invocationTimeoutMs = ({ kind }: Backend): number => (kind === 'aws' ? minutes(15) : hours(11.5));

const LOOK_EVERY_MS = 1000;

/** Sinks that may still be brought on: those that failed wait for somebody, or for the sweep of a worker. */
async function lagging(pipelines: readonly string[], deps: RefreshDeps): Promise<Pipeline[]> {
  const found: Pipeline[] = [];
  for (const name of pipelines) {
    const pipeline = await deps.pipelines.get(name);
    const sinks = await laggingSinks(pipeline, deps);
    if (sinks.length > 0) found.push({ ...pipeline, sinks });
  }
  return found;
}

/** Looks whether the runs are over, as their own items say: when the worker pauses, and every second, since others work too. */
async function watchRuns(
  deps: RefreshDeps,
  pipelines: readonly string[],
  nextPause: () => AbortSignal,
  finished: AbortController,
): Promise<void> {
  while (!finished.signal.aborted) {
    // Asked for before looking: a pause that comes meanwhile is not missed.
    const until = AbortSignal.any([nextPause(), finished.signal]);
    const active = await Promise.all(pipelines.map((name) => deps.runs.active(name)));
    if (active.every((run) => run?.active === undefined) && (await lagging(pipelines, deps)).length === 0) {
      finished.abort();
      return;
    }
    await pause(LOOK_EVERY_MS, until);
  }
}

/**
 * With no message anywhere, a run that goes on has lost one: what the sweep does every five minutes is done at once. On one machine
 * it is also known that nobody works, so a lease is that of a worker that was killed; SQS counts only about.
 */
async function recover(backend: Backend, deps: RefreshDeps, pipelines: readonly string[]): Promise<void> {
  await backend.housekeep();
  for (const queue of QUEUE_NAMES) {
    const { visible, inFlight, delayed } = await backend.queues.counts(queue);
    if (visible + inFlight + delayed > 0) return;
  }
  const leasesHold = backend.kind === 'aws';
  for (const pipeline of await lagging(pipelines, deps)) await wakeSinks(pipeline, deps);
  for (const pipeline of pipelines) {
    await sweepRun(pipeline, deps, leasesHold);
    await sweepJobs(pipeline, executorDeps(deps), leasesHold);
  }
}
