import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { stringifyLossless } from '../../core/lossless-json.ts';
import { Api } from './api.ts';
import { type DownloadOptions, Downloads, openBytes } from './download.ts';
import { DapClientError, JobPendingError, NoDataError } from './errors.ts';
import { fillWhole, writeWhole } from './file.ts';
import { Instant } from './instant.ts';
import { type AwaitJobOptions, completeOrThrow, Jobs, type Query } from './jobs.ts';
import { type CallOptions, Machine } from './machine.ts';
import { checkFileName, checkObjectId, pathSegment } from './names.ts';
import { type IncrementalQuery, isIncremental, queryBody, type SnapshotQuery } from './query.ts';
import type { Settings } from './settings.ts';
import { forEachTable } from './tables.ts';
import {
  isComplete,
  type Job,
  type ObjectReference,
  parseJob,
  parseResourceResult,
  parseTableList,
  parseVersionedSchema,
  type Resource,
  timestampOf,
  type VersionedSchema,
} from './wire.ts';

/** What a query came to. */
export interface TableDataResult {
  /** Of the records. Compare it with the schema at hand before parsing. */
  readonly schemaVersion: number;
  /** The state of the table that was read; `since` of the next incremental query. */
  readonly timestamp: Instant;
  /** Empty if there was nothing in the range, so that the service made no job. */
  readonly jobId: string;
}

export interface DownloadTableDataResult extends TableDataResult {
  readonly downloadedFiles: readonly string[];
}

export interface GetTableDataResult extends TableDataResult {
  readonly objects: readonly ObjectReference[];
}

export interface TableDataOptions extends AwaitJobOptions, DownloadOptions {}

/**
 * An authenticated session. Every method may throw, besides what it names: `AuthenticationError` and the account errors;
 * `RateLimitedError`, `GatewayTimeoutError`, `ServerError`, `ProcessingError` and `ConnectionFailedError` once repeating
 * did not help; `UnparsableReplyError`; `SessionClosedError`; and the reason of an aborted `signal`.
 */
export class DapSession implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #api: Api;
  readonly #jobs: Jobs;
  readonly #downloads: Downloads;

  constructor(settings: Settings) {
    this.#machine = new Machine(settings);
    this.#api = new Api(this.#machine);
    this.#jobs = new Jobs(this.#machine, {
      start: (namespace, table, query, signal) => this.#start(namespace, table, query, signal),
      get: (jobId, signal) => this.getJob(jobId, { signal }),
    });
    this.#downloads = new Downloads(this.#machine, (objects, signal) => this.getResources(objects, { signal }));
  }

  /** Ends all calls that are under way. May be called again. */
  async close(): Promise<void> {
    this.#machine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Fetches a token unless the one at hand has more than five minutes left. Other methods do so by themselves. */
  async authenticate(options: CallOptions = {}): Promise<void> {
    await this.#api.authenticate(this.#machine.signalOf(options));
  }

  /**
   * Starts a query for the present state of a table, or finds the equal one that was started before.
   *
   * @throws {InvalidQueryError} before anything is sent
   * @throws {NotFoundError} no such namespace or table
   */
  async querySnapshot(namespace: string, table: string, query: SnapshotQuery, options: CallOptions = {}): Promise<Job> {
    if (isIncremental(query)) throw new DapClientError('querySnapshot takes no since; use queryIncremental');
    return this.#start(namespace, table, query, this.#machine.signalOf(options));
  }

  /**
   * Starts a query for what changed since an instant, or finds the equal one that was started before.
   *
   * @throws {InvalidQueryError} before anything is sent
   * @throws {OutOfRangeError} since or until are outside of what the service keeps
   * @throws {SnapshotRequiredError} the table was reloaded
   * @throws {NotFoundError} no such namespace or table
   */
  async queryIncremental(
    namespace: string,
    table: string,
    query: IncrementalQuery,
    options: CallOptions = {},
  ): Promise<Job> {
    if (!isIncremental(query)) throw new DapClientError('queryIncremental needs since; use querySnapshot');
    return this.#start(namespace, table, query, this.#machine.signalOf(options));
  }

  /** The tables of a namespace, in the order of the service. @throws {NotFoundError} no such namespace */
  async getTables(namespace: string, options: CallOptions = {}): Promise<string[]> {
    const path = `/query/${pathSegment(namespace, 'the namespace')}/table`;
    const signal = this.#machine.signalOf(options);
    const reply = await this.#api.call('tables', { method: 'GET', path, takesScope: true }, signal);
    return [...parseTableList(reply).tables];
  }

  /** All tables of a namespace for `all`, else the names of a list with commas. */
  async getTableList(namespace: string, tables: string, options: CallOptions = {}): Promise<string[]> {
    if (tables.trim() === 'all') return this.getTables(namespace, options);
    return [...new Set(tables.split(',').map((table) => table.trim()))].filter((table) => table !== '');
  }

  /**
   * @throws {NotFoundError} no such namespace or table
   * @throws {InvalidSchemaError} the schema is not a JSON object
   */
  async getTableSchema(namespace: string, table: string, options: CallOptions = {}): Promise<VersionedSchema> {
    const path = `${tablePath(namespace, table)}/schema`;
    const signal = this.#machine.signalOf(options);
    return parseVersionedSchema(await this.#api.call('schema', { method: 'GET', path, takesScope: true }, signal));
  }

  /**
   * Saves the schema as `<table>_schema_version_<version>.json` in a folder, which is made if it is missing.
   *
   * @returns the path of the file
   */
  async downloadTableSchema(
    namespace: string,
    table: string,
    outputDirectory: string,
    options: CallOptions = {},
  ): Promise<string> {
    checkFileName(table, 'the table');
    await mkdir(outputDirectory, { recursive: true });
    const { schema, version } = await this.getTableSchema(namespace, table, options);
    const path = join(outputDirectory, `${table}_schema_version_${version}.json`);
    await writeWhole(path, Readable.from([Buffer.from(stringifyLossless({ schema, version }, 4))]));
    return path;
  }

  /** @throws {NotFoundError} no such job, or its 24 hours are over */
  async getJob(jobId: string, options: CallOptions = {}): Promise<Job> {
    const path = `/job/${pathSegment(jobId, 'the job id')}`;
    const signal = this.#machine.signalOf(options);
    const job = parseJob(await this.#api.call('job', { method: 'GET', path }, signal));
    return this.#known(job);
  }

  /** A `JobStatus`, or a word that is newer than this client. */
  async getJobStatus(jobId: string, options: CallOptions = {}): Promise<Job['status']> {
    return (await this.getJob(jobId, options)).status;
  }

  /**
   * @throws {JobPendingError} the job is in progress
   * @throws {JobFailedError} it failed
   */
  async getObjects(jobId: string, options: CallOptions = {}): Promise<ObjectReference[]> {
    return [...completeOrThrow(await this.getJob(jobId, options)).objects];
  }

  /**
   * Trades object ids for URLs, all in one call. How many the service takes at once is not published; 50 are safe.
   *
   * @returns resources by object id
   * @throws {NotFoundError} an object is unknown, or its job's 24 hours are over
   */
  async getResources(
    objects: readonly ObjectReference[],
    options: CallOptions = {},
  ): Promise<Readonly<Record<string, Resource>>> {
    const body = objects.map(({ id }) => ({ id: checkObjectId(id) }));
    const signal = this.#machine.signalOf(options);
    const reply = await this.#api.call('urls', { method: 'POST', path: '/object/url', body }, signal);
    return parseResourceResult(reply).urls;
  }

  /** {@link downloadResource} for each, at most 4 at a time; paths in the order of the resources. */
  async downloadResources(
    resources: readonly Resource[],
    outputDirectory: string,
    decompress = false,
    options: DownloadOptions = {},
  ): Promise<string[]> {
    return this.#downloads.resources(resources, outputDirectory, decompress, options);
  }

  /**
   * Saves a resource under the last segment of its URL's path. The file appears once it is whole and its gzip stream has
   * been seen to end.
   *
   * @param decompress unpacks on the way, and drops a `.gz` at the end of the name
   * @returns the path of the file
   * @throws {DownloadError} object storage refused, with its status: 403 if the URL has expired
   * @throws {DownloadTruncatedError} the body, or the gzip stream, keeps ending early
   * @throws {DownloadCorruptError} what came is not gzip, or not the object that it was at first
   * @throws {UnsafeNameError} a name that is no file name
   */
  async downloadResource(
    resource: Resource,
    outputDirectory: string,
    decompress = false,
    options: DownloadOptions = {},
  ): Promise<string> {
    return (await this.#downloads.resources([resource], outputDirectory, decompress, options))[0]!;
  }

  /**
   * Saves objects as {@link downloadResource} does, at most 4 at a time. Ids are traded just in time, and again when a URL
   * has expired.
   *
   * @returns paths in the order of the objects
   * @throws {UnsafeNameError} an object id that would leave its folder, or two objects of one file name
   */
  async downloadObjects(
    objects: readonly ObjectReference[],
    outputDirectory: string,
    decompress = false,
    options: DownloadOptions = {},
  ): Promise<string[]> {
    return this.#downloads.objects(objects, outputDirectory, decompress, options);
  }

  /** {@link downloadObjects} for one. */
  async downloadObject(
    object: ObjectReference,
    outputDirectory: string,
    decompress = false,
    options: DownloadOptions = {},
  ): Promise<string> {
    return (await this.#downloads.objects([object], outputDirectory, decompress, options))[0]!;
  }

  /**
   * The stored bytes of a resource as a stream, still packed. A connection that breaks is taken up again.
   *
   * @throws {DownloadError} the server refused, with its status
   */
  async streamResource(resource: Resource, options: CallOptions = {}): Promise<Readable> {
    const bytes = await openBytes(this.#machine, resource, this.#machine.signalOf(options));
    return Readable.from(bytes, { objectMode: false });
  }

  /** As {@link streamResource} for an object: its URL is also traded again when it has expired. */
  streamObject(object: ObjectReference, options: CallOptions = {}): Readable {
    checkObjectId(object.id);
    return Readable.from(this.#downloads.bytes(object, this.#machine.signalOf(options)), { objectMode: false });
  }

  /**
   * Waits until a job ends: looks after 5 s, and then ever later, up to every 60 s.
   *
   * @throws {JobPendingError} `deadline` or the job's `expires_at` came first
   */
  async awaitJob(job: Job, options: AwaitJobOptions = {}): Promise<Job> {
    return this.#jobs.awaitJob(job, options);
  }

  /** Starts a query and waits until its job ends. A job that failed is started again twice before it is returned. */
  async executeJob(namespace: string, table: string, query: Query, options: AwaitJobOptions = {}): Promise<Job> {
    return this.#jobs.execute(namespace, table, query, options);
  }

  /**
   * Executes a query and saves its files to `<outputDirectory>/job_<job id>/`, a folder that appears once all are there.
   *
   * @param decompress not for Parquet, which is compressed inside
   * @throws {JobFailedError} with the `ProcessingError` as its cause
   * @throws {DapClientError} and what {@link downloadObjects} throws
   */
  async downloadTableData(
    namespace: string,
    table: string,
    query: Query,
    outputDirectory: string,
    decompress = false,
    options: TableDataOptions = {},
  ): Promise<DownloadTableDataResult> {
    if (decompress && query.format === 'parquet') throw new DapClientError('parquet files cannot be decompressed');
    await mkdir(outputDirectory, { recursive: true });
    return this.#unlessEmpty(namespace, table, query, options, { downloadedFiles: [] as readonly string[] }, () =>
      this.#jobs.complete(namespace, table, query, options, async ({ id }) => {
        const { objects, ...result } = await this.#result(id, options);
        const folder = join(outputDirectory, `job_${checkFileName(id, 'the job id')}`);
        const files = await fillWhole(folder, (filling) =>
          this.#downloads
            .objects(objects, filling, decompress, options)
            .then((paths) => paths.map((path) => basename(path))),
        );
        return { ...result, downloadedFiles: files.map((name) => join(folder, name)) };
      }),
    );
  }

  /**
   * Executes a query, and tells the objects it made.
   *
   * @throws {JobFailedError} with the `ProcessingError` as its cause
   */
  async getTableData(
    namespace: string,
    table: string,
    query: Query,
    options: AwaitJobOptions = {},
  ): Promise<GetTableDataResult> {
    return this.#unlessEmpty(namespace, table, query, options, { objects: [] as readonly ObjectReference[] }, () =>
      this.#jobs.complete(namespace, table, query, options, ({ id }) => this.#result(id, options)),
    );
  }

  /** {@link downloadTableData} for each table of a list such as `all` or `users,courses`, one after the other. */
  async downloadTablesData(
    namespace: string,
    tables: string | readonly string[],
    query: Query,
    outputDirectory: string,
    decompress = false,
    options: TableDataOptions = {},
  ): Promise<DownloadTableDataResult[]> {
    const work = (of: string, table: string) =>
      this.downloadTableData(of, table, query, outputDirectory, decompress, options);
    return this.executeOperationOnTables(namespace, tables, 'download of data', work, options);
  }

  /** {@link downloadTableSchema} for each table of a list such as `all` or `users,courses`, one after the other. */
  async downloadTablesSchema(
    namespace: string,
    tables: string | readonly string[],
    outputDirectory: string,
    options: CallOptions = {},
  ): Promise<string[]> {
    const work = (of: string, table: string) => this.downloadTableSchema(of, table, outputDirectory, options);
    return this.executeOperationOnTables(namespace, tables, 'download of schemas', work, options);
  }

  /**
   * Does something to one table after the other.
   *
   * @throws {TablesError} at the end, saying which failed, and how many were skipped after an error that concerns all
   */
  async executeOperationOnTables<T>(
    namespace: string,
    tables: string | readonly string[],
    operation: string,
    work: (namespace: string, table: string) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T[]> {
    const signal = this.#machine.signalOf(options);
    const list = typeof tables === 'string' ? await this.getTableList(namespace, tables, options) : tables;
    return forEachTable(this.#machine, namespace, list, operation, work, signal);
  }

  async #start(namespace: string, table: string, query: Query, signal: AbortSignal): Promise<Job> {
    const body = queryBody(query);
    const path = `${tablePath(namespace, table)}/data`;
    return this.#known(
      parseJob(await this.#api.call('start', { method: 'POST', path, body, takesScope: true }, signal)),
    );
  }

  #known(job: Job): Job {
    if (!KNOWN_STATUSES.has(job.status)) {
      this.#machine.settings.logger.warn('a job has a status that is not known; it counts as in progress', {
        jobId: job.id,
        status: job.status.slice(0, 100),
      });
    }
    return job;
  }

  /** Asks again for the job, as the list of objects of the reply to the start may be that of another moment. */
  async #result(jobId: string, options: CallOptions): Promise<GetTableDataResult> {
    const job = await this.getJob(jobId, options);
    if (!isComplete(job)) throw new JobPendingError(`job ${jobId} was complete and is ${job.status}`, jobId);
    const { schema_version, objects } = job;
    return { schemaVersion: schema_version, timestamp: timestampOf(job), jobId, objects };
  }

  /** "There is no data yet" is no failure of an incremental query: nothing changed, and its watermark stays. */
  async #unlessEmpty<T extends object>(
    namespace: string,
    table: string,
    query: Query,
    options: CallOptions,
    nothing: T,
    work: () => Promise<T & TableDataResult>,
  ): Promise<T & TableDataResult> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NoDataError) || !isIncremental(query)) throw error;
      const { version } = await this.getTableSchema(namespace, table, options);
      return { ...nothing, schemaVersion: version, timestamp: Instant.from(query.since), jobId: '' };
    }
  }
}

const KNOWN_STATUSES: ReadonlySet<string> = new Set(['waiting', 'running', 'complete', 'failed']);

function tablePath(namespace: string, table: string): string {
  return `/query/${pathSegment(namespace, 'the namespace')}/table/${pathSegment(table, 'the table')}`;
}
