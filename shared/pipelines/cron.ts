/** A cron expression as EventBridge takes it: six fields, and `L`, `W` and `#` in the days. */
export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: readonly number[];
  readonly years: readonly number[];
  /** The days of a month, 1 to 31, rising. @param month 1 to 12 */
  daysOf(year: number, month: number): readonly number[];
}

interface FieldSpec {
  readonly title: string;
  readonly min: number;
  readonly max: number;
  /** Names of `min` and what follows it. */
  readonly names?: readonly string[];
}

const MINUTES: FieldSpec = { title: 'minutes', min: 0, max: 59 };
const HOURS: FieldSpec = { title: 'hours', min: 0, max: 23 };
const DAYS: FieldSpec = { title: 'day of month', min: 1, max: 31 };
const MONTHS: FieldSpec = {
  title: 'month',
  min: 1,
  max: 12,
  names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
};
const WEEKDAYS: FieldSpec = {
  title: 'day of week',
  min: 1,
  max: 7,
  names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
};
const YEARS: FieldSpec = { title: 'year', min: 1970, max: 2199 };

/**
 * Reads what stands between the brackets of `cron(…)`.
 *
 * @throws {CronError} naming the field and its limits
 * @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 */
export function parseCron(text: string): Cron {
  const fields = text.trim().split(/\s+/);
  const specs = [MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, YEARS];
  if (fields.length !== specs.length)
    throw new CronError(`must have the 6 fields ${specs.map(({ title }) => title).join(', ')}`);
  const [minutes, hours, day, month, weekday, year] = fields as [string, string, string, string, string, string];
  if ((day === '?') === (weekday === '?'))
    throw new CronError('must have ? as day of month or as day of week, and not as both');
  return {
    minutes: numbersOf(minutes, MINUTES),
    hours: numbersOf(hours, HOURS),
    months: numbersOf(month, MONTHS),
    years: numbersOf(year, YEARS),
    daysOf: weekday === '?' ? daysOfMonth(day) : daysOfWeek(weekday),
  };
}

/** What is wrong with a cron expression; the message goes on after its name. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

type DaysOf = Cron['daysOf'];

function daysOfMonth(field: string): DaysOf {
  if (field === 'L') return (year, month) => [lengthOf(year, month)];
  if (field === 'LW') return (year, month) => [nearestWorkday(year, month, lengthOf(year, month))];
  const [, near] = /^(\d{1,2})W$/.exec(field) ?? [];
  if (near !== undefined) {
    const wanted = numberOf(near, DAYS);
    return (year, month) => (wanted > lengthOf(year, month) ? [] : [nearestWorkday(year, month, wanted)]);
  }
  const days = numbersOf(field, DAYS);
  return (year, month) => days.filter((day) => day <= lengthOf(year, month));
}

function daysOfWeek(field: string): DaysOf {
  if (field === 'L') return daysOfWeek('SAT');
  const [, last] = /^([A-Z0-9]+)L$/i.exec(field) ?? [];
  if (last !== undefined) {
    const wanted = numberOf(last, WEEKDAYS);
    return (year, month) => onWeekdays(year, month, [wanted]).slice(-1);
  }
  const [, weekday, nth] = /^([A-Z0-9]+)#(\d)$/i.exec(field) ?? [];
  if (weekday !== undefined) {
    const wanted = numberOf(weekday, WEEKDAYS);
    if (Number(nth) < 1 || Number(nth) > 5) throw wrong(WEEKDAYS, field);
    return (year, month) => onWeekdays(year, month, [wanted]).slice(Number(nth) - 1, Number(nth));
  }
  const wanted = numbersOf(field, WEEKDAYS);
  return (year, month) => onWeekdays(year, month, wanted);
}

/** Lists, ranges, steps and `*`, as rising numbers. */
function numbersOf(field: string, spec: FieldSpec): number[] {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [, range, step] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    if (range === undefined || step === '0') throw wrong(spec, field);
    const [from, to] = rangeOf(range, spec, step !== undefined);
    if (from > to) throw wrong(spec, field);
    for (let value = from; value <= to; value += Number(step ?? 1)) found.add(value);
  }
  return [...found].sort((a, b) => a - b);
}

/** A number alone is itself, but with a step it is where the steps begin. */
function rangeOf(range: string, spec: FieldSpec, stepped: boolean): [number, number] {
  if (range === '*') return [spec.min, spec.max];
  const [, from, to] = /^([^-]+)(?:-([^-]+))?$/.exec(range) ?? [];
  if (from === undefined) throw wrong(spec, range);
  const first = numberOf(from, spec);
  if (to !== undefined) return [first, numberOf(to, spec)];
  return [first, stepped ? spec.max : first];
}

function numberOf(text: string, spec: FieldSpec): number {
  const named = spec.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? named + spec.min : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= spec.min && value <= spec.max) return value;
  throw wrong(spec, text);
}

const wrong = ({ title, min, max }: FieldSpec, got: string) =>
  new CronError(`must have ${min} to ${max} as ${title}, and not ${JSON.stringify(got)}`);

const lengthOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** 1 is Sunday. */
const weekdayOf = (year: number, month: number, day: number): number =>
  new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;

function onWeekdays(year: number, month: number, weekdays: readonly number[]): number[] {
  const days: number[] = [];
  for (let day = 1; day <= lengthOf(year, month); day++)
    if (weekdays.includes(weekdayOf(year, month, day))) days.push(day);
  return days;
}

/** Monday to Friday, in the same month. */
function nearestWorkday(year: number, month: number, day: number): number {
  const weekday = weekdayOf(year, month, day);
  if (weekday === SATURDAY) return day > 1 ? day - 1 : day + 2;
  if (weekday === SUNDAY) return day < lengthOf(year, month) ? day + 1 : day - 2;
  return day;
}

const SUNDAY = 1;
const SATURDAY = 7;
