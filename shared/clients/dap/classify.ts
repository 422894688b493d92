import { isObject } from '../../core/json.ts';
import { parseRetryAfter } from '../transport/reply.ts';
import {
  AccountDisabledError,
  AccountNotOnboardedError,
  AccountUnderMaintenanceError,
  AuthenticationError,
  GatewayTimeoutError,
  type Location,
  NoDataError,
  NotFoundError,
  type OperationError,
  type OperationErrorBody,
  OutOfRangeError,
  type PermittedRange,
  ProcessingError,
  RateLimitedError,
  type ReplyFacts,
  RequestTypeForbiddenError,
  ServerError,
  SnapshotRequiredError,
  ValidationError,
} from './errors.ts';
import { Instant } from './instant.ts';
import { parseOperationErrorBody } from './wire.ts';

export type RefusedReplyError = ServerError | GatewayTimeoutError | OperationError;

/**
 * The error that a refused reply stands for. The name in `type` decides first, since the service sends the same error with
 * different statuses; then status and members. Members nobody knows change nothing.
 *
 * @param now what a date in `Retry-After` counts from
 */
export function classifyReply(facts: ReplyFacts, now: Date): RefusedReplyError {
  const { status, body } = facts;
  const error = isObject(body) && isObject(body.error) ? body.error : undefined;
  const base = parseOperationErrorBody(error);
  if (status === 429) return new RateLimitedError(base, facts, parseRetryAfter(facts.headers['retry-after'], now));
  if (!error) {
    if (status === 401) return new AuthenticationError(base, facts);
    if (status === 504) return new GatewayTimeoutError(base, facts);
    return new ServerError(facts);
  }
  return BY_TYPE[plainType(base.type)]?.(base, facts, error) ?? byMembers(base, facts, error);
}

/** Why a job failed, as the error that it would have been in a reply. */
export function classifyFailure(error: OperationErrorBody): ProcessingError {
  return processing(error, { status: 200, headers: {}, body: { error } });
}

type Classifier = (base: OperationErrorBody, facts: ReplyFacts, error: Record<string, unknown>) => RefusedReplyError;

const notFound: Classifier = (base, facts, { id, kind }) =>
  new NotFoundError(base, facts, { id: textOf(id), kind: textOf(kind) });

const BY_TYPE: Readonly<Record<string, Classifier | undefined>> = {
  __proto__: null as never,
  authentication: (base, facts) => new AuthenticationError(base, facts),
  accountnotonboarded: (base, facts) => new AccountNotOnboardedError(base, facts),
  accountdisabled: (base, facts) => new AccountDisabledError(base, facts),
  accountundermaintenance: (base, facts) => new AccountUnderMaintenanceError(base, facts),
  requesttypeforbidden: (base, facts) => new RequestTypeForbiddenError(base, facts),
  validation: (base, facts, error) => new ValidationError(base, facts, locationOf(error.location)),
  notfound: notFound,
  objectnotfound: notFound,
  outofrange: (base, facts, error) => new OutOfRangeError(base, facts, rangeOf(error)),
  snapshotrequired: (base, facts, error) => new SnapshotRequiredError(base, facts, rangeOf(error)),
  processing: (base, facts) => processing(base, facts),
  gatewaytimeout: (base, facts) => new GatewayTimeoutError(base, facts),
};

function byMembers(base: OperationErrorBody, facts: ReplyFacts, error: Record<string, unknown>): RefusedReplyError {
  const { status } = facts;
  if (status === 401) return new AuthenticationError(base, facts);
  if (isObject(error.location)) return new ValidationError(base, facts, locationOf(error.location));
  if (typeof error.id === 'string' && typeof error.kind === 'string') return notFound(base, facts, error);
  if (typeof error.since === 'string') {
    const Kind = /snapshot|reload/i.test(base.message) ? SnapshotRequiredError : OutOfRangeError;
    return new Kind(base, facts, rangeOf(error));
  }
  if (status === 504 || (typeof error.message === 'string' && Object.keys(error).length === 1)) {
    return new GatewayTimeoutError(base, facts);
  }
  if (base.type !== '' && base.uuid !== '' && typeof error.message === 'string') return processing(base, facts);
  return new ServerError(facts);
}

/** The service has no type for "nothing yet": only its words tell. */
function processing(base: OperationErrorBody, facts: ReplyFacts): ProcessingError {
  const Kind = /^\s*there is no data\b/i.test(base.message) ? NoDataError : ProcessingError;
  return new Kind(base, facts);
}

/** `com.instructure.dap.ValidationException` and `ValidationError` as `validation`. */
function plainType(type: string): string {
  const name = type.split(/[.:$]/).at(-1) ?? '';
  return name.replace(/(Error|Exception)$/i, '').toLowerCase();
}

function locationOf(value: unknown): Location | undefined {
  if (!isObject(value)) return undefined;
  const { line, column, character } = value;
  if (typeof line !== 'number' || typeof column !== 'number' || typeof character !== 'number') return undefined;
  return { line, column, character };
}

function rangeOf({ since, until }: Record<string, unknown>): PermittedRange {
  const [from, to] = [instantOf(since), instantOf(until)];
  return { ...(from && { since: from }), ...(to && { until: to }) };
}

/** What went wrong is told, even if it is told badly. */
function instantOf(value: unknown): Instant | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return Instant.parse(value);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
