import type { JsonValue } from '../../../shared/core/json.ts';
import { parseRules, type Striking, StruckBy } from '../common/faults.ts';

/** What a rule may name: the token route, the five of the API, and the download of an object. */
export const ROUTES = ['login', 'tables', 'schema', 'query', 'job', 'urls', 'download'] as const;
export type RouteName = (typeof ROUTES)[number];

/**
 * Faults by name, with what each takes. Those in the first group answer instead of the route; the second spoils the answer
 * that the route gave; the third is about the job that a query starts; the fourth about an object's bytes.
 */
export const FAULTS = {
  'rate-limited': { takes: ['retryAfter'] },
  'gateway-timeout': { takes: [] },
  'internal-error': { takes: ['message'] },
  'gateway-page': { takes: ['status'] },
  'account-disabled': { takes: ['status'] },
  'account-not-onboarded': { takes: ['status'] },
  'account-under-maintenance': { takes: ['status'] },
  'request-type-forbidden': { takes: ['status'] },
  reply: { takes: ['status', 'headers', 'body'] },
  unauthorized: { takes: [] },
  'reset-connection': { takes: [] },
  'snapshot-required': { at: ['query'], takes: [] },
  'out-of-range': { at: ['query'], takes: [] },
  'no-data-yet': { at: ['query'], takes: [] },

  delay: { takes: ['milliseconds'] },
  'cut-connection': { takes: ['afterBytes'] },
  'truncated-body': { at: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: ['afterBytes'] },
  'wrong-content-type': { at: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: [] },
  'extra-members': { at: ['login', 'tables', 'schema', 'query', 'job', 'urls'], takes: [] },
  'schema-not-object': { at: ['schema'], takes: [] },

  'failed-job': { at: ['query'], takes: ['message'] },
  'endless-job': { at: ['query'], takes: [] },
  'expiring-job': { at: ['query'], takes: ['secondsLeft'] },
  'multi-member-gzip': { at: ['query'], takes: ['rowsPerMember'] },
  'hostile-object-id': { at: ['query'], takes: [] },
  'schema-ahead': { at: ['query'], takes: [] },

  'expired-url': { at: ['urls', 'download'], takes: [] },
  'truncated-gzip': { at: ['download'], takes: ['afterBytes'] },
  'corrupt-gzip': { at: ['download'], takes: [] },
} as const satisfies Readonly<
  Record<string, { readonly takes: readonly string[]; readonly at?: readonly RouteName[] }>
>;

export type FaultName = keyof typeof FAULTS;

/** One fault and the requests it strikes: the `nth` that match, and `times` in all. */
export interface FaultRule extends Striking {
  readonly route: RouteName;
  readonly fault: FaultName;
  readonly namespace?: string;
  readonly table?: string;
  /** Of queries alone. */
  readonly kind?: 'snapshot' | 'incremental';
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
export class Faults extends StruckBy<FaultRule, FaultTarget> {
  constructor(rules: readonly FaultRule[], random: () => number) {
    super(
      rules,
      random,
      (rule, target) =>
        rule.route === target.route &&
        (rule.namespace === undefined || rule.namespace === target.namespace) &&
        (rule.table === undefined || rule.table === target.table) &&
        (rule.kind === undefined || rule.kind === target.kind),
    );
  }
}

/** @throws {InvalidInputError} naming every rule that is wrong, and how */
export const parseFaults = (value: unknown): FaultRule[] =>
  parseRules(value, {
    place: 'route',
    places: ROUTES,
    faults: FAULTS,
    selectors: ['namespace', 'table', 'kind'],
    ranges: { secondsLeft: [0, 86_400], rowsPerMember: [1, 1e9] },
    complain: (member, given) =>
      member === 'kind' && given !== 'snapshot' && given !== 'incremental'
        ? `kind must be snapshot or incremental, got ${JSON.stringify(given)}`
        : undefined,
  });
