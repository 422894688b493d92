import { finishRefreshFunction } from '../../functions/finish-refresh/handler.ts';
import { listObjectsFunction } from '../../functions/list-objects/handler.ts';
import { queueHandler } from '../../functions/queue-function.ts';
import { readBytesFunction } from '../../functions/read-bytes/handler.ts';
import { runtimeOf } from '../../functions/runtime.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { QUEUE_NAMES } from '../../shared/queue/queue.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { sweepRun } from '../../shared/steps/sweep.ts';
import { type QueueHandler, Worker, type WorkerOptions } from './worker.ts';

export interface RunUntilIdleOptions extends Pick<WorkerOptions, 'concurrency' | 'timeoutMs' | 'signal'> {
  readonly backend: Backend;
  readonly deps: RefreshDeps;
  /** Returns when none of these has an active run. */
  readonly pipelines: readonly string[];
  /** How long a poll waits, in seconds. Default 1. */
  readonly waitSeconds?: number;
}

/** The handlers of the queue-fed functions, on dependencies that are open already. */
export function queueHandlers(backend: Backend, deps: RefreshDeps): Record<(typeof QUEUE_NAMES)[number], QueueHandler> {
  const runtime = async () => runtimeOf(deps, backend.queues);
  return {
    'list-objects': queueHandler(listObjectsFunction, runtime) as unknown as QueueHandler,
    'read-bytes': queueHandler(readBytesFunction, runtime) as unknown as QueueHandler,
    'finish-refresh': queueHandler(finishRefreshFunction, runtime) as unknown as QueueHandler,
  };
}

/** Works until no named pipeline has an active run, or the signal fires. What is left then goes on with the next run. */
export async function workUntilDone({ backend, deps, pipelines, signal, ...options }: RunUntilIdleOptions): Promise<void> {
  const finished = new AbortController();
  const watch = watchRuns(deps, pipelines, finished);
  await backend.housekeep();
  const worker = new Worker({
    queues: backend.queues,
    handlers: queueHandlers(backend, deps),
    log: deps.log,
    signal: AbortSignal.any([signal, finished.signal]),
    onIdle: () => recover(backend, deps, pipelines),
    ...options,
  });
  try {
    await worker.run();
  } finally {
    finished.abort();
    await watch;
  }
}

const LOOK_EVERY_MS = 50;

/** Looks whether the runs are over; their own item says so. */
async function watchRuns(deps: RefreshDeps, pipelines: readonly string[], finished: AbortController): Promise<void> {
  while (!finished.signal.aborted) {
    const active = await Promise.all(pipelines.map((name) => deps.runs.active(name)));
    if (active.every((run) => run?.active === undefined)) {
      finished.abort();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** With no message anywhere, a run that goes on has lost one: what the sweep does every five minutes is done at once. */
async function recover(backend: Backend, deps: RefreshDeps, pipelines: readonly string[]): Promise<void> {
  await backend.housekeep();
  for (const queue of QUEUE_NAMES) {
    const { visible, inFlight, delayed } = await backend.queues.counts(queue);
    if (visible + inFlight + delayed > 0) return;
  }
  for (const pipeline of pipelines) await sweepRun(pipeline, deps);
}
