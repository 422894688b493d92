import type { Deadline } from '../core/deadline.ts';
import { errorFacts } from '../core/errors.ts';
import { sha256Hex } from '../core/ids.ts';
import { type EpochMs, minutes } from '../core/units.ts';
import { sweepJobs } from '../jobs/executor.ts';
import type { SweepRequest } from '../queue/messages.ts';
import { collectGarbage } from '../refresh/collect.ts';
import { nowMs, type RefreshDeps } from '../refresh/deps.ts';
import { executorDeps } from '../refresh/job-node.ts';
import { stopWithinMs } from '../refresh/time.ts';
import { type Remedy, Walk } from '../refresh/walk.ts';
import { sweepSinks } from '../uploads/wake.ts';

export interface SweptPipeline {
  readonly pipeline: string;
  /** Messages sent again for the active run. */
  readonly sent: number;
  readonly deletedObjects: number;
  readonly error?: string;
}

/** After so many rounds without progress it plans again, and after as many more it gives up. */
const ROUNDS = 3;

/**
 * Looks after what nobody else would: lost messages, abandoned work, runs that do not end; and then garbage, of which there may be
 * more than there is time for.
 */
export async function sweep(
  { pipeline }: SweepRequest,
  deadline: Deadline,
  deps: RefreshDeps,
): Promise<SweptPipeline[]> {
  const names = pipeline === undefined ? await deps.pipelines.names() : [(await deps.pipelines.get(pipeline)).name];
  const stopWithin = stopWithinMs(deadline);
  const outOfTime = () => deadline.signal.aborted || deadline.remainingMs() < stopWithin;
  const swept = new Map<string, SweptPipeline>();
  const each = async (of: readonly string[], work: (name: string) => Promise<Partial<SweptPipeline>>) => {
    for (const name of of) {
      if (outOfTime()) return;
      const before = swept.get(name) ?? { pipeline: name, sent: 0, deletedObjects: 0 };
      // One pipeline's trouble does not keep the others from being swept.
      const facts = await work(name).catch((error: unknown) => failureOf(name, error, deps));
      swept.set(name, { ...before, ...facts });
    }
  };
  await each(names, async (name) => ({ sent: await sendAgain(name, deps) }));
  const wellSwept = inTurn(names, nowMs(deps)).filter((name) => swept.get(name)?.error === undefined);
  await each(wellSwept, async (name) => ({
    deletedObjects: await collectGarbage(await deps.pipelines.get(name), deps, outOfTime),
  }));
  return names.flatMap((name) => swept.get(name) ?? []);
}

const sendAgain = async (name: string, deps: RefreshDeps): Promise<number> =>
  (await sweepRun(name, deps)) +
  (await sweepJobs(name, executorDeps(deps))) +
  (await sweepSinks(await deps.pipelines.get(name), deps));

function failureOf(pipeline: string, error: unknown, deps: RefreshDeps): Pick<SweptPipeline, 'error'> {
  const facts = errorFacts(error, deps.redactor.redact);
  deps.log.error('a pipeline could not be swept', { pipeline, error: facts });
  return { error: facts.message };
}

/** Another one is first every five minutes: whose garbage takes all of the time does not keep the others theirs for good. */
function inTurn(names: readonly string[], now: EpochMs): string[] {
  const first = Math.floor(now / TURN_MS) % Math.max(1, names.length);
  return [...names.slice(first), ...names.slice(0, first)];
}

const TURN_MS = minutes(5);

/**
 * @param leasesHold false if no message is to be had or under way: whoever works has one, so nobody does
 * @returns how many messages were sent again
 */
export async function sweepRun(pipeline: string, deps: RefreshDeps, leasesHold = true): Promise<number> {
  const active = await deps.runs.active(pipeline);
  if (!active) return 0;
  // A run's end, or its beginning, may have been decided and not told.
  if (active.ended) await deps.runs.closeRecord(pipeline, active.ended);
  if (active.active === undefined) return 0;
  const record = await deps.runs.record(pipeline, active.active);
  if (record?.run === undefined)
    await deps.runs.openRecord(
      pipeline,
      active.active,
      active.request?.trigger ?? 'manual',
      active.startedAt ?? nowMs(deps),
      active.request?.tokens,
    );
  const rounds = active.sweepRounds ?? 0;
  const remedy = remedyAfter(rounds);
  const { seen, leased, sent } = await new Walk(pipeline, active.active, { remedy, leasesHold }, deps).from(
    active.root,
  );
  const stands = sha256Hex(seen.join('\n')).slice(0, 16);
  // Planning again is no progress yet: the round after it compares with what stood still before.
  const still = remedy !== 'resend' || (stands === active.sweepSeen && leased === 0);
  await deps.runs.sawProgress(
    pipeline,
    active.active,
    remedy === 'resend' ? stands : (active.sweepSeen ?? ''),
    still ? rounds + 1 : 0,
  );
  if (sent > 0) deps.log.info('sent again', { pipeline, run: active.active, messages: sent, rounds });
  return sent;
}

function remedyAfter(rounds: number): Remedy {
  if (rounds >= 2 * ROUNDS) return 'fail';
  return rounds === ROUNDS ? 'replan' : 'resend';
}
