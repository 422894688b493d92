import { InvalidInputError } from '../../../../core/errors.ts';
import type { JsonValue } from '../../../../core/json.ts';
import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type MetricsQuery,
  type Resource,
  type TaskMetrics,
} from '../../async-connector.ts';

import { ConnectorError } from '../../errors.ts';
import { jsonResourceMeta } from '../../resource-meta.ts';
import { customOf, Members, specified } from '../settings.ts';
import { phaseOf, type StateTable, unlessEnded } from '../states.ts';
import { type AwsAccess, awsAccess, KeptClients } from './access.ts';

/** What `custom` of an `aws.athena` template says; the query itself is `sql.statement`. */
export interface AthenaSettings {
  readonly database?: string;
  readonly catalog?: string;
  readonly workGroup?: string;
  /** `s3://…` for results. Default: the output prefix, if that is in S3; else the work group's. */
  readonly outputLocation?: string;
  /** Inputs, by name, for the question marks of the statement, in their order. Texts are quoted. */
  readonly parameters?: readonly string[];
  /** Take the result of the same query if it is not older: 1 to 10,080 minutes. */
  readonly reuseMinutes?: number;
  /** Default: the connection's config `region`, else the environment's. */
  readonly region?: string;
}

const TEXT = { kind: 'string', min: 1, max: 1024 } as const;
const SPEC = {
  database: TEXT,
  catalog: TEXT,
  workGroup: TEXT,
  outputLocation: TEXT,
  parameters: { kind: 'array', of: 'string', max: 1000 },
  reuseMinutes: { kind: 'integer', min: 1, max: 10_080 },
  region: TEXT,
} as const;

/** What the connector needs of Athena, in its own words: the seam between it and the SDK. */
export interface AthenaApi {
  /** @returns the query's id */
  start(query: AthenaQuery, signal: AbortSignal): Promise<string>;
  /** @throws {ConnectorError} `ResourceGone` */
  look(queryId: string, signal: AbortSignal): Promise<AthenaExecution>;
  /** @throws {ConnectorError} `ResourceGone` */
  stop(queryId: string, signal: AbortSignal): Promise<void>;
}

export interface AthenaQuery {
  readonly statement: string;
  readonly token: string;
  readonly database?: string | undefined;
  readonly catalog?: string | undefined;
  readonly workGroup?: string | undefined;
  readonly outputLocation?: string | undefined;
  readonly parameters: readonly string[];
  readonly reuseMinutes?: number | undefined;
}

export interface AthenaExecution {
  readonly state: string | undefined;
  readonly reason: string | undefined;
  readonly retryable: boolean;
  readonly errorType: number | undefined;
  readonly scannedBytes: number | undefined;
  readonly outputLocation: string | undefined;
  readonly completedAt: Date | undefined;
}

export interface AthenaHandle {
  readonly queryId: string;
  readonly region?: string;
}

/** FAILED is RETRYABLE_FAILED where Athena says that the query may be tried again. */
export const ATHENA_STATES: StateTable = {
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  CANCELLED: 'ABORTED',
  FAILED: 'FAILED',
};

/** In bytes of UTF-8, as Athena has it. */
const STATEMENT_MAX_BYTES = 262_144;
const SCANNED = 'INGEST_BYTES_SCANNED';

/**
 * A query of Amazon Athena. The idempotency token is its client request token, so a repeated `create` finds the query that
 * runs already. Outputs: `resultLocation`, `queryId`, `scannedBytes`. Metric: `INGEST_BYTES_SCANNED`.
 */
export class AthenaConnector extends AsyncConnector<AthenaHandle> {
  override readonly name = 'Amazon Athena';
  readonly taskTypeName = 'aws.athena';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  readonly #clients: KeptClients<AthenaApi>;

  constructor(open: (access: AwsAccess) => Promise<AthenaApi> = openSdk) {
    super();
    this.#clients = new KeptClients(open);
  }

  async create(request: CreateRequest, { connection, idempotencyToken, signal }: ConnectorContext) {
    const settings: AthenaSettings = customOf<AthenaSettings, typeof SPEC>(request.taskTemplate, SPEC);
    const { region, parameters = [], outputLocation = s3Prefix(request.outputPrefix), ...rest } = settings;
    const query = specified(() => ({
      ...rest,
      statement: statementOf(request),
      token: idempotencyToken,
      outputLocation,
      parameters: parameters.map((name) => literal(name, request.inputs)),
    }));
    const access = awsAccess(connection, region);
    const queryId = await (await this.#clients.of(access)).start(query, signal);
    if (queryId === '') throw new ConnectorError('BadReply', { message: 'athena told no query id', retryable: false });
    return { queryId, ...(access.region ? { region: access.region } : {}) };
  }

  async get(handle: AthenaHandle, context: ConnectorContext): Promise<Resource> {
    const { queryId } = handle;
    const { state, reason, retryable, errorType, scannedBytes, outputLocation } = await (
      await this.#clients.of(awsAccess(context.connection, handle.region))
    ).look(queryId, context.signal);
    const known = phaseOf(state, ATHENA_STATES, context);
    const isFailure = known.phase === 'FAILED';
    const message = known.message ?? reason;
    return {
      phase: isFailure && retryable ? 'RETRYABLE_FAILED' : known.phase,
      ...(message ? { message } : {}),
      ...(isFailure ? { error: { code: `AthenaError${errorType ?? ''}`, retryable, origin: 'service' } } : {}),
      ...(known.phase === 'SUCCEEDED' ? { outputs: outputsOf(queryId, outputLocation, scannedBytes) } : {}),
      customInfo: { queryId, ...(scannedBytes === undefined ? {} : { scannedBytes }) },
    };
  }

  async delete(handle: AthenaHandle, context: ConnectorContext): Promise<void> {
    const { connection, signal } = context;
    try {
      await (await this.#clients.of(awsAccess(connection, handle.region))).stop(handle.queryId, signal);
    } catch (error) {
      await unlessEnded(error, () => this.get(handle, context));
    }
  }

  /** One point: what was scanned so far, or when the query ended. */
  override async getMetrics(
    { queryId, region }: AthenaHandle,
    { queries, startTime, endTime }: MetricsQuery,
    { connection, signal, clock }: ConnectorContext,
  ): Promise<TaskMetrics> {
    if (queries.length > 0 && !queries.includes(SCANNED)) return { results: [] };
    const { scannedBytes, completedAt } = await (await this.#clients.of(awsAccess(connection, region))).look(
      queryId,
      signal,
    );
    const at = completedAt ?? clock();
    const isInRange = (startTime === undefined || at >= startTime) && (endTime === undefined || at <= endTime);
    const values =
      isInRange && scannedBytes !== undefined ? [[at.getTime() / 1000, String(scannedBytes)] as const] : [];
    return {
      results: [{ metric: SCANNED, data: { resultType: 'matrix', result: [{ metric: { queryId }, values }] } }],
    };
  }
}

async function openSdk(access: AwsAccess): Promise<AthenaApi> {
  const { athenaSdk } = await import('./athena-sdk.ts');
  return athenaSdk(access);
}

const outputsOf = (queryId: string, resultLocation: string | undefined, scannedBytes: number | undefined) => ({
  queryId,
  ...(resultLocation === undefined ? {} : { resultLocation }),
  ...(scannedBytes === undefined ? {} : { scannedBytes }),
});

function statementOf({ taskTemplate: { sql } }: CreateRequest): string {
  const statement = sql?.statement ?? '';
  const size = Buffer.byteLength(statement);
  if (statement.trim() !== '' && size <= STATEMENT_MAX_BYTES) return statement;
  throw new InvalidInputError(`"sql.statement" must hold 1 to ${STATEMENT_MAX_BYTES} bytes, got ${size}`);
}

/** A value as SQL writes it: what is text is quoted here, so that no input ends the literal it belongs to. */
function literal(name: string, inputs: CreateRequest['inputs'] = {}): string {
  const value: JsonValue | undefined = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new InvalidInputError(`"parameters": the input ${JSON.stringify(name)} must be text, a number or true/false`);
}

const s3Prefix = (prefix: string): string | undefined =>
  prefix.startsWith('s3://') ? `${prefix.replace(/\/+$/, '')}/` : undefined;

function parseHandle(value: unknown): AthenaHandle {
  const handle = new Members(value);
  return { queryId: handle.text('queryId'), ...handle.optional('region', (name) => handle.text(name)) };
}
