import type { JsonValue } from '../../../shared/core/json.ts';
import { parseRules, type Striking, StruckBy } from '../common/faults.ts';
import { ROUTES, type RouteName } from './routes.ts';

/** Faults by name, with what each takes and where it makes sense. */
export const FAULTS = {
  error: { takes: ['code', 'message', 'status', 'spelling'] },
  reply: { takes: ['status', 'headers', 'body'] },
  unauthorized: { takes: ['status'] },
  'rate-limited': { takes: ['retryAfter'] },
  'gateway-error': { takes: ['status'] },
  'too-large': { takes: [] },
  gone: { takes: [] },
  'reset-connection': { takes: [] },
  'lost-answer': { takes: [] },
  delay: { takes: ['milliseconds'] },
  'cut-connection': { takes: ['afterBytes'] },
  'truncated-body': { takes: ['afterBytes'] },
  'extra-members': { takes: [] },
  'failed-records': { at: ['uploadData'], takes: ['code', 'message', 'records', 'share'] },
  'no-records': { at: ['downloadData'], takes: [] },
  'one-record': { at: ['downloadData'], takes: [] },
} as const satisfies Readonly<
  Record<string, { readonly takes: readonly string[]; readonly at?: readonly RouteName[] }>
>;

export type FaultName = keyof typeof FAULTS;

export interface FaultRule extends Striking {
  readonly route: RouteName;
  readonly fault: FaultName;
  readonly stream?: string;
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
export class Faults extends StruckBy<FaultRule, FaultTarget> {
  constructor(rules: readonly FaultRule[], random: () => number) {
    super(
      rules,
      random,
      ({ route, stream }, target) => route === target.route && (stream === undefined || stream === target.stream),
    );
  }

  /** Whether a rule of this route asks for the stream, which may have to be looked for in a large body. */
  asksStream(route: RouteName): boolean {
    return this.some((rule) => rule.route === route && rule.stream !== undefined);
  }
}

/** @throws {InvalidInputError} naming every rule that is wrong, and how */
export const parseFaults = (value: unknown): FaultRule[] =>
  parseRules(value, {
    place: 'route',
    places: ROUTES,
    faults: FAULTS,
    selectors: ['stream'],
    ranges: { share: [0, 1] },
    complain: (member, given) => {
      const isWrong =
        (member === 'records' && !(Array.isArray(given) && given.every((one) => Number.isInteger(one) && one >= 0))) ||
        (member === 'code' && !(typeof given === 'string' && /^[A-Z]+\.\d+$/.test(given))) ||
        (member === 'spelling' && given !== 'seen' && given !== 'generic');
      return isWrong ? `${member} cannot be ${JSON.stringify(given)}` : undefined;
    },
  });
