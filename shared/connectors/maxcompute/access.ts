import {
  type Credentials,
  type Fetch,
  InvalidCredentialsError,
  MaxComputeClient,
  type RetryPolicy,
} from '../../clients/maxcompute/index.ts';
import type { Sleep } from '../../clients/transport/abort.ts';
import type { Clock } from '../../core/clock.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import type { Logger } from '../../core/logger.ts';
import type { Redactor } from '../../core/redaction.ts';
import type { MaxComputeEndpoint } from './endpoint.ts';

export { ENDPOINT_SPEC, type MaxComputeEndpoint } from './endpoint.ts';

/** What tests put in place of the world. */
export interface MaxComputeEnvironment {
  readonly fetch?: Fetch;
  readonly redactor?: Pick<Redactor, 'add'>;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
  readonly random?: () => number;
  /** In place of all that speaks to the service. */
  readonly client?: () => MaxComputeClient;
}

/** The members of {@link MaxComputeEndpoint} that are there, out of anything that has more. */
export function endpointOf(options: MaxComputeEndpoint): MaxComputeEndpoint {
  const { project, endpoint, tunnelEndpoint, region, quotaName, apiVersion } = options;
  return {
    project,
    endpoint,
    ...(tunnelEndpoint === undefined ? {} : { tunnelEndpoint }),
    ...(region === undefined ? {} : { region }),
    ...(quotaName === undefined ? {} : { quotaName }),
    ...(apiVersion === undefined ? {} : { apiVersion }),
  };
}

const EXPECTED =
  'the MaxCompute credential must be {"accessId": "…", "accessKey": "…"}, with a "securityToken" if the keys are temporary, or ' +
  '{"bearerToken": "…"}, or accessId:accessKey';

/**
 * What the secret holds: `{"accessId": "…", "accessKey": "…"}`, with `securityToken` for temporary keys; `{"bearerToken": "…"}`; or
 * id and key with a colon between them.
 *
 * @throws {InvalidInputError} naming what is missing, never showing what was got
 */
export function parseCredential(secret: string): Credentials {
  return secret.trimStart().startsWith('{') ? fromJson(secret) : fromPair(secret);
}

function fromJson(secret: string): Credentials {
  let parsed: unknown;
  try {
    parsed = JSON.parse(secret);
  } catch {
    throw new InvalidInputError(`${EXPECTED}; it is no JSON`);
  }
  const { accessId, accessKey, securityToken, bearerToken } = isObject(parsed) ? parsed : {};
  if (isText(bearerToken)) return { bearerToken };
  if (!isText(accessId)) throw new InvalidInputError(`${EXPECTED}; accessId is missing`);
  if (!isText(accessKey)) throw new InvalidInputError(`${EXPECTED}; accessKey is missing`);
  return isText(securityToken) ? { accessId, accessKey, securityToken } : { accessId, accessKey };
}

function fromPair(secret: string): Credentials {
  const colon = secret.indexOf(':');
  const [accessId, accessKey] = [secret.slice(0, Math.max(0, colon)).trim(), secret.slice(colon + 1).trim()];
  if (colon < 1 || accessKey === '') throw new InvalidInputError(`${EXPECTED}; it is neither`);
  return { accessId, accessKey };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Short: a function is billed for waiting, and a message can come again later. */
const RETRY: RetryPolicy = {
  throttled: { repeats: 1, firstMs: 1000, maxMs: 5000 },
  transient: { repeats: 3, firstMs: 500, maxMs: 5000 },
  deadlineMs: 60_000,
};

/** A client whose calls do not wait for long. */
export function openClient(
  secret: string,
  endpoint: MaxComputeEndpoint,
  log: Logger,
  { fetch, redactor, clock, sleep, random, client }: MaxComputeEnvironment = {},
): MaxComputeClient {
  const credentials = parseCredential(secret);
  for (const value of Object.values(credentials)) if (isText(value)) redactor?.add(value);
  if (client) return client();
  try {
    return new MaxComputeClient({
      ...endpointOf(endpoint),
      credentials,
      logger: log,
      retry: RETRY,
      idleTimeoutMs: 60_000,
      ...{ fetch, clock, sleep, random },
    });
  } catch (error) {
    throw error instanceof InvalidCredentialsError ? new InvalidInputError(error.message, { cause: error }) : error;
  }
}
