import { IngestError } from '../../core/errors.ts';
import type { ErrorOrigin } from './async-connector.ts';

/** What a failure amounts to, the same for every call: {@link CONDITIONS} says what each code means to a caller. */
export interface Condition {
  readonly status: GrpcStatus;
  readonly httpStatus: number;
  /** May the executor call again? `Unauthenticated` is tried again once by the task service itself, with fresh secrets. */
  readonly retryable: boolean;
  readonly origin: ErrorOrigin;
}

/** Names and numbers as gRPC has them. */
export const GRPC_CODES = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcStatus = keyof typeof GRPC_CODES;

const condition = (status: GrpcStatus, httpStatus: number, retryable: boolean, origin: ErrorOrigin): Condition => ({
  status,
  httpStatus,
  retryable,
  origin,
});

/** One row for each code that has a meaning of its own. A code that is not here counts as `Internal`. */
export const CONDITIONS = {
  ConnectorNotFound: condition('NOT_FOUND', 404, false, 'user'),
  /** Of the HTTP interface. */
  NoSuchPath: condition('NOT_FOUND', 404, false, 'user'),
  BadResourceMeta: condition('INTERNAL', 500, false, 'executor'),
  MetadataTooLarge: condition('INTERNAL', 500, false, 'executor'),
  /** A handle that held a secret of its connection: it was not given out, and its job deleted. */
  SecretInResourceMeta: condition('INTERNAL', 500, false, 'executor'),
  /** The template, an input or the connection's name is wrong. */
  BadTaskSpecification: condition('INVALID_ARGUMENT', 400, false, 'user'),
  /** An argument of the call itself, such as a log token that has expired. */
  InvalidArgument: condition('INVALID_ARGUMENT', 400, false, 'user'),
  Unauthenticated: condition('UNAUTHENTICATED', 401, false, 'user'),
  PermissionDenied: condition('PERMISSION_DENIED', 403, false, 'user'),
  /** The service does not know the job any more. */
  ResourceGone: condition('FAILED_PRECONDITION', 400, false, 'service'),
  Throttled: condition('RESOURCE_EXHAUSTED', 429, true, 'service'),
  Unavailable: condition('UNAVAILABLE', 503, true, 'service'),
  DeadlineExceeded: condition('DEADLINE_EXCEEDED', 504, true, 'service'),
  /** Metrics were asked for outside the task's time. */
  MetricsOutOfRange: condition('OUT_OF_RANGE', 400, false, 'user'),
  Unimplemented: condition('UNIMPLEMENTED', 501, false, 'user'),
  /** Anything else. To be tried again a bounded number of times. */
  Internal: condition('INTERNAL', 500, true, 'executor'),
} as const satisfies Record<string, Condition>;

export type ConditionCode = keyof typeof CONDITIONS;

export interface ConnectorErrorOptions {
  /** Default: the code, and what the cause says. */
  readonly message?: string;
  /** Default: as the code's condition says. */
  readonly retryable?: boolean;
  /** Default: as the code's condition says. */
  readonly origin?: ErrorOrigin;
  readonly cause?: unknown;
  /** How long the service asked us to wait. */
  readonly retryAfterMs?: number;
}

/**
 * What a connector throws when it can say what failed, and what every failure of the task service is. A code of
 * {@link CONDITIONS} has its gRPC and HTTP status from there; any other is `INTERNAL`, as retryable as it says.
 */
export class ConnectorError extends IngestError {
  override readonly name: string = 'ConnectorError';
  readonly code: string;
  readonly retryable: boolean;
  readonly origin: ErrorOrigin;
  readonly status: GrpcStatus;
  readonly httpStatus: number;

  constructor(code: ConditionCode | (string & {}), options: ConnectorErrorOptions = {}) {
    const { cause, retryAfterMs } = options;
    super(options.message ?? defaultMessage(code, cause), cause === undefined ? undefined : { cause });
    const row = conditionOf(code);
    this.code = code;
    this.retryable = options.retryable ?? row.retryable;
    this.origin = options.origin ?? row.origin;
    this.status = row.status;
    this.httpStatus = row.httpStatus;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

export function conditionOf(code: string): Condition {
  return Object.hasOwn(CONDITIONS, code) ? CONDITIONS[code as ConditionCode] : CONDITIONS.Internal;
}

function defaultMessage(code: string, cause: unknown): string {
  if (cause === undefined) return code;
  return `${code}: ${cause instanceof Error ? cause.message : String(cause)}`;
}

/** No connector has this type and version, or this name. */
export class ConnectorNotFoundError extends ConnectorError {
  override readonly name = 'ConnectorNotFoundError';
  constructor(message: string) {
    super('ConnectorNotFound', { message });
  }
}

/** Two connectors say they are for one type and version. */
export class DuplicateConnectorError extends IngestError {
  override readonly name = 'DuplicateConnectorError';
  readonly code = 'DuplicateConnector';
  readonly retryable = false;
}

/** The template, its inputs or its connection are not what the connector needs. */
export class BadTaskSpecificationError extends ConnectorError {
  override readonly name = 'BadTaskSpecificationError';
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('BadTaskSpecification', { ...options, message });
  }
}
