import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlineError, deadlineOf, noDeadline, RESERVE_MS } from '../../../shared/core/deadline.ts';
import { stopWithinMs } from '../../../shared/refresh/time.ts';

describe('deadlineOf', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const contextOf = (leftMs: number) => {
    const until = Date.now() + leftMs;
    return { getRemainingTimeInMillis: () => until - Date.now() };
  };

  it('keeps a reserve for ending in order, and fires when only that is left', () => {
    using deadline = deadlineOf(contextOf(60_000));
    expect(deadline.remainingMs()).toBe(60_000 - RESERVE_MS);

    vi.advanceTimersByTime(60_000 - RESERVE_MS - 1);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);

    expect(deadline.signal.reason).toBeInstanceOf(DeadlineError);
    expect((deadline.signal.reason as DeadlineError).retryable).toBe(true);
  });

  it('fires soon where there is less than the reserve', () => {
    using deadline = deadlineOf(contextOf(1000));

    vi.advanceTimersByTime(0);

    expect(deadline.signal.aborted).toBe(true);
  });

  it('does not fire after its function has ended', () => {
    {
      using _deadline = deadlineOf(contextOf(60_000));
    }

    expect(vi.getTimerCount()).toBe(0);
  });

  it('never fires where nothing limits it', () => {
    using deadline = deadlineOf({ getRemainingTimeInMillis: () => Infinity });

    expect(vi.getTimerCount()).toBe(0);
    expect(deadline.remainingMs()).toBe(Infinity);
    expect(noDeadline().remainingMs()).toBe(Infinity);
  });
});

describe('stopWithinMs', () => {
  it.each([
    [895_000, 60_000],
    [240_000, 60_000],
    [20_000, 5000],
    [Infinity, 0],
  ])('with %i ms left a function stops when %i are', (left, stop) => {
    expect(stopWithinMs({ remainingMs: () => left, signal: new AbortController().signal })).toBe(stop);
  });
});
