import { Credentials, DapClient, type DapSession, type RateLimiter } from '../../clients/dap/index.ts';
import type { Sleep } from '../../clients/transport/abort.ts';
import type { Fetch } from '../../clients/transport/reply.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import type { Logger } from '../../core/logger.ts';
import type { Redactor } from '../../core/redaction.ts';

/** Where the service is, if it is not the public one. */
export interface DapEndpoint {
  /** Default: the public service. */
  readonly baseUrl?: string;
  /** Between `/dap/` and the route, e.g. `beta`. */
  readonly apiPathPrefix?: string;
  /**
   * Whether the service's files may lie in a private network, as behind an interface endpoint of S3: `true` never, `false` always,
   * by default if `baseUrl` is in one itself.
   */
  readonly refusePrivateAddresses?: boolean;
}

/** What tests put in place of the world. */
export interface DapEnvironment {
  readonly fetch?: Fetch;
  readonly redactor?: Pick<Redactor, 'add'>;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
  /** In place of all that speaks to the service. */
  readonly session?: () => DapSession;
}

/**
 * What the secret holds: `{"clientId": "…", "clientSecret": "…"}`, or the two with a colon between them.
 *
 * @throws {InvalidInputError} naming what is missing, never showing what was got
 */
export function parseCredential(secret: string): Credentials {
  const [clientId, clientSecret] = secret.trimStart().startsWith('{') ? fromJson(secret) : fromPair(secret);
  return Credentials.create(clientId, clientSecret);
}

const EXPECTED = 'the DAP credential must be {"clientId": "…", "clientSecret": "…"} or clientId:clientSecret';

function fromJson(secret: string): [string, string] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(secret);
  } catch {
    throw new InvalidInputError(`${EXPECTED}; it is no JSON`);
  }
  const { clientId, clientSecret } = isObject(parsed) ? parsed : {};
  if (typeof clientId !== 'string' || clientId === '') throw new InvalidInputError(`${EXPECTED}; clientId is missing`);
  if (typeof clientSecret !== 'string' || clientSecret === '')
    throw new InvalidInputError(`${EXPECTED}; clientSecret is missing`);
  return [clientId, clientSecret];
}

function fromPair(secret: string): [string, string] {
  const colon = secret.indexOf(':');
  if (colon < 1) throw new InvalidInputError(`${EXPECTED}; it is neither`);
  return [secret.slice(0, colon), secret.slice(colon + 1).trim()];
}

/** A session whose calls do not wait: a function is billed for that, and a message can come again later. */
export function openSession(
  secret: string,
  { baseUrl, apiPathPrefix, refusePrivateAddresses }: DapEndpoint,
  log: Logger,
  { fetch, redactor, clock, sleep, session }: DapEnvironment = {},
): DapSession {
  const credentials = parseCredential(secret);
  for (const value of credentials.secrets()) redactor?.add(value);
  if (session) return session();
  const client = new DapClient({
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiPathPrefix === undefined ? {} : { apiPathPrefix }),
    ...(fetch ? { fetch } : {}),
    refusePrivateAddresses,
    ...(clock ? { clock } : {}),
    ...(sleep ? { sleep } : {}),
    credentials,
    logger: log,
    rateLimiter: neverWaits(clock ?? systemClock),
    retry: {
      rateLimited: { repeats: 0, waitMs: 30_000 },
      transient: { repeats: 2, firstMs: 500, maxMs: 5000 },
      processing: { repeats: 0, waitMs: 30_000 },
    },
    requestTimeoutMs: 60_000,
  });
  return client.open();
}

/**
 * The buckets shared by all workers pace the calls; a limit of each process for itself would only add to that. What the service
 * has asked to be left alone for is not asked at all: whoever would have to wait comes again.
 */
function neverWaits(clock: Clock): RateLimiter {
  const pausedUntil = new Map<string, number>();
  return {
    take: async (route) => {
      const waitMs = (pausedUntil.get(route) ?? 0) - clock().getTime();
      if (waitMs <= 0) return;
      const message = `the service has asked for ${Math.ceil(waitMs / 1000)} s without calls of the route ${route}`;
      throw new RetryableError(message, { retryAfterMs: waitMs });
    },
    pause: (route, forMs) => void pausedUntil.set(route, clock().getTime() + forMs),
  };
}
