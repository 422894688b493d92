import { isTerminal } from '../connectors/async/phases.ts';
import { errorFacts, IngestError } from '../core/errors.ts';
import { addMs, hours } from '../core/units.ts';
import {
  callAgain,
  callOf,
  createRequest,
  ended,
  externalJob,
  nextLook,
  startTurn,
  WENT_WELL,
  waitForCall,
} from './calls.ts';
import { type Findings, type Look, nowOf } from './deps.ts';
import type { JobStop } from './store.ts';

/** After this nobody tries any more to stop a job, and somebody is told. */
const STOPS_WITHIN = hours(24);

/**
 * From now on the job is being stopped, and then it has failed, or was aborted, for this reason.
 *
 * @param once nobody waits for the service to take it: it did not answer, or has nothing left to stop
 */
export function stopping(phase: JobStop['phase'], error: unknown, { job, deps }: Look, once = false): Findings {
  const now = nowOf(deps);
  const stop = job.stop ?? { phase, error: errorFacts(error, deps.redactor.redact), ...(once ? { once } : {}) };
  // Within the same look nothing more is asked of the service: one call each. The errors of before were of other calls.
  const clears = ['retryableErrors', 'otherErrors'];
  return { fields: { status: 'CANCELLING', stop, cancelledAt: now, dueAt: now }, clears };
}

/** Stops the job; once the service has taken that, waits for its end. A job that failed by a limit of ours is not waited for. */
export async function stopJob(look: Look): Promise<Findings> {
  const { job, deps } = look;
  const stop: JobStop = job.stop ?? { phase: 'ABORTED', error: errorFacts(new JobAbortedError()) };
  const over = () => ended(stop.phase, look, { error: stop.error, message: stop.error.message });
  const mayStillRun = (error?: unknown) => {
    const { pipeline, node, attempt, taskType } = job;
    const facts = { pipeline, node, attempt, taskType, ...(error ? { error: errorFacts(error) } : {}) };
    deps.log.error('an external job could not be stopped and may still run', facts);
    deps.log.error('metric', { metric: 'JobsNotStopped', value: 1 });
    return over();
  };
  if (nowOf(deps) >= addMs(job.cancelledAt ?? job.createdAt, STOPS_WITHIN)) return mayStillRun();
  if (job.handle === undefined) return (job.tried ? await findUnanswered(look) : undefined) ?? over();
  const waits = await waitForCall(job.deleted ? 'read' : 'write', look);
  if (waits) return waits;
  try {
    if (!job.deleted) {
      await look.tasks.service.delete(externalJob(look), callOf(look));
      if (stop.phase !== 'ABORTED') return over();
      return { fields: { deleted: true, dueAt: nextLook(look, 0) }, clears: WENT_WELL };
    }
    const { phase } = await look.tasks.service.get(externalJob(look), callOf(look));
    if (isTerminal(phase)) return over();
    return { fields: { dueAt: nextLook(look, job.poll) }, clears: WENT_WELL };
  } catch (error) {
    look.signal.throwIfAborted();
    if (error instanceof IngestError && error.code === 'ResourceGone') return over();
    if (isTerminal(job.phase)) return over();
    // However often it fails: the job costs somebody something until it is stopped.
    return stop.once ? mayStillRun(error) : callAgain(error, look);
  }
}

/**
 * It was cancelled before `create` was answered: asked again with its token, the service tells which job that was. Where that is
 * a call of `create`, it counts as a start, and takes its turn.
 *
 * @returns undefined if there is no job, or nobody can tell
 */
async function findUnanswered(look: Look): Promise<Findings | undefined> {
  const { job, tasks, deps } = look;
  const request = await deps.jobs.request(job.pipeline, job.node);
  if (!request) return undefined;
  const { createIsIdempotent } = tasks.service.typeOf(job.taskType, job.taskTypeVersion, request.taskTemplate);
  const turn = createIsIdempotent ? await startTurn(look, request) : undefined;
  const kept = turn && { slotAt: turn.slotAt };
  if (turn?.waits) return { fields: { ...kept, dueAt: turn.slotAt } };
  const waits = await waitForCall('write', look);
  if (waits) return { fields: { ...kept, ...waits.fields } };
  // Should this function be cut off in the call, the turn was used all the same.
  if (job.slotAt !== undefined && !(await deps.jobs.note(job, { tried: true }, ['slotAt']))) return { fields: {} };
  try {
    const create = createRequest(request);
    const found = createIsIdempotent
      ? await tasks.service.create(create, callOf(look))
      : await tasks.service.findByToken(create, callOf(look));
    return found && { fields: { handle: Buffer.from(found).toString('base64'), dueAt: nowOf(deps) } };
  } catch (error) {
    look.signal.throwIfAborted();
    deps.log.warn('it cannot be told whether a cancelled job was begun', { node: job.node, error: errorFacts(error) });
    return undefined;
  }
}

/** Somebody cancelled the job, or the run it belonged to is over. */
export class JobAbortedError extends IngestError {
  override readonly name = 'JobAbortedError';
  readonly code = 'JobAborted';
  readonly retryable = false;
  constructor(reason = 'the job was cancelled') {
    super(reason);
  }
}
