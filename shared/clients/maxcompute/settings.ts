import { nodeFetch } from '../transport/node-http.ts';
import {
  SettingChecks,
  type Surroundings,
  type SurroundingsOptions,
  surroundingsOf,
  withoutSlashAtEnd,
} from '../transport/settings.ts';
import type { ApplicationKey, Credentials } from './auth/accounts.ts';
import { InvalidCredentialsError, InvalidRequestError } from './client-errors.ts';
import { DEFAULT_API_VERSION, WriteMode } from './enums.ts';
import type { Fetch } from './http.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';

export interface MaxComputeClientOptions extends SurroundingsOptions {
  /**
   * Keys, temporary keys or a bearer token; or where to get them, asked again before they end. Default: `ODPS_BEARER_TOKEN`,
   * or `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, of `env`, with `ALIBABA_CLOUD_SECURITY_TOKEN` if it is there.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>) | undefined;
  /** Default: `ODPS_PROJECT_NAME` of `env`. */
  readonly project?: string | undefined;
  /** The REST endpoint, e.g. `https://service.cn-hangzhou.maxcompute.aliyun.com/api`. Default: `ODPS_ENDPOINT` of `env`. */
  readonly endpoint?: string | undefined;
  /** Where the rows are. Default: `ODPS_TUNNEL_ENDPOINT` of `env`, else the REST endpoint is asked once. */
  readonly tunnelEndpoint?: string | undefined;
  /** Where the defaults above are looked up, usually `process.env`. Without it nothing is. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** E.g. `cn-hangzhou`: requests are signed by version 4 for it, else classic. Default: `ODPS_REGION_NAME` of `env`. */
  readonly region?: string | undefined;
  /** Another word than `aliyun_v4`, in private clouds. */
  readonly v4Prefix?: string | undefined;
  /** An application that signs too. */
  readonly application?: ApplicationKey | undefined;
  readonly quotaName?: string | undefined;
  /** For the service's books. */
  readonly tags?: readonly string[] | undefined;
  readonly namespaceId?: string | undefined;
  /** Of tables that are named without one. Default `default`. */
  readonly schema?: string | undefined;
  /** `2`, or `3` for write modes, staging ids and names of blobs. Default `2`. */
  readonly apiVersion?: string | undefined;
  /** Sent from version 3 on. Default `Batch`. */
  readonly writeMode?: WriteMode | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds. Default 10 seconds. */
  readonly connectTimeoutMs?: number | undefined;
  /** A reply, or a body, without a byte for so long counts as broken, milliseconds. Default 2 minutes. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Whether the REST endpoint may name a tunnel endpoint in a private network: `true` never, `false` always, by default if the
   * REST endpoint is in one itself.
   */
  readonly refusePrivateAddresses?: boolean | undefined;
  readonly fetch?: Fetch | undefined;
  /** Told before a call is sent again. */
  readonly onRetry?: ((retry: RetryEvent) => void) | undefined;
}

export interface RetryEvent {
  readonly action: string;
  /** Failures of this call so far, this one included. */
  readonly failures: number;
  readonly waitMs: number;
  readonly error: unknown;
}

const checks = new SettingChecks((message) => new InvalidRequestError(message));

/** The options, complete and checked. */
export interface Settings extends Surroundings {
  readonly credentials: Credentials | (() => Credentials | Promise<Credentials>);
  readonly project: string;
  /** Without a slash at its end. */
  readonly endpoint: string | undefined;
  readonly tunnelEndpoint: string | undefined;
  readonly region: string | undefined;
  readonly v4Prefix: string | undefined;
  readonly application: ApplicationKey | undefined;
  readonly quotaName: string | undefined;
  readonly tags: string | undefined;
  readonly namespaceId: string | undefined;
  readonly schema: string | undefined;
  readonly apiVersion: string;
  readonly writeMode: WriteMode;
  readonly retry: RetryPolicy;
  readonly idleTimeoutMs: number;
  readonly fetch: Fetch;
  readonly onRetry: (retry: RetryEvent) => void;
}

/**
 * @throws {InvalidCredentialsError} there are none
 * @throws {InvalidRequestError} a setting is missing or out of its limits; the message names it
 */
export function settingsOf(options: MaxComputeClientOptions): Settings {
  const { env = {} } = options;
  const endpoint = options.endpoint ?? (env.ODPS_ENDPOINT || undefined);
  const tunnelEndpoint = options.tunnelEndpoint ?? (env.ODPS_TUNNEL_ENDPOINT || undefined);
  if (endpoint === undefined && tunnelEndpoint === undefined) {
    throw new InvalidRequestError(
      'one of endpoint (ODPS_ENDPOINT) and tunnelEndpoint (ODPS_TUNNEL_ENDPOINT) is needed',
    );
  }
  return {
    ...surroundingsOf(options),
    credentials: options.credentials ?? credentialsOf(env),
    project: named('project (ODPS_PROJECT_NAME)', options.project ?? env.ODPS_PROJECT_NAME),
    endpoint: endpoint === undefined ? undefined : withoutSlashAtEnd(checks.url('endpoint (ODPS_ENDPOINT)', endpoint)),
    tunnelEndpoint:
      tunnelEndpoint === undefined
        ? undefined
        : withoutSlashAtEnd(checks.url('tunnelEndpoint (ODPS_TUNNEL_ENDPOINT)', tunnelEndpoint)),
    region: options.region ?? (env.ODPS_REGION_NAME || undefined),
    v4Prefix: options.v4Prefix,
    application: options.application,
    quotaName: options.quotaName || undefined,
    tags: options.tags?.length ? options.tags.join(',') : undefined,
    namespaceId: options.namespaceId,
    schema: options.schema,
    apiVersion: apiVersionOf(options.apiVersion ?? DEFAULT_API_VERSION),
    writeMode: options.writeMode ?? WriteMode.BATCH,
    retry: options.retry ?? DEFAULT_RETRY,
    idleTimeoutMs: checks.atLeast(1, 'idleTimeoutMs', options.idleTimeoutMs ?? 120_000),
    fetch:
      options.fetch ??
      nodeFetch({
        connectTimeoutMs: checks.atLeast(1, 'connectTimeoutMs', options.connectTimeoutMs ?? 10_000),
        refusePrivateAddresses: options.refusePrivateAddresses,
        own: () => [endpoint, tunnelEndpoint].filter((url) => url !== undefined),
      }),
    onRetry: options.onRetry ?? (() => {}),
  };
}

function credentialsOf(env: Readonly<Record<string, string | undefined>>): Credentials {
  const { ALIBABA_CLOUD_ACCESS_KEY_ID: accessId, ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKey } = env;
  if (env.ODPS_BEARER_TOKEN) return { bearerToken: env.ODPS_BEARER_TOKEN };
  if (!accessId || !accessKey) {
    const names = 'ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or ODPS_BEARER_TOKEN';
    throw new InvalidCredentialsError(`there are no credentials (${names})`);
  }
  return { accessId, accessKey, securityToken: env.ALIBABA_CLOUD_SECURITY_TOKEN || undefined };
}

/** A part of a target. Dots would end it, and cannot be escaped. */
export function named(what: string, name: string | undefined): string {
  if (!name) throw new InvalidRequestError(`${what} is missing`);
  if (/[.\s/?#&\u0000-\u001f]/.test(name)) {
    throw new InvalidRequestError(`${what} must be a name without dot, slash or space, got ${JSON.stringify(name)}`);
  }
  return name;
}

function apiVersionOf(version: string): string {
  if (/^\d{1,4}$/.test(version)) return version;
  throw new InvalidRequestError(`apiVersion must be a whole number, got ${JSON.stringify(version)}`);
}
