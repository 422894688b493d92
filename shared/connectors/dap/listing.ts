import { verify } from '../../clients/dap/gzip.ts';
import { checkObjectId, type DapSession, NotFoundError } from '../../clients/dap/index.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { stringifyLossless } from '../../core/lossless-json.ts';
import {
  type BytesConnector,
  InvalidListingError,
  JobGoneError,
  type Listed,
  type ListRun,
  type Metadata,
  type ReadRun,
} from '../connector.ts';
import { type DapEnvironment, openSession } from './access.ts';
import type { CheckedDapOptions } from './dap.ts';
import type { DapQueryOutputs } from './query-connector.ts';
import { countRows } from './rows.ts';

/** Where a table stands: kept by the platform, and moved only when all that it covers has landed. */
export type TablePosition = JsonObject & {
  readonly watermark: string;
  readonly schemaVersion: number | null;
};

/** What the schema beside a query's files is called. */
export const SCHEMA_NAME = 'schema.json';

/** After these only a new snapshot brings a table up to date. */
const NEEDS_SNAPSHOT: ReadonlySet<string> = new Set(['DapSnapshotRequired', 'DapOutOfRange']);

/** Namespace (folder) → table (feed) → query (job) → the job's objects, and the schema where it is another one. */
export function dapConnector(options: CheckedDapOptions, environment: DapEnvironment): BytesConnector<DapSession> {
  return {
    context: (credential, { log }) => {
      if (credential === '') throw new InvalidInputError('a dap source needs credentials: secret(…) in its pipeline');
      return openSession(credential, options, log, environment);
    },
    listObjects: (session, metadata, run) => {
      if (!metadata) return listTables(session, options, run);
      return metadata.kind === 'feed' ? listQueries(options, metadata, run) : listObjects(options, metadata, run);
    },
    readBytes: (session, metadata, run) =>
      typeof metadata.schemaVersion === 'number'
        ? readSchema(session, options, metadata, run)
        : readObject(session, options, metadata, run),
    close: (session) => session.close(),
  };
}

async function* listTables(
  session: DapSession,
  { namespace, tables }: CheckedDapOptions,
  { signal }: ListRun,
): AsyncGenerator<Listed> {
  const names = tables === 'all' ? await session.getTables(namespace, { signal }) : tables;
  for (const table of names) yield { name: table, fingerprint: '', isPrefix: true, kind: 'feed', table };
}

/**
 * One query at a time for each table: where the next one begins is known when all of the one before has landed. A query
 * that can never succeed is followed by a snapshot, which opens a generation.
 */
async function* listQueries(options: CheckedDapOptions, { table }: Metadata, run: ListRun): AsyncGenerator<Listed> {
  const { landedPosition, outstanding } = run.feed ?? { landedPosition: undefined, outstanding: [] };
  const last = outstanding.at(-1);
  if (last && !NEEDS_SNAPSHOT.has(last.error?.code ?? '')) return;
  const from = last ? undefined : (landedPosition as TablePosition | undefined);
  if (last) await run.warn(`table ${table}: ${last.error!.code}; a new snapshot is taken`);
  yield from ? incremental(options, String(table), from) : snapshot(options, String(table), run.run);
  // The number of the run is enough of a position: what matters is told by the query's own listing.
  await run.checkpoint(run.run);
}

function snapshot(options: CheckedDapOptions, table: string, run: number): Listed {
  const name = `snapshot-${run}`;
  return {
    name,
    fingerprint: name,
    isPrefix: true,
    kind: 'job',
    generation: name,
    table,
    job: jobOf(options, table, {}),
  };
}

function incremental(options: CheckedDapOptions, table: string, { watermark, schemaVersion }: TablePosition): Listed {
  const name = `since-${watermark}`;
  return {
    name,
    fingerprint: name,
    isPrefix: true,
    kind: 'job',
    table,
    ...(schemaVersion === null ? {} : { knownSchema: schemaVersion }),
    job: jobOf(options, table, { since: watermark }),
  };
}

/** Failed jobs are started again twice, as the service's own users found necessary: half a minute later, then a minute. */
const RETRIES = 2;
const RETRY_DELAY_SECONDS = 60;

function jobOf(options: CheckedDapOptions, table: string, query: { readonly since?: string }): JsonObject {
  const { namespace, format, mode, startsPerMinute, timeoutHours, baseUrl, apiPathPrefix } = options;
  return {
    taskType: 'dap.query',
    template: {
      custom: {
        namespace,
        table,
        format,
        ...(mode === undefined ? {} : { mode }),
        ...query,
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...(apiPathPrefix === undefined ? {} : { apiPathPrefix }),
      },
      metadata: {
        retries: RETRIES,
        retryDelaySeconds: RETRY_DELAY_SECONDS,
        timeoutSeconds: timeoutHours * 3600,
        startsPerMinute,
      },
    },
  };
}

async function* listObjects(
  { namespace }: CheckedDapOptions,
  { table, knownSchema }: Metadata,
  run: ListRun,
): AsyncGenerator<Listed> {
  const { jobId, objects, schemaVersion, watermark } = outputsOf(run.job?.outputs);
  if (jobId !== undefined && schemaVersion !== undefined && schemaVersion !== knownSchema) {
    yield {
      name: 'schema.json',
      fingerprint: `schema ${schemaVersion}`,
      isPrefix: false,
      table: table!,
      schemaVersion,
    };
    if (typeof knownSchema === 'number')
      await run.warn(
        `table ${table} of ${namespace}: its schema changed from version ${knownSchema} to ${schemaVersion}`,
      );
  }
  for (const id of objects) {
    const objectId = checkObjectId(id);
    const name = objectId.slice(objectId.lastIndexOf('/') + 1);
    yield { name, fingerprint: `${jobId}/${objectId}`, isPrefix: false, objectId };
  }
  const known = typeof knownSchema === 'number' ? knownSchema : null;
  const position: TablePosition = { watermark, schemaVersion: schemaVersion ?? known };
  run.position(position);
}

/** @throws {InvalidListingError} what the job left is not what a query leaves */
function outputsOf(outputs: JsonObject | undefined): DapQueryOutputs {
  const { objects, watermark, schemaVersion, jobId } = outputs ?? {};
  const isRight =
    Array.isArray(objects) &&
    objects.every((id: JsonValue) => typeof id === 'string') &&
    typeof watermark === 'string' &&
    (schemaVersion === undefined || typeof schemaVersion === 'number') &&
    (jobId === undefined || typeof jobId === 'string');
  if (!isRight) throw new InvalidListingError('the outputs of a dap.query lack objects or the watermark');
  return outputs as DapQueryOutputs;
}

/** The object as it is stored. It is unpacked on the side, to see that it is whole and to count its rows. */
async function* readObject(
  session: DapSession,
  { format }: CheckedDapOptions,
  { objectId }: Metadata,
  run: ReadRun,
): AsyncGenerator<Uint8Array> {
  const id = checkObjectId(String(objectId));
  try {
    const stored = session.streamObject({ id }, { signal: run.signal }) as AsyncIterable<Uint8Array>;
    const rows = countRows(format);
    yield* verify(stored, `object ${id}`, rows.see);
    const counted = rows.total();
    if (counted !== undefined) run.rows?.(counted);
  } catch (error) {
    throw isGone(error) ? new JobGoneError(`object ${id} is gone, with the job that made it`, { cause: error }) : error;
  }
}

const isGone = (error: unknown) => error instanceof NotFoundError && (error.kind === 'object' || error.kind === 'job');

/** The schema may be ahead of the query by the time it is asked for; it only ever grows. */
async function* readSchema(
  session: DapSession,
  { namespace }: CheckedDapOptions,
  { table, schemaVersion }: Metadata,
  { signal }: ReadRun,
): AsyncGenerator<string> {
  const { schema, version } = await session.getTableSchema(namespace, String(table), { signal });
  if (version < Number(schemaVersion)) {
    throw new RetryableError(
      `the schema of table ${table} is asked for in version ${schemaVersion}, and the service still has version ${version}`,
    );
  }
  yield `${stringifyLossless({ schema, version }, 2)}\n`;
}
