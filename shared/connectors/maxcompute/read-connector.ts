import {
  BadRequestError,
  type CreateReadSessionRequest,
  type MaxComputeClient,
  NoSuchSessionError,
  RequestQuotaExceededError,
  SessionStatus,
} from '../../clients/maxcompute/index.ts';
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
import { BadTaskSpecificationError, ConnectorError } from '../async/errors.ts';
import { jsonResourceMeta } from '../async/resource-meta.ts';
import { endpointOf, type MaxComputeEndpoint, type MaxComputeEnvironment, openClient } from './access.ts';
import type { ReadSessionOutputs } from './splits.ts';

/** The service does not have the changes since this version, or does not read this table so: it is to be read whole. */
export const INCREMENTAL_REFUSED = 'MaxComputeIncrementalRefused';

/** What `custom` of a `maxcompute.read` template says. */
export interface MaxComputeReadSettings extends MaxComputeEndpoint {
  readonly schema?: string;
  readonly table: string;
  /** As `CreateReadSessionRequest`; versions as digits. */
  readonly request?: JsonObject;
}

export interface MaxComputeReadHandle extends MaxComputeEndpoint {
  readonly schema?: string;
  readonly table: string;
  readonly sessionId: string;
}

/**
 * A read session of MaxCompute as an external job: `maxcompute.read`. Created twice it is two sessions, of which the one that
 * nobody reads ends by itself: say `retryOnUnknownCreate` in its template's metadata.
 *
 * Connection: the secret `credential` (`{"accessId", "accessKey", "securityToken"?}` or `{"bearerToken"}`), or those by name.
 * Outputs: see {@link ReadSessionOutputs}.
 */
export class MaxComputeReadConnector extends AsyncConnector<MaxComputeReadHandle> {
  override readonly name = 'MaxCompute read session';
  readonly taskTypeName = 'maxcompute.read';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = false;
  // Most sessions can be read as soon as they are opened.
  override readonly polling = { firstPollSeconds: 0, pollMaxSeconds: 30, callsPerSecond: 20, burst: 40 };
  readonly #environment: MaxComputeEnvironment;
  readonly #clients = new Map<string, MaxComputeClient>();

  constructor(environment: MaxComputeEnvironment = {}) {
    super();
    this.#environment = environment;
  }

  async create({ taskTemplate }: CreateRequest, context: ConnectorContext): Promise<MaxComputeReadHandle> {
    const settings = parseSettings(taskTemplate.custom);
    const { schema, table, request = {} } = settings;
    const at = { ...endpointOf(settings), ...(schema === undefined ? {} : { schema }), table };
    const wanted = requestOf(request);
    try {
      const { sessionId } = await this.#table(at, context).createReadSession(wanted, { signal: context.signal });
      return { ...at, sessionId: sessionId! };
    } catch (error) {
      if (wanted.incrementalRead && error instanceof BadRequestError)
        throw new ConnectorError(INCREMENTAL_REFUSED, { message: error.message, retryable: false, origin: 'service' });
      throw named(error);
    }
  }

  async get(handle: MaxComputeReadHandle, context: ConnectorContext): Promise<Resource> {
    const { sessionId } = handle;
    const { signal } = context;
    try {
      const session = await this.#table(handle, context).getReadSession(sessionId, { signal });
      const { sessionStatus, sessionStatusText, message } = session;
      switch (sessionStatus) {
        case SessionStatus.INIT:
          return { phase: 'INITIALIZING' };
        case SessionStatus.NORMAL:
          return { phase: 'SUCCEEDED', outputs: outputsOf(sessionId, session) };
        case SessionStatus.CRITICAL:
          return failed('MaxComputeSessionFailed', `session ${sessionId} failed: ${message ?? 'for no reason given'}`);
        case SessionStatus.EXPIRED:
          return failed('MaxComputeSessionExpired', `session ${sessionId} expired before it was read`);
        default:
          return unknownState(sessionStatusText, context);
      }
    } catch (error) {
      if (error instanceof NoSuchSessionError)
        throw new ConnectorError('ResourceGone', { message: error.message, cause: error });
      throw named(error);
    }
  }

  /** The service has no way to end a read session; it expires. */
  async delete(): Promise<void> {}

  #table(at: Omit<MaxComputeReadHandle, 'sessionId'>, { connection, logger }: ConnectorContext) {
    const { credential, accessId, accessKey, securityToken, bearerToken } = connection.secrets;
    const secret =
      credential ??
      (bearerToken || (accessId && accessKey)
        ? JSON.stringify({ accessId, accessKey, securityToken, bearerToken })
        : undefined);
    if (secret === undefined)
      throw new BadTaskSpecificationError(
        'maxcompute.read needs a connection with the secret credential, accessId and accessKey, or bearerToken',
      );
    const endpoint = endpointOf(at);
    const key = sha256Hex(JSON.stringify([endpoint, secret]));
    const client = this.#clients.get(key) ?? openClient(secret, endpoint, logger, this.#environment);
    this.#clients.set(key, client);
    return client.table({ table: at.table, schema: at.schema });
  }
}

/** It can be opened again: what is wrong with a request the service says at once. */
const failed = (code: string, message: string): Resource => ({
  phase: 'RETRYABLE_FAILED',
  message,
  error: { code, retryable: true, origin: 'service' },
});

function outputsOf(
  sessionId: string,
  session: Awaited<ReturnType<ReturnType<MaxComputeClient['table']>['getReadSession']>>,
): ReadSessionOutputs {
  const { splitMode, splitsCount, recordCount, splitBucketId, sessionStats, latestVersion, expirationTime } = session;
  return {
    sessionId,
    splitMode: splitMode ?? '',
    splitsCount,
    recordCount,
    bucketIds: [...(splitBucketId ?? [])],
    estimatedBytes: sessionStats?.estimatedSize ?? null,
    latestVersion: latestVersion === null ? null : String(latestVersion),
    expiresAt: expirationTime?.toISOString() ?? null,
  };
}

/** Errors of the client keep their own codes, but for those that only say that it is too much at once. */
function named(error: unknown): unknown {
  if (!(error instanceof IngestError) || error instanceof ConnectorError) return error;
  if (error instanceof RequestQuotaExceededError) return error;
  const { code, retryable, message, retryAfterMs } = error;
  return new ConnectorError(code, {
    message,
    retryable,
    origin: retryable ? 'service' : 'user',
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function requestOf(request: JsonObject): CreateReadSessionRequest {
  const { incrementalReadOptions: incremental } = request;
  if (!isObject(incremental)) return request as CreateReadSessionRequest;
  const { startVersion, endVersion, ...others } = incremental as Record<string, unknown>;
  const versions = {
    ...(startVersion === undefined ? {} : { startVersion: BigInt(String(startVersion)) }),
    ...(endVersion === undefined ? {} : { endVersion: BigInt(String(endVersion)) }),
  };
  return { ...request, incrementalReadOptions: { ...others, ...versions } } as CreateReadSessionRequest;
}

const OPTIONAL = ['schema', 'tunnelEndpoint', 'region', 'quotaName', 'apiVersion'] as const;

function parseSettings(custom: JsonObject | undefined): MaxComputeReadSettings {
  const complaints: string[] = [];
  const given = custom ?? {};
  for (const field of ['project', 'endpoint', 'table'])
    if (typeof given[field] !== 'string' || given[field] === '') complaints.push(`custom.${field} must be a text`);
  for (const field of OPTIONAL)
    if (given[field] !== undefined && typeof given[field] !== 'string')
      complaints.push(`custom.${field} must be a text`);
  if (given.request !== undefined && !isObject(given.request)) complaints.push('custom.request must be an object');
  if (complaints.length > 0) throw new BadTaskSpecificationError(`maxcompute.read: ${complaints.join('; ')}`);
  return given as unknown as MaxComputeReadSettings;
}

function parseHandle(value: unknown): MaxComputeReadHandle {
  if (!isObject(value)) throw new TypeError('not an object');
  for (const member of ['project', 'endpoint', 'table', 'sessionId'])
    if (typeof value[member] !== 'string') throw new TypeError(`${member} is no text`);
  const { table, sessionId, schema } = value as unknown as MaxComputeReadHandle;
  return {
    ...endpointOf(value as unknown as MaxComputeEndpoint),
    ...(schema === undefined ? {} : { schema }),
    table,
    sessionId,
  };
}
