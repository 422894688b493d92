import type { PollingHints } from '../connectors/async/async-connector.ts';
import type { TaskPolicy } from '../connectors/async/task-template.ts';
import { addMs, type DurationMs, type EpochMs, ms, seconds } from '../core/units.ts';
import type { JobRecord } from './store.ts';

const FIRST_POLL_MS = 2000;
const POLL_GROWTH = 1.6;
const JITTER = 0.2;
const POLL_MAX_SECONDS = 30;
const RETRY_FIRST_SECONDS = 5;
const RETRY_MAX_MS = 300_000;

/**
 * How long until a job is looked at again: 2 s, then 1.6 times as long each time up to its maximum, a fifth more or less. A
 * connector that knows better is followed, within 1 s to 15 min.
 *
 * @param looks how often it was looked at
 * @param random 0 to below 1
 */
export function pollDelayMs(looks: number, pollMaxMs: number, random: () => number, hintMs?: number): DurationMs {
  if (hintMs !== undefined) return ms(Math.min(Math.max(hintMs, 1000), 900_000));
  const grown = Math.min(FIRST_POLL_MS * POLL_GROWTH ** Math.min(looks, 40), pollMaxMs);
  return ms(Math.min(Math.round(grown * (1 + JITTER * (2 * random() - 1))), Math.max(pollMaxMs, 1000)));
}

/** How long before the next attempt, after so many: exponential from 5 s to 5 min, with full jitter in its upper half. */
export function retryDelayMs(attempts: number, random: () => number, policy: TaskPolicy = {}): DurationMs {
  const firstMs = (policy.retryDelaySeconds ?? RETRY_FIRST_SECONDS) * 1000;
  const ceiling = Math.min(RETRY_MAX_MS, firstMs * 2 ** Math.min(attempts, 20));
  return ms(Math.round(ceiling * (0.5 + random() / 2)));
}

/** The longest wait between two looks: as the task says, else its connector. */
export function pollMaxMs(policy: TaskPolicy = {}, hints: PollingHints = {}): DurationMs {
  const wanted = policy.pollMaxSeconds ?? hints.pollMaxSeconds ?? POLL_MAX_SECONDS;
  return seconds(Math.min(Math.max(wanted, 1), 900));
}

/** The limits of an attempt that begins now. */
export function limitsFrom(
  { timeoutSeconds, queuedTimeoutSeconds, maxRuntimeSeconds }: TaskPolicy,
  now: EpochMs,
): Pick<JobRecord, 'deadlineAt' | 'queuedDeadlineAt' | 'maxRuntimeMs'> {
  return {
    ...(timeoutSeconds === undefined ? {} : { deadlineAt: addMs(now, seconds(timeoutSeconds)) }),
    ...(queuedTimeoutSeconds === undefined ? {} : { queuedDeadlineAt: addMs(now, seconds(queuedTimeoutSeconds)) }),
    ...(maxRuntimeSeconds === undefined ? {} : { maxRuntimeMs: seconds(maxRuntimeSeconds) }),
  };
}

/** Which limit a job has passed, in words; undefined if none. */
export function timedOut(job: JobRecord, now: EpochMs): string | undefined {
  const { deadlineAt, queuedDeadlineAt, maxRuntimeMs, runningSince, createdAt } = job;
  if (deadlineAt !== undefined && now >= deadlineAt) return `not done ${shown(deadlineAt - createdAt)} after it began`;
  if (runningSince === undefined && queuedDeadlineAt !== undefined && now >= queuedDeadlineAt)
    return `not running ${shown(queuedDeadlineAt - createdAt)} after it began`;
  if (runningSince !== undefined && maxRuntimeMs !== undefined && now >= runningSince + maxRuntimeMs)
    return `running for more than ${shown(maxRuntimeMs)}`;
  return undefined;
}

const shown = (durationMs: number) => `${Math.round(durationMs / 1000)} s`;
