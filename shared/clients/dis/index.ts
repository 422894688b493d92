// What `landfall/dis` exports. Methods have the names of the reference Python client in our casing.
export type { CallOptions } from './api.ts';
export { type App, type AppConsumption, type Checkpoint, NOTHING_READ } from './apps.ts';
export type {
  AppAttributes,
  CheckpointAttributes,
  DumpTaskAttributes,
  ObsDestination,
  StreamAttributes,
} from './attributes.ts';
export { DisClient } from './client.ts';
export type { AccessKeys, Credentials, PasswordLogin, ProjectToken } from './credentials.ts';
export { csvRecords, writeRecordsCsv } from './csv.ts';
export { CURSOR_TYPES, type CursorParameters, type CursorStart, type CursorType, type DataCursor } from './cursor.ts';
export type { DumpTask, DumpTaskPartition } from './dump-tasks.ts';
export {
  AlreadyExistsError,
  AuthenticationError,
  ClientClosedError,
  ClockSkewError,
  ConflictError,
  ConnectionFailedError,
  DisError,
  DumpTargetError,
  ExpiredCursorError,
  ExpiredPositionError,
  errorCodeOf,
  ForbiddenError,
  GoneError,
  InvalidAttributeError,
  InvalidCredentialsError,
  InvalidCsvError,
  InvalidCursorError,
  InvalidNameError,
  InvalidRecordError,
  InvalidRequestError,
  InvalidSettingError,
  NotFoundError,
  OutOfLimitsError,
  OutOfRangeError,
  QuotaError,
  RecordTooLargeError,
  type Refusal,
  RefusedError,
  ReplyTimeoutError,
  ReplyTruncatedError,
  ServerError,
  StalledReadError,
  ThrottledError,
  TooLargeError,
  UnknownRefusalError,
  UnparsableReplyError,
} from './errors.ts';
export { BATCH_MAX_BYTES, BATCH_MAX_RECORDS, RECORD_MAX_BYTES } from './limits.ts';
export type {
  AppConsumptionsParameters,
  AppsParameters,
  CreatedApp,
  CreatedCheckpoint,
  CreatedDumpTask,
  CreatedStream,
  CursorArgument,
  DownloadOptions,
  StreamsParameters,
} from './parameters.ts';
export { hashOfKey, hashOfRecord, hashRanges, longPartitionId, MAX_INT64, partitionIndexOf } from './partition.ts';
export type { LostRange, ReadOptions } from './reader.ts';
export type {
  DataEncoding,
  DisRecord,
  DownloadedData,
  FailedRecord,
  RecordResult,
  StoredRecord,
  UploadRecord,
} from './records.ts';
export { DEFAULT_RETRY, NO_RETRY, type Repetition, type RetryPolicy } from './retry.ts';
export { type DisClientOptions, endpointOfRegion, type RecordFormat } from './settings.ts';
export {
  ALGORITHMS,
  type Algorithm,
  type Signable,
  type Signature,
  Signer,
  type SigningKeys,
  sdkDate,
} from './sign.ts';
export type { Partition, PartitionCountChange, Stream, Tag } from './streams.ts';
export type { UploadedBatch, UploadOptions } from './upload.ts';
export type { UploadDataOptions, UploadedData } from './upload-data.ts';
