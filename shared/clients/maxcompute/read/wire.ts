import type { LosslessObject } from '../../../core/lossless-json.ts';
import { InvalidRequestError } from '../client-errors.ts';
import { type Compression, SessionStatus, SplitMode, TimestampUnit } from '../enums.ts';
import { JsonReader } from '../json.ts';
import { parseTableSchema, type TableSchema } from '../tables/table-schema.ts';

export interface SplitOptions {
  /** Default `Size`. */
  readonly splitMode?: SplitMode | undefined;
  /** Always `ByteSize`. */
  readonly splitUnit?: string | undefined;
  /** Bytes, splits or rows: see {@link SplitMode}. Default 256 MiB, in `Size` mode; others need it, but `Bucket`. */
  readonly splitNumber?: number | undefined;
  /** Whether one split may hold rows of two partitions. Default true. */
  readonly crossPartition?: boolean | undefined;
}

export interface ArrowOptions {
  /** Of `timestamp` columns. Default `nano`. */
  readonly timestampUnit?: TimestampUnit | undefined;
  /** Of `datetime` columns. Default `milli`. */
  readonly dateTimeUnit?: TimestampUnit | undefined;
}

/** What changed between two versions or instants. Which words and bounds the service takes is not published. */
export interface IncrementalReadOptions {
  readonly mode?: string | undefined;
  /** `YYYY-MM-DD hh:mm:ss`. */
  readonly startTimeStamp?: string | undefined;
  readonly endTimeStamp?: string | undefined;
  readonly startVersion?: bigint | number | undefined;
  readonly endVersion?: bigint | number | undefined;
}

export interface CreateReadSessionRequest {
  /** Default: all columns. */
  readonly requiredDataColumns?: readonly string[] | undefined;
  readonly requiredPartitionColumns?: readonly string[] | undefined;
  /** Like `pt=20230101`, several levels with commas. Default: all partitions. */
  readonly requiredPartitions?: readonly string[] | undefined;
  readonly requiredBucketIds?: readonly (string | number)[] | undefined;
  readonly splitOptions?: SplitOptions | undefined;
  readonly arrowOptions?: ArrowOptions | undefined;
  /** SQL-like. */
  readonly filterPredicate?: string | undefined;
  /** The service filters by itself where the files cannot, instead of refusing. Default false. */
  readonly filterPredicateFallback?: boolean | undefined;
  /** Default 0: no limit. */
  readonly splitMaxFileNum?: number | undefined;
  readonly incrementalRead?: boolean | undefined;
  readonly incrementalReadOptions?: IncrementalReadOptions | undefined;
}

export interface DataFormat {
  /** Default `Arrow`. */
  readonly type: string;
  /** Default `V5`. */
  readonly version: string;
}

export const DEFAULT_DATA_FORMAT: DataFormat = { type: 'Arrow', version: 'V5' };

export interface ReadStreamRequest {
  readonly sessionId: string;
  /** From 0. Without it and `rowOffset`, the whole session. */
  readonly splitIndex?: number | undefined;
  /** From 0. */
  readonly rowOffset?: number | undefined;
  /** Default: all from `rowOffset` on. */
  readonly rowCount?: number | undefined;
  /** Default 4096. */
  readonly maxBatchRows?: number | undefined;
  /** Default 0. */
  readonly skipRowNum?: number | undefined;
  /** Bytes before packing. Default 0: no limit. */
  readonly maxBatchRawSize?: number | undefined;
  readonly dataFormat?: DataFormat | undefined;
  /** A part of the session's columns. Default: all of them. */
  readonly dataColumns?: readonly string[] | undefined;
  /** Lets the service choose the order of the columns. Default false. */
  readonly dataColumnsUnordered?: boolean | undefined;
  readonly compression?: Compression | undefined;
}

export interface PreviewTableRequest {
  /** Rows at most. Default: what the service thinks, some hundreds. */
  readonly limit?: number | undefined;
  readonly partition?: string | undefined;
  readonly columns?: readonly string[] | undefined;
}

export interface Column {
  readonly name: string | null;
  /** As declared: `array<struct<x:string>>`. */
  readonly type: string | null;
  readonly comment: string | null;
  readonly nullable: boolean | null;
}

export interface DataSchema {
  readonly dataColumns: readonly Column[] | null;
  readonly partitionColumns: readonly Column[] | null;
}

export interface SessionStats {
  readonly estimatedSize: number | null;
  readonly estimatedRowCount: number | null;
}

/** A read session as the service describes it. What it did not say is null. */
export interface CreateReadSessionResponse {
  readonly sessionId: string | null;
  readonly sessionStatus: SessionStatus | null;
  /** As the service wrote it. */
  readonly sessionStatusText: string | null;
  readonly sessionType: string | null;
  readonly expirationTime: Date | null;
  readonly splitsCount: number | null;
  /** Null, 0 or −1 where the service does not count. */
  readonly recordCount: number | null;
  readonly dataSchema: DataSchema | null;
  readonly supportedDataFormat: readonly DataFormat[] | null;
  readonly splitMode: string | null;
  /** The bucket behind each index, in `Bucket` mode. */
  readonly splitBucketId: readonly number[] | null;
  readonly sessionStats: SessionStats | null;
  readonly latestVersion: bigint | null;
  /** Why the status is bad. */
  readonly message: string | null;
  readonly enableLargeString: boolean | null;
  readonly incrementalReadOptions: IncrementalReadOptions | null;
  /** Of a SQL instance: the same as `sessionId`. */
  readonly downloadId: string | null;
  /** Of a SQL instance: the same as `sessionStatus`. */
  readonly status: SessionStatus | null;
  /** Of a SQL instance: its columns in the form of a write schema. */
  readonly tableSchema: TableSchema | null;
  readonly requestId: string;
  readonly routeToken: string | null;
}

export const DEFAULT_SPLIT_BYTES = 256 * 1024 * 1024;

/** @throws {InvalidRequestError} what the service could only refuse, or understand otherwise than meant */
export function createReadSessionBody(request: CreateReadSessionRequest): object {
  const { splitOptions = {}, arrowOptions = {}, incrementalReadOptions: incremental } = request;
  const splitMode = splitOptions.splitMode ?? SplitMode.SIZE;
  return {
    RequiredDataColumns: request.requiredDataColumns ?? [],
    RequiredPartitionColumns: request.requiredPartitionColumns ?? [],
    RequiredPartitions: request.requiredPartitions ?? [],
    RequiredBucketIds: (request.requiredBucketIds ?? []).map((id) => (/^\d+$/.test(String(id)) ? Number(id) : id)),
    SplitOptions: {
      SplitMode: splitMode,
      SplitUnit: splitOptions.splitUnit ?? 'ByteSize',
      SplitNumber: splitNumberOf(splitMode, splitOptions.splitNumber),
      CrossPartition: splitOptions.crossPartition ?? true,
    },
    ArrowOptions: {
      TimestampUnit: arrowOptions.timestampUnit ?? TimestampUnit.NANO,
      DatetimeUnit: arrowOptions.dateTimeUnit ?? TimestampUnit.MILLI,
    },
    FilterPredicate: request.filterPredicate ?? '',
    FilterPredicateFallback: request.filterPredicateFallback ?? false,
    SplitMaxFileNum: request.splitMaxFileNum ?? 0,
    IncrementalRead: request.incrementalRead ?? false,
    IncrementalReadOptions: incremental && {
      Mode: incremental.mode,
      StartTimeStamp: incremental.startTimeStamp,
      EndTimeStamp: incremental.endTimeStamp,
      StartVersion: incremental.startVersion,
      EndVersion: incremental.endVersion,
    },
  };
}

/** The default is a number of bytes, and would mean one huge range of rows, or as many splits. */
function splitNumberOf(mode: SplitMode, given: number | undefined): number {
  if (given !== undefined) {
    if (Number.isSafeInteger(given) && given >= 1) return given;
    throw new InvalidRequestError(`splitNumber must be a whole number of at least 1, got ${given}`);
  }
  if (mode === SplitMode.SIZE || mode === SplitMode.BUCKET) return DEFAULT_SPLIT_BYTES;
  throw new InvalidRequestError(`splitNumber is needed in ${mode} mode`);
}

export function readStreamBody(request: ReadStreamRequest): object {
  const { type, version } = request.dataFormat ?? DEFAULT_DATA_FORMAT;
  return {
    MaxBatchRows: request.maxBatchRows ?? 4096,
    SkipRowNum: Math.max(0, request.skipRowNum ?? 0),
    MaxBatchRawSize: request.maxBatchRawSize ?? 0,
    DataFormat: { Type: type, Version: version },
    DataColumns: request.dataColumns ?? [],
    DataColumnsUnordered: request.dataColumnsUnordered ?? false,
  };
}

/** @throws {InvalidRequestError} a negative or fractional index, offset or count; an index together with an offset */
export function readStreamQuery(request: ReadStreamRequest): Record<string, string | undefined> {
  const { splitIndex, rowOffset, rowCount } = request;
  for (const [name, value] of Object.entries({ splitIndex, rowOffset, rowCount })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
    throw new InvalidRequestError(`${name} must be a whole number from 0 on, got ${value}`);
  }
  return {
    Index: splitIndex === undefined ? undefined : String(splitIndex),
    Offset: rowOffset === undefined ? undefined : String(rowOffset),
    Count: rowCount ? String(rowCount) : undefined,
  };
}

export function previewTableBody({ limit, partition, columns }: PreviewTableRequest): object {
  return { Limit: limit, Partition: partition, Columns: columns?.length ? columns : undefined };
}

/** @param isInstance a SQL instance calls its session a download */
export function parseReadSession(
  json: LosslessObject,
  label: string,
  { isInstance, requestId, routeToken }: { isInstance: boolean; requestId: string; routeToken?: string | undefined },
): CreateReadSessionResponse {
  const reader = new JsonReader(json, label);
  const downloadId = reader.text('DownloadID');
  const status = reader.text('Status');
  const sessionStatus = reader.text('SessionStatus') ?? (isInstance ? status : null);
  const stats = reader.object('SessionStats');
  const incremental = reader.object('IncrementalReadOptions');
  const columns = reader.object('TableSchema');
  // The second version of the C++ client reads the list of columns under the name of the other kind of schema.
  const isReadSchema = columns?.objects('DataColumns')?.every((column) => column.raw('columnType') === null);
  const schema = reader.object('DataSchema') ?? (isReadSchema ? columns : null);
  return {
    sessionId: reader.text('SessionId') ?? (isInstance ? downloadId : null),
    sessionStatus: statusOf(sessionStatus),
    sessionStatusText: sessionStatus,
    sessionType: reader.text('SessionType'),
    expirationTime: parseInstant(reader.text('ExpirationTime')),
    splitsCount: reader.integer('SplitsCount'),
    recordCount: reader.integer('RecordCount'),
    dataSchema: schema && parseDataSchema(schema),
    supportedDataFormat:
      reader.objects('SupportedDataFormat')?.map((format) => ({
        type: format.text('Type') ?? DEFAULT_DATA_FORMAT.type,
        version: format.text('Version') ?? DEFAULT_DATA_FORMAT.version,
      })) ?? null,
    splitMode: reader.text('SplitMode'),
    splitBucketId: reader.integers('SplitBucketId'),
    sessionStats: stats && {
      estimatedSize: stats.integer('EstimatedSize'),
      estimatedRowCount: stats.integer('EstimatedRowCount'),
    },
    latestVersion: reader.bigint('LatestVersion'),
    message: reader.text('Message'),
    enableLargeString: reader.boolean('EnableLargeString'),
    incrementalReadOptions: incremental && {
      mode: incremental.text('Mode') ?? undefined,
      startTimeStamp: incremental.text('StartTimeStamp') ?? undefined,
      endTimeStamp: incremental.text('EndTimeStamp') ?? undefined,
      startVersion: incremental.bigint('StartVersion') ?? undefined,
      endVersion: incremental.bigint('EndVersion') ?? undefined,
    },
    downloadId,
    status: statusOf(status),
    tableSchema: columns && !isReadSchema ? parseTableSchema(columns) : null,
    requestId,
    routeToken: routeToken ?? null,
  };
}

function parseDataSchema(schema: JsonReader): DataSchema {
  const columnsOf = (name: string) =>
    schema.objects(name)?.map((column) => ({
      name: column.text('Name'),
      type: column.text('Type'),
      comment: column.text('Comment'),
      nullable: column.boolean('Nullable'),
    })) ?? null;
  return { dataColumns: columnsOf('DataColumns'), partitionColumns: columnsOf('PartitionColumns') };
}

/** `initiating` is what instances say for INIT. */
function statusOf(text: string | null): SessionStatus | null {
  if (!text) return null;
  const upper = text.toUpperCase();
  if (upper === 'INITIATING') return SessionStatus.INIT;
  return upper in SessionStatus ? (upper as SessionStatus) : SessionStatus.UNKNOWN;
}

/** Seconds, or milliseconds where they would be beyond the year 5138; or a date. */
function parseInstant(text: string | null): Date | null {
  if (text === null || text === '') return null;
  const number = Number(text);
  const ms = Number.isNaN(number) ? Date.parse(text) : Math.abs(number) > 1e11 ? number : number * 1000;
  return Number.isNaN(ms) || Math.abs(ms) > 8.64e15 ? null : new Date(ms);
}
