import type { LosslessObject, LosslessValue } from '../../../core/lossless-json.ts';
import { InvalidRequestError } from '../client-errors.ts';
import type { Compression } from '../enums.ts';
import { JsonReader } from '../json.ts';
import type { Reply } from '../reply-body.ts';
import { parseTableSchema, type TableSchema } from '../tables/table-schema.ts';

export interface CreateWriteSessionRequest {
  /** `pt=20230101,region=us-west`; leading levels alone leave the rest to the rows. Default: the table. */
  readonly partialPartitionSpec?: string | undefined;
  /** `overwrite`, `quota_name`, `enable_schema_evolution` …; sent as texts. */
  readonly flags?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** A stream of a session. Ids are unique in it; a higher version replaces what a lower one wrote. */
export interface StreamReference {
  readonly sessionId: string;
  readonly streamId: string | number;
  /** From 1 on. Default 1. */
  readonly streamVersion?: number | undefined;
}

export interface CreateWriteStreamRequest extends StreamReference {
  /** The service keeps count of rows, and gives a token for it. Default false. */
  readonly exactlyOnceMode?: boolean | undefined;
}

export interface GetWriteStreamRequest extends StreamReference {
  /** Also asks for the row offset and a token. Default false. */
  readonly exactlyOnceMode?: boolean | undefined;
}

export interface WriteStreamRequest extends StreamReference {
  /** Rows in the body. Default: counted from the body. */
  readonly recordCount?: number | undefined;
  /** Inside the record batches; used where this client makes them. */
  readonly compression?: Compression | undefined;
  /** Of the first row, in exactly-once mode. Default −1: not sent. */
  readonly rowOffset?: number | undefined;
  /** A secret; in exactly-once mode. */
  readonly accessToken?: string | undefined;
  /** Echoed from the answer to creating the stream. */
  readonly tableId?: string | undefined;
  readonly schemaVersion?: string | undefined;
}

export type CloseWriteStreamRequest = StreamReference;

interface Answer {
  readonly requestId: string;
  readonly routeToken: string | null;
}

export interface CreateWriteSessionResponse extends Answer {
  readonly sessionId: string | null;
  readonly warningMessage: string | null;
}

export interface GetWriteSessionResponse extends Answer {
  /** Versions by stream id, as the service wrote them. */
  readonly streams: LosslessValue;
  readonly warningMessage: string | null;
  /** Of streaming modes: rows below it can be seen. */
  readonly minUncommittedStagingId: string | null;
}

export interface CreateWriteStreamResponse extends Answer {
  readonly dataSchema: TableSchema | null;
  readonly tableId: string | null;
  readonly schemaVersion: string | null;
  /** A secret; in exactly-once mode. */
  readonly accessToken: string | null;
}

export interface GetWriteStreamResponse extends CreateWriteStreamResponse {
  /** `OPEN`, `CLOSED`, `ERROR`, or a number in text. */
  readonly status: string | null;
  readonly recordCount: number | null;
  readonly byteSize: number | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly latestSchemaVersion: string | null;
  /** Rows the service has, in exactly-once mode. */
  readonly rowOffset: number | null;
}

export interface WriteStreamResponse extends Answer {
  /** As the service wrote it. */
  readonly commitMessage: LosslessValue;
  readonly warningMessage: string | null;
  /** Of the next row. */
  readonly exactlyOnceRowOffset: number | null;
  readonly stagingId: string | null;
}

export interface CloseWriteStreamResponse {
  readonly warningMessage: string | null;
  readonly requestId: string;
}

export function createWriteSessionBody({ partialPartitionSpec, flags }: CreateWriteSessionRequest): object {
  const texts = Object.entries(flags ?? {}).map(([name, value]) => [name, String(value)]);
  return { PartialPartitionSpec: partialPartitionSpec ?? '', Flags: Object.fromEntries(texts) };
}

/** @throws {InvalidRequestError} a version below 1, an id that cannot be */
export function checkStream({ streamId, streamVersion = 1 }: StreamReference): { id: string; version: number } {
  const id = String(streamId);
  if (id === '' || id.length > 1024) throw new InvalidRequestError(`the stream id must have 1 to 1024 characters`);
  if (Number.isSafeInteger(streamVersion) && streamVersion >= 1) return { id, version: streamVersion };
  throw new InvalidRequestError(`streamVersion must be a whole number of at least 1, got ${streamVersion}`);
}

export function streamQuery(stream: StreamReference): Record<string, string> {
  const { id, version } = checkStream(stream);
  return { SessionId: stream.sessionId, StreamId: id, StreamVersion: String(version) };
}

export function streamBody(request: CreateWriteStreamRequest): object {
  const { id, version } = checkStream(request);
  return { StreamId: id, StreamVersion: version, ExactlyOnceMode: request.exactlyOnceMode || undefined };
}

export function closeWriteStreamBody(request: CloseWriteStreamRequest): object {
  return { SessionId: request.sessionId, ...streamBody(request) };
}

/** All streams of the session if there is no list. */
export function commitBody(streams: readonly Omit<StreamReference, 'sessionId'>[] | undefined): object {
  if (!streams) return {};
  const checked = streams.map((stream) => checkStream({ sessionId: '', ...stream }));
  return { StreamIds: checked.map(({ id }) => id), StreamVersions: checked.map(({ version }) => version) };
}

const answerOf = (reply: Reply): Answer => ({ requestId: reply.requestId, routeToken: reply.routeToken ?? null });

export function parseWriteSession(json: LosslessObject, reply: Reply): CreateWriteSessionResponse {
  const reader = new JsonReader(json, 'TableCreateWriteSession');
  return {
    ...answerOf(reply),
    sessionId: reader.text('SessionId'),
    warningMessage: reader.text('WarningMessage'),
  };
}

export function parseGetWriteSession(json: LosslessObject, reply: Reply): GetWriteSessionResponse {
  const reader = new JsonReader(json, 'TableGetWriteSession');
  return {
    ...answerOf(reply),
    streams: reader.raw('Streams'),
    warningMessage: reader.text('WarningMessage'),
    minUncommittedStagingId: reader.text('MinUncommittedStagingId'),
  };
}

export function parseWriteStream(json: LosslessObject, reply: Reply): CreateWriteStreamResponse {
  return streamFields(new JsonReader(json, 'TableCreateWriteStream'), reply);
}

function streamFields(reader: JsonReader, reply: Reply): CreateWriteStreamResponse {
  const schema = reader.object('TableSchema');
  return {
    ...answerOf(reply),
    dataSchema: schema && parseTableSchema(schema),
    tableId: reader.text('TableId'),
    schemaVersion: reader.text('SchemaVersion'),
    accessToken: reader.text('AccessToken') || null,
  };
}

/** Servers differ in the case of the first letter. */
export function parseGetWriteStream(json: LosslessObject, reply: Reply): GetWriteStreamResponse {
  const reader = new JsonReader(json, 'TableGetWriteStream');
  return {
    ...streamFields(reader, reply),
    status: reader.text('Status', 'status'),
    recordCount: reader.integer('RecordCount', 'recordCount'),
    byteSize: reader.integer('ByteSize', 'byteSize'),
    errorCode: reader.text('ErrorCode', 'errorCode'),
    errorMessage: reader.text('ErrorMessage', 'errorMessage'),
    latestSchemaVersion: reader.text('LatestSchemaVersion', 'latestSchemaVersion'),
    rowOffset: reader.integer('RowOffset', 'rowOffset'),
  };
}

export function parseWriteRows(json: LosslessObject, reply: Reply): WriteStreamResponse {
  const reader = new JsonReader(json, 'TableWrite');
  return {
    ...answerOf(reply),
    commitMessage: reader.raw('CommitMessage'),
    warningMessage: reader.text('WarningMessage'),
    exactlyOnceRowOffset: reader.integer('ExactlyOnceRowOffset'),
    stagingId: reader.text('StagingId'),
  };
}

export function parseCloseWriteStream(json: LosslessObject, reply: Reply): CloseWriteStreamResponse {
  const reader = new JsonReader(json, 'TableCloseWriteStream');
  return { warningMessage: reader.text('WarningMessage'), requestId: reply.requestId };
}
