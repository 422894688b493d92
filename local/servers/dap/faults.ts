import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject, type JsonValue } from '../../../shared/core/json.ts';

/** What a rule may name: the token route, the five of the API, and the download of an object. */
export const ROUTES = ['login', 'tables', 'schema', 'query', 'job', 'urls', 'download'] as const;
export type RouteName = (typeof ROUTES)[number];

/**
 * Faults by name, with what each takes. Those in the first group answer instead of the route; the second spoils the answer
 * that the route gave; the third is about the job that a query starts; the fourth about an object's bytes.
 */
const FAULTS = {
  'rate-limited': { routes: ROUTES, takes: ['retryAfter'] },
  'gateway-timeout': { routes: ROUTES, takes: [] },
  'internal-error': { routes: ROUTES, takes: ['message'] },
  'gateway-page': { routes: ROUTES, takes: ['status'] },
  'account-disabled': { routes: ROUTES, takes: ['status'] },
  'account-not-onboarded': { routes: ROUTES, takes: ['status'] },
  'account-under-maintenance': { routes: ROUTES, takes: ['status'] },
  'request-type-forbidden': { routes: ROUTES, takes: ['status'] },
  reply: { routes: ROUTES, takes: ['status', 'headers', 'body'] },
  unauthorized: { routes: ROUTES, takes: [] },
  'reset-connection': { routes: ROUTES, takes: [] },
  'snapshot-required': { routes: ['query'], takes: [] },
  'out-of-range': { routes: ['query'], takes: [] },
  'no-data-yet': { routes: ['query'], takes: [] },

  delay: { routes: ROUTES, takes: ['milliseconds'] },
  'cut-connection': { routes: ROUTES, takes: ['afterBytes'] },
  'truncated-body': { routes: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: ['afterBytes'] },
  'wrong-content-type': { routes: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: [] },
  'extra-members': { routes: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: [] },
  'schema-not-object': { routes: ['schema'], takes: [] },

  'failed-job': { routes: ['query'], takes: ['message'] },
  'endless-job': { routes: ['query'], takes: [] },
  'expiring-job': { routes: ['query'], takes: ['secondsLeft'] },
  'multi-member-gzip': { routes: ['query'], takes: ['rowsPerMember'] },
  'hostile-object-id': { routes: ['query'], takes: [] },
  'schema-ahead': { routes: ['query'], takes: [] },

  'expired-url': { routes: ['urls', 'download'], takes: [] },
  'truncated-gzip': { routes: ['download'], takes: ['afterBytes'] },
  'corrupt-gzip': { routes: ['download'], takes: [] },
} as const satisfies Record<string, { routes: readonly RouteName[]; takes: readonly string[] }>;

export type FaultName = keyof typeof FAULTS;

/** One fault and the requests it strikes: the `nth` that match, and `times` in all. */
export interface FaultRule {
  readonly route: RouteName;
  readonly fault: FaultName;
  readonly namespace?: string;
  readonly table?: string;
  /** Of queries alone. */
  readonly kind?: 'snapshot' | 'incremental';
  /** Counted from 1 among the requests that match; default 1. */
  readonly nth?: number;
  /** How many matching requests in a row, default 1. */
  readonly times?: number;
  /** Of those, the share that is struck; default 1. */
  readonly probability?: number;

  /** Seconds or an HTTP date for `Retry-After`; without it the header is missing. */
  readonly retryAfter?: string | number;
  readonly status?: number;
  /** Of `reply`, which answers as it is told: a string as it is, anything else as JSON. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  readonly message?: string;
  readonly milliseconds?: number;
  readonly afterBytes?: number;
  readonly secondsLeft?: number;
  readonly rowsPerMember?: number;
}

/** What of a request a rule looks at. */
export interface FaultTarget {
  readonly route: RouteName;
  readonly namespace?: string;
  readonly table?: string;
  readonly kind?: 'snapshot' | 'incremental';
}

/** The rules in force, and how often each has matched. */
export class Faults {
  readonly #random: () => number;
  #rules: { readonly rule: FaultRule; matched: number }[] = [];

  constructor(rules: readonly FaultRule[], random: () => number) {
    this.#random = random;
    this.add(...rules);
  }

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#rules.push({ rule, matched: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** Every rule counts the request, whether or not another one strikes it too. */
  strike(target: FaultTarget): FaultRule[] {
    return this.#rules
      .filter((entry) => {
        if (!matches(entry.rule, target)) return false;
        entry.matched++;
        const { nth = 1, times = 1, probability = 1 } = entry.rule;
        return entry.matched >= nth && entry.matched < nth + times && this.#random() < probability;
      })
      .map(({ rule }) => rule);
  }
}

const matches = (rule: FaultRule, target: FaultTarget): boolean =>
  rule.route === target.route &&
  (rule.namespace === undefined || rule.namespace === target.namespace) &&
  (rule.table === undefined || rule.table === target.table) &&
  (rule.kind === undefined || rule.kind === target.kind);

const COMMON = ['route', 'fault', 'namespace', 'table', 'kind', 'nth', 'times', 'probability'];

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
  status: [200, 599],
  milliseconds: [0, 3_600_000],
  afterBytes: [0, 1e12],
  secondsLeft: [0, 86_400],
  rowsPerMember: [1, 1e9],
};

function* complaintsAbout(rule: unknown): Generator<string> {
  if (!isObject(rule)) return yield 'must be an object';
  const known = typeof rule.fault === 'string' && rule.fault in FAULTS ? FAULTS[rule.fault as FaultName] : undefined;
  if (!known) return yield `unknown fault ${JSON.stringify(rule.fault)}; known are ${Object.keys(FAULTS).join(', ')}`;
  if (!(known.routes as readonly unknown[]).includes(rule.route)) {
    yield `route must be ${known.routes.join(', ')} for ${rule.fault}, got ${JSON.stringify(rule.route)}`;
  }
  if (rule.kind !== undefined && rule.kind !== 'snapshot' && rule.kind !== 'incremental') {
    yield `kind must be snapshot or incremental, got ${JSON.stringify(rule.kind)}`;
  }
  for (const [member, given] of Object.entries(rule)) {
    if (!COMMON.includes(member) && !(known.takes as readonly string[]).includes(member)) {
      yield `${rule.fault} takes no ${member}`;
      continue;
    }
    if (
      member === 'headers' &&
      !(isObject(given) && Object.values(given).every((value) => typeof value === 'string'))
    ) {
      yield 'headers must be an object of strings';
    }
    const range = NUMBERS[member];
    if (range && !(typeof given === 'number' && given >= range[0] && given <= range[1])) {
      yield `${member} must be ${range[0]} to ${range[1]}, got ${JSON.stringify(given)}`;
    }
  }
}
