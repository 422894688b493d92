import { CronError, parseCron } from './cron.ts';

const RATE = /^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$/;
const CRON = /^cron\(([^()]+)\)$/;

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
    const complaint = complaintOf(cron[1]!);
    if (complaint) complaints.push(`"schedule" ${complaint}, got ${shown}`);
  } else if (schedule !== 'manual') {
    complaints.push(`"schedule" must be manual, rate(…) or cron(…), got ${shown}`);
  }
  if (!isTimezone(timezone))
    complaints.push(`"timezone" must be an IANA name such as Europe/Berlin, got ${JSON.stringify(timezone)}`);
  return complaints;
}

function complaintOf(expression: string): string | undefined {
  try {
    parseCron(expression);
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
