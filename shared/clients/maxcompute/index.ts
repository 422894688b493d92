// What `landfall/maxcompute` exports, by the names of the vendor's Python library in our casing.
export { messagesFrom } from './arrow/encode.ts';
export { type ArrowMessage, messagesOf } from './arrow/messages.ts';
export { batchOfRows, type Row, type RowValue, rowsOfBatch } from './arrow/rows.ts';
export { arrowSchemaOf, schemaDifferences } from './arrow/schema-check.ts';
export type { ApplicationKey, BearerCredentials, Credentials, KeyCredentials } from './auth/accounts.ts';
export { BlobReader, type BlobRecord } from './blob/reader.ts';
export type { ReadBlobRequest, WriteBlobRequest, WriteBlobResponse } from './blob/wire.ts';
export { type BlobSource, BlobWriteItem, type BlobWriteOptions, type FrameTarget } from './blob/write-item.ts';
export type { CallOptions } from './caller.ts';
export { MaxComputeClient } from './client.ts';
export {
  ChecksumMismatchError,
  CommitOutcomeUnknownError,
  ConnectionFailedError,
  ConnectionLostError,
  ConnectionRefusedError,
  CorruptStreamError,
  EmptyBodyError,
  InstanceReadOnlyError,
  InvalidCredentialsError,
  InvalidRequestError,
  MaxComputeClientError,
  MissingAccessTokenError,
  RowCountMismatchError,
  SchemaMismatchError,
  SessionClosedError,
  SessionExpiredError,
  SessionFailedError,
  SessionNotReadyError,
  SourceLengthError,
  SplitIndexOutOfRangeError,
  StreamTruncatedError,
  UnparsableReplyError,
  UnsupportedStreamError,
  WriteOutcomeUnknownError,
  WrongRowOffsetError,
} from './client-errors.ts';
export {
  ChecksumType,
  Compression,
  SessionStatus,
  SplitMode,
  Status,
  supportsV3,
  TimestampUnit,
  toCompressionName,
  toContentCoding,
  WriteMode,
} from './enums.ts';
export {
  AccessDeniedError,
  AuthenticationRequestExpiredError,
  AuthorizationRequiredError,
  BadGatewayError,
  BadRequestError,
  ConflictError,
  DataVersionError,
  FlowExceededError,
  InstanceTypeNotSupportedError,
  InternalConnectionError,
  InternalServerError,
  InvalidAccessKeyIdError,
  InvalidArgumentError,
  InvalidParameterError,
  InvalidPartitionSpecError,
  InvalidRowRangeError,
  InvalidStateSettingError,
  MalformedDataStreamError,
  MetaTransactionFailedError,
  MissingContentLengthError,
  NoPermissionError,
  NoSuchObjectError,
  NoSuchPartitionError,
  NoSuchProjectError,
  NoSuchSchemaError,
  NoSuchSessionError,
  NoSuchStreamError,
  NoSuchTableError,
  QpsExceededError,
  QuotaNotExistError,
  RequestQuotaExceededError,
  RequestTimeTooSkewedError,
  RequestTooLargeError,
  RowOffsetConflictError,
  SchemaModifiedError,
  ServiceError,
  type ServiceErrorFacts,
  ServiceUnavailableError,
  SignatureNotMatchError,
  SlotExceededError,
  StatusConflictError,
  TableModifiedError,
  UnauthorizedError,
} from './errors.ts';
export type { Fetch, FetchInit, FetchReply } from './http.ts';
export type { RowStream } from './read/row-stream.ts';
export type {
  IndexSplit,
  OpenReadSessionOptions,
  ReadSession,
  RowRangeSplit,
  Split,
  SplitReadOptions,
} from './read/session.ts';
export type {
  ArrowOptions,
  Column,
  CreateReadSessionRequest,
  CreateReadSessionResponse,
  DataFormat,
  DataSchema,
  IncrementalReadOptions,
  PreviewTableRequest,
  ReadStreamRequest,
  SessionStats,
  SplitOptions,
} from './read/wire.ts';
export type { GetReadSessionOptions, InstanceDialect, ReadOptions, WaitOptions } from './read-api.ts';
export { DEFAULT_RETRY, NO_RETRY, type RetryPolicy } from './retry.ts';
export type { MaxComputeClientOptions, RetryEvent } from './settings.ts';
export type { StorageApi } from './storage-api.ts';
export type { ActionOptions } from './storage-base.ts';
export { type ChangeStamp, changeStamp } from './tables/changes.ts';
export type { ListedTable, MetadataColumn, PartitionMetadata, TableMetadata } from './tables/metadata.ts';
export { blobColumnIds, columnIds, type TableSchema, type TypeName, type WriteColumn } from './tables/table-schema.ts';
export { type InstanceName, partitionSpec, type TableName } from './target.ts';
export type { OpenStreamOptions, OpenWriteSessionOptions, StreamState, WriteSession } from './write/session.ts';
export type { WriteOptions, WriteStream } from './write/stream.ts';
export type {
  CloseWriteStreamRequest,
  CloseWriteStreamResponse,
  CreateWriteSessionRequest,
  CreateWriteSessionResponse,
  CreateWriteStreamRequest,
  CreateWriteStreamResponse,
  GetWriteSessionResponse,
  GetWriteStreamRequest,
  GetWriteStreamResponse,
  StreamReference,
  WriteStreamRequest,
  WriteStreamResponse,
} from './write/wire.ts';
