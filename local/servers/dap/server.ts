import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../../shared/core/clock.ts';
import { CallLog } from '../common/call-log.ts';
import { type DapCredentials, newCredentials, TokenIssuer } from './auth.ts';
import type { Call } from './call.ts';
import { ServerClock } from './clock.ts';
import { type FaultRule, Faults } from './faults.ts';
import { RequestHandler } from './handler.ts';
import { MICROS_PER_MS, type Micros, microsOf } from './instants.ts';
import { Jobs } from './jobs.ts';
import { PUBLISHED_LIMITS, RateLimiter, type RateLimits } from './limits.ts';
import { Namespaces } from './namespaces.ts';
import { ObjectStore } from './objects.ts';
import type { Boundary } from './range.ts';
import { Errors } from './replies.ts';
import type { TableStore } from './table-store.ts';
import { DEFAULT_TABLES, extraTables } from './tables/catalog.ts';
import type { TableDefinition } from './tables/definition.ts';

export interface DapServerOptions {
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default: new random ones. */
  readonly credentials?: DapCredentials;
  /** Default 1. Equal seeds, rows and first commits make equal data. */
  readonly seed?: number;
  /** Rows of the first load of every table, or by table name with `default` for the others. Default 1000. */
  readonly rows?: number | Readonly<Record<string, number>>;
  /** Default: all of `tables/catalog.ts`. */
  readonly tables?: readonly TableDefinition[];
  /** Plain tables `extra_001` … beside them in namespace `canvas`. Default 0. */
  readonly extraTables?: number;
  /** Tables that never change after their first load. */
  readonly isSilent?: (definition: TableDefinition) => boolean;
  /** What the server's time runs with. Default: the machine's clock. */
  readonly clock?: Clock;
  /** When the tables were first loaded. Default: the last full hour (or refresh, if those are shorter), plus 273 ms. */
  readonly firstCommitAt?: Date;
  /** Between refreshes of the platform, at each of which tables are committed to; 2 s at least. Default 4 hours. */
  readonly refreshMs?: number;
  /** How much faster than by default (2 s waiting, 2 s running) jobs are; Infinity: complete when started. Default 1. */
  readonly jobSpeed?: number;
  /** Default 24 hours. */
  readonly jobLifeMs?: number;
  /** Default 3600. */
  readonly tokenLifeSeconds?: number;
  /** Default 900. */
  readonly urlLifeSeconds?: number;
  /** Default 250,000. */
  readonly rowsPerFile?: number;
  /** Rows after which a new gzip member begins. Default: one member a file. */
  readonly rowsPerMember?: number;
  /** Default one file. */
  readonly whenEmpty?: 'one file' | 'no file';
  /** 0 to 9, default 1: making data should not be what a client waits for. */
  readonly gzipLevel?: number;
  /** Default `[since, until)`. */
  readonly boundary?: Boundary;
  /** Default false. */
  readonly findsJobsFromBeforeNewCommits?: boolean;
  /** True for the published limits. Default none. */
  readonly rateLimits?: boolean | RateLimits;
  readonly faults?: readonly FaultRule[];
  /** Between 0 and 1, for faults with a probability. Default: the machine's. */
  readonly random?: () => number;
  /** Default: random. */
  readonly uuid?: () => string;
}

export interface DapServer {
  /** Such as `http://127.0.0.1:41234`, what a client takes as its base URL. */
  readonly url: string;
  readonly credentials: DapCredentials;
  readonly faults: Faults;
  /** What was asked so far, oldest first. */
  readonly calls: readonly Call[];
  now(): Date;
  /** Moves the server's time forward, and with it data, tokens, jobs and URLs. */
  advance(byMs: number): void;
  /** Moves it forward by so many refreshes of the platform. */
  refresh(times?: number): void;
  /** @throws if there is no such table */
  table(namespace: string, name: string): TableStore;
  /** Cuts open connections and removes all files. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const HOUR_MS = 3_600_000;
const REFRESH_MIN_MS = 2_000;

/**
 * A Data Access Platform on this machine, faithful on the wire: made-up data that moves on with time, and every way to fail that
 * a client should know. It holds results in a temporary folder and nothing else for longer than a request.
 */
export async function startDapServer(options: DapServerOptions = {}): Promise<DapServer> {
  const refreshMs = options.refreshMs ?? 4 * HOUR_MS;
  if (!(refreshMs >= REFRESH_MIN_MS))
    throw new RangeError(`refreshMs must be at least ${REFRESH_MIN_MS}, got ${refreshMs}`);
  const clock = new ServerClock(options.clock ?? systemClock);
  const nowMs = () => clock.nowMs();
  const uuid = options.uuid ?? randomUUID;
  const errors = new Errors(uuid);
  const credentials = options.credentials ?? newCredentials();
  const namespaces = new Namespaces(
    [...(options.tables ?? DEFAULT_TABLES), ...extraTables(options.extraTables ?? 0)],
    {
      seed: options.seed ?? 1,
      rows: options.rows ?? 1000,
      firstCommitAt: options.firstCommitAt ? microsOf(options.firstCommitAt) : lastFullHour(nowMs(), refreshMs),
      refreshEvery: refreshMs * MICROS_PER_MS,
      isSilent: options.isSilent ?? (() => false),
    },
    () => clock.nowMicros(),
  );
  const faults = new Faults(options.faults ?? [], options.random ?? Math.random);
  const objects = new ObjectStore();
  const jobs = new Jobs(jobOptions(options), objects, nowMs, uuid, errors);
  const calls = new CallLog<Call>();
  const { rateLimits = false } = options;
  let url = '';

  const handler = new RequestHandler({
    issuer: new TokenIssuer(credentials, options.tokenLifeSeconds ?? 3600, nowMs),
    limiter: new RateLimiter(rateLimits === true ? PUBLISHED_LIMITS : rateLimits === false ? {} : rateLimits),
    clock,
    faults,
    calls,
    refreshMs,
    api: {
      namespaces,
      jobs,
      objects,
      errors,
      boundary: options.boundary ?? '[since, until)',
      urlLifeSeconds: options.urlLifeSeconds ?? 900,
      nowMs,
      origin: () => url,
    },
  });
  const server = createServer((request, response) => void handler.handle(request, response));
  const host = options.host ?? '127.0.0.1';
  // A client that polls every five seconds would else find its connection closed under its request, as Node's default is five.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, host, resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await Promise.all([closed, jobs.close()]);
    await objects.close();
  };
  return {
    url,
    credentials,
    faults,
    get calls() {
      return calls.calls;
    },
    now: () => clock.now(),
    advance: (byMs) => clock.advance(byMs),
    refresh: (times = 1) => clock.advance(times * refreshMs),
    table(namespace, name) {
      const table = namespaces.table(namespace, name);
      if (!table) throw new RangeError(`there is no table ${namespace}.${name}`);
      return table;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** 273 ms into it, so that a watermark written without its fraction is noticed. */
function lastFullHour(nowMs: number, refreshMs: number): Micros {
  // A platform that refreshes more often than that begins with its first load all the same.
  const periodMs = Math.min(HOUR_MS, refreshMs);
  return (Math.floor((nowMs - 273) / periodMs) * periodMs + 273) * MICROS_PER_MS;
}

const WAITING_MS = 2_000;
const RUNNING_MS = 2_000;

function jobOptions(options: DapServerOptions) {
  const speed = options.jobSpeed ?? 1;
  return {
    waitingMs: WAITING_MS / speed,
    runningMs: RUNNING_MS / speed,
    lifeMs: options.jobLifeMs ?? 24 * HOUR_MS,
    rowsPerFile: options.rowsPerFile ?? 250_000,
    rowsPerMember: options.rowsPerMember ?? Number.POSITIVE_INFINITY,
    whenEmpty: options.whenEmpty ?? 'one file',
    gzipLevel: options.gzipLevel ?? 1,
    findsJobsFromBeforeNewCommits: options.findsJobsFromBeforeNewCommits ?? false,
  };
}
