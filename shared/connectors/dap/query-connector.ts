import { classifyFailure } from '../../clients/dap/classify.ts';
import {
  AuthenticationError,
  ConnectionFailedError,
  type DapSession,
  FORMATS,
  type Format,
  GatewayTimeoutError,
  Instant,
  isAboutToExpire,
  isComplete,
  isFailed,
  type Job,
  MODES,
  type Mode,
  NoDataError,
  NotFoundError,
  OutOfRangeError,
  ProcessingError,
  permittedSince,
  type Query,
  RateLimitedError,
  timestampOf,
  UnsafeNameError,
} from '../../clients/dap/index.ts';
import { IngestError } from '../../core/errors.ts';
import { sha256Hex } from '../../core/ids.ts';
import { isObject, type JsonObject } from '../../core/json.ts';
import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type Resource,
  unknownState,
} from '../async/async-connector.ts';
import { BadTaskSpecificationError, type ConditionCode, ConnectorError } from '../async/errors.ts';
import { jsonResourceMeta } from '../async/resource-meta.ts';
import { type DapEndpoint, type DapEnvironment, openSession } from './access.ts';

/** What `custom` of a `dap.query` template says. */
export interface DapQuerySettings extends DapEndpoint {
  readonly namespace: string;
  readonly table: string;
  readonly format: Format;
  readonly mode?: Mode;
  /** Absent: a snapshot. Else what changed since this watermark, in the service's own words. */
  readonly since?: string;
}

/** What a query came to: the outputs of its task. */
export type DapQueryOutputs = JsonObject & {
  /** Absent if there was nothing in the range, so that the service made no job. */
  readonly jobId?: string;
  readonly objects: string[];
  readonly schemaVersion?: number;
  /** The state of the table that was read: `since` of the next query, in the service's own words. */
  readonly watermark: string;
  /** When the job's objects are gone. */
  readonly expiresAt?: string;
};

export interface DapQueryHandle extends DapEndpoint {
  /** Absent if there was nothing to be read. */
  readonly jobId?: string;
  readonly since?: string;
}

const EXPIRY_GUARD_SECONDS = 30;
/** What fails inside the service is given this long before it is asked again. */
const AFTER_PROCESSING_MS = 30_000;
/** Waited beyond the guard, so that the job is gone when its query is started again. */
const GUARD_EXTRA_MS = 5000;

/**
 * A query of DAP as an external job: `dap.query`. An equal query returns the job that is there, so `create` may be repeated.
 *
 * Connection: the secret `credential` (`{"clientId", "clientSecret"}`), or `clientId` and `clientSecret`. Outputs: see
 * {@link DapQueryOutputs}.
 */
export class DapQueryConnector extends AsyncConnector<DapQueryHandle> {
  override readonly name = 'DAP query';
  readonly taskTypeName = 'dap.query';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  // As published: 500 looks and 5 starts a minute.
  override readonly polling = { pollMaxSeconds: 60, callsPerSecond: 8, burst: 20, startsPerMinute: 5 };
  readonly #environment: DapEnvironment;
  readonly #sessions = new Map<string, DapSession>();

  constructor(environment: DapEnvironment = {}) {
    super();
    this.#environment = environment;
  }

  async create({ taskTemplate }: CreateRequest, context: ConnectorContext): Promise<DapQueryHandle> {
    const { namespace, table, baseUrl, apiPathPrefix, ...query } = parseSettings(taskTemplate.custom);
    const endpoint = { ...(baseUrl ? { baseUrl } : {}), ...(apiPathPrefix ? { apiPathPrefix } : {}) };
    const since = query.since === undefined ? {} : { since: query.since };
    const session = this.#session(endpoint, context);
    try {
      const job = await start(session, namespace, table, query as Query, context.signal);
      const nowMs = context.clock().getTime();
      if (isAboutToExpire(job, nowMs, EXPIRY_GUARD_SECONDS)) throw new ExpiringJobError(job.id);
      return { ...endpoint, ...since, jobId: job.id };
    } catch (error) {
      // Nothing is there yet, or nothing later than our own watermark: no change, and the watermark stays.
      if (query.since !== undefined && isNoChange(error, query.since)) return { ...endpoint, ...since };
      throw named(error);
    }
  }

  async get(handle: DapQueryHandle, context: ConnectorContext): Promise<Resource> {
    const { jobId, since } = handle;
    if (jobId === undefined) return { phase: 'SUCCEEDED', outputs: { objects: [], watermark: since! } };
    try {
      return resourceOf(await this.#session(handle, context).getJob(jobId, { signal: context.signal }), since, context);
    } catch (error) {
      if (error instanceof NotFoundError)
        throw new ConnectorError('ResourceGone', { message: error.message, cause: error });
      // A reply that no repetition will mend: the job is as good as failed, for a reason with a name.
      if (error instanceof UnsafeNameError) return failedFor(error);
      throw named(error);
    }
  }

  /** The service has no way to stop a query; it ends by itself, and its results are gone after a day. */
  async delete(): Promise<void> {}

  #session(endpoint: DapEndpoint, { connection, logger }: ConnectorContext): DapSession {
    const { credential, clientId, clientSecret } = connection.secrets;
    const secret = credential ?? (clientId && clientSecret ? `${clientId}:${clientSecret}` : undefined);
    if (secret === undefined)
      throw new BadTaskSpecificationError(
        'dap.query needs a connection with the secret credential, or clientId and clientSecret',
      );
    const key = sha256Hex(JSON.stringify([endpoint.baseUrl, endpoint.apiPathPrefix, secret]));
    const known = this.#sessions.get(key);
    if (known) return known;
    const opened = openSession(secret, endpoint, logger, this.#environment);
    this.#sessions.set(key, opened);
    return opened;
  }
}

/** A watermark that lost its fraction lies just before what is permitted; then that is used, once. */
async function start(
  session: DapSession,
  namespace: string,
  table: string,
  query: Query,
  signal: AbortSignal,
): Promise<Job> {
  const send = (wanted: Query) =>
    'since' in wanted && wanted.since !== undefined
      ? session.queryIncremental(namespace, table, wanted, { signal })
      : session.querySnapshot(namespace, table, wanted, { signal });
  try {
    return await send(query);
  } catch (error) {
    const since = permittedSince(query, error);
    if (!since) throw error;
    return send({ ...query, since } as Query);
  }
}

function isNoChange(error: unknown, since: string): boolean {
  if (error instanceof NoDataError) return true;
  return error instanceof OutOfRangeError && error.until !== undefined && Instant.from(since).compare(error.until) > 0;
}

function resourceOf(job: Job, since: string | undefined, context: ConnectorContext): Resource {
  if (isComplete(job)) {
    const outputs: DapQueryOutputs = {
      jobId: job.id,
      objects: job.objects.map(({ id }) => id),
      schemaVersion: job.schema_version,
      watermark: timestampOf(job).toString(),
      ...(job.expires_at ? { expiresAt: job.expires_at.toString() } : {}),
    };
    return { phase: 'SUCCEEDED', outputs };
  }
  if (isFailed(job)) {
    const failure = classifyFailure(job.error);
    if (failure instanceof NoDataError && since !== undefined)
      return { phase: 'SUCCEEDED', outputs: { objects: [], watermark: since } };
    return failedFor(failure);
  }
  if (job.status === 'waiting') return { phase: 'QUEUED' };
  return job.status === 'running' ? { phase: 'RUNNING' } : unknownState(job.status, context);
}

function failedFor(failure: IngestError): Resource {
  const { code, retryable, message } = failure;
  return { phase: retryable ? 'RETRYABLE_FAILED' : 'FAILED', message, error: { code, retryable, origin: 'service' } };
}

/**
 * Errors of the client keep their own codes, since what is listed next depends on them; but for those that mean to every
 * executor the same: refused credentials are read anew once, and a busy service is left alone.
 */
function named(error: unknown): unknown {
  if (!(error instanceof IngestError) || error instanceof ConnectorError) return error;
  const { code, retryable, message } = error;
  const retryAfterMs = error.retryAfterMs ?? (error instanceof ProcessingError ? AFTER_PROCESSING_MS : undefined);
  const options = { message, cause: error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const condition = conditionOf(error);
  if (condition) return new ConnectorError(condition, options);
  return new ConnectorError(code, { ...options, retryable, origin: retryable ? 'service' : 'user' });
}

function conditionOf(error: IngestError): ConditionCode | undefined {
  if (error instanceof AuthenticationError) return 'Unauthenticated';
  if (error instanceof RateLimitedError) return 'Throttled';
  return error instanceof GatewayTimeoutError || error instanceof ConnectionFailedError ? 'Unavailable' : undefined;
}

/** An equal query was found, whose results would be gone before they are read. */
class ExpiringJobError extends ConnectorError {
  override readonly name = 'ExpiringJobError';
  constructor(jobId: string) {
    super('DapJobExpires', {
      message: `the results of job ${jobId} are about to expire; the query is started again when they have`,
      retryable: true,
      origin: 'service',
      retryAfterMs: EXPIRY_GUARD_SECONDS * 1000 + GUARD_EXTRA_MS,
    });
  }
}

function parseSettings(custom: JsonObject | undefined): DapQuerySettings {
  const complaints: string[] = [];
  const { namespace, table, format, mode, since, baseUrl, apiPathPrefix } = custom ?? {};
  for (const [field, value] of Object.entries({ namespace, table }))
    if (typeof value !== 'string' || value === '') complaints.push(`custom.${field} must be a name`);
  if (!FORMATS.includes(format as Format)) complaints.push(`custom.format must be one of ${FORMATS.join(', ')}`);
  if (mode !== undefined && !MODES.includes(mode as Mode))
    complaints.push(`custom.mode must be one of ${MODES.join(', ')}`);
  for (const [field, value] of Object.entries({ since, baseUrl, apiPathPrefix }))
    if (value !== undefined && typeof value !== 'string') complaints.push(`custom.${field} must be a text`);
  if (complaints.length > 0) throw new BadTaskSpecificationError(`dap.query: ${complaints.join('; ')}`);
  return custom as unknown as DapQuerySettings;
}

function parseHandle(value: unknown): DapQueryHandle {
  if (!isObject(value)) throw new TypeError('not an object');
  const { jobId, since, baseUrl, apiPathPrefix } = value as Partial<Record<keyof DapQueryHandle, string>>;
  for (const one of [jobId, since, baseUrl, apiPathPrefix])
    if (one !== undefined && typeof one !== 'string') throw new TypeError('a member is no text');
  if (jobId === undefined && since === undefined) throw new TypeError('neither jobId nor since');
  return {
    ...(jobId === undefined ? {} : { jobId }),
    ...(since === undefined ? {} : { since }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiPathPrefix === undefined ? {} : { apiPathPrefix }),
  };
}
