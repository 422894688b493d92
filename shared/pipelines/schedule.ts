const RATE = /^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$/;
const CRON = /^cron\(([^()]+)\)$/;
const CRON_FIELDS = ['minutes', 'hours', 'day of month', 'month', 'day of week', 'year'];

/** @returns what is wrong with a schedule, as EventBridge would see it; empty if nothing is */
export function checkSchedule(schedule: string, timezone: string): string[] {
  const complaints: string[] = [];
  const shown = JSON.stringify(schedule);
  const rate = RATE.exec(schedule);
  const cron = CRON.exec(schedule);
  if (rate) {
    const [, count, unit] = rate;
    if (Number(count) < 1) complaints.push(`"schedule" must have a rate of at least 1, got ${shown}`);
    if ((Number(count) === 1) === unit!.endsWith('s'))
      complaints.push(`"schedule" must read rate(1 hour) or rate(2 hours), got ${shown}`);
  } else if (cron) {
    const fields = cron[1]!.trim().split(/\s+/);
    if (fields.length !== CRON_FIELDS.length)
      complaints.push(`"schedule" must have the 6 fields ${CRON_FIELDS.join(', ')}, got ${shown}`);
    else if ((fields[2] === '?') === (fields[4] === '?')) {
      complaints.push(`"schedule" must have ? as day of month or as day of week, and not as both, got ${shown}`);
    }
  } else if (schedule !== 'manual') {
    complaints.push(`"schedule" must be manual, rate(…) or cron(…), got ${shown}`);
  }
  if (!isTimezone(timezone))
    complaints.push(`"timezone" must be an IANA name such as Europe/Berlin, got ${JSON.stringify(timezone)}`);
  return complaints;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
