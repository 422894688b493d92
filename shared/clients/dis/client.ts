import { Api, type ApiRequest, type CallOptions } from './api.ts';
import {
  type App,
  type AppConsumption,
  type Checkpoint,
  parseApp,
  parseApps,
  parseCheckpoint,
  parseConsumptions,
} from './apps.ts';
import {
  type AppAttributes,
  appBody,
  type CheckpointAttributes,
  checkpointBody,
  type DumpTaskAttributes,
  dumpTaskBody,
  LAST_READ,
  type StreamAttributes,
  streamBody,
} from './attributes.ts';
import { writeRecordsCsv } from './csv.ts';
import { type CursorParameters, cursorQuery, type DataCursor, parseCursor } from './cursor.ts';
import { type DumpTask, parseDumpTask, parseDumpTasks } from './dump-tasks.ts';
import { InvalidAttributeError, NotFoundError, RefusedError } from './errors.ts';
import { isGone, isScaled, isStreamAs, isTaskAs, isThere } from './has-worked.ts';
import { jsonOf, mediaTypeOf } from './http.ts';
import {
  checkAppName,
  checkId,
  checkPartitionId,
  checkStreamName,
  checkTaskName,
  checkWhole,
  PARTITIONS_PAGE,
  STREAMS_PAGE,
} from './limits.ts';
import { camelKeys } from './names.ts';
import {
  type AppConsumptionsParameters,
  type AppsParameters,
  type CreatedApp,
  type CreatedCheckpoint,
  type CreatedDumpTask,
  type CreatedStream,
  type CursorArgument,
  checkpointQuery,
  type DownloadOptions,
  pageSize,
  pages,
  type StreamsParameters,
  tasksOf,
  textOf,
  typeOf,
} from './parameters.ts';
import { PartitionReader, type ReadOptions } from './reader.ts';
import type { DisRecord, DownloadedData, UploadRecord } from './records.ts';
import { parseDownloadJson, parseRecordsJson } from './records-json.ts';
import { PROTOBUF, PROTOBUF_CONTENT_TYPE, parseDownloadProtobuf } from './records-protobuf.ts';
import { type DisClientOptions, settingsOf } from './settings.ts';
import { hasMorePartitions, parseStream, parseStreams, type Stream } from './streams.ts';
import { type UploadedBatch, Uploader, type UploadOptions } from './upload.ts';
import { type UploadDataOptions, type UploadedData, uploadAll } from './upload-data.ts';

/**
 * The Data Ingestion Service of one project. Every method may throw, besides what it names: `AuthenticationError` and
 * `ForbiddenError`; `ThrottledError`, `ServerError` and `ConnectionFailedError` once repeating did not help;
 * `ReplyTimeoutError`, `UnparsableReplyError`, `ClientClosedError`; and the reason of an aborted `signal`.
 */
export class DisClient implements AsyncDisposable {
  readonly #api: Api;

  /**
   * @param options with `env: process.env`, `DIS_ENDPOINT`, `DIS_PROJECT_ID`, `DIS_REGION`, `DIS_ACCESS_KEY`,
   *   `DIS_SECRET_KEY` and `DIS_TOKEN` are the defaults
   * @throws {InvalidCredentialsError} there are none
   * @throws {InvalidSettingError} a setting out of its limits, naming it
   */
  constructor(options: DisClientOptions = {}) {
    this.#api = new Api(settingsOf(options));
  }

  /** Ends all calls that are under way. May be called again. */
  async close(): Promise<void> {
    this.#api.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The stream is there within seconds: `status` tells when it is RUNNING.
   *
   * @returns what was sent
   * @throws {InvalidNameError} {@link OutOfLimitsError} before anything is sent
   * @throws {AlreadyExistsError} {@link QuotaError}
   */
  async createStream(attributes: StreamAttributes, options: CallOptions = {}): Promise<CreatedStream> {
    const body = streamBody(attributes);
    const name = body.stream_name as string;
    await this.#write({ method: 'POST', path: ['streams'] }, body, options, (refusal) =>
      isThere(refusal, async () => isStreamAs(await this.getStream(name, options), body)),
    );
    const { streamName: _, autoScaleEnabled, ...rest } = camelKeys(body) as Record<string, unknown>;
    const isAutoScaleEnabled = autoScaleEnabled === undefined ? {} : { isAutoScaleEnabled: autoScaleEnabled };
    return { ...rest, ...isAutoScaleEnabled, name } as CreatedStream;
  }

  /** All streams by name, page after page as they are asked for; one page if there is a `limit`. */
  streams(parameters: StreamsParameters = {}, options: CallOptions = {}): AsyncGenerator<Stream> {
    const { limit, startStreamName } = parameters;
    const size = pageSize(limit, STREAMS_PAGE);
    return pages(startStreamName, limit !== undefined, async (start) =>
      parseStreams(await this.#read(['streams'], { limit: size, start_stream_name: start }, options)),
    );
  }

  /** With all its partitions. @throws {NotFoundError} no such stream */
  async getStream(
    stream: string,
    options: CallOptions & { readonly streamId?: string | undefined } = {},
  ): Promise<Stream> {
    const path = ['streams', checkStreamName(stream)];
    const query = { limit_partitions: PARTITIONS_PAGE.max, stream_id: options.streamId };
    let body = await this.#read(path, query, options);
    const first = parseStream(body);
    const partitions = [...(first.partitions ?? [])];
    while (hasMorePartitions(body) && partitions.length > 0) {
      const known = partitions.length;
      body = await this.#read(path, { ...query, start_partitionId: partitions.at(-1)!.partitionId }, options);
      partitions.push(...(parseStream(body).partitions ?? []));
      if (partitions.length === known) break;
    }
    return first.partitions ? { ...first, partitions } : first;
  }

  /** @throws {NotFoundError} no such stream, unless that is to be ignored */
  async deleteStream(streamName: string, ignoreMissing = false, options: CallOptions = {}): Promise<void> {
    await this.#delete(['streams', checkStreamName(streamName)], undefined, ignoreMissing, options);
  }

  /**
   * Starts scaling; it is done when `writablePartitionCount` is `count`.
   *
   * @throws {NotFoundError} {@link QuotaError}
   */
  async updateStreamPartition(streamName: string, count: number, options: CallOptions = {}): Promise<void> {
    const body = {
      stream_name: checkStreamName(streamName),
      target_partition_count: checkWhole('the count', count, 1),
    };
    await this.#write({ method: 'PUT', path: ['streams', streamName] }, body, options, (refusal) =>
      isScaled(refusal, count, () => this.getStream(streamName, options)),
    );
  }

  /** @returns what was sent. @throws {AlreadyExistsError} {@link QuotaError} */
  async createApp(attributes: AppAttributes, options: CallOptions = {}): Promise<CreatedApp> {
    const body = appBody(attributes);
    const name = body.app_name as string;
    await this.#write({ method: 'POST', path: ['apps'] }, body, options, (refusal) =>
      isThere(refusal, async () => (await this.getApp(name, options)).name === name),
    );
    return { name };
  }

  /** All apps by name, page after page as they are asked for; one page if there is a `limit`. */
  apps(parameters: AppsParameters = {}, options: CallOptions = {}): AsyncGenerator<App> {
    const { limit, startAppName, streamName } = parameters;
    const size = pageSize(limit, STREAMS_PAGE);
    return pages(startAppName, limit !== undefined, async (start) =>
      parseApps(await this.#read(['apps'], { limit: size, start_app_name: start, stream_name: streamName }, options)),
    );
  }

  /** @throws {NotFoundError} no such app */
  async getApp(appName: string, options: CallOptions = {}): Promise<App> {
    return parseApp(await this.#read(['apps', checkAppName(appName)], {}, options));
  }

  /** How far an app has read each partition of a stream. @throws {NotFoundError} no such app or stream */
  appConsumptions(
    streamName: string,
    appName: string,
    parameters: AppConsumptionsParameters = {},
    options: CallOptions = {},
  ): AsyncGenerator<AppConsumption> {
    const { limit, startPartitionId, checkpointType = LAST_READ, streamId } = parameters;
    const path = ['apps', checkAppName(appName), 'streams', checkStreamName(streamName)];
    const query = {
      checkpoint_type: typeOf(checkpointType),
      limit: pageSize(limit, PARTITIONS_PAGE),
      stream_id: streamId,
    };
    const start = startPartitionId === undefined ? undefined : checkPartitionId(startPartitionId);
    return pages(start, limit !== undefined, async (after) =>
      parseConsumptions(await this.#read(path, { ...query, start_partition_id: after }, options)),
    );
  }

  /** @throws {NotFoundError} no such app, unless that is to be ignored; {@link ConflictError} it is in use */
  async deleteApp(appName: string, ignoreMissing = false, options: CallOptions = {}): Promise<void> {
    await this.#delete(['apps', checkAppName(appName)], undefined, ignoreMissing, options);
  }

  /**
   * Keeps how far an app has read a partition: the number of the last record that is done. Nothing stops two workers from
   * overwriting each other's.
   *
   * @returns what was sent
   * @throws {OutOfRangeError} the number is not in the range of the partition, or no longer
   * @throws {NotFoundError} no such app, stream or partition
   */
  async createCheckpoint(attributes: CheckpointAttributes, options: CallOptions = {}): Promise<CreatedCheckpoint> {
    const body = checkpointBody(attributes);
    await this.#write({ method: 'POST', path: ['checkpoints'] }, body, options);
    const sent = camelKeys(body) as Record<string, unknown>;
    return { ...sent, sequenceNumber: BigInt(body.sequence_number as string) } as CreatedCheckpoint;
  }

  /** `sequenceNumber` is -1 if nothing was committed. @throws {NotFoundError} no such app, stream or partition */
  async getCheckpoint(
    streamName: string,
    appName: string,
    partitionId: string | number,
    checkpointType: string = LAST_READ,
    options: CallOptions = {},
  ): Promise<Checkpoint> {
    const query = checkpointQuery(streamName, appName, checkPartitionId(partitionId), checkpointType);
    return parseCheckpoint(await this.#read(['checkpoints'], query, options));
  }

  /** Of one partition, or of all if none is given. */
  async deleteCheckpoint(
    streamName: string,
    appName: string,
    partitionId?: string | number,
    checkpointType: string = LAST_READ,
    options: CallOptions = {},
  ): Promise<void> {
    const partition = partitionId === undefined || partitionId === null ? undefined : checkPartitionId(partitionId);
    const query = checkpointQuery(streamName, appName, partition, checkpointType);
    await this.#delete(['checkpoints'], query, false, options);
  }

  /**
   * Uploads the records of a list, or of a CSV file with a column `data`, in requests near the limits. At least once: a
   * request whose answer was lost is sent again, and its records may be stored twice.
   *
   * @returns a result for each record, in order, also where some failed
   * @throws {RecordTooLargeError} {@link InvalidRecordError} {@link InvalidCsvError} before anything is sent
   * @throws what the first request comes to, if it fails as a whole
   */
  async uploadData(streamName: string, options: UploadDataOptions): Promise<UploadedData> {
    return uploadAll(this.#api, { streamName: checkStreamName(streamName), streamId: options.streamId }, options);
  }

  /**
   * Uploads any number of records as they come, in constant memory, and tells of each batch once it is settled. A batch
   * that fails as a whole ends it, after those that were under way.
   */
  uploadBatches(
    streamName: string,
    records: Iterable<UploadRecord> | AsyncIterable<UploadRecord>,
    options: UploadOptions = {},
  ): AsyncGenerator<UploadedBatch> {
    const target = { streamName: checkStreamName(streamName), streamId: options.streamId };
    return new Uploader(this.#api, target, options).batches(records, this.#api.signalOf(options));
  }

  /**
   * Where a partition is read from; the cursor lives five minutes.
   *
   * @throws {OutOfRangeError} the number is not in the range of the partition
   * @throws {InvalidRequestError} the time is before the oldest record
   * @throws {GoneError} the partition has expired; {@link NotFoundError} no such stream or partition
   */
  async getDataCursor(
    streamName: string,
    partitionId: string | number,
    parameters: CursorParameters = {},
    options: CallOptions = {},
  ): Promise<DataCursor> {
    return parseCursor(await this.#read(['cursors'], cursorQuery(streamName, partitionId, parameters), options));
  }

  /**
   * The records at a cursor, and the cursor that comes after them. Or, with `filename`, writes them to a CSV file with the
   * columns sequence_number, data (base64), timestamp, timestamp_type.
   *
   * @throws {ExpiredCursorError} after five minutes
   * @throws {InvalidCursorError} it cannot be read, or its stream was deleted and created again
   * @throws {NotFoundError} its stream was deleted; {@link ExpiredPositionError} the record has aged out
   */
  async downloadData(
    cursor: CursorArgument,
    options?: DownloadOptions & { filename?: undefined },
  ): Promise<DownloadedData>;
  async downloadData(cursor: CursorArgument, options: DownloadOptions & { filename: string }): Promise<undefined>;
  async downloadData(
    cursor: CursorArgument,
    options: DownloadOptions & { filename?: string | undefined } = {},
  ): Promise<DownloadedData | undefined> {
    const { filename, maxFetchBytes, appName } = options;
    const data = await this.#download(textOf(cursor), maxFetchBytes, appName, this.#api.signalOf(options));
    if (filename === undefined) return data;
    await writeRecordsCsv(filename, data.records);
    return undefined;
  }

  /**
   * The records of one partition in order, for ever or up to an end, with at most one answer read ahead.
   *
   * @throws {OutOfRangeError} {@link ExpiredPositionError} the position is no longer readable, and `onLost` is `fail`
   * @throws {StalledReadError} records that are due do not come
   */
  async *readRecords(
    streamName: string,
    partitionId: string | number,
    options: ReadOptions = {},
  ): AsyncGenerator<DisRecord> {
    for await (const page of this.readPages(streamName, partitionId, options)) yield* page;
  }

  /** As {@link readRecords}, a list for each answer: cheaper, where there are many. */
  readPages(
    streamName: string,
    partitionId: string | number,
    options: ReadOptions = {},
  ): AsyncGenerator<readonly DisRecord[]> {
    const { streamId } = options;
    const calls = {
      cursor: async (start: CursorParameters, signal: AbortSignal) =>
        (await this.getDataCursor(streamName, partitionId, { ...start, streamId }, { signal })).partitionCursor,
      download: (cursor: string, maxFetchBytes: number | undefined, signal: AbortSignal) =>
        this.#download(cursor, maxFetchBytes, undefined, signal),
    };
    const what = `partition ${checkPartitionId(partitionId)} of ${checkStreamName(streamName)}`;
    return new PartitionReader(this.#api, what, calls, options).pages(this.#api.signalOf(options));
  }

  /**
   * @returns what was sent
   * @throws {OutOfLimitsError} {@link InvalidAttributeError} {@link InvalidNameError} before anything is sent
   * @throws {AlreadyExistsError} {@link QuotaError} {@link DumpTargetError} {@link NotFoundError}
   */
  async createDumpTask(
    streamName: string,
    attributes: DumpTaskAttributes,
    options: CallOptions = {},
  ): Promise<CreatedDumpTask> {
    const body = dumpTaskBody(attributes);
    const sent = camelKeys(body) as CreatedDumpTask;
    const taskName = sent.obsDestinationDescriptor?.taskName;
    await this.#write({ method: 'POST', path: tasksOf(streamName) }, body, options, (refusal) =>
      isThere(refusal, async () => {
        if (taskName === undefined) return false;
        return isTaskAs(await this.getDumpTask(streamName, taskName, options), sent);
      }),
    );
    return sent;
  }

  /** At most five. @throws {NotFoundError} no such stream */
  async *dumpTasks(streamName: string, options: CallOptions = {}): AsyncGenerator<DumpTask> {
    yield* parseDumpTasks(await this.#read(tasksOf(streamName), {}, options));
  }

  /** @throws {NotFoundError} no such stream or task */
  async getDumpTask(streamName: string, taskName: string, options: CallOptions = {}): Promise<DumpTask> {
    return parseDumpTask(await this.#read([...tasksOf(streamName), checkTaskName(taskName)], {}, options));
  }

  /** By name. @throws {NotFoundError} no such stream or task, unless that is to be ignored */
  async deleteDumpTask(
    streamName: string,
    taskName: string,
    ignoreMissing = false,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#delete([...tasksOf(streamName), checkTaskName(taskName)], undefined, ignoreMissing, options);
  }

  /** By id, one or more. @throws {NotFoundError} one of them is unknown; then none is started */
  async startDumpTask(streamName: string, ...taskIds: readonly (string | readonly string[])[]): Promise<void> {
    await this.#act('start', streamName, taskIds.flat());
  }

  /** By id, one or more. @throws {NotFoundError} one of them is unknown; then none is paused */
  async pauseDumpTask(streamName: string, ...taskIds: readonly (string | readonly string[])[]): Promise<void> {
    await this.#act('stop', streamName, taskIds.flat());
  }

  async #act(action: 'start' | 'stop', streamName: string, taskIds: readonly string[]): Promise<void> {
    if (taskIds.length === 0) throw new InvalidAttributeError('at least one task id must be given');
    const tasks = taskIds.map((id) => ({ id: checkId('the task id', id) }));
    await this.#write({ method: 'POST', path: [...tasksOf(streamName), 'action'] }, { action, tasks }, {});
  }

  async #download(
    cursor: string,
    maxFetchBytes: number | undefined,
    appName: string | undefined,
    signal: AbortSignal,
  ): Promise<DownloadedData> {
    if (maxFetchBytes !== undefined) checkWhole('maxFetchBytes', maxFetchBytes, 1);
    const contentType = this.#api.settings.recordFormat === 'protobuf' ? PROTOBUF_CONTENT_TYPE : undefined;
    const query = { 'partition-cursor': cursor, max_fetch_bytes: maxFetchBytes, app_name: appName };
    const reply = await this.#api.send({ method: 'GET', path: ['records'], query, contentType }, signal);
    if (!reply) return { records: [], nextPartitionCursor: cursor };
    if (mediaTypeOf(reply) === PROTOBUF) return parseDownloadProtobuf(reply.bytes);
    return parseDownloadJson(jsonOf(reply, parseRecordsJson), reply.bytes);
  }

  #read(path: readonly string[], query: ApiRequest['query'], options: CallOptions): Promise<unknown> {
    return this.#api.json({ method: 'GET', path, query }, this.#api.signalOf(options));
  }

  async #write(
    request: Pick<ApiRequest, 'method' | 'path'>,
    body: object,
    options: CallOptions,
    hasWorked: ApiRequest['hasWorked'] = async () => false,
  ): Promise<void> {
    const encoded = Buffer.from(JSON.stringify(body));
    await this.#api.send({ ...request, body: encoded, hasWorked }, this.#api.signalOf(options));
  }

  async #delete(
    path: readonly string[],
    query: ApiRequest['query'],
    ignoreMissing: boolean,
    options: CallOptions,
  ): Promise<void> {
    try {
      await this.#api.send({ method: 'DELETE', path, query, hasWorked: isGone }, this.#api.signalOf(options));
    } catch (error) {
      const isMissing = error instanceof NotFoundError || (error instanceof RefusedError && error.status === 404);
      if (!ignoreMissing || !isMissing) throw error;
    }
  }
}
