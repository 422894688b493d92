import type { Rate } from '../buckets/store.ts';
import type { CreateRequest } from '../connectors/async/async-connector.ts';
import type { CreateCall, ExternalJob } from '../connectors/async/task-service.ts';
import { backoffMs } from '../core/backoff.ts';
import { errorFacts, IngestError, retryAfterMs } from '../core/errors.ts';
import { addMs, type EpochMs } from '../core/units.ts';
import { type Findings, type Look, nowOf, type PipelineTasks } from './deps.ts';
import type { JobRecord, JobRequest } from './store.ts';
import { pollDelayMs } from './timing.ts';

const CALLS_PER_SECOND = 10;
const BURST = 100;
/** Errors in a row after which a job is given up. */
const RETRYABLE_MAX = 20;
const OTHER_MAX = 5;
/** A token that is due within this is waited for by no message of its own. */
const SOON_MS = 250;
const ERROR_BACKOFF = { firstMs: 2000, maxMs: 300_000 };

/** What every call to a connector says of itself. */
export function callOf({ job, tasks, signal, deps }: Look): CreateCall {
  return {
    ...(job.connection === undefined ? {} : { connectionName: job.connection }),
    connections: tasks.connections,
    attempt: job.attempt,
    idempotencyToken: job.token,
    signal,
    logger: deps.log.with({ pipeline: job.pipeline, node: job.node, attempt: job.attempt }),
  };
}

export function externalJob({ job }: Look): ExternalJob {
  const { taskType, taskTypeVersion, handle = '' } = job;
  return { taskType, taskTypeVersion, handle: Buffer.from(handle, 'base64') };
}

export function createRequest({ taskTemplate, inputs, outputPrefix }: JobRequest): CreateRequest {
  return { taskTemplate, outputPrefix, ...(inputs ? { inputs } : {}) };
}

/** Buckets and places are shared by the jobs of one type over one connection. */
export const bucketOf = (
  kind: 'start' | 'write' | 'read' | 'places',
  { pipeline, taskType, connection = '' }: JobRecord,
) => `${pipeline}#${kind}#${taskType}#${connection}`;

/** What limits how many jobs are under way: of one connection, as the template says, and of the pipeline. */
export function placesOf(
  job: JobRecord,
  { maxJobs }: PipelineTasks,
): { readonly bucket: string; readonly limit: number }[] {
  const { maxConcurrent, pipeline } = job;
  return [
    ...(maxConcurrent === undefined ? [] : [{ bucket: bucketOf('places', job), limit: maxConcurrent }]),
    ...(maxJobs === undefined ? [] : [{ bucket: `${pipeline}#places`, limit: maxJobs }]),
  ];
}

export const holderOf = ({ node, attempt }: JobRecord): string => `${node}#${attempt}`;

/**
 * A token of the future is kept until its time has come: who asked for another then would be pushed back by all who did the same.
 *
 * @returns what to record if the connector may not be called before later; undefined if it may be at once
 */
export async function waitForCall(kind: 'write' | 'read', look: Look): Promise<Findings | undefined> {
  const { job, tasks, deps } = look;
  const { polling } = tasks.service.typeOf(job.taskType, job.taskTypeVersion);
  const rate: Rate = { perSecond: polling.callsPerSecond ?? CALLS_PER_SECOND, burst: polling.burst ?? BURST };
  const callAt = job.callAt ?? (await deps.buckets.reserve(bucketOf(kind, job), rate, nowOf(deps)));
  return later(callAt, look) === undefined ? undefined : { fields: { callAt, dueAt: callAt } };
}

/**
 * The time at which a call that may begin a job is allowed by the source's own limit of starts. It is reserved once and kept
 * until it is used, so a hundred jobs that wait ask only when their turn has come.
 *
 * @returns undefined if nothing limits the starts
 */
export async function startTurn(look: Look, { taskTemplate }: JobRequest): Promise<StartTurn | undefined> {
  const { job, tasks, deps } = look;
  const { polling } = tasks.service.typeOf(job.taskType, job.taskTypeVersion, taskTemplate);
  const perMinute = taskTemplate.metadata?.startsPerMinute ?? polling.startsPerMinute;
  if (perMinute === undefined) return undefined;
  const rate: Rate = { perSecond: perMinute / 60, burst: 1 };
  const slotAt = job.slotAt ?? (await deps.buckets.reserve(bucketOf('start', job), rate, nowOf(deps)));
  return { slotAt, perMinute, waits: later(slotAt, look) !== undefined };
}

export interface StartTurn {
  readonly slotAt: EpochMs;
  readonly perMinute: number;
  /** It is not yet its time. */
  readonly waits: boolean;
}

export const later = (slot: EpochMs, { deps }: Look): EpochMs | undefined =>
  slot - nowOf(deps) > SOON_MS ? slot : undefined;

/** When a job is due for the next look, after so many. */
export const nextLook = ({ pollMaxMs, deps }: Look, looks: number, hintMs?: number): EpochMs =>
  addMs(nowOf(deps), pollDelayMs(looks, pollMaxMs, deps.random, hintMs));

/** The job is over. */
export function ended(
  phase: 'SUCCEEDED' | 'FAILED' | 'ABORTED' | 'RETRYABLE_FAILED',
  look: Look,
  fields: Partial<JobRecord> = {},
): Findings {
  const now = nowOf(look.deps);
  return { fields: { ...fields, status: 'DONE', phase, phaseSince: now, finishedAt: now, dueAt: now } };
}

export function failed(error: unknown, look: Look, phase: 'FAILED' | 'RETRYABLE_FAILED' = 'FAILED'): Findings {
  const facts = errorFacts(error, look.deps.redactor.redact);
  return ended(phase, look, { error: facts, message: facts.message });
}

/**
 * A call failed, and that says nothing of the job: it is called again, after what the service asks for, until so many failed in
 * a row.
 *
 * @returns the error to give up with, once there were too many
 */
export function callFailed(error: unknown, look: Look): Findings | { readonly giveUp: JobGivenUpError } {
  const findings = callAgain(error, look);
  const { retryableErrors = 0, otherErrors = 0 } = findings.fields;
  if (retryableErrors <= RETRYABLE_MAX && otherErrors <= OTHER_MAX) return findings;
  return { giveUp: new JobGivenUpError(retryableErrors + otherErrors, error) };
}

/** A call failed and is made again, each time later, however often it fails. */
export function callAgain(error: unknown, { job, deps }: Look): Findings {
  const facts = errorFacts(error, deps.redactor.redact);
  const retryableErrors = (job.retryableErrors ?? 0) + (facts.retryable ? 1 : 0);
  const otherErrors = (job.otherErrors ?? 0) + (facts.retryable ? 0 : 1);
  const wait = backoffMs(retryableErrors + otherErrors - 1, deps.random, ERROR_BACKOFF, retryAfterMs(error) ?? 1000);
  return { fields: { retryableErrors, otherErrors, lastError: facts, dueAt: addMs(nowOf(deps), wait) } };
}

/** Has a job that failed another attempt? What the run before used up counts for this one no more. */
export const hasRetries = ({ attempt, budgetFrom }: JobRecord, request: JobRequest | undefined): boolean =>
  attempt - budgetFrom < (request?.taskTemplate.metadata?.retries ?? 0);

/** Nothing failed: the errors before are over. */
export const WENT_WELL: readonly string[] = ['retryableErrors', 'otherErrors', 'lastError'];

/** So many calls in a row failed that nobody knows what the job is doing. */
export class JobGivenUpError extends IngestError {
  override readonly name = 'JobGivenUpError';
  readonly code = 'MaxSystemFailuresExceeded';
  readonly retryable = false;
  constructor(errors: number, cause: unknown) {
    super(`given up after ${errors} failed calls in a row: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
