import { isObject } from '../../core/json.ts';
import type { LosslessObject, LosslessValue } from '../../core/lossless-json.ts';
import { InvalidSchemaError, type OperationErrorBody, UnparsableReplyError } from './errors.ts';
import { Instant, InvalidInstantError } from './instant.ts';
import { checkObjectId } from './names.ts';

// Records as the service writes them, with its own member names, and the parsers that admit them. A member that is
// absent may be null as well; one that nobody has told us of is ignored.

/** An absolute URL of http or https. A pre-signed one is a key to what it names: it belongs into no log or message. */
export type Url = string & { readonly [url]: true };
declare const url: unique symbol;

/** A file of a job, by an opaque identifier such as `<job id>/part-00000.json.gz`. Exists for 24 hours. */
export interface ObjectReference {
  readonly id: string;
}

/** A pre-signed URL to an object, good for about 15 minutes, to be fetched without authentication. */
export interface Resource {
  readonly url: Url;
}

export interface VersionedSchema {
  /** JSON Schema; integers beyond 2^53 in it are `bigint`. */
  readonly schema: LosslessObject;
  /** Only ever grows. */
  readonly version: number;
}

export type JobStatus = 'waiting' | 'running' | 'complete' | 'failed';

/** True for `complete` and `failed` only: a status that nobody has named yet is not the end. */
export function isTerminal(status: string): boolean {
  return status === 'complete' || status === 'failed';
}

/** A job in progress, and what all jobs have. */
export interface TableJob {
  readonly id: string;
  /** A `JobStatus`, or a word that is newer than this client. */
  readonly status: JobStatus | (string & {});
  /** When the job and its objects are gone: 24 hours after its start. */
  readonly expires_at?: Instant;
}

export interface CompleteJob extends TableJob {
  readonly status: 'complete';
  /** Empty if nothing changed. */
  readonly objects: readonly ObjectReference[];
  readonly schema_version: number;
}

export interface CompleteSnapshotJob extends CompleteJob {
  /** The state of the table that was read; the `since` of the next incremental query. */
  readonly at: Instant;
}

export interface CompleteIncrementalJob extends CompleteJob {
  readonly since: Instant;
  /** The `since` of the next incremental query. May equal this one's. */
  readonly until: Instant;
}

export interface FailedJob extends TableJob {
  readonly status: 'failed';
  readonly error: OperationErrorBody;
}

export type Job = TableJob | CompleteSnapshotJob | CompleteIncrementalJob | FailedJob;

export const isFailed = (job: Job): job is FailedJob => job.status === 'failed';
export const isComplete = (job: Job): job is CompleteSnapshotJob | CompleteIncrementalJob => job.status === 'complete';
export const isSnapshot = (job: Job): job is CompleteSnapshotJob => isComplete(job) && 'at' in job;

/** The instant that a complete job stands for: where the next incremental query begins. */
export const timestampOf = (job: CompleteSnapshotJob | CompleteIncrementalJob): Instant =>
  'at' in job ? job.at : job.until;

export interface TableList {
  readonly tables: readonly string[];
}

export interface ResourceResult {
  readonly urls: Readonly<Record<string, Resource>>;
}

/** What the token route answers. Only the token counts; the rest is informational. */
export interface TokenProperties {
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly scope?: string;
  readonly token_type?: string;
}

export function parseTableList(body: LosslessValue): TableList {
  const { tables } = record(body, 'table list');
  if (!Array.isArray(tables) || !tables.every((table) => typeof table === 'string')) wrong('table list', 'tables');
  return { tables };
}

/** @throws {InvalidSchemaError} a schema that is not an object, or a version that is not an integer */
export function parseVersionedSchema(body: LosslessValue): VersionedSchema {
  const { schema, version } = record(body, 'schema');
  if (!isObject(schema)) throw new InvalidSchemaError('the schema of the table is not a JSON object');
  if (!isInteger(version)) throw new InvalidSchemaError('the schema of the table has no version');
  return { schema: schema as LosslessObject, version };
}

/**
 * `failed` or an error make a failed job, `at` a snapshot, `until` an incremental one; anything else is in progress.
 *
 * @throws {UnparsableReplyError} a complete job without what belongs to it
 * @throws {UnsafeNameError} an object id that would leave its folder
 */
export function parseJob(body: LosslessValue): Job {
  const job = record(body, 'job');
  const { id, status, error } = job;
  if (typeof id !== 'string' || id === '') wrong('job', 'id');
  if (typeof status !== 'string') wrong('job', 'status');
  const base = { id, ...optionalInstant(job, 'expires_at') };
  if (status === 'failed' || present(error))
    return { ...base, status: 'failed', error: parseOperationErrorBody(error) };
  if (status !== 'complete') return { ...base, status };
  const { objects, schema_version } = job;
  if (!isInteger(schema_version)) wrong('job', 'schema_version');
  const complete = { ...base, status, objects: parseObjects(objects), schema_version } as const;
  if (present(job.at)) return { ...complete, at: instant(job, 'at') };
  return { ...complete, since: instant(job, 'since'), until: instant(job, 'until') };
}

/** The members that every error has; one that is missing is empty. */
export function parseOperationErrorBody(error: unknown): OperationErrorBody {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const { type, uuid, message } = isObject(error) ? error : {};
  return { type: text(type), uuid: text(uuid), message: text(message) };
}

export function parseResourceResult(body: LosslessValue): ResourceResult {
  const { urls } = record(body, 'list of URLs');
  if (!isObject(urls)) wrong('list of URLs', 'urls');
  const resources: Record<string, Resource> = Object.create(null);
  for (const [id, resource] of Object.entries(urls)) {
    const location = isObject(resource) ? resource.url : undefined;
    if (typeof location !== 'string' || !isUrl(location)) {
      throw new UnparsableReplyError(`the list of URLs has none for object ${JSON.stringify(id)}`);
    }
    resources[id] = { url: location };
  }
  return { urls: resources };
}

export function parseTokenProperties(body: LosslessValue): TokenProperties {
  const { access_token, expires_in, scope, token_type } = record(body, 'token');
  if (typeof access_token !== 'string' || access_token === '') wrong('token', 'access_token');
  return {
    access_token,
    ...(typeof expires_in === 'number' && { expires_in }),
    ...(typeof scope === 'string' && { scope }),
    ...(typeof token_type === 'string' && { token_type }),
  };
}

/** @throws {UnparsableReplyError} not an absolute URL of http or https; the message does not show it */
export function parseUrl(text: string): Url {
  if (!isUrl(text)) throw new UnparsableReplyError('a resource has no URL of http or https');
  return text;
}

function isUrl(text: string): text is Url {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

function parseObjects(value: unknown): ObjectReference[] {
  if (!Array.isArray(value)) wrong('job', 'objects');
  return value.map((object: unknown) => {
    if (!isObject(object) || typeof object.id !== 'string') wrong('job', 'objects');
    return { id: checkObjectId(object.id) };
  });
}

function optionalInstant<N extends string>(of: Record<string, unknown>, name: N): { readonly [name in N]?: Instant } {
  return present(of[name]) ? ({ [name]: instant(of, name) } as { readonly [name in N]?: Instant }) : {};
}

function instant(of: Record<string, unknown>, name: string): Instant {
  const text = of[name];
  if (typeof text !== 'string') wrong('job', name);
  try {
    return Instant.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInstantError)) throw error;
    throw new UnparsableReplyError(`the job has no valid member ${name}: ${error.message}`);
  }
}

function record(body: LosslessValue, what: string): Record<string, unknown> {
  if (!isObject(body)) throw new UnparsableReplyError(`the reply is no ${what}: not a JSON object`);
  return body;
}

function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(what: string, member: string): never {
  throw new UnparsableReplyError(`the ${what} has no valid member ${member}`);
}
