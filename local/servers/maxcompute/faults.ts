import type { JsonValue } from '../../../shared/core/json.ts';
import { parseRules, type Striking, StruckBy } from '../common/faults.ts';

/** Actions that answer with rows or blobs, and those that answer with JSON. */
const ROWS = ['TableRead', 'InstanceRead', 'TablePreview'];
const WRITES = ['TableWrite', 'TableWriteBlob'];

/**
 * Faults by name, with what each takes and, if not all, the actions it is for. Those of the first group answer instead of the
 * server; of the second, the request is carried out and its answer lost; the third changes what is done; the fourth spoils the
 * answer.
 */
export const FAULTS = {
  reply: { takes: ['status', 'code', 'message', 'headers', 'body'] },
  'slot-exceeded': { takes: ['retryAfter'] },
  'qps-exceeded': { takes: ['retryAfter'] },
  'flow-exceeded': { takes: ['retryAfter'] },
  'internal-error': { takes: ['message'] },
  unavailable: { takes: ['retryAfter'] },
  'bad-gateway': { takes: [] },
  'too-large': { takes: ['bytes'], at: WRITES },
  'schema-modified': { takes: [], at: ['TableWrite', 'TableCreateWriteStream'] },
  'credentials-expired': { takes: [] },
  'reset-before': { takes: [] },

  'reset-after': { takes: [] },
  'error-after': { takes: ['status', 'code', 'message'] },

  delay: { takes: ['milliseconds'] },
  'slow-session': { takes: ['polls'], at: ['TableCreateReadSession'] },
  'failed-session': { takes: ['message'], at: ['TableCreateReadSession'] },
  'expired-session': { takes: [] },
  'route-token-required': { takes: [] },
  'fewer-rows': { takes: ['afterRows'], at: ['TableRead'] },
  'duplicate-rows': { takes: ['afterRows'], at: ['TableRead'] },

  'cut-connection': { takes: ['afterBytes'] },
  'truncated-body': { takes: ['afterBytes'] },
  'empty-body': { takes: [] },
  'corrupt-body': { takes: ['afterBytes'], at: [...ROWS, 'BlobRead'] },
  'md5-mismatch': { takes: [], at: ['TableWriteBlob'] },
  'lost-route-token': { takes: [] },
  'new-route-token': { takes: [] },
  warning: { takes: ['message'] },
  'extra-members': { takes: [] },
} as const satisfies Record<string, { readonly takes: readonly string[]; readonly at?: readonly string[] }>;

export type FaultName = keyof typeof FAULTS;

/** One fault and the requests it strikes: the `nth` that match, and `times` in all. */
export interface FaultRule extends Striking {
  /** Of the Storage API, or a name from `routes.ts`; `*` for all. */
  readonly action: string;
  readonly fault: FaultName;
  /** Name of the table that the request is about. */
  readonly table?: string;
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

export interface FaultTarget {
  readonly action: string;
  readonly table: string | undefined;
}

/** The rules in force, and how often each has matched. */
export class Faults extends StruckBy<FaultRule, FaultTarget> {
  constructor(rules: readonly FaultRule[], random: () => number) {
    super(
      rules,
      random,
      (rule, { action, table }) =>
        (rule.action === '*' || rule.action === action) && (rule.table === undefined || rule.table === table),
    );
  }
}

/**
 * @param actions that there are
 * @throws {InvalidInputError} naming every rule that is wrong, and how
 */
export const parseFaults = (value: unknown, actions: readonly string[]): FaultRule[] =>
  parseRules(value, {
    place: 'action',
    places: ['*', ...actions],
    faults: FAULTS,
    selectors: ['table'],
    ranges: { bytes: [0, 1e12], afterRows: [0, 1e12], polls: [0, 1e6] },
  });
