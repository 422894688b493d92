import { describe, expect, it } from 'vitest';
import { checkSchedule } from '../../../shared/pipelines/schedule.ts';

describe('checkSchedule', () => {
  it.each([
    'manual',
    'rate(1 minute)',
    'rate(5 minutes)',
    'rate(1 hour)',
    'rate(4 hours)',
    'rate(1 day)',
    'rate(7 days)',
    'cron(0 6 * * ? *)',
    'cron(0/15 * ? * MON-FRI *)',
    'cron(0 12 L * ? *)',
  ])('takes %s', (schedule) => {
    expect(checkSchedule(schedule, 'Europe/Berlin')).toEqual([]);
  });

  it.each([
    ['rate(0 hours)', 'at least 1'],
    ['rate(1 hours)', 'rate(1 hour)'],
    ['rate(2 hour)', 'rate(2 hours)'],
    ['rate(5 seconds)', 'manual, rate(…) or cron(…)'],
    ['every day', 'manual, rate(…) or cron(…)'],
    ['', 'manual, rate(…) or cron(…)'],
    ['cron(0 6 * * *)', 'cron'],
    ['cron(0 6 * * * *)', '?'],
    ['cron(0 6 ? * ? *)', '?'],
  ])('refuses %j, and says what it got', (schedule, words) => {
    const complaints = checkSchedule(schedule, 'UTC').join();

    expect(complaints).toContain(words === 'cron' ? '"schedule"' : words);
    expect(complaints).toContain(JSON.stringify(schedule));
  });
});
