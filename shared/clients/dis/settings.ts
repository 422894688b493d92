import type { Fetch } from '../transport/reply.ts';
import { SettingChecks, type Surroundings, type SurroundingsOptions, surroundingsOf } from '../transport/settings.ts';
import { webFetch } from '../transport/web-fetch.ts';
import { type Credentials, credentialsOfEnv } from './credentials.ts';
import { InvalidCredentialsError, InvalidSettingError } from './errors.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';
import { ALGORITHMS, type Algorithm } from './sign.ts';

export interface DisClientOptions extends SurroundingsOptions {
  /**
   * Such as `https://dis.eu-de.otc.t-systems.com`; may end in `/v2/` and the project id. Default: `DIS_ENDPOINT` of `env`,
   * else that of the token's catalog, else that of the region.
   */
  readonly endpoint?: string | undefined;
  /** 32 hexadecimal digits. Default: `DIS_PROJECT_ID` of `env`, else what the endpoint says, else the project of the token. */
  readonly projectId?: string | undefined;
  /** Default: `DIS_REGION` of `env`, else what the endpoint says. Signing needs it. */
  readonly region?: string | undefined;
  /**
   * Keys, a token, or what a token is asked for with. A function is asked when the first request is made, again shortly
   * before what it gave expires, and when that is refused. Default: `DIS_ACCESS_KEY` and `DIS_SECRET_KEY`, with
   * `DIS_SECURITY_TOKEN` if they are temporary, or `DIS_TOKEN` of `env`.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>) | undefined;
  /** Where the defaults above are looked up, usually `process.env`. Without it nothing is. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `SDK-HMAC-SHA256`. */
  readonly signatureAlgorithm?: Algorithm | undefined;
  /** How records travel. `protobuf` spares base64 but is in no reference of the service. Default `json`. */
  readonly recordFormat?: RecordFormat | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** A request without an answer for so long is given up, milliseconds. Default 60,000. */
  readonly readTimeoutMs?: number | undefined;
  /**
   * Whether a token's catalog may name an endpoint in a private network: `true` never, `false` always, by default if the
   * identity service is in one itself.
   */
  readonly refusePrivateAddresses?: boolean | undefined;
  readonly fetch?: Fetch | undefined;
}

export type RecordFormat = 'json' | 'protobuf';

const checks = new SettingChecks((message) => new InvalidSettingError(message));

/** The options, complete and checked. */
export interface Settings extends Surroundings {
  /** Without a slash at its end; undefined if the token's catalog tells it. */
  readonly endpoint: string | undefined;
  readonly projectId: string | undefined;
  readonly region: string | undefined;
  readonly credentials: () => Credentials | Promise<Credentials>;
  readonly signatureAlgorithm: Algorithm;
  readonly recordFormat: RecordFormat;
  readonly retry: RetryPolicy;
  readonly readTimeoutMs: number;
  /** The URLs that the user has named. That of the identity service comes with the credentials. */
  readonly own: Set<string>;
  readonly fetch: Fetch;
}

/**
 * @throws {InvalidCredentialsError} there are none
 * @throws {InvalidSettingError} a setting out of its limits, naming it
 */
export function settingsOf(options: DisClientOptions): Settings {
  const { env = {} } = options;
  const given = options.endpoint ?? (env.DIS_ENDPOINT || undefined);
  const { endpoint, projectId } = given === undefined ? {} : endpointOf(given);
  const region = options.region ?? (env.DIS_REGION || regionOf(endpoint));
  const known = endpoint ?? (region ? endpointOfRegion(region) : undefined);
  const own = new Set(known === undefined ? [] : [known]);
  return {
    ...surroundingsOf(options),
    endpoint,
    projectId: projectIdOf(options.projectId ?? (env.DIS_PROJECT_ID || projectId)),
    region,
    credentials: credentialsOf(options),
    signatureAlgorithm: checks.choice(
      'signatureAlgorithm',
      options.signatureAlgorithm ?? 'SDK-HMAC-SHA256',
      ALGORITHMS,
    ),
    recordFormat: checks.choice('recordFormat', options.recordFormat ?? 'json', ['json', 'protobuf']),
    retry: options.retry ?? DEFAULT_RETRY,
    readTimeoutMs: checks.atLeast(1, 'readTimeoutMs', options.readTimeoutMs ?? 60_000),
    own,
    fetch:
      options.fetch ??
      webFetch({
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        refusePrivateAddresses: options.refusePrivateAddresses,
        own: () => own,
      }),
  };
}

const CONNECT_TIMEOUT_MS = 10_000;

function credentialsOf({ credentials, env = {} }: DisClientOptions): Settings['credentials'] {
  if (typeof credentials === 'function') return credentials;
  const known = credentials ?? credentialsOfEnv(env);
  if (known) return () => known;
  throw new InvalidCredentialsError(
    'there are no credentials (DIS_ACCESS_KEY and DIS_SECRET_KEY, or DIS_TOKEN, or the option credentials)',
  );
}

/** The address of the service in a region of Open Telekom Cloud. */
export function endpointOfRegion(region: string): string {
  return `https://dis.${region}.otc.t-systems.com`;
}

/** A catalog's address ends in `/v2/` and the project. */
function endpointOf(text: string): { readonly endpoint?: string; readonly projectId?: string | undefined } {
  const url = checks.url('the endpoint (DIS_ENDPOINT)', text);
  const path = /^(?:\/v2\/([\w-]+))?\/?$/.exec(url.pathname);
  if (!path) throw new InvalidSettingError('the endpoint (DIS_ENDPOINT) must have no path but /v2/ and a project id');
  return { endpoint: url.origin, projectId: path[1] };
}

/** `dis.eu-de.otc.t-systems.com` and `dis.cn-north-4.myhuaweicloud.com` say their region. */
function regionOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  return /^dis\.([a-z]+-[\w-]+)\./.exec(new URL(endpoint).hostname)?.[1];
}

function projectIdOf(projectId: string | undefined): string | undefined {
  if (projectId === undefined || /^[\w-]{1,64}$/.test(projectId)) return projectId;
  throw new InvalidSettingError('the project id (DIS_PROJECT_ID) must be 1 to 64 of A-Z a-z 0-9 - _');
}
