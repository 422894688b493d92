// What `landfall/dap` exports, by the names of the vendor's Python library in our casing.

export { type LosslessObject, type LosslessValue, parseLossless, stringifyLossless } from '../../core/lossless-json.ts';
export type { Fetch } from '../transport/reply.ts';
export { AccessToken, Credentials } from './auth.ts';
export { DapClient } from './client.ts';
export type { DownloadOptions, DownloadProgress } from './download.ts';
export {
  AccountDisabledError,
  AccountNotOnboardedError,
  AccountUnderMaintenanceError,
  AuthenticationError,
  ConnectionFailedError,
  concernsAllTables,
  DapClientError,
  DownloadCorruptError,
  DownloadError,
  DownloadTruncatedError,
  GatewayTimeoutError,
  InvalidCredentialsError,
  InvalidQueryError,
  InvalidRecordError,
  InvalidSchemaError,
  JobFailedError,
  JobPendingError,
  type Location,
  NoDataError,
  NotFoundError,
  OperationError,
  type OperationErrorBody,
  OutOfRangeError,
  type PermittedRange,
  ProcessingError,
  RateLimitedError,
  type ReplyFacts,
  ReplyTruncatedError,
  RequestTypeForbiddenError,
  ServerError,
  SessionClosedError,
  SnapshotRequiredError,
  TablesError,
  UnparsableReplyError,
  UnsafeNameError,
  ValidationError,
} from './errors.ts';
export { Instant, type InstantLike, InvalidInstantError } from './instant.ts';
export {
  type AwaitJobOptions,
  completeOrThrow,
  isAboutToExpire,
  permittedSince,
  pollDelayMs,
  type Query,
} from './jobs.ts';
export type { CallOptions } from './machine.ts';
export { checkFileName, checkObjectId } from './names.ts';
export {
  FORMATS,
  type Format,
  type IncrementalQuery,
  MODES,
  type Mode,
  type SnapshotQuery,
  type TableQuery,
} from './query.ts';
export { DEFAULT_RATE_LIMITS, type RateLimiter, type RateLimits, type Route } from './rate-limit.ts';
export { readJsonLines, readTable, type TableRecord, type TableRow } from './records.ts';
export { DEFAULT_RETRY, NO_RETRY, type RetryPolicy } from './retry.ts';
export {
  DapSession,
  type DownloadTableDataResult,
  type GetTableDataResult,
  type TableDataOptions,
  type TableDataResult,
} from './session.ts';
export { type DapClientOptions, DEFAULT_BASE_URL } from './settings.ts';
export {
  type CompleteIncrementalJob,
  type CompleteJob,
  type CompleteSnapshotJob,
  type FailedJob,
  isComplete,
  isFailed,
  isSnapshot,
  isTerminal,
  type Job,
  type JobStatus,
  type ObjectReference as Object,
  type ObjectReference,
  parseUrl,
  type Resource,
  type ResourceResult,
  type TableJob,
  type TableList,
  type TokenProperties,
  timestampOf,
  type Url as URL,
  type Url,
  type VersionedSchema,
} from './wire.ts';
