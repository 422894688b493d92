// The package `landfall`: what a pipeline is written with, and what a program of one's own needs to start a refresh and to
// read what has landed.

export { type AwsOptions, createAws, openAws } from './backends/aws.ts';
export type { Backend } from './backends/backend.ts';
export { type EmbeddedOptions, openEmbedded } from './backends/embedded.ts';
export { AddressRefusedError } from './clients/transport/addresses.ts';
export { type AggregateOptions, aggregate } from './connectors/aggregate.ts';
export {
  AsyncConnector,
  type Connection,
  type ConnectorContext,
  type CreateRequest,
  type ErrorOrigin,
  type LogLine,
  type LogsQuery,
  type MetricsQuery,
  type PollingHints,
  type Resource,
  type ResourceError,
  type TaskLog,
  type TaskLogsPage,
  type TaskLogsPart,
  type TaskMetrics,
  unknownState,
} from './connectors/async/async-connector.ts';
export { type ConnectionStore, connectionStore, type NamedConnection } from './connectors/async/connections.ts';
export type { ConnectorCheckName } from './connectors/async/connector-checks.ts';
export {
  BadTaskSpecificationError,
  type ConditionCode,
  ConnectorError,
  type ConnectorErrorOptions,
  ConnectorNotFoundError,
  DuplicateConnectorError,
} from './connectors/async/errors.ts';
export { type HttpAnswer, type HttpApi, type HttpRequest, httpApi } from './connectors/async/http-api.ts';
export { idempotencyToken } from './connectors/async/idempotency-token.ts';
export { isTerminal, PHASE_NUMBERS, type Phase } from './connectors/async/phases.ts';
export { type ConnectorInfo, ConnectorRegistry, type TaskCategory } from './connectors/async/registry.ts';
export { jsonResourceMeta, type ResourceMetaCodec } from './connectors/async/resource-meta.ts';
export { type TaskServiceOptions, taskService } from './connectors/async/service.ts';
export type { OnMetrics, ServiceMetric } from './connectors/async/service-metrics.ts';
export type {
  CreateCall,
  ExternalJob,
  TaskCall,
  TaskService,
  TaskTypeInfo,
} from './connectors/async/task-service.ts';
export type { TaskExecutionMetadata, TaskPolicy, TaskTemplate } from './connectors/async/task-template.ts';
export { parseTaskTemplate } from './connectors/async/templates.ts';
export {
  type ConnectorCheckReport,
  ConnectorTestError,
  type TestConnectorOptions,
  testConnector,
} from './connectors/async/test-connector.ts';
export type { ConnectorScenarios } from './connectors/async/test-run.ts';
export { type CodeListing, type CodeOptions, code, type PythonMetadata } from './connectors/code/code.ts';
export {
  type Acknowledgement,
  type BytesConnector,
  type Chunks,
  type Claim,
  type ContextRun,
  ExclusiveUseError,
  InvalidListingError,
  type Listed,
  type Listing,
  type ListRun,
  type Metadata,
  type ReadRun,
  type RecordsConnector,
  type RecordsSource,
  type RecordTyping,
  type RunInfo,
  type Source,
  SourceChangedError,
  type SourceRecord,
  SourceRefusedError,
  SourceTruncatedError,
} from './connectors/connector.ts';
export { type DapOptions, dap } from './connectors/dap/dap.ts';
export { type DisOptions, type DisStart, dis } from './connectors/dis/dis.ts';
export type { Framing } from './connectors/dis/framing.ts';
export { type FilesOptions, files } from './connectors/files/files.ts';
export { type GoogleSheetsOptions, googleSheets } from './connectors/google-sheets/google-sheets.ts';
export { http } from './connectors/http/http.ts';
export type { HttpOptions } from './connectors/http/options.ts';
export { maxcompute } from './connectors/maxcompute/maxcompute.ts';
export type { IncrementalOptions, MaxComputeOptions, SplitOption } from './connectors/maxcompute/options.ts';
export { type RangeReaderOptions, rangeReader } from './connectors/ranges.ts';
export { type S3Options, s3 } from './connectors/s3/s3.ts';
export { ContextError } from './connectors/service.ts';
export { type Clock, systemClock } from './core/clock.ts';
export type { Environment } from './core/env.ts';
export { type ErrorFacts, errorFacts, IngestError, InvalidInputError, RetryableError } from './core/errors.ts';
export type { JsonObject, JsonValue } from './core/json.ts';
export { jsonLogger, type Logger, type LogLevel, silentLogger } from './core/logger.ts';
export { Redactor } from './core/redaction.ts';
export { latestKey } from './landing/keys.ts';
export {
  type LatestManifest,
  type LeafEntry,
  ManifestDamagedError,
  type ManifestLeaf,
  manifestLeaves,
  type NodeManifest,
  readLatest,
  readNodeManifest,
} from './landing/manifest.ts';
export { ObjectMissingError, type Objects, StorageError } from './landing/objects.ts';
export { DuplicatePartitionError } from './listing/listing.ts';
export { type ConnectorApiOptions, openConnectorApi } from './operations/connector-api.ts';
export { type OpenRefreshOptions, openRefresh } from './operations/open.ts';
export { externalTasks } from './operations/tasks.ts';
export { InvalidPipelineError, type PipelineCatalog, UnknownPipelineError } from './pipelines/catalog.ts';
export {
  definePipeline,
  type FailurePolicy,
  type LandOptions,
  type Pipeline,
  type PipelineOptions,
  type SecretReference,
  secret,
} from './pipelines/define.ts';
export { loadPipelines } from './pipelines/folder.ts';
export { InvalidMessageError, type StartRefreshRequest } from './queue/messages.ts';
export { type Queues, QueueUnavailableError } from './queue/queue.ts';
export { RemovalHeldError } from './refresh/delete-guard.ts';
export type { RefreshDeps } from './refresh/deps.ts';
export { TooManyFailedError } from './refresh/publish.ts';
export { WorkerLostError } from './refresh/read-group.ts';
export {
  EmptyPartitionError,
  InvalidChunkError,
  LandingMismatchError,
  PartitionTooLongError,
} from './refresh/read-partition.ts';
export { StuckError } from './refresh/walk.ts';
export { type RunRecord, type RunState, RunStore } from './runs/store.ts';
export { SecretMissingError, type Secrets, SecretUnreadableError } from './secrets/secrets.ts';
export { type DisStreamOptions, disStream } from './sinks/dis/sink.ts';
export { type MaxComputeTableOptions, maxComputeTable, type ObjectColumns } from './sinks/maxcompute/sink.ts';
export { type S3SinkOptions, s3Sink } from './sinks/s3/sink.ts';
export { type SqlDatabaseOptions, sqlDatabase } from './sinks/sql/sink.ts';
export { PipelinePausedError, type StartRefreshAnswer, startRefresh } from './steps/start-refresh.ts';
export { type Table, type Tables, TableUnavailableError } from './tables/table.ts';
