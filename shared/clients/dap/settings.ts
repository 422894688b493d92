import type { Fetch } from '../transport/reply.ts';
import {
  SettingChecks,
  type Surroundings,
  type SurroundingsOptions,
  surroundingsOf,
  withoutSlashAtEnd,
} from '../transport/settings.ts';
import { webFetch } from '../transport/web-fetch.ts';
import { Credentials, DEFAULT_TOKEN_SKEW_SECONDS } from './auth.ts';
import { DapClientError } from './errors.ts';
import { DEFAULT_RATE_LIMITS, type RateLimiter, type RateLimits } from './rate-limit.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';

export const DEFAULT_BASE_URL = 'https://api-gateway.instructure.com';

export interface DapClientOptions extends SurroundingsOptions {
  /** Default: `DAP_API_URL` of `env`, else the public service. */
  readonly baseUrl?: string | undefined;
  /** Asked whenever a token is needed, about once an hour. Default: `DAP_CLIENT_ID` and `DAP_CLIENT_SECRET` of `env`. */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>) | undefined;
  /** Where the defaults above are looked up, usually `process.env`. Without it nothing is. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Between `/dap/` and the route, e.g. `beta`. Default: nothing. */
  readonly apiPathPrefix?: string | undefined;
  /** The organisation, if the credentials may read several. */
  readonly scope?: string | undefined;
  /** The first look at a job comes after so long, each next one after 1.5 times as long, up to `pollMaxMs`. Default 5,000. */
  readonly pollMinMs?: number | undefined;
  /** Default 60,000. */
  readonly pollMaxMs?: number | undefined;
  /** A complete job with less than this left is not used: the query is started again. Default 30. */
  readonly expiryGuardSeconds?: number | undefined;
  /** A token with less than this left is renewed. Default 300. */
  readonly tokenSkewSeconds?: number | undefined;
  /** Files at a time. Default 4. */
  readonly downloadConcurrency?: number | undefined;
  /** Object ids traded for URLs at a time. Default 50. */
  readonly tradeBatch?: number | undefined;
  /** Unpacks what is saved packed, to see that it is whole. Default true. */
  readonly verifyDownloads?: boolean | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Calls a minute by route, over the published ones. `Infinity` for no limit. */
  readonly rateLimits?: Partial<RateLimits> | undefined;
  /** Instead of `rateLimits`. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** The whole of one API call, milliseconds. Default 30 minutes. */
  readonly requestTimeoutMs?: number | undefined;
  /** A download without a byte for so long is broken off and resumed, milliseconds. Default 2 minutes. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Whether files may lie in a private network, as behind an interface endpoint of S3 with private names: `true` never, `false`
   * always, by default if the base URL is in one itself. Link-local addresses are always refused.
   */
  readonly refusePrivateAddresses?: boolean | undefined;
  readonly fetch?: Fetch | undefined;
}

const checks = new SettingChecks((message) => new DapClientError(message));

/** The options, complete and checked. */
export interface Settings extends Surroundings {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly credentials: () => Credentials | Promise<Credentials>;
  /** `/dap`, or `/dap/` and the prefix. */
  readonly apiRoot: string;
  readonly scope: string | undefined;
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly expiryGuardSeconds: number;
  readonly tokenSkewSeconds: number;
  readonly downloadConcurrency: number;
  readonly tradeBatch: number;
  readonly verifyDownloads: boolean;
  readonly retry: RetryPolicy;
  readonly rateLimits: RateLimits;
  readonly rateLimiter: RateLimiter | undefined;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly fetch: Fetch;
}

/**
 * @throws {InvalidCredentialsError} no client id or no secret, naming which
 * @throws {DapClientError} a setting out of its limits, naming it
 */
export function settingsOf(options: DapClientOptions): Settings {
  const { env = {} } = options;
  const prefix = trimSlashes(options.apiPathPrefix ?? '');
  const baseUrl = withoutSlashAtEnd(
    checks.url('the base URL (DAP_API_URL)', options.baseUrl ?? (env.DAP_API_URL || DEFAULT_BASE_URL)),
  );
  return {
    ...surroundingsOf(options),
    baseUrl,
    credentials: credentialsOf(options),
    apiRoot: prefix === '' ? '/dap' : `/dap/${prefix}`,
    scope: options.scope,
    pollMinMs: checks.atLeast(1, 'pollMinMs', options.pollMinMs ?? 5000),
    pollMaxMs: checks.atLeast(1, 'pollMaxMs', options.pollMaxMs ?? 60_000),
    expiryGuardSeconds: checks.atLeast(0, 'expiryGuardSeconds', options.expiryGuardSeconds ?? 30),
    tokenSkewSeconds: checks.atLeast(0, 'tokenSkewSeconds', options.tokenSkewSeconds ?? DEFAULT_TOKEN_SKEW_SECONDS),
    downloadConcurrency: checks.whole('downloadConcurrency', options.downloadConcurrency ?? 4),
    tradeBatch: checks.whole('tradeBatch', options.tradeBatch ?? 50),
    verifyDownloads: options.verifyDownloads ?? true,
    retry: options.retry ?? DEFAULT_RETRY,
    rateLimits: { ...DEFAULT_RATE_LIMITS, ...options.rateLimits },
    rateLimiter: options.rateLimiter,
    requestTimeoutMs: checks.atLeast(1, 'requestTimeoutMs', options.requestTimeoutMs ?? 1_800_000),
    idleTimeoutMs: checks.atLeast(1, 'idleTimeoutMs', options.idleTimeoutMs ?? 120_000),
    fetch:
      options.fetch ??
      webFetch({
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        refusePrivateAddresses: options.refusePrivateAddresses,
        own: () => [baseUrl],
      }),
  };
}

const CONNECT_TIMEOUT_MS = 10_000;

function credentialsOf({ credentials, env = {} }: DapClientOptions): Settings['credentials'] {
  if (typeof credentials === 'function') return credentials;
  const known = credentials ?? Credentials.create(env.DAP_CLIENT_ID ?? '', env.DAP_CLIENT_SECRET ?? '');
  return () => known;
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, '');
}
