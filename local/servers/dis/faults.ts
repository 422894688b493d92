import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject, type JsonValue } from '../../../shared/core/json.ts';
import { ROUTES, type RouteName } from './routes.ts';

/** Faults by name, with what each takes and where it makes sense. */
const FAULTS = {
  error: { routes: ROUTES, takes: ['code', 'message', 'status', 'spelling'] },
  reply: { routes: ROUTES, takes: ['status', 'headers', 'body'] },
  unauthorized: { routes: ROUTES, takes: ['status'] },
  'rate-limited': { routes: ROUTES, takes: ['retryAfter'] },
  'gateway-error': { routes: ROUTES, takes: ['status'] },
  'too-large': { routes: ROUTES, takes: [] },
  gone: { routes: ROUTES, takes: [] },
  'reset-connection': { routes: ROUTES, takes: [] },
  'lost-answer': { routes: ROUTES, takes: [] },
  delay: { routes: ROUTES, takes: ['milliseconds'] },
  'cut-connection': { routes: ROUTES, takes: ['afterBytes'] },
  'truncated-body': { routes: ROUTES, takes: ['afterBytes'] },
  'extra-members': { routes: ROUTES, takes: [] },
  'failed-records': { routes: ['uploadData'], takes: ['code', 'message', 'records', 'share'] },
  'no-records': { routes: ['downloadData'], takes: [] },
  'one-record': { routes: ['downloadData'], takes: [] },
} as const satisfies Readonly<
  Record<string, { readonly routes: readonly RouteName[]; readonly takes: readonly string[] }>
>;

export type FaultName = keyof typeof FAULTS;

export interface FaultRule {
  readonly route: RouteName;
  readonly fault: FaultName;
  readonly stream?: string;
  /** Counted from 1 among the requests that match; default 1. */
  readonly nth?: number;
  /** How many matching requests in a row, default 1. */
  readonly times?: number;
  /** Of those, the share that is struck; default 1. */
  readonly probability?: number;

  /** Such as `DIS.4303`. */
  readonly code?: string;
  readonly message?: string;
  readonly status?: number;
  /** Default `seen`: `errorCode`; `generic`: `error_code`. */
  readonly spelling?: 'seen' | 'generic';
  /** Seconds or an HTTP date. */
  readonly retryAfter?: string | number;
  /** Of `reply`: a string as it is, anything else as JSON. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  readonly milliseconds?: number;
  readonly afterBytes?: number;
  /** Places of the records that fail, from 0. Default: all. */
  readonly records?: readonly number[];
  /** Share of the records that fail. */
  readonly share?: number;
}

export interface FaultTarget {
  readonly route: RouteName;
  readonly stream?: string;
}

/** The rules in force, and how often each has matched. */
export class Faults {
  readonly random: () => number;
  #rules: { readonly rule: FaultRule; matched: number }[] = [];

  constructor(rules: readonly FaultRule[], random: () => number) {
    this.random = random;
    this.add(...rules);
  }

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#rules.push({ rule, matched: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** Whether a rule of this route asks for the stream, which may have to be looked for in a large body. */
  asksStream(route: RouteName): boolean {
    return this.#rules.some(({ rule }) => rule.route === route && rule.stream !== undefined);
  }

  /** Every rule counts the request, whether or not another one strikes it too. */
  strike(target: FaultTarget): FaultRule[] {
    return this.#rules
      .filter((entry) => {
        const { route, stream, nth = 1, times = 1, probability = 1 } = entry.rule;
        if (route !== target.route || (stream !== undefined && stream !== target.stream)) return false;
        entry.matched++;
        return entry.matched >= nth && entry.matched < nth + times && this.random() < probability;
      })
      .map(({ rule }) => rule);
  }
}

const COMMON = ['route', 'fault', 'stream', 'nth', 'times', 'probability'];

/**
 * Reads a faults file: `{ "faults": [rule, …] }`, or the array alone.
 *
 * @throws {InvalidInputError} naming every rule that is wrong, and how
 */
export function parseFaults(value: unknown): FaultRule[] {
  const list = isObject(value) ? value.faults : value;
  if (!Array.isArray(list))
    throw new InvalidInputError('faults must be an array, or an object that has one as "faults"');
  const complaints: string[] = [];
  list.forEach((rule: unknown, index) => {
    for (const complaint of complaintsAbout(rule)) complaints.push(`faults[${index}]: ${complaint}`);
  });
  if (complaints.length > 0) throw new InvalidInputError(complaints.join('; '));
  return list as FaultRule[];
}

const NUMBERS: Readonly<Record<string, readonly [number, number]>> = {
  nth: [1, 1e9],
  times: [1, 1e9],
  probability: [0, 1],
  share: [0, 1],
  status: [200, 599],
  milliseconds: [0, 3_600_000],
  afterBytes: [0, 1e12],
};

function* complaintsAbout(rule: unknown): Generator<string> {
  if (!isObject(rule)) return yield 'must be an object';
  const known =
    typeof rule.fault === 'string' && Object.hasOwn(FAULTS, rule.fault) ? FAULTS[rule.fault as FaultName] : undefined;
  if (!known) return yield `unknown fault ${JSON.stringify(rule.fault)}; known are ${Object.keys(FAULTS).join(', ')}`;
  if (!(known.routes as readonly unknown[]).includes(rule.route)) {
    yield `route must be ${known.routes.join(', ')} for ${rule.fault}, got ${JSON.stringify(rule.route)}`;
  }
  for (const [member, given] of Object.entries(rule)) {
    if (!COMMON.includes(member) && !(known.takes as readonly string[]).includes(member)) {
      yield `${rule.fault} takes no ${member}`;
      continue;
    }
    const range = NUMBERS[member];
    if (range && !(typeof given === 'number' && given >= range[0] && given <= range[1])) {
      yield `${member} must be ${range[0]} to ${range[1]}, got ${JSON.stringify(given)}`;
    }
    const isWrong =
      (member === 'headers' && !(isObject(given) && Object.values(given).every((one) => typeof one === 'string'))) ||
      (member === 'records' && !(Array.isArray(given) && given.every((one) => Number.isInteger(one) && one >= 0))) ||
      (member === 'code' && !(typeof given === 'string' && /^[A-Z]+\.\d+$/.test(given))) ||
      (member === 'spelling' && given !== 'seen' && given !== 'generic');
    if (isWrong) yield `${member} cannot be ${JSON.stringify(given)}`;
  }
}
