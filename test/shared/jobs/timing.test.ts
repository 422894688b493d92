import { describe, expect, it } from 'vitest';
import type { EpochMs } from '../../../shared/core/units.ts';
import type { JobRecord } from '../../../shared/jobs/store.ts';
import { limitsFrom, pollDelayMs, pollMaxMs, retryDelayMs, timedOut } from '../../../shared/jobs/timing.ts';

const HALF = () => 0.5;

describe('pollDelayMs', () => {
  it.each([
    [0, 2000],
    [1, 3200],
    [2, 5120],
    [3, 8192],
    [4, 13_107],
    [5, 20_972],
    [6, 30_000],
    [7, 30_000],
    [1_000_000, 30_000],
  ])('after %i looks is %i ms, up to 30 s', (looks, delayMs) => {
    expect(pollDelayMs(looks, 30_000, HALF)).toBe(delayMs);
  });

  it.each([
    ['a fifth less', 0, 1600],
    ['a fifth more', 0.999_999, 2400],
  ])('is at most %s by jitter', (_name, random, delayMs) => {
    expect(pollDelayMs(0, 30_000, () => random)).toBe(delayMs);
  });

  it('is never more than the maximum, also with jitter', () => {
    expect(pollDelayMs(20, 30_000, () => 0.999)).toBe(30_000);
  });

  it.each([
    ['below a second', 10, 1000],
    ['between', 45_000, 45_000],
    ['beyond 15 minutes', 10_000_000, 900_000],
  ])('takes a hint %s as %i ms → %i ms, whatever the maximum', (_name, hintMs, delayMs) => {
    expect(pollDelayMs(3, 5000, HALF, hintMs)).toBe(delayMs);
  });
});

describe('pollMaxMs', () => {
  it.each([
    ['nobody says', {}, {}, 30_000],
    ['the connector says', {}, { pollMaxSeconds: 60 }, 60_000],
    ['the task says', { pollMaxSeconds: 5 }, { pollMaxSeconds: 60 }, 5000],
    ['too short', { pollMaxSeconds: 0 }, {}, 1000],
    ['too long', { pollMaxSeconds: 10_000 }, {}, 900_000],
  ])('%s', (_name, policy, hints, maxMs) => {
    expect(pollMaxMs(policy, hints)).toBe(maxMs);
  });
});

describe('retryDelayMs', () => {
  it.each([
    [0, 5000],
    [1, 10_000],
    [2, 20_000],
    [5, 160_000],
    [6, 300_000],
    [1000, 300_000],
  ])('after %i attempts is at most %i ms, and at least half of that', (attempts, maxMs) => {
    expect(retryDelayMs(attempts, () => 0)).toBe(maxMs / 2);
    expect(retryDelayMs(attempts, () => 0.999_999_9)).toBe(maxMs);
  });

  it('begins with what the task says', () => {
    expect([0, 1, 2, 3].map((attempts) => retryDelayMs(attempts, () => 0, { retryDelaySeconds: 60 }))).toEqual([
      30_000, 60_000, 120_000, 150_000,
    ]);
  });
});

describe('limits', () => {
  const began = 1_000_000 as EpochMs;
  const job = (fields: Partial<JobRecord>) => ({ createdAt: began, ...fields }) as JobRecord;
  const inSeconds = (seconds: number) => (began + seconds * 1000) as EpochMs;

  it('of an attempt count from its beginning', () => {
    expect(limitsFrom({ timeoutSeconds: 60, queuedTimeoutSeconds: 10, maxRuntimeSeconds: 30 }, began)).toEqual({
      deadlineAt: inSeconds(60),
      queuedDeadlineAt: inSeconds(10),
      maxRuntimeMs: 30_000,
    });
    expect(limitsFrom({}, began)).toEqual({});
  });

  it.each([
    ['no limit', {}, 1_000_000, undefined],
    ['the whole, just before', { deadlineAt: inSeconds(60) }, 59.999, undefined],
    ['the whole', { deadlineAt: inSeconds(60) }, 60, 'not done 60 s after it began'],
    ['the queue, just before', { queuedDeadlineAt: inSeconds(10) }, 9.999, undefined],
    ['the queue', { queuedDeadlineAt: inSeconds(10) }, 10, 'not running 10 s after it began'],
    ['the queue, but it runs', { queuedDeadlineAt: inSeconds(10), runningSince: inSeconds(5) }, 100, undefined],
    ['the runtime, not running yet', { maxRuntimeMs: 30_000 }, 1000, undefined],
    ['the runtime, just before', { maxRuntimeMs: 30_000, runningSince: inSeconds(5) }, 34.999, undefined],
    ['the runtime', { maxRuntimeMs: 30_000, runningSince: inSeconds(5) }, 35, 'running for more than 30 s'],
  ])('%s', (_name, fields, seconds, said) => {
    expect(timedOut(job(fields), inSeconds(seconds))).toBe(said);
  });
});
