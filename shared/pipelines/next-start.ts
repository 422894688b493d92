import { parseCron } from './cron.ts';

/**
 * When a schedule starts next, as EventBridge Scheduler would: a rate counts from `after`; a cron expression follows the clocks of
 * its timezone. A time that the clocks skip does not start; one they show twice starts at the first.
 *
 * @param schedule as `definePipeline` has checked it
 * @returns undefined if it never starts again, as `manual`
 * @throws {CronError} the expression is wrong
 * @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
 */
export function nextStart(schedule: string, timezone: string, after: Date): Date | undefined {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(schedule) ?? [];
  if (unit !== undefined) return new Date(after.getTime() + Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  const [, expression] = /^cron\((.+)\)$/.exec(schedule) ?? [];
  return expression === undefined ? undefined : nextOfCron(expression, zoneOf(timezone), after);
}

const UNIT_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

function nextOfCron(expression: string, zone: Zone, after: Date): Date | undefined {
  const cron = parseCron(expression);
  const now = zone.clockAt(after.getTime());
  for (const year of cron.years) {
    if (year < now.year) continue;
    for (const month of cron.months) {
      if (year === now.year && month < now.month) continue;
      for (const day of cron.daysOf(year, month)) {
        if (year === now.year && month === now.month && day < now.day) continue;
        for (const hour of cron.hours) {
          for (const minute of cron.minutes) {
            const at = zone.timeOf({ year, month, day, hour, minute });
            if (at !== undefined && at > after.getTime()) return new Date(at);
          }
        }
      }
    }
  }
  return undefined;
}

interface ClockTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

interface Zone {
  /** What the clocks show at a time, in milliseconds since 1970 UTC. */
  clockAt(at: number): ClockTime;
  /** When the clocks first show this; undefined if they skip it. */
  timeOf(clock: ClockTime): number | undefined;
}

const DAY_MS = 86_400_000;

function zoneOf(timezone: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const clockAt = (at: number): ClockTime => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
    return { year, month, day, hour, minute };
  };
  /** The clock's reading as if it were UTC's. */
  const asUtc = ({ year, month, day, hour, minute }: ClockTime) => Date.UTC(year, month - 1, day, hour, minute);
  return {
    clockAt,
    timeOf(clock) {
      const reading = asUtc(clock);
      // A day before and after, the zone is on either side of any change of its clocks.
      const offsets = [reading - DAY_MS, reading + DAY_MS].map((at) => asUtc(clockAt(at)) - at);
      const times = offsets.map((offset) => reading - offset).filter((at) => asUtc(clockAt(at)) === reading);
      return times.length === 0 ? undefined : Math.min(...times);
    },
  };
}
