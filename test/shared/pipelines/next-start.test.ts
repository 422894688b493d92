import { describe, expect, it } from 'vitest';
import { nextStart } from '../../../shared/pipelines/next-start.ts';

const next = (schedule: string, after: string, timezone = 'UTC') =>
  nextStart(schedule, timezone, new Date(after))?.toISOString();

describe('nextStart', () => {
  it.each([
    ['rate(1 minute)', '2026-01-01T00:00:30.500Z', '2026-01-01T00:01:30.500Z'],
    ['rate(4 hours)', '2026-01-01T22:00:00Z', '2026-01-02T02:00:00.000Z'],
    ['rate(2 days)', '2026-02-27T00:00:00Z', '2026-03-01T00:00:00.000Z'],
    ['cron(0 6 * * ? *)', '2026-01-01T05:59:59Z', '2026-01-01T06:00:00.000Z'],
    ['cron(0 6 * * ? *)', '2026-01-01T06:00:00Z', '2026-01-02T06:00:00.000Z'],
    ['cron(0/15 * * * ? *)', '2026-12-31T23:50:00Z', '2027-01-01T00:00:00.000Z'],
    ['cron(15 10 ? * 6L 2026-2028)', '2026-12-30T00:00:00Z', '2027-01-29T10:15:00.000Z'],
    ['cron(0 0 29 2 ? *)', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['cron(0 18 ? * MON-FRI *)', '2026-01-02T18:00:00Z', '2026-01-05T18:00:00.000Z'],
  ])('%s after %s is %s', (schedule, after, expected) => {
    expect(next(schedule, after)).toBe(expected);
  });

  it.each(['manual', 'cron(0 0 30 2 ? *)', 'cron(0 0 1 1 ? 2020)'])('%s never starts', (schedule) => {
    expect(next(schedule, '2026-01-01T00:00:00Z')).toBeUndefined();
  });

  it('follows the clocks of the timezone through summer and winter', () => {
    expect(next('cron(0 6 * * ? *)', '2026-01-10T12:00:00Z', 'Europe/Berlin')).toBe('2026-01-11T05:00:00.000Z');
    expect(next('cron(0 6 * * ? *)', '2026-07-10T12:00:00Z', 'Europe/Berlin')).toBe('2026-07-11T04:00:00.000Z');
    expect(next('cron(0 0 * * ? *)', '2026-03-01T18:00:00Z', 'Asia/Kolkata')).toBe('2026-03-01T18:30:00.000Z');
    expect(next('cron(0 0 1 * ? *)', '2026-01-31T10:30:00Z', 'Pacific/Kiritimati')).toBe('2026-02-28T10:00:00.000Z');
  });

  it('leaves out a time that the clocks skip', () => {
    // In Berlin 2026-03-29 goes from 02:00 to 03:00.
    expect(next('cron(30 2 * * ? *)', '2026-03-28T12:00:00Z', 'Europe/Berlin')).toBe('2026-03-30T00:30:00.000Z');
  });

  it('starts once at a time that the clocks show twice', () => {
    // In Berlin 2026-10-25 shows 02:00 to 03:00 twice.
    const first = next('cron(30 2 * * ? *)', '2026-10-24T12:00:00Z', 'Europe/Berlin')!;

    expect(first).toBe('2026-10-25T00:30:00.000Z');
    expect(next('cron(30 2 * * ? *)', first, 'Europe/Berlin')).toBe('2026-10-26T01:30:00.000Z');
  });

  it('rises without a gap or a repetition over a year of changing clocks', () => {
    let at = new Date('2026-01-01T00:00:00Z');
    const days = new Set<string>();
    for (let count = 0; count < 365; count++) {
      at = nextStart('cron(0 12 * * ? *)', 'America/New_York', at)!;
      days.add(at.toISOString().slice(0, 10));
    }

    expect(days.size).toBe(365);
    expect(at.toISOString()).toBe('2026-12-31T17:00:00.000Z');
  });
});
