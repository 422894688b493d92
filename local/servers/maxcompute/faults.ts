import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject, type JsonValue } from '../../../shared/core/json.ts';

/** Actions that answer with rows or blobs, and those that answer with JSON. */
const ROWS = ['TableRead', 'InstanceRead', 'TablePreview'];
const WRITES = ['TableWrite', 'TableWriteBlob'];

/**
 * Faults by name, with what each takes and, if not all, the actions it is for. Those of the first group answer instead of the
 * server; of the second, the request is carried out and its answer lost; the third changes what is done; the fourth spoils the
 * answer.
 */
const FAULTS = {
  reply: { takes: ['status', 'code', 'message', 'headers', 'body'] },
  'slot-exceeded': { takes: ['retryAfter'] },
  'qps-exceeded': { takes: ['retryAfter'] },
  'flow-exceeded': { takes: ['retryAfter'] },
  'internal-error': { takes: ['message'] },
  unavailable: { takes: ['retryAfter'] },
  'bad-gateway': { takes: [] },
  'too-large': { takes: ['bytes'], actions: WRITES },
  'schema-modified': { takes: [], actions: ['TableWrite', 'TableCreateWriteStream'] },
  'credentials-expired': { takes: [] },
  'reset-before': { takes: [] },

  'reset-after': { takes: [] },
  'error-after': { takes: ['status', 'code', 'message'] },

  delay: { takes: ['milliseconds'] },
  'slow-session': { takes: ['polls'], actions: ['TableCreateReadSession'] },
  'failed-session': { takes: ['message'], actions: ['TableCreateReadSession'] },
  'expired-session': { takes: [] },
  'route-token-required': { takes: [] },
  'fewer-rows': { takes: ['afterRows'], actions: ['TableRead'] },
  'duplicate-rows': { takes: ['afterRows'], actions: ['TableRead'] },

  'cut-connection': { takes: ['afterBytes'] },
  'truncated-body': { takes: ['afterBytes'] },
  'empty-body': { takes: [] },
  'corrupt-body': { takes: ['afterBytes'], actions: [...ROWS, 'BlobRead'] },
  'md5-mismatch': { takes: [], actions: ['TableWriteBlob'] },
  'lost-route-token': { takes: [] },
  'new-route-token': { takes: [] },
  warning: { takes: ['message'] },
  'extra-members': { takes: [] },
} as const satisfies Record<string, { readonly takes: readonly string[]; readonly actions?: readonly string[] }>;

export type FaultName = keyof typeof FAULTS;

/** One fault and the requests it strikes: the `nth` that match, and `times` in all. */
export interface FaultRule {
  /** Of the Storage API, or a name from `routes.ts`; `*` for all. */
  readonly action: string;
  readonly fault: FaultName;
  /** Name of the table that the request is about. */
  readonly table?: string;
  /** Counted from 1 among the requests that match; default 1. */
  readonly nth?: number;
  /** How many matching requests in a row, default 1. */
  readonly times?: number;
  /** Of those, the share that is struck; default 1. */
  readonly probability?: number;

  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of `reply`: a string as it is, anything else as JSON. */
  readonly body?: JsonValue;
  /** Seconds or an HTTP date. */
  readonly retryAfter?: string | number;
  readonly milliseconds?: number;
  /** Bodies above it are too large. */
  readonly bytes?: number;
  readonly afterBytes?: number;
  readonly afterRows?: number;
  readonly polls?: number;
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
  strike(action: string, table: string | undefined): FaultRule[] {
    return this.#rules
      .filter((entry) => {
        const { rule } = entry;
        if (rule.action !== '*' && rule.action !== action) return false;
        if (rule.table !== undefined && rule.table !== table) return false;
        entry.matched += 1;
        const { nth = 1, times = 1, probability = 1 } = rule;
        return entry.matched >= nth && entry.matched < nth + times && this.#random() < probability;
      })
      .map(({ rule }) => rule);
  }
}

const COMMON = ['action', 'fault', 'table', 'nth', 'times', 'probability'];

const NUMBERS: Readonly<Record<string, readonly [number, number]>> = {
  nth: [1, 1e9],
  times: [1, 1e9],
  probability: [0, 1],
  status: [200, 599],
  milliseconds: [0, 3_600_000],
  bytes: [0, 1e12],
  afterBytes: [0, 1e12],
  afterRows: [0, 1e12],
  polls: [0, 1e6],
};

/**
 * Reads a faults file: `{ "faults": [rule, …] }`, or the array alone.
 *
 * @param actions that there are
 * @throws {InvalidInputError} naming every rule that is wrong, and how
 */
export function parseFaults(value: unknown, actions: readonly string[]): FaultRule[] {
  const list = isObject(value) ? value.faults : value;
  if (!Array.isArray(list))
    throw new InvalidInputError('faults must be an array, or an object that has one as "faults"');
  const complaints = list.flatMap((rule: unknown, index) =>
    [...complaintsAbout(rule, actions)].map((complaint) => `faults[${index}]: ${complaint}`),
  );
  if (complaints.length > 0) throw new InvalidInputError(complaints.join('; '));
  return list as FaultRule[];
}

function* complaintsAbout(rule: unknown, actions: readonly string[]): Generator<string> {
  if (!isObject(rule)) return yield 'must be an object';
  const { fault, action } = rule;
  if (typeof fault !== 'string' || !Object.hasOwn(FAULTS, fault)) {
    return yield `unknown fault ${JSON.stringify(fault)}; known are ${Object.keys(FAULTS).join(', ')}`;
  }
  const known: { readonly takes: readonly string[]; readonly actions?: readonly string[] } = FAULTS[fault as FaultName];
  const possible = known.actions ?? ['*', ...actions];
  if (typeof action !== 'string' || !possible.includes(action)) {
    yield `action must be ${possible.join(', ')} for ${fault}, got ${JSON.stringify(action)}`;
  }
  for (const [member, given] of Object.entries(rule)) {
    if (!COMMON.includes(member) && !known.takes.includes(member)) yield `${fault} takes no ${member}`;
    const range = NUMBERS[member];
    if (range && !(typeof given === 'number' && given >= range[0] && given <= range[1])) {
      yield `${member} must be ${range[0]} to ${range[1]}, got ${JSON.stringify(given)}`;
    }
  }
}
