import { idempotencyToken } from '../connectors/async/idempotency-token.ts';
import type { Deadline } from '../core/deadline.ts';
import { errorFacts } from '../core/errors.ts';
import { addMs, type EpochMs, ms } from '../core/units.ts';
import type { PollJobMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import { DELAY_MAX_SECONDS } from '../queue/queue.ts';
import { failed, hasRetries, holderOf, placesOf } from './calls.ts';
import { createJob } from './create.ts';
import { type ExecutorDeps, type Findings, type Look, nowOf, type PipelineTasks } from './deps.ts';
import { getJob } from './get.ts';
import { jobPrefix } from './keys.ts';
import { JobAbortedError, stopJob, stopping } from './stop.ts';
import type { JobKey, JobRecord, JobRequest, Notify } from './store.ts';
import { limitsFrom, pollMaxMs, retryDelayMs } from './timing.ts';

/** How long a look may take: longer than any call, and short enough for another to come soon if it was cut off. */
const LOOK_MS = 120_000;
/** A job whose look is overdue by this has lost its message. */
const LOST_AFTER_MS = 300_000;

export interface NewJob extends Pick<JobKey, 'pipeline' | 'node'> {
  readonly request: Omit<JobRequest, 'outputPrefix'>;
  readonly notify: Notify;
  /** The attempt before, if there was one. */
  readonly after?: JobRecord;
}

/** Begins an attempt and sends its first message. Of several who do so at a time one begins it. */
export async function beginJob({ pipeline, node, request, notify, after }: NewJob, deps: ExecutorDeps): Promise<void> {
  const attempt = after ? after.attempt + 1 : 0;
  await openAttempt(
    { pipeline, node, attempt },
    request,
    { notify, openedIn: notify.run, budgetFrom: attempt },
    0,
    deps,
  );
}

async function openAttempt(
  key: JobKey,
  request: Omit<JobRequest, 'outputPrefix'>,
  carried: Pick<JobRecord, 'notify' | 'openedIn' | 'budgetFrom'> & Pick<Partial<JobRecord>, 'deadlineAt'>,
  delayMs: number,
  deps: ExecutorDeps,
): Promise<void> {
  const now = nowOf(deps);
  const { type: taskType, taskTypeVersion = 0, metadata: policy = {} } = request.taskTemplate;
  const job: JobRecord = {
    ...key,
    ...limitsFrom(policy, now),
    ...carried,
    status: 'CREATING',
    phase: 'QUEUED',
    phaseSince: now,
    taskType,
    taskTypeVersion,
    ...(request.connection === undefined ? {} : { connection: request.connection }),
    token: idempotencyToken(key.pipeline, key.node, key.attempt),
    poll: 0,
    dueAt: addMs(now, ms(delayMs)),
    createdAt: now,
    ...(policy.pollMaxSeconds === undefined ? {} : { pollMaxMs: pollMaxMs(policy) }),
    ...(policy.maxConcurrent === undefined ? {} : { maxConcurrent: policy.maxConcurrent }),
  };
  await deps.jobs.open(job, { ...request, outputPrefix: `${deps.objects.location(jobPrefix(key))}/` });
  // Whoever opened it may have been cut off before this.
  await sendPoll(job, 0, job.dueAt ?? now, deps);
}

/**
 * Looks at a job once, records what it found, and asks to be called again unless the job is over: a function never waits.
 * Record, then send: a crash between the two leaves a job that is due, which the sweep finds; the other order would give it
 * two pollers.
 */
export async function lookAfter(
  message: PollJobMessage,
  { messageId, deadline }: { readonly messageId: string; readonly deadline: Deadline },
  deps: ExecutorDeps,
): Promise<void> {
  const { pipeline, node, attempt, poll } = message;
  const key = { pipeline, node, attempt };
  const read = await deps.jobs.get(key);
  if (!read || (read.poll !== poll && read.status !== 'DONE')) return;
  if (read.status === 'DONE') return read.dueAt === undefined ? undefined : finish(read, deps);
  const now = nowOf(deps);
  // Held by a message, it is due when whoever holds it is taken for lost; the same message may go on at once.
  if (read.holder === undefined && read.dueAt !== undefined && read.dueAt - now > EARLY_MS && !read.stop)
    return sendPoll(read, read.poll, read.dueAt, deps);

  const lease = { holder: messageId, now, until: addMs(now, ms(LOOK_MS)) };
  const job = await deps.jobs.claim(key, poll, lease);
  if (!job) return;
  const { fields, clears } = await look(job, deadline, deps);
  const recorded = await deps.jobs.record(job, fields, clears);
  if (!recorded) return;
  if (recorded.status === 'DONE') return finish(recorded, deps);
  await sendPoll(recorded, recorded.poll, recorded.dueAt ?? now, deps);
}

/** A message may be a little early: queues delay by whole seconds. */
const EARLY_MS = 1500;

async function look(job: JobRecord, deadline: Deadline, deps: ExecutorDeps): Promise<Findings> {
  const tasks = await deps.tasksOf(job.pipeline);
  const type = typeOf(job, tasks);
  const longest = job.pollMaxMs ?? pollMaxMs({}, 'polling' in type ? type.polling : {});
  const now: Look = { job, tasks, pollMaxMs: longest, signal: deadline.signal, deps };
  // Who created it may have recorded that after it was cancelled.
  if (job.status === 'CANCELLING' || job.stop) return stopJob(now);
  if (!(await deps.isWanted(job)))
    return stopping('ABORTED', new JobAbortedError('the run that waited for the job is over'), now);
  if ('unknown' in type) return failed(type.unknown, now);
  return job.status === 'CREATING' ? createJob(now) : getJob(now);
}

/** A type that no connector has fails its job, by name. */
function typeOf({ taskType, taskTypeVersion }: JobRecord, { service }: PipelineTasks) {
  try {
    return service.typeOf(taskType, taskTypeVersion);
  } catch (error) {
    return { unknown: error };
  }
}

/** A job is over: its place is free, another attempt begins or whoever waits is told, and it moves to the history. */
async function finish(job: JobRecord, deps: ExecutorDeps): Promise<void> {
  const { pipeline, node, attempt } = job;
  for (const { bucket } of placesOf(job, await deps.tasksOf(pipeline))) await deps.buckets.leave(bucket, holderOf(job));
  if (!(job.phase === 'RETRYABLE_FAILED' && (await tryAgain(job, deps)))) await deps.tell(job);
  await deps.jobs.told(job);
  const { phase, error, taskType } = job;
  deps.log.info('an external job is over', { pipeline, node, attempt, taskType, phase, ...(error ? { error } : {}) });
}

/** @returns false if no attempts are left */
async function tryAgain(job: JobRecord, deps: ExecutorDeps): Promise<boolean> {
  const { pipeline, node, attempt, notify, openedIn, budgetFrom, deadlineAt } = job;
  const request = await deps.jobs.request(pipeline, node);
  if (!request || !hasRetries(job, request) || !(await deps.isWanted(job))) return false;
  const carried = { notify, openedIn, budgetFrom, ...(deadlineAt === undefined ? {} : { deadlineAt }) };
  const next = { pipeline, node, attempt: attempt + 1 };
  await openAttempt(
    next,
    request,
    carried,
    retryDelayMs(attempt - budgetFrom, deps.random, request.taskTemplate.metadata),
    deps,
  );
  return true;
}

/** Asks for a job to be stopped. @returns undefined if it is over */
export async function cancelJob(key: JobKey, reason: string, deps: ExecutorDeps): Promise<JobRecord | undefined> {
  const now = nowOf(deps);
  const error = errorFacts(new JobAbortedError(reason), deps.redactor.redact);
  const cancelled = await deps.jobs.cancel(key, { phase: 'ABORTED', error }, now);
  if (cancelled) await sendPoll(cancelled, cancelled.poll, now, deps);
  return cancelled;
}

/**
 * Sends again what was lost: jobs whose look is overdue. A line that did not come to an attempt is brought to it, and never
 * dropped: whoever wrote it may still be about to.
 *
 * @param leasesHold false if nobody works: then what is due is overdue
 * @returns how many messages were sent
 */
export async function sweepJobs(pipeline: string, deps: ExecutorDeps, leasesHold = true): Promise<number> {
  const now = nowOf(deps);
  let sent = 0;
  for await (const line of deps.jobs.unfinished(pipeline)) {
    const isLate = now - line.startedAt > LOST_AFTER_MS;
    const job = (await deps.jobs.get(line)) ?? (isLate ? await deps.jobs.openListed(line) : undefined);
    if (!job) continue;
    if (job.dueAt === undefined) {
      await deps.jobs.told(job);
    } else if (now - job.dueAt > (leasesHold ? LOST_AFTER_MS : 0)) {
      await sendPoll(job, job.poll, now, deps);
      sent += 1;
    }
  }
  return sent;
}

async function sendPoll({ pipeline, node, attempt, notify }: JobRecord, poll: number, at: EpochMs, deps: ExecutorDeps) {
  const wait = Math.ceil(Math.max(0, at - nowOf(deps)) / 1000);
  const body: PollJobMessage = { pipeline, run: notify.run, node, attempt, poll };
  const delaySeconds = Math.min(wait, DELAY_MAX_SECONDS);
  await deps.queues.send('poll-job', [
    { body: messageJson(body), group: pipeline, ...(wait > 0 ? { delaySeconds } : {}) },
  ]);
}
