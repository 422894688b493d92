import type { Resource } from '../connectors/async/async-connector.ts';
import { isTerminal } from '../connectors/async/phases.ts';
import { IngestError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import {
  callFailed,
  callOf,
  ended,
  externalJob,
  failed,
  hasRetries,
  nextLook,
  WENT_WELL,
  waitForCall,
} from './calls.ts';
import { type Findings, type Look, nowOf } from './deps.ts';
import { jobOutputsKey } from './keys.ts';
import { stopping } from './stop.ts';
import type { JobRecord } from './store.ts';
import { timedOut } from './timing.ts';

/** Asks once where the job stands. */
export async function getJob(look: Look): Promise<Findings> {
  const { job, tasks, deps } = look;
  const over = timedOut(job, nowOf(deps));
  if (over !== undefined) return timeOut(over, look);
  const waits = await waitForCall('read', look);
  if (waits) return waits;
  let resource: Resource;
  try {
    resource = await tasks.service.get(externalJob(look), callOf(look));
  } catch (error) {
    look.signal.throwIfAborted();
    // What the service does not know any more has no further state.
    if (error instanceof IngestError && error.code === 'ResourceGone') return failed(error, look);
    const findings = callFailed(error, look);
    return 'giveUp' in findings ? stopping('FAILED', findings.giveUp, look, true) : findings;
  }
  if (!isTerminal(resource.phase)) return underWay(resource, look);
  const { fields, clears = [] } = await finalOf(resource, look);
  return { fields, clears: [...WENT_WELL, ...clears] };
}

function underWay({ phase, message, logLinks, customInfo, pollAfterMs }: Resource, look: Look): Findings {
  const { job, deps } = look;
  const now = nowOf(deps);
  const runs = phase === 'RUNNING' && job.runningSince === undefined;
  return {
    fields: {
      phase,
      phaseSince: phase === job.phase ? job.phaseSince : now,
      ...(message === undefined ? {} : { message }),
      ...(logLinks ? { logLinks } : {}),
      ...(customInfo ? { customInfo } : {}),
      ...(runs ? { runningSince: now } : {}),
      dueAt: nextLook(look, job.poll, pollAfterMs),
    },
    clears: message === undefined ? [...WENT_WELL, 'message'] : WENT_WELL,
  };
}

async function finalOf(resource: Resource, look: Look): Promise<Findings> {
  const { phase, message, logLinks, customInfo } = resource;
  const told: Partial<JobRecord> = {
    ...(message === undefined ? {} : { message }),
    ...(logLinks ? { logLinks } : {}),
    ...(customInfo ? { customInfo } : {}),
  };
  if (phase === 'SUCCEEDED') return storeOutputs(resource.outputs ?? {}, told, look);
  const code = resource.error?.code ?? (phase === 'ABORTED' ? 'JobAborted' : 'JobFailed');
  const error = new JobFailedError(code, look.job, phase, message);
  if (phase === 'RETRYABLE_FAILED') {
    const { job, deps } = look;
    const findings = hasRetries(job, await deps.jobs.request(job.pipeline, job.node))
      ? // What is left of it goes before another is made.
        stopping(phase, error, look, true)
      : failed(error, look, phase);
    return { ...findings, fields: { ...findings.fields, ...told, phase } };
  }
  const findings = failed(error, look);
  return { ...findings, fields: { ...findings.fields, ...told, phase: phase as 'ABORTED' | 'FAILED' } };
}

/** Written once: whoever comes second finds the first. */
async function storeOutputs(outputs: JsonObject, told: Partial<JobRecord>, look: Look): Promise<Findings> {
  const { job, deps } = look;
  const request = await deps.jobs.request(job.pipeline, job.node);
  const declared = Object.keys(request?.taskTemplate.interface?.outputs ?? {});
  const missing = declared.filter((name) => !Object.hasOwn(outputs, name));
  if (missing.length > 0 && Object.keys(outputs).length > 0) return failed(new MissingOutputError(job, missing), look);
  const key = jobOutputsKey(job);
  await deps.objects.put(key, Buffer.from(JSON.stringify(outputs)), { ifAbsent: true });
  return ended('SUCCEEDED', look, { ...told, outputs: key });
}

function timeOut(over: string, look: Look): Promise<Findings> {
  return look.deps.jobs.request(look.job.pipeline, look.job.node).then((request) => {
    const phase = request?.taskTemplate.metadata?.retryOnTimeout ? 'RETRYABLE_FAILED' : 'FAILED';
    return stopping(phase, new JobTimedOutError(look.job, over), look);
  });
}

const shown = ({ taskType, node, attempt }: JobRecord) => `the ${taskType} job of node ${node} (attempt ${attempt})`;

/** The external job ended without success, in its service's own words. */
export class JobFailedError extends IngestError {
  override readonly name = 'JobFailedError';
  readonly code: string;
  readonly retryable = false;
  constructor(code: string, job: JobRecord, phase: string, message = 'it gave no reason') {
    super(`${shown(job)} ended ${phase}: ${message}`);
    this.code = code;
  }
}

export class JobTimedOutError extends IngestError {
  override readonly name = 'JobTimedOutError';
  readonly code = 'TimedOut';
  readonly retryable = false;
  constructor(job: JobRecord, over: string) {
    super(`${shown(job)} was ${over}`);
  }
}

/** The job succeeded and did not give what its template declares. */
export class MissingOutputError extends IngestError {
  override readonly name = 'MissingOutputError';
  readonly code = 'MissingOutput';
  readonly retryable = false;
  constructor(job: JobRecord, missing: readonly string[]) {
    super(`${shown(job)} succeeded without its declared outputs ${missing.join(', ')}`);
  }
}
