import { classifyFailure } from './classify.ts';
import { JobFailedError, JobPendingError, NoDataError, NotFoundError, OutOfRangeError } from './errors.ts';
import { Instant, type InstantLike } from './instant.ts';
import type { CallOptions, Machine } from './machine.ts';
import { type IncrementalQuery, isIncremental, type SnapshotQuery } from './query.ts';
import {
  type CompleteIncrementalJob,
  type CompleteSnapshotJob,
  isComplete,
  isFailed,
  isTerminal,
  type Job,
} from './wire.ts';

export type Query = SnapshotQuery | IncrementalQuery;

export interface AwaitJobOptions extends CallOptions {
  /** Gives up waiting at this instant, and at the job's `expires_at` in any case. */
  readonly deadline?: InstantLike | undefined;
  /** Told each state of the job, from the reply to the start on. */
  readonly onJob?: ((job: Job) => void) | undefined;
}

/** The two calls that running a job takes. */
export interface JobCalls {
  start(namespace: string, table: string, query: Query, signal: AbortSignal): Promise<Job>;
  get(jobId: string, signal: AbortSignal): Promise<Job>;
}

/** A job lives for so long where the service does not say. */
const JOB_LIFE_MS = 86_400_000;
/** Waited beyond the guard, so that the job is gone when its query is started again. */
const GUARD_EXTRA_MS = 5000;
const POLL_FACTOR = 1.5;

/** Starts queries, waits for their jobs, and begins again where that is what helps. */
export class Jobs {
  readonly #machine: Machine;
  readonly #calls: JobCalls;

  constructor(machine: Machine, calls: JobCalls) {
    this.#machine = machine;
    this.#calls = calls;
  }

  /** @throws {JobPendingError} the deadline, or the job's own end, came first */
  async awaitJob(job: Job, options: AwaitJobOptions = {}): Promise<Job> {
    const signal = this.#machine.signalOf(options);
    const endMs = this.#endOf(job, options.deadline);
    let latest = job;
    for (let poll = 0; !isTerminal(latest.status); poll++) {
      const waitMs = pollDelayMs(poll, this.#machine.settings);
      if (this.#machine.nowMs + waitMs > endMs) {
        throw new JobPendingError(`job ${job.id} is still ${latest.status} when the time to wait is over`, job.id);
      }
      await this.#machine.pause(waitMs, signal);
      latest = await this.#calls.get(job.id, signal);
      options.onJob?.(latest);
    }
    return latest;
  }

  /**
   * Starts a query and waits until its job ends. A job that failed is started again after 30 s and after 60 s more; if it
   * fails still, it is returned.
   */
  async execute(namespace: string, table: string, query: Query, options: AwaitJobOptions = {}): Promise<Job> {
    const { retry, logger } = this.#machine.settings;
    const signal = this.#machine.signalOf(options);
    let current = query;
    let failures = 0;
    for (;;) {
      let job: Job;
      try {
        job = await this.#startFresh(namespace, table, current, signal);
      } catch (error) {
        const since = current === query ? permittedSince(query, error) : undefined;
        if (!since) throw error;
        current = { ...query, since };
        continue;
      }
      options.onJob?.(job);
      job = await this.awaitJob(job, options);
      if (!isFailed(job) || classifyFailure(job.error) instanceof NoDataError) return job;
      if (++failures > retry.processing.repeats) return job;
      const waitMs = retry.processing.waitMs * failures;
      logger.warn('the query is started again', { jobId: job.id, namespace, table, waitMs, uuid: job.error.uuid });
      await this.#machine.pause(waitMs, signal);
    }
  }

  /**
   * Runs a query and hands its complete job to `use`. If something of the job is gone by then, the query is started once
   * more: an equal query may have returned a job at the end of its life.
   *
   * @throws {JobFailedError} with the `ProcessingError` as its cause
   * @throws {NoDataError} there is nothing in the range yet
   */
  async complete<T>(
    namespace: string,
    table: string,
    query: Query,
    options: AwaitJobOptions,
    use: (job: CompleteSnapshotJob | CompleteIncrementalJob) => Promise<T>,
  ): Promise<T> {
    for (let isSecond = false; ; isSecond = true) {
      const job = await this.execute(namespace, table, query, options);
      try {
        return await use(completeOrThrow(job));
      } catch (error) {
        const isGone = error instanceof NotFoundError && error.kind !== 'table' && error.kind !== 'namespace';
        if (isSecond || !isGone) throw error;
        this.#machine.settings.logger.warn('the job is gone, so the query is started again', { jobId: job.id, error });
      }
    }
  }

  /** A job that would be gone before it has been used is waited out. */
  async #startFresh(namespace: string, table: string, query: Query, signal: AbortSignal): Promise<Job> {
    const { expiryGuardSeconds } = this.#machine.settings;
    for (let attempt = 1; ; attempt++) {
      const job = await this.#calls.start(namespace, table, query, signal);
      if (attempt > MAX_WAIT_OUTS || !isAboutToExpire(job, this.#machine.nowMs, expiryGuardSeconds)) return job;
      await this.#machine.pause(expiryGuardSeconds * 1000 + GUARD_EXTRA_MS, signal);
    }
  }

  #endOf(job: Job, deadline: InstantLike | undefined): number {
    const endMs = job.expires_at?.epochMs ?? this.#machine.nowMs + JOB_LIFE_MS;
    return deadline === undefined ? endMs : Math.min(endMs, Instant.from(deadline).epochMs);
  }
}

const MAX_WAIT_OUTS = 3;

/**
 * How long to wait before a job is looked at: 5 s, then 1.5 times as long each time, up to 60 s, less up to a fifth so that
 * many jobs do not come back at once.
 *
 * @param poll 0 for the first look
 * @returns milliseconds
 */
export function pollDelayMs(
  poll: number,
  { pollMinMs, pollMaxMs, random }: { pollMinMs: number; pollMaxMs: number; random: () => number },
): number {
  return Math.round(Math.min(pollMaxMs, pollMinMs * POLL_FACTOR ** Math.min(poll, 100)) * (1 - random() / 5));
}

/** Whether a job is complete, but will be gone before its objects have been traded. */
export function isAboutToExpire(job: Job, nowMs: number, guardSeconds = 30): boolean {
  return isComplete(job) && job.expires_at !== undefined && job.expires_at.epochMs - nowMs < guardSeconds * 1000;
}

/**
 * A watermark that has lost its fraction lies up to a second before what the service permits. Then what it permits is what
 * was meant, and may be used once; a larger gap means changes that are lost.
 *
 * @returns the `since` to use instead; undefined if there is none
 */
export function permittedSince(query: Query, error: unknown): Instant | undefined {
  if (!(error instanceof OutOfRangeError) || !error.since || !isIncremental(query)) return undefined;
  const since = Instant.from(query.since);
  if (since.hasFraction()) return undefined;
  const gap = error.since.epochNanoseconds - since.epochNanoseconds;
  return gap > 0n && gap < 1_000_000_000n ? error.since : undefined;
}

/**
 * @throws {JobFailedError} a failed job, with the service's error as its cause
 * @throws {NoDataError} a job that failed because there is nothing yet
 * @throws {JobPendingError} a job in progress
 */
export function completeOrThrow(job: Job): CompleteSnapshotJob | CompleteIncrementalJob {
  if (isComplete(job)) return job;
  if (!isFailed(job)) throw new JobPendingError(`job ${job.id} is not complete but ${job.status}`, job.id);
  const cause = classifyFailure(job.error);
  throw cause instanceof NoDataError ? cause : new JobFailedError(job.id, cause);
}
