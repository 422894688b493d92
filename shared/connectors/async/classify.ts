import { awsStatus, isTransientAwsError } from '../../core/aws-errors.ts';
import { errorFacts, IngestError, InvalidInputError, isRetryable, retryAfterMs } from '../../core/errors.ts';
import { BadTaskSpecificationError, type ConditionCode, ConnectorError } from './errors.ts';

/** The calls of a connector, as metrics and errors name them. */
export type Operation = 'create' | 'get' | 'delete' | 'metrics' | 'logs' | 'find' | 'list' | 'describe';

/** A call took longer than it may. */
export class OperationTimeoutError extends ConnectorError {
  override readonly name = 'OperationTimeoutError';
  constructor(operation: Operation, taskType: string, limitMs: number) {
    super('DeadlineExceeded', { message: `${operation} of ${taskType} took longer than its limit of ${limitMs} ms` });
  }
}

/**
 * What a connector threw, as a {@link ConnectorError}: its message names the call and the task type, tells the causes, and
 * is free of secrets. The original is not kept in it, since whoever prints it would print those.
 */
export function connectorErrorOf(
  error: unknown,
  { operation, taskType, redact }: { operation: Operation; taskType: string; redact: (text: string) => string },
): ConnectorError {
  if (error instanceof OperationTimeoutError) return error;
  const message = `${operation} of ${taskType} failed: ${errorFacts(error, redact).message}`;
  const waitMs = retryAfterMs(error) ?? retryAfterHeaderMs(error);
  const wait = waitMs === undefined ? {} : { retryAfterMs: waitMs };
  if (error instanceof ConnectorError) {
    const { code, retryable, origin } = error;
    if (code === 'BadTaskSpecification') return new BadTaskSpecificationError(message);
    return new ConnectorError(code, { message, retryable, origin, ...wait });
  }
  const code = conditionOf(error, operation);
  if (code === 'BadTaskSpecification') return new BadTaskSpecificationError(message);
  if (code !== 'Internal') return new ConnectorError(code, { message, ...wait });
  // An error of ours keeps its own code; whoever said whether to try again is believed.
  const retryable = error instanceof Error && 'retryable' in error ? error.retryable : undefined;
  return new ConnectorError(error instanceof IngestError ? error.code : code, {
    message,
    ...(typeof retryable === 'boolean' ? { retryable } : {}),
    ...wait,
  });
}

/** What an error of `fetch`, of an SDK or of a client amounts to. By shape, so that this file needs none of them. */
function conditionOf(error: unknown, operation: Operation): ConditionCode {
  if (!(error instanceof Error)) return 'Internal';
  if (error instanceof InvalidInputError) return 'BadTaskSpecification';
  if (THROTTLED.test(error.name)) return 'Throttled';
  if (EXPIRED.test(error.name)) return 'Unauthenticated';
  if (DENIED.test(error.name)) return 'PermissionDenied';
  const status = statusOf(error);
  if (status === 401) return 'Unauthenticated';
  if (status === 403) return 'PermissionDenied';
  if (status === 404 || status === 410 || MISSING.test(error.name)) return missing(operation);
  if (status === 429) return 'Throttled';
  if (status === 501) return 'Internal';
  if (status !== undefined && status >= 500) return 'Unavailable';
  // What the service refuses of a new job it will refuse tomorrow.
  if (operation === 'create' && (status === 400 || status === 422)) return 'BadTaskSpecification';
  if (error.name === 'TimeoutError' || status === 408) return 'DeadlineExceeded';
  if (isTransientAwsError(error) || isRetryable(error)) return 'Unavailable';
  return 'Internal';
}

/** A job that is gone ends its task; to create one where nothing is, is a mistake in the template. */
const missing = (operation: Operation): ConditionCode =>
  operation === 'create' ? 'BadTaskSpecification' : 'ResourceGone';

// Services that speak JSON answer 400 to these too: the name tells, not the status.
const THROTTLED =
  /^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown|ProvisionedThroughputExceeded|LimitExceededException$)/;
const EXPIRED = /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|MissingAuthenticationToken)/;
const DENIED = /^(AccessDenied|Forbidden|NotAuthorized|UnauthorizedOperation)/;
const MISSING = /(NotFound|DoesNotExist|NoSuch\w+)(Exception|Fault)?$/;

/** Of an SDK's error, or of one that carries the reply's status. */
function statusOf(error: Error): number | undefined {
  const { status, statusCode, response } = error as {
    status?: unknown;
    statusCode?: unknown;
    response?: { status?: unknown };
  };
  const found = [awsStatus(error), status, statusCode, response?.status].find(
    (one) => typeof one === 'number' && one >= 100 && one < 600,
  ) as number | undefined;
  if (found !== undefined) return found;
  return error.cause instanceof Error && error.cause !== error ? statusOf(error.cause) : undefined;
}

/** The SDK leaves the reply on its errors, with its headers. Only seconds are read: a date would need a clock. */
function retryAfterHeaderMs(error: unknown): number | undefined {
  const { $response } = error as { $response?: { headers?: Readonly<Record<string, string>> } };
  const value = error instanceof Error ? $response?.headers?.['retry-after'] : undefined;
  return value !== undefined && /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : undefined;
}
