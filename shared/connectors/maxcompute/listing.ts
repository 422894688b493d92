import {
  InvalidRequestError,
  type MaxComputeClient,
  type PartitionMetadata,
  ServiceError,
  type TableMetadata,
  type TableName,
} from '../../clients/maxcompute/index.ts';
import { systemClock } from '../../core/clock.ts';
import { mapInOrder } from '../../core/concurrency.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { idOf } from '../../core/ids.ts';
import { canonicalJson, type JsonObject } from '../../core/json.ts';
import type { BytesConnector, Listed, ListRun, Metadata } from '../connector.ts';
import { endpointOf, type MaxComputeEnvironment, openClient } from './access.ts';
import { type Standing, standingOf, TableStanding, wantedPartitions } from './changes.ts';
import { listChanges } from './incremental.ts';
import { type CheckedMaxComputeOptions, sessionRequest } from './options.ts';
import { readSplit } from './read-split.ts';
import { Sessions } from './sessions.ts';
import { listSplits } from './splits.ts';

/** What one process works with. */
export interface MaxComputeContext {
  readonly client: MaxComputeClient;
  readonly sessions: Sessions;
}

/** Tables are asked how they stand so many at a time. */
const TABLES_AT_ONCE = 8;

/**
 * Project (folder) → table (job) → splits. With a session for each partition the table is a folder of such jobs; read
 * incrementally it is a feed of them.
 */
export function maxComputeConnector(
  options: CheckedMaxComputeOptions,
  environment: MaxComputeEnvironment,
): BytesConnector<MaxComputeContext> {
  const clock = environment.clock ?? systemClock;
  const lister = new Lister(options, () => clock());
  return {
    context: (credential, { log }) => {
      if (credential === '')
        throw new InvalidInputError('a maxcompute source needs credentials: secret(…) in its pipeline');
      const client = openClient(credential, options, log, environment);
      return { client, sessions: new Sessions(client, clock) };
    },
    listObjects: ({ client }, metadata, run) => {
      if (!metadata) return lister.tables(client, run);
      if (metadata.kind === 'feed') return listChanges(lister, client, metadata, run);
      return metadata.kind === 'job' ? listSplits(options, metadata, run) : lister.partitions(client, metadata, run);
    },
    readBytes: (context, metadata, run) => readSplit(context, options, metadata, run),
  };
}

/** Lists what is wanted of a project, and makes jobs of it. */
export class Lister {
  readonly options: CheckedMaxComputeOptions;
  readonly #now: () => Date;

  constructor(options: CheckedMaxComputeOptions, now: () => Date) {
    this.options = options;
    this.#now = now;
  }

  /** In the order of their names, so that a long list goes on behind the last one. */
  async *tables(client: MaxComputeClient, run: ListRun): AsyncGenerator<Listed> {
    const after = typeof run.resumeFrom === 'string' ? run.resumeFrom : '';
    const names = (await this.#names(client, run.signal)).filter((name) => name > after);
    const { incremental, sessionPer } = this.options;
    const list = async (table: string): Promise<[string, Listed | undefined]> => {
      if (incremental) return [table, { name: table, fingerprint: '', isPrefix: true, kind: 'feed', table }];
      if (sessionPer === 'partition') return [table, { name: table, fingerprint: '', isPrefix: true, table }];
      return [table, await this.#table(client, table, run)];
    };
    for await (const [table, listed] of mapInOrder(names, TABLES_AT_ONCE, list)) {
      if (listed) yield listed;
      await run.checkpoint(table);
    }
  }

  /** A job for each partition; of a table without any, one for all of it. */
  async *partitions(client: MaxComputeClient, { table }: Metadata, run: ListRun): AsyncGenerator<Listed> {
    const name = this.nameOf(String(table));
    const described = await this.standing(client, name, run);
    if (described.table.partitionKeys.length === 0) {
      yield this.#job('all', name, described.table, described.whole(), run);
      return;
    }
    const known = new Set<string>();
    for await (const partition of wantedPartitions(client, name, this.options, run.signal)) {
      const { spec } = partition;
      // Two calls, two pages: what was listed meanwhile may come twice.
      if (known.has(spec)) continue;
      known.add(spec);
      yield this.#partition(name, described, partition, run);
    }
  }

  async standing(client: MaxComputeClient, name: TableName, { signal }: ListRun): Promise<TableStanding> {
    return new TableStanding(await client.getTable(name, { signal }), this.#now());
  }

  nameOf(table: string): TableName {
    const { project, schema } = this.options;
    return { project, table, ...(schema === undefined ? {} : { schema }) };
  }

  /** A read session as an external job. @param request as `sessionRequest` makes it, or with more */
  jobOf({ table, schema }: TableName, request: JsonObject): JsonObject {
    const { startsPerMinute, timeoutHours } = this.options;
    return {
      taskType: 'maxcompute.read',
      template: {
        custom: { ...endpointOf(this.options), ...(schema === undefined ? {} : { schema }), table, request },
        metadata: {
          retries: RETRIES,
          timeoutSeconds: timeoutHours * 3600,
          startsPerMinute,
          // A session that nobody knows of ends by itself.
          retryOnUnknownCreate: true,
        },
      } as unknown as JsonObject,
    };
  }

  /** Columns that tell partitions apart. */
  requestFor({ partitionKeys }: TableMetadata, partitions?: readonly string[]): JsonObject {
    const { partitionColumns = partitionKeys.map(({ name }) => name) } = this.options;
    return sessionRequest(this.options, partitionColumns, partitions);
  }

  /** Short, and another one for whatever would read otherwise. */
  requestId(request: JsonObject): string {
    const { compression, batchRows } = this.options;
    return idOf(canonicalJson(request), compression, String(batchRows));
  }

  async #names(client: MaxComputeClient, signal: AbortSignal): Promise<readonly string[]> {
    const { tables, schema } = this.options;
    if (tables !== 'all') return [...tables].sort();
    const names = new Set<string>();
    for await (const { name, type } of client.listTables(schema, { signal })) if (!isUnreadable(type)) names.add(name);
    return [...names].sort();
  }

  async #table(client: MaxComputeClient, table: string, run: ListRun): Promise<Listed | undefined> {
    const name = this.nameOf(table);
    try {
      const described = await this.standing(client, name, run);
      if (described.table.isView && this.options.tables === 'all') return undefined;
      const standing = await standingOf(client, name, this.options, described, run.signal);
      return this.#job(table, name, described.table, standing, run);
    } catch (error) {
      if (!isItsOwn(error)) throw error;
      run.log.warn('the table could not be looked at', { table, error });
      // The job meets the same refusal: it fails visibly and alone, and what had landed stands.
      const request = sessionRequest(this.options, this.options.partitionColumns ?? []);
      return this.#listed(table, name, `unknown ${error.code}~${run.run}`, request);
    }
  }

  #partition(name: TableName, described: TableStanding, partition: PartitionMetadata, run: ListRun): Listed {
    return this.#job(partition.spec, name, described.table, described.ofPartition(partition), run, [partition.spec]);
  }

  #job(
    child: string,
    name: TableName,
    table: TableMetadata,
    standing: Standing,
    run: ListRun,
    partitions?: readonly string[],
  ): Listed {
    const request = this.requestFor(table, partitions);
    const { stamp, isSettled } = standing;
    // What may still change without its time changing counts as changed the next time.
    return this.#listed(child, name, isSettled ? stamp : `${stamp}~${run.run}`, request);
  }

  #listed(child: string, name: TableName, stamp: string, request: JsonObject): Listed {
    return {
      name: child,
      fingerprint: `${stamp}#${this.requestId(request)}`,
      isPrefix: true,
      kind: 'job',
      table: name.table,
      job: this.jobOf(name, request),
    };
  }
}

/** A session that failed is opened again so often. */
const RETRIES = 2;

/** The storage API has no rows of these. */
const isUnreadable = (type: string | null): boolean => type !== null && /VIEW|EXTERNAL/i.test(type);

/** A refusal that is about this table, and not about the project or the moment. */
function isItsOwn(error: unknown): error is ServiceError | InstanceType<typeof InvalidRequestError> {
  if (error instanceof InvalidRequestError) return true;
  return error instanceof ServiceError && !error.retryable && [403, 404].includes(error.status);
}
