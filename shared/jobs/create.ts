import { BadTaskSpecificationError, ConnectorError } from '../connectors/async/errors.ts';
import { IngestError, isRetryable } from '../core/errors.ts';
import { addMs, days, type EpochMs, seconds } from '../core/units.ts';
import {
  callFailed,
  callOf,
  createRequest,
  failed,
  holderOf,
  nextLook,
  placesOf,
  startTurn,
  WENT_WELL,
  waitForCall,
} from './calls.ts';
import { type Findings, type Look, nowOf } from './deps.ts';
import type { JobRecord, JobRequest } from './store.ts';

/** Makes the external job, once: when its turn comes, and with a token by which the service knows it again. */
export async function createJob(look: Look): Promise<Findings> {
  const { job, tasks, deps } = look;
  const request = await deps.jobs.request(job.pipeline, job.node);
  if (!request) return failed(new BadTaskSpecificationError('nobody wrote down what the job is'), look);
  const type = tasks.service.typeOf(job.taskType, job.taskTypeVersion, request.taskTemplate);

  const turn = await turnOf(look, request);
  if ('waits' in turn) return turn.waits;
  const waits = await waitForCall('write', look);
  // Whose turn it is keeps it until the call may be made.
  if (waits) return { fields: { ...turn, ...waits.fields } };

  if (job.tried && !type.createIsIdempotent) return findJob(look, request);
  // Noted before the call: should this function be cut off in it, nobody may take the job for not begun, or the turn for unused.
  const isNoted = job.tried && job.slotAt === undefined;
  if (!isNoted && !(await deps.jobs.note(job, { tried: true }, ['slotAt']))) return { fields: {} };
  try {
    return created(await tasks.service.create(createRequest(request), callOf(look)), look);
  } catch (error) {
    look.signal.throwIfAborted();
    if (!isRetryable(error)) return failed(error, look);
    const findings = callFailed(error, look);
    if ('giveUp' in findings) return failed(findings.giveUp, look);
    // The call counts as a start, whatever came of it: the next one takes another turn.
    return { ...findings, clears: madeNothing(error) ? ['slotAt', 'tried'] : ['slotAt'] };
  }
}

/** A service that would not take the call has made nothing. */
const madeNothing = (error: unknown) => error instanceof ConnectorError && error.code === 'Throttled';

/** A job may begin when its connection has a place for it and the source's own limit of starts allows it. */
async function turnOf(look: Look, request: JobRequest): Promise<Turn> {
  const { job, tasks, deps } = look;
  const now = nowOf(deps);
  const { createIsIdempotent } = tasks.service.typeOf(job.taskType, job.taskTypeVersion, request.taskTemplate);
  for (const { bucket, limit } of placesOf(job, tasks)) {
    if (!(await deps.buckets.enter(bucket, holderOf(job), limit, now, addMs(now, PLACE_KEPT))))
      return { waits: waiting(`waits for one of ${limit} places`, nextLook(look, 3), look) };
  }
  if (job.tried && !createIsIdempotent) return {};
  const turn = await startTurn(look, request);
  if (!turn) return {};
  const { slotAt, perMinute, waits } = turn;
  if (!waits) return { slotAt };
  return { waits: waiting(`waits for its turn: ${perMinute} may begin in a minute`, slotAt, look, { slotAt }) };
}

/** Either the job waits, or it has a turn, which may be one of now. */
type Turn = { readonly waits: Findings } | Pick<JobRecord, 'slotAt'>;

/** No attempt stands longer, so a place that was never given back is free again. */
const PLACE_KEPT = days(2);

function waiting(message: string, dueAt: EpochMs, { job, deps }: Look, fields: Findings['fields'] = {}): Findings {
  const phaseSince = job.phase === 'WAITING_FOR_RESOURCES' ? job.phaseSince : nowOf(deps);
  return { fields: { ...fields, phase: 'WAITING_FOR_RESOURCES', phaseSince, message, dueAt } };
}

/** Nobody knows whether the call before made a job, and calling again might make a second one. */
async function findJob(look: Look, request: JobRequest): Promise<Findings> {
  const { job, tasks } = look;
  const error = new CreateOutcomeUnknownError(job.taskType);
  try {
    const handle = await tasks.service.findByToken(createRequest(request), callOf(look));
    if (handle) return created(handle, look);
  } catch (cause) {
    look.signal.throwIfAborted();
    if (isRetryable(cause)) {
      const findings = callFailed(cause, look);
      if (!('giveUp' in findings)) return findings;
    }
  }
  return failed(error, look, request.taskTemplate.metadata?.retryOnUnknownCreate ? 'RETRYABLE_FAILED' : 'FAILED');
}

function created(handle: Uint8Array, look: Look): Findings {
  const now = nowOf(look.deps);
  const { taskType, taskTypeVersion } = look.job;
  const { firstPollSeconds } = look.tasks.service.typeOf(taskType, taskTypeVersion).polling;
  return {
    fields: {
      status: 'ACTIVE',
      phase: 'QUEUED',
      phaseSince: now,
      handle: Buffer.from(handle).toString('base64'),
      dueAt: firstPollSeconds === undefined ? nextLook(look, 0) : addMs(now, seconds(firstPollSeconds)),
    },
    clears: [...WENT_WELL, 'message'],
  };
}

/** The call that makes the job ended without an answer, and the service cannot be asked whether it did. */
export class CreateOutcomeUnknownError extends IngestError {
  override readonly name = 'CreateOutcomeUnknownError';
  readonly code = 'CreateOutcomeUnknown';
  readonly retryable = false;
  constructor(taskType: string) {
    super(
      `a call that begins a job of ${taskType} got no answer, and no job can be found by its token; ` +
        'it may be running. `retryOnUnknownCreate` begins another all the same',
    );
  }
}
