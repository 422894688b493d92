import { IngestError } from '../../core/errors.ts';
import type { Instant } from './instant.ts';

/** What a refused reply said, beside its error object. Never holds a token: the client has masked its own. */
export interface ReplyFacts {
  readonly status: number;
  /** Those that help to find the request again: `retry-after`, `date`, request ids. Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed JSON, or the text where it was none. */
  readonly body: unknown;
}

/** The error object of an envelope. Members that the service left out are empty. */
export interface OperationErrorBody {
  readonly type: string;
  readonly uuid: string;
  readonly message: string;
}

/** Misuse, a reply that cannot be understood, or a job that did not complete. Not something that the service said. */
export class DapClientError extends IngestError {
  override readonly name: string = 'DapClientError';
  readonly code: string = 'DapClient';
  readonly retryable: boolean = false;
}

/** No client id or secret, or an identifier that cannot travel in Basic credentials. Nothing was sent. */
export class InvalidCredentialsError extends DapClientError {
  override readonly name = 'InvalidCredentialsError';
  override readonly code = 'DapInvalidCredentials';
}

/** A query that the service could only refuse: unknown format, mode or member, a bad instant, `until` before `since`. Nothing was sent. */
export class InvalidQueryError extends DapClientError {
  override readonly name = 'InvalidQueryError';
  override readonly code = 'DapInvalidQuery';
}

/** An object id, job id, table or file name that would leave its folder or its place in a URL. */
export class UnsafeNameError extends DapClientError {
  override readonly name = 'UnsafeNameError';
  override readonly code = 'DapUnsafeName';
}

/** A reply of success that is not JSON, or not what the route answers. */
export class UnparsableReplyError extends DapClientError {
  override readonly name: string = 'UnparsableReplyError';
  override readonly code: string = 'DapUnparsableReply';
}

/** A table schema that is not a JSON object, or has no version. */
export class InvalidSchemaError extends UnparsableReplyError {
  override readonly name = 'InvalidSchemaError';
  override readonly code = 'DapInvalidSchema';
}

/** The service was not reached, or did not answer in time. Retryable unless the address itself is at fault. */
export class ConnectionFailedError extends DapClientError {
  override readonly name: string = 'ConnectionFailedError';
  override readonly code: string = 'DapConnectionFailed';
  override readonly retryable: boolean;

  constructor(message: string, { retryable, ...options }: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.retryable = retryable;
  }
}

/** The connection broke while a reply of the API was read. */
export class ReplyTruncatedError extends ConnectionFailedError {
  override readonly name = 'ReplyTruncatedError';
  override readonly code = 'DapReplyTruncated';
}

/** The session has been closed. */
export class SessionClosedError extends DapClientError {
  override readonly name = 'SessionClosedError';
  override readonly code = 'DapSessionClosed';
}

/** The job was still in progress when it had to be complete, or when the time to wait was over. It may complete later. */
export class JobPendingError extends DapClientError {
  override readonly name = 'JobPendingError';
  override readonly code = 'DapJobPending';
  override readonly retryable = true;
  readonly jobId: string;

  constructor(message: string, jobId: string) {
    super(message);
    this.jobId = jobId;
  }
}

/** The job ended with failure. `cause` is the `ProcessingError` with type, uuid and message. */
export class JobFailedError extends DapClientError {
  override readonly name = 'JobFailedError';
  override readonly code = 'DapJobFailed';
  override readonly retryable = true;
  readonly jobId: string;

  constructor(jobId: string, cause: OperationError) {
    super(`query job ${jobId} terminated with status: failed; ${cause.message}`, { cause });
    this.jobId = jobId;
  }
}

/** Operations on several tables of which some failed, or were skipped after an error that concerns all of them. */
export class TablesError extends DapClientError {
  override readonly name = 'TablesError';
  override readonly code = 'DapTables';
  override readonly retryable: boolean;
  readonly failures: readonly { readonly table: string; readonly error: unknown }[];
  readonly skipped: readonly string[];

  constructor(operation: string, total: number, failures: TablesError['failures'], skipped: readonly string[]) {
    const first = failures[0]?.error;
    super(
      `${operation}: ${failures.length} failed and ${skipped.length} were skipped of ${total} tables: ` +
        failures.map(({ table, error }) => `${table} (${error instanceof Error ? error.message : error})`).join(', '),
      { cause: first },
    );
    this.failures = failures;
    this.skipped = skipped;
    this.retryable = failures.every(({ error }) => error instanceof IngestError && error.retryable);
  }
}

/** Object storage refused a download, or could not be reached. */
export class DownloadError extends DapClientError {
  override readonly name: string = 'DownloadError';
  override readonly code: string = 'DapDownload';
  override readonly retryable: boolean;
  /** Of the reply; absent if there was none. */
  readonly status?: number;

  constructor(
    message: string,
    { status, retryable = false, retryAfterMs, ...options }: ErrorOptions & DownloadErrorFacts = {},
  ) {
    super(`download error: ${message}`, options);
    if (status !== undefined) this.status = status;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
    this.retryable = retryable;
  }
}

interface DownloadErrorFacts {
  readonly status?: number;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | undefined;
}

/** The body, or the gzip stream in it, ended before its end. */
export class DownloadTruncatedError extends DownloadError {
  override readonly name = 'DownloadTruncatedError';
  override readonly code = 'DapDownloadTruncated';

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, retryable: true });
  }
}

/** The bytes are not what they claim to be: a gzip stream that does not unpack, or another object than at first. */
export class DownloadCorruptError extends DownloadError {
  override readonly name = 'DownloadCorruptError';
  override readonly code = 'DapDownloadCorrupt';

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, retryable: true });
  }
}

/** A record of a downloaded file that does not parse. */
export class InvalidRecordError extends DapClientError {
  override readonly name = 'InvalidRecordError';
  override readonly code = 'DapInvalidRecord';
}

/** A reply that is none of the service's own errors. Retryable from 500 on. */
export class ServerError extends IngestError {
  override readonly name = 'ServerError';
  readonly code = 'DapServer';
  readonly retryable: boolean;
  /** Unspecified content returned by the server. */
  readonly body: unknown;
  readonly facts: ReplyFacts;

  constructor(facts: ReplyFacts) {
    super(`ServerError status=${facts.status}: ${excerpt(facts.body)}`);
    this.body = facts.body;
    this.facts = facts;
    this.retryable = facts.status >= 500 && facts.status !== 501;
  }
}

const EXCERPT_MAX_CHARS = 200;

function excerpt(body: unknown): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '');
  return text.length > EXCERPT_MAX_CHARS ? `${text.slice(0, EXCERPT_MAX_CHARS)}…` : text;
}

/** The gateway gave up waiting for the service. */
export class GatewayTimeoutError extends IngestError {
  override readonly name = 'GatewayTimeoutError';
  readonly code = 'DapGatewayTimeout';
  readonly retryable = true;
  readonly facts: ReplyFacts;

  constructor({ uuid, message }: Pick<OperationErrorBody, 'uuid' | 'message'>, facts: ReplyFacts) {
    super(`${message || 'the gateway timed out'}${uuid ? ` uuid=${uuid}` : ''}`);
    this.facts = facts;
  }
}

/** An error that the service reported. `uuid` is what its support asks for. */
export class OperationError extends IngestError {
  override readonly name: string = 'OperationError';
  readonly code: string = 'DapOperation';
  readonly retryable: boolean = false;
  /** A machine-processable identifier of the error, as the service wrote it. */
  readonly type: string;
  readonly uuid: string;
  /** The service's own words; may be empty. */
  readonly serverMessage: string;
  readonly facts: ReplyFacts;

  constructor(body: OperationErrorBody, facts: ReplyFacts, className = 'OperationError') {
    // The service's own text may be empty, so that the rest has to be enough.
    super(`${className} type=${body.type} uuid=${body.uuid}${body.message ? `: ${body.message}` : ''}`);
    this.type = body.type;
    this.uuid = body.uuid;
    this.serverMessage = body.message;
    this.facts = facts;
  }
}

/** Wrong client id or secret, or a token that is refused although it was just renewed. */
export class AuthenticationError extends OperationError {
  override readonly name = 'AuthenticationError';
  override readonly code = 'DapAuthentication';
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'AuthenticationError');
  }
}

/** The organisation has not been set up for this service. */
export class AccountNotOnboardedError extends OperationError {
  override readonly name = 'AccountNotOnboardedError';
  override readonly code = 'DapAccountNotOnboarded';
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'AccountNotOnboardedError');
  }
}

/** The organisation is set up, but its access is forbidden. */
export class AccountDisabledError extends OperationError {
  override readonly name = 'AccountDisabledError';
  override readonly code = 'DapAccountDisabled';
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'AccountDisabledError');
  }
}

/** The organisation's data is being worked on; it comes back. */
export class AccountUnderMaintenanceError extends OperationError {
  override readonly name = 'AccountUnderMaintenanceError';
  override readonly code = 'DapAccountUnderMaintenance';
  override readonly retryable = true;
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'AccountUnderMaintenanceError');
  }
}

/** The organisation may not make requests of this kind. */
export class RequestTypeForbiddenError extends OperationError {
  override readonly name = 'RequestTypeForbiddenError';
  override readonly code = 'DapRequestTypeForbidden';
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'RequestTypeForbiddenError');
  }
}

/** Where in a request the service found fault. Each counts from 1. */
export interface Location {
  readonly line: number;
  readonly column: number;
  /** From the beginning of the input. */
  readonly character: number;
}

/** The service could not read the request. */
export class ValidationError extends OperationError {
  override readonly name = 'ValidationError';
  override readonly code = 'DapValidation';
  readonly location?: Location;
  constructor(body: OperationErrorBody, facts: ReplyFacts, location?: Location) {
    super(body, facts, 'ValidationError');
    if (location) this.location = location;
  }
}

/** A namespace, table, job or object that does not exist, or whose time is over. */
export class NotFoundError extends OperationError {
  override readonly name = 'NotFoundError';
  override readonly code = 'DapNotFound';
  /** The name of the table, the id of the job, …; empty if the service did not say. */
  readonly id: string;
  /** `namespace`, `table`, `object` or `job`; empty if the service did not say. */
  readonly kind: string;
  constructor(body: OperationErrorBody, facts: ReplyFacts, { id, kind }: { id: string; kind: string }) {
    super(body, facts, 'NotFoundError');
    // The service's text may be the same for every table.
    if (id && !this.message.includes(id)) this.message += ` (${kind || 'id'} ${JSON.stringify(id)})`;
    this.id = id;
    this.kind = kind;
  }
}

/** What the service permits; absent where it did not say. */
export interface PermittedRange {
  /** The earliest permitted instant. */
  readonly since?: Instant;
  /** The latest permitted instant. */
  readonly until?: Instant;
}

/** `since` or `until` lies outside of what the service keeps. */
export class OutOfRangeError extends OperationError implements PermittedRange {
  override readonly name = 'OutOfRangeError';
  override readonly code = 'DapOutOfRange';
  readonly since?: Instant;
  readonly until?: Instant;
  constructor(body: OperationErrorBody, facts: ReplyFacts, { since, until }: PermittedRange) {
    super(body, facts, 'OutOfRangeError');
    if (since) this.since = since;
    if (until) this.until = until;
  }
}

/** The table was reloaded, so the changes after `since` are gone; only a new snapshot brings it up to date. */
export class SnapshotRequiredError extends OperationError implements PermittedRange {
  override readonly name = 'SnapshotRequiredError';
  override readonly code = 'DapSnapshotRequired';
  readonly since?: Instant;
  readonly until?: Instant;
  constructor(body: OperationErrorBody, facts: ReplyFacts, { since, until }: PermittedRange) {
    super(body, facts, 'SnapshotRequiredError');
    if (since) this.since = since;
    if (until) this.until = until;
  }
}

/** A job, or a request, ended with an unexpected error of the service. Starting again often helps. */
export class ProcessingError extends OperationError {
  override readonly name: string = 'ProcessingError';
  override readonly code: string = 'DapProcessing';
  override readonly retryable = true;
  constructor(body: OperationErrorBody, facts: ReplyFacts, className = 'ProcessingError') {
    super(body, facts, className);
  }
}

/** There is nothing in the range yet. Means: no change, the watermark stays. */
export class NoDataError extends ProcessingError {
  override readonly name = 'NoDataError';
  override readonly code = 'DapNoData';
  constructor(body: OperationErrorBody, facts: ReplyFacts) {
    super(body, facts, 'NoDataError');
  }
}

/** Too many requests of this kind in a minute. */
export class RateLimitedError extends OperationError {
  override readonly name = 'RateLimitedError';
  override readonly code = 'DapRateLimited';
  override readonly retryable = true;
  constructor(body: OperationErrorBody, facts: ReplyFacts, retryAfterMs?: number) {
    super(body, facts, 'RateLimitedError');
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Whether an error concerns every table, so that going on with the next one is of no use: credentials, account, a service
 * that cannot be understood, misuse, cancellation. What befell one job, schema or file does not.
 */
export function concernsAllTables(error: unknown): boolean {
  if (!(error instanceof IngestError)) return true;
  if (OF_ONE_TABLE.some((kind) => error instanceof kind)) return false;
  return OF_ALL_TABLES.some((kind) => error instanceof kind);
}

const OF_ONE_TABLE = [JobFailedError, JobPendingError, DownloadError, UnsafeNameError, InvalidSchemaError];
const OF_ALL_TABLES = [
  DapClientError,
  ServerError,
  AuthenticationError,
  AccountNotOnboardedError,
  AccountDisabledError,
  AccountUnderMaintenanceError,
];
