import type { RefreshJob, RefreshPorts, RefreshRun } from '../connectors/async/built-in/landfall-refresh.ts';
import { landedCount } from '../nodes/totals.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { endRun } from '../refresh/failure.ts';
import type { ActiveRun, RunRecord } from '../runs/store.ts';
import { startRefresh } from '../steps/start-refresh.ts';

/** How many of the newest runs are searched for one that a job began before it was cut off. */
const RUNS_SEARCHED = 20;

/**
 * What the connector `landfall.refresh` needs, on the stores of this deployment. A job's token is kept with the trigger it
 * gave, then with the run that came of it: so a job finds its run again, whatever was cut off in between.
 */
export function landfallRefreshPorts(deps: RefreshDeps): RefreshPorts {
  return {
    async start({ pipeline: asked, token, force }) {
      const { name: pipeline } = await deps.pipelines.get(asked);
      for (;;) {
        const run = await runWith(token, pipeline, deps);
        if (run !== undefined) return run;
        const request = { pipeline, trigger: 'event' as const, tokens: [token] };
        await startRefresh(force ? { ...request, force: 'all' as const } : request, deps);
      }
    },

    async look(job) {
      const active = await deps.runs.active(job.pipeline);
      if (isPending(active, job)) return { state: 'PENDING' };
      const record = await recordOf(active, job, deps);
      return record && runOf(record);
    },

    async cancel({ pipeline, run, token }) {
      // What waits may begin in between: it is looked for where it is then.
      if (await deps.runs.withdraw(pipeline, token)) return;
      const active = await deps.runs.active(pipeline);
      if (active?.active !== run || !active.request?.tokens?.includes(token)) return;
      await endRun(pipeline, run, { state: 'CANCELLED' }, deps);
    },
  };
}

async function runWith(token: string, pipeline: string, deps: RefreshDeps): Promise<number | undefined> {
  const active = await deps.runs.active(pipeline);
  if (active?.active !== undefined && active.request?.tokens?.includes(token)) return active.active;
  if (active?.pending?.tokens?.includes(token)) return active.number + 1;
  if (active?.ended?.tokens?.includes(token)) return active.ended.run;
  for await (const record of deps.runs.records(pipeline, { limit: RUNS_SEARCHED })) {
    if (record.tokens?.includes(token)) return record.run;
  }
  return undefined;
}

const isPending = (active: ActiveRun | undefined, { run, token }: RefreshJob): boolean =>
  active?.number === run - 1 && (active.pending?.tokens?.includes(token) ?? false);

/** Whoever ended, or began, a run may have been cut off before its record said so: the item that decides comes first. */
async function recordOf(
  active: ActiveRun | undefined,
  { pipeline, run, token }: RefreshJob,
  deps: RefreshDeps,
): Promise<Pick<RunRecord, 'state' | 'error' | 'manifest' | 'totals' | 'ran'> | undefined> {
  if (active?.ended?.run === run && active.ended.tokens?.includes(token)) return active.ended.outcome;
  const record = await deps.runs.record(pipeline, run);
  if (record?.tokens?.includes(token)) return record;
  return active?.active === run && active.request?.tokens?.includes(token) ? { state: 'LISTING' } : undefined;
}

function runOf({
  state,
  error,
  manifest,
  totals,
  ran,
}: Pick<RunRecord, 'state' | 'error' | 'manifest' | 'totals' | 'ran'>): RefreshRun {
  const { partitions = 0, bytes = 0, failed = 0 } = totals ?? {};
  const { landedBytes = 0, removed = 0 } = ran ?? {};
  const landed = ran ? landedCount(ran) : 0;
  return {
    state,
    ...(error ? { error } : {}),
    ...(manifest ? { published: { manifest, partitions, bytes, failed, landed, landedBytes, removed } } : {}),
  };
}
