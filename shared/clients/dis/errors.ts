import { IngestError } from '../../core/errors.ts';

/** Anything that this client throws on purpose. */
export abstract class DisError extends IngestError {
  override readonly name: string = 'DisError';
}

/** The classes of what goes wrong on our side of the wire differ in name, code and whether it may pass. */
function local(name: string, code: string, retryable = false) {
  return class extends DisError {
    override readonly name: string = name;
    readonly code: string = code;
    readonly retryable: boolean = retryable;
  };
}

/** No keys, no token, or ones that cannot travel in a header. Nothing was sent. */
export class InvalidCredentialsError extends local('InvalidCredentialsError', 'DisInvalidCredentials') {}
/** A setting of the client that is missing or out of its limits. Nothing was sent. */
export class InvalidSettingError extends local('InvalidSettingError', 'DisInvalidSetting') {}
/** The name of a stream, app or dump task that the service could only refuse. Nothing was sent. */
export class InvalidNameError extends local('InvalidNameError', 'DisInvalidName') {}
/** A count, size, length or number outside its limits. Nothing was sent. */
export class OutOfLimitsError extends local('OutOfLimitsError', 'DisOutOfLimits') {}
/** An attribute that is missing, or whose value the service does not know. Nothing was sent. */
export class InvalidAttributeError extends local('InvalidAttributeError', 'DisInvalidAttribute') {}
/** A CSV file without a header of record fields, or with a line that does not fit it. */
export class InvalidCsvError extends local('InvalidCsvError', 'DisInvalidCsv') {}
/** A reply of success that is not JSON, or not what the call answers. */
export class UnparsableReplyError extends local('UnparsableReplyError', 'DisUnparsableReply') {}
/** The client has been closed. */
export class ClientClosedError extends local('ClientClosedError', 'DisClientClosed') {}
/** A partition keeps answering with nothing although the record asked for is there. */
export class StalledReadError extends local('StalledReadError', 'DisStalledRead', true) {}
/** No answer in time. The request may have been carried out: only a GET is repeated. */
export class ReplyTimeoutError extends local('ReplyTimeoutError', 'DisReplyTimeout', true) {}

/** The service was not reached, or the connection broke. Retryable unless the address itself is at fault. */
export class ConnectionFailedError extends DisError {
  override readonly name: string = 'ConnectionFailedError';
  readonly code: string = 'DisConnectionFailed';
  readonly retryable: boolean;

  constructor(message: string, { retryable, ...options }: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.retryable = retryable;
  }
}

/** The connection broke while the reply was read. */
export class ReplyTruncatedError extends ConnectionFailedError {
  override readonly name = 'ReplyTruncatedError';
  override readonly code = 'DisReplyTruncated';
}

/** A record that could only be refused. It was not sent; of a list or file nothing was. */
export class InvalidRecordError extends DisError {
  override readonly name: string = 'InvalidRecordError';
  readonly code: string = 'DisInvalidRecord';
  readonly retryable = false;
  /** Among the records given, from 0. */
  readonly index: number;

  constructor(index: number, what: string) {
    super(`record ${index}: ${what}`);
    this.index = index;
  }
}

/** A record of more than 1,048,576 bytes of data. */
export class RecordTooLargeError extends InvalidRecordError {
  override readonly name = 'RecordTooLargeError';
  override readonly code = 'DisRecordTooLarge';
  readonly sizeBytes: number;

  constructor(index: number, sizeBytes: number, maxBytes: number) {
    super(index, `must be at most ${maxBytes} bytes of data, got ${sizeBytes}`);
    this.sizeBytes = sizeBytes;
  }
}

/** What a refused reply said. Never holds a credential: the client has masked its own. */
export interface Refusal {
  /** The request, as method and path. */
  readonly label: string;
  readonly status: number;
  /** Such as `DIS.4301`; empty if the body named none. */
  readonly serviceCode: string;
  readonly serviceMessage: string;
  /** Those that help to find the request again. Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
}

/** The service refused. Which subclass, its code decides: its status is 400 for almost everything. */
export abstract class RefusedError extends DisError {
  readonly facts: Refusal;
  readonly status: number;
  readonly serviceCode: string;

  constructor(facts: Refusal, message?: string) {
    const { label, status, serviceCode, serviceMessage } = facts;
    super(message ?? `${label}: ${[serviceCode, serviceMessage].filter(Boolean).join(' ')} (status ${status})`);
    this.facts = facts;
    this.status = status;
    this.serviceCode = serviceCode;
    if (facts.retryAfterMs !== undefined) this.retryAfterMs = facts.retryAfterMs;
  }
}

function refused(name: string, code: string, retryable = false) {
  return class extends RefusedError {
    override readonly name: string = name;
    readonly code: string = code;
    readonly retryable: boolean = retryable;
  };
}

/** The credentials were refused. Never repeated with the same ones: many failures get the address blocked. */
export class AuthenticationError extends refused('AuthenticationError', 'DisAuthentication') {}
/** No permission, or an account in arrears. */
export class ForbiddenError extends refused('ForbiddenError', 'DisForbidden') {}
/** The request is not one that the service takes. */
export class InvalidRequestError extends refused('InvalidRequestError', 'DisInvalidRequest') {}
/** The stream is not RUNNING, or the app is in use. */
export class ConflictError extends refused('ConflictError', 'DisConflict', true) {}
/** A cursor that cannot be read, or that names a stream which was deleted and created again. */
export class InvalidCursorError extends refused('InvalidCursorError', 'DisInvalidCursor') {}
/** A sequence number that is not, or no longer, in the readable range. */
export class OutOfRangeError extends refused('OutOfRangeError', 'DisOutOfRange') {}
/** A cursor of more than 5 minutes. */
export class ExpiredCursorError extends refused('ExpiredCursorError', 'DisExpiredCursor') {}
/** The record that the cursor points to has aged out. */
export class ExpiredPositionError extends refused('ExpiredPositionError', 'DisExpiredPosition') {}
/** No such stream, partition, app, checkpoint or dump task. */
export class NotFoundError extends refused('NotFoundError', 'DisNotFound') {}
/** Too much or too often; `retryAfterMs` says for how long, where that is known. */
export class ThrottledError extends refused('ThrottledError', 'DisThrottled', true) {}
/** The destination of a dump task is absent, or refuses. */
export class DumpTargetError extends refused('DumpTargetError', 'DisDumpTarget') {}
/** A stream, app or dump task of that name is there. */
export class AlreadyExistsError extends refused('AlreadyExistsError', 'DisAlreadyExists') {}
/** A quota of the account, or of the stream, is used up. */
export class QuotaError extends refused('QuotaError', 'DisQuota') {}
/** The partition was scaled away, and its records are no longer readable. */
export class GoneError extends refused('GoneError', 'DisGone') {}
/** The request is larger than the service takes. */
export class TooLargeError extends refused('TooLargeError', 'DisTooLarge') {}
/** The service failed. */
export class ServerError extends refused('ServerError', 'DisServer', true) {}
/** A refusal with a code that this client does not know. */
export class UnknownRefusalError extends refused('UnknownRefusalError', 'DisUnknownRefusal') {}

/** Our clock and the service's are too far apart for a signature to count. */
export class ClockSkewError extends AuthenticationError {
  override readonly name = 'ClockSkewError';
  override readonly code = 'DisClockSkew';
  /** Ours less theirs, in milliseconds; undefined if the reply had no date. */
  readonly skewMs: number | undefined;

  constructor(facts: Refusal, skewMs: number | undefined) {
    const by = skewMs === undefined ? '' : `; our clock is ${Math.round(skewMs / 1000)} s off that of the service`;
    super(facts, `${facts.label}: ${facts.serviceCode} ${facts.serviceMessage} (status ${facts.status})${by}`);
    this.skewMs = skewMs;
  }
}

/** Of the service if it named one, else ours. */
export function errorCodeOf(error: unknown): string {
  if (error instanceof RefusedError && error.serviceCode !== '') return error.serviceCode;
  return error instanceof IngestError ? error.code : 'Uncaught';
}
