import { describe, expect, it } from 'vitest';
import { parseCron } from '../../../shared/pipelines/cron.ts';

const daysIn = (day: string, weekday: string, year: number, month: number) =>
  parseCron(`0 0 ${day} * ${weekday} *`).daysOf(year, month);

describe('parseCron', () => {
  it.each([
    ['5', [5]],
    ['1,3,2', [1, 2, 3]],
    ['10-12', [10, 11, 12]],
    ['0/20', [0, 20, 40]],
    ['50/5', [50, 55]],
    ['10-20/5', [10, 15, 20]],
    ['*/30', [0, 30]],
  ])('reads minutes %s', (field, minutes) => {
    expect(parseCron(`${field} 0 * * ? *`).minutes).toEqual(minutes);
  });

  it('reads months and days of the week by name, in any case', () => {
    const cron = parseCron('0 0 ? JAN,mar MON-fri 2026');

    expect(cron.months).toEqual([1, 3]);
    expect(cron.years).toEqual([2026]);
    expect(cron.daysOf(2026, 1).slice(0, 6)).toEqual([1, 2, 5, 6, 7, 8]);
  });

  // August 2026 begins on a Saturday and ends on a Monday; February 2026 begins on a Sunday and ends on a Saturday.
  it.each([
    ['31', '?', 2026, 2, []],
    ['29', '?', 2028, 2, [29]],
    ['L', '?', 2026, 2, [28]],
    ['LW', '?', 2026, 2, [27]],
    ['1W', '?', 2026, 8, [3]],
    ['1W', '?', 2026, 2, [2]],
    ['30W', '?', 2026, 8, [31]],
    ['31W', '?', 2026, 5, [29]],
    ['31W', '?', 2026, 2, []],
    ['?', '1', 2026, 8, [2, 9, 16, 23, 30]],
    ['?', 'L', 2026, 8, [1, 8, 15, 22, 29]],
    ['?', '6L', 2026, 8, [28]],
    ['?', 'FRIL', 2026, 8, [28]],
    ['?', '3#2', 2026, 8, [11]],
    ['?', 'MON#5', 2026, 8, [31]],
    ['?', 'TUE#5', 2026, 8, []],
  ])('reads day %s, weekday %s in %i-%i', (day, weekday, year, month, days) => {
    expect(daysIn(day, weekday, year, month)).toEqual(days);
  });

  it.each([
    ['0 0 * * *', 'must have the 6 fields'],
    ['0 0 * * * *', 'must have ? as day of month or as day of week, and not as both'],
    ['0 0 ? * ? *', 'must have ? as day of month or as day of week, and not as both'],
    ['60 0 * * ? *', 'must have 0 to 59 as minutes, and not "60"'],
    ['0 24 * * ? *', 'must have 0 to 23 as hours'],
    ['0 0 0 * ? *', 'must have 1 to 31 as day of month'],
    ['0 0 * FOO ? *', 'must have 1 to 12 as month, and not "FOO"'],
    ['0 0 ? * 0 *', 'must have 1 to 7 as day of week'],
    ['0 0 ? * MON#6 *', 'must have 1 to 7 as day of week'],
    ['0 0 * * ? 1969', 'must have 1970 to 2199 as year'],
    ['5-1 0 * * ? *', 'must have 0 to 59 as minutes'],
    ['*/0 0 * * ? *', 'must have 0 to 59 as minutes'],
    ['1.5 0 * * ? *', 'must have 0 to 59 as minutes'],
    ['1,, 0 * * ? *', 'must have 0 to 59 as minutes'],
  ])('refuses %s', (text, message) => {
    expect(() => parseCron(text)).toThrow(message);
  });
});
