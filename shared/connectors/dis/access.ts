import { type Credentials, DisClient, type RecordFormat } from '../../clients/dis/index.ts';
import type { RetryPolicy } from '../../clients/dis/retry.ts';
import type { Sleep } from '../../clients/transport/abort.ts';
import type { Fetch } from '../../clients/transport/reply.ts';
import type { Clock } from '../../core/clock.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import type { Logger } from '../../core/logger.ts';

/** Where the service is. */
export interface DisEndpoint {
  /**
   * Such as `https://dis.eu-de.otc.t-systems.com`; may end in `/v2/` and the project id. Default: what the token's catalog
   * says, else Open Telekom Cloud in `region`.
   */
  readonly endpoint?: string;
  /** Such as `eu-de`. Default: what the endpoint says. Keys need it. */
  readonly region?: string;
  /** Default: what the endpoint, the secret or the token says. */
  readonly projectId?: string;
}

/** What tests put in place of the world. */
export interface DisEnvironment {
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
  /** In place of all that speaks to the service. */
  readonly client?: () => DisClient;
}

/** What a secret says: how requests are proven, and perhaps of which project they are. */
export interface DisAccess {
  readonly credentials: Credentials;
  readonly projectId?: string;
}

const EXPECTED =
  'the DIS credential must be JSON: {"accessKey": "…", "secretKey": "…"}, {"token": "…"} or ' +
  '{"iamUrl": "…", "user": "…", "password": "…", "domain": "…", "projectName": "…"}, each also with "projectId"';

/**
 * What the secret holds: keys (`accessKey`, `secretKey`, and `securityToken` if they are temporary), a `token`, or a user of
 * the identity service in whose name tokens are fetched (`iamUrl`, `user`, `password`, `domain`, and `projectId` or
 * `projectName`). Keys go before a token, since that expires within a day.
 *
 * @throws {InvalidInputError} naming what is missing, never showing what was got
 */
export function parseCredential(secret: string): DisAccess {
  let parsed: unknown;
  try {
    parsed = JSON.parse(secret);
  } catch {
    throw new InvalidInputError(`${EXPECTED}; it is no JSON`);
  }
  if (!isObject(parsed)) throw new InvalidInputError(`${EXPECTED}; it is no object`);
  const given = parsed;
  const text = (name: string): string => {
    const value = given[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new InvalidInputError(`${EXPECTED}; ${name} is missing`);
  };
  const optional = <K extends string>(name: K): { [key in K]?: string } =>
    (given[name] === undefined ? {} : { [name]: text(name) }) as { [key in K]?: string };
  const project = optional('projectId');
  if ('accessKey' in given || 'secretKey' in given) {
    const keys = { accessKey: text('accessKey'), secretKey: text('secretKey'), ...optional('securityToken') };
    return { credentials: keys, ...project };
  }
  if ('token' in given) return { credentials: { token: text('token') }, ...project };
  if (!('iamUrl' in given)) throw new InvalidInputError(`${EXPECTED}; it has none of accessKey, token, iamUrl`);
  const login = {
    iamUrl: text('iamUrl'),
    user: text('user'),
    password: text('password'),
    domain: text('domain'),
    ...project,
    ...optional('projectName'),
  };
  return { credentials: login, ...project };
}

/** A client whose calls wait little: a function is billed for that, and a message can come again later. */
export function openClient(
  secret: string,
  { endpoint, region, projectId }: DisEndpoint,
  log: Logger,
  { fetch, clock, sleep, client }: DisEnvironment,
  { retry = LITTLE_RETRY, recordFormat }: { readonly retry?: RetryPolicy; readonly recordFormat?: RecordFormat } = {},
): DisClient {
  const access = parseCredential(secret);
  if (client) return client();
  return new DisClient({
    credentials: access.credentials,
    endpoint,
    region,
    projectId: projectId ?? access.projectId,
    logger: log,
    retry,
    recordFormat,
    fetch,
    clock,
    sleep,
  });
}

const LITTLE_RETRY: RetryPolicy = {
  requests: { repeats: 3, firstMs: 250, maxMs: 2000 },
  records: { repeats: 0, firstMs: 50, maxMs: 1000 },
};
