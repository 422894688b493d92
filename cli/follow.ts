import { pause } from '../local/worker/pause.ts';
import { workUntilDone } from '../local/worker/run-pipelines.ts';
import type { StartRefreshRequest } from '../shared/queue/messages.ts';
import { QUEUE_NAMES } from '../shared/queue/queue.ts';
import type { RefreshDeps } from '../shared/refresh/deps.ts';
import type { RunRecord } from '../shared/runs/store.ts';
import { type StartRefreshAnswer, startRefresh } from '../shared/steps/start-refresh.ts';
import type { Opened, Session } from './session.ts';

export interface WorkOptions {
  /** Of one invocation, in milliseconds; default as long as a message may stay unseen. */
  readonly timeout?: number;
  /** Batches under way at a time, per queue. */
  readonly concurrency?: number;
}

export interface FollowOptions extends WorkOptions {
  /** False: start only. */
  readonly wait?: boolean;
  /** Work on the messages here. Default on the embedded backend; on AWS functions or workers do. */
  readonly work?: boolean;
}

/** A pipeline whose runs are followed, from the first of them. */
export interface Started {
  readonly pipeline: string;
  /** Runs from this one on are its. */
  readonly firstRun: number;
  /** A run was under way, or was cut off, and goes on. */
  readonly resumed?: number;
}

/** A run that was followed, and whether it had begun before. */
export interface FollowedRun {
  readonly pipeline: string;
  readonly record: RunRecord;
  readonly resumed: boolean;
}

/** Starts a run; one that was cut off goes on first, and the new one follows it. */
export async function start(
  pipeline: string,
  begin: () => Promise<StartRefreshAnswer>,
  session: Session,
  deps: RefreshDeps,
): Promise<Started> {
  const before = (await deps.runs.active(pipeline))?.active;
  const { run } = await begin();
  if (run !== undefined) return { pipeline, firstRun: run };
  const resumed = before ?? (await deps.runs.active(pipeline))?.active;
  if (resumed === undefined) return { pipeline, firstRun: (await deps.runs.active(pipeline))?.number ?? 0 };
  await session.note(
    `${pipeline}: run ${resumed} is not over (it may have been cut off): it goes on, then a new run follows.`,
  );
  return { pipeline, firstRun: resumed, resumed };
}

export const startAs = (request: StartRefreshRequest, session: Session, deps: RefreshDeps): Promise<Started> =>
  start(request.pipeline, () => startRefresh(request, deps), session, deps);

/** Works on, or waits for, the runs that were started, until all have ended or Ctrl-C. */
export async function follow(
  started: readonly Started[],
  options: FollowOptions,
  session: Session,
  { backend, deps, settings }: Opened,
): Promise<FollowedRun[]> {
  const pipelines = started.map(({ pipeline }) => pipeline);
  const works = options.work ?? settings.backend.kind === 'embedded';
  if (options.wait !== false && pipelines.length > 0) {
    const signal = session.stopping.signal('Stopping: what is being read is finished first; the next run goes on.');
    await session.watching(pipelines, async () => {
      if (works) await workUntilDone({ backend, deps, pipelines, signal, ...workerOptions(options) });
      else await waitUntilDone(pipelines, signal, deps);
    });
  }
  const runs: FollowedRun[] = [];
  for (const one of started) runs.push(...(await runsSince(one, deps)));
  return runs;
}

export function workerOptions({ timeout, concurrency }: WorkOptions) {
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(concurrency === undefined
      ? {}
      : { concurrency: Object.fromEntries(QUEUE_NAMES.map((queue) => [queue, concurrency])) }),
  };
}

const LOOK_EVERY_MS = 1000;

async function waitUntilDone(pipelines: readonly string[], signal: AbortSignal, deps: RefreshDeps): Promise<void> {
  for (const pipeline of pipelines) {
    while (!signal.aborted && (await deps.runs.active(pipeline))?.active !== undefined) {
      await pause(LOOK_EVERY_MS, signal);
    }
  }
}

/** Oldest first. */
async function runsSince({ pipeline, firstRun, resumed }: Started, deps: RefreshDeps): Promise<FollowedRun[]> {
  // That a run ended is decided before its record says so, maybe by a process that was cut off in between.
  const active = await deps.runs.active(pipeline);
  if (active?.ended) await deps.runs.closeRecord(pipeline, active.ended);
  const runs: FollowedRun[] = [];
  for await (const record of deps.runs.records(pipeline)) {
    if (record.run < firstRun) break;
    runs.unshift({ pipeline, record, resumed: record.run === resumed });
  }
  return runs;
}
