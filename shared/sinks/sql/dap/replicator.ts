import {
  type DapSession,
  Instant,
  OutOfRangeError,
  SnapshotRequiredError,
  type VersionedSchema,
} from '../../../clients/dap/index.ts';
import { type Logger, silentLogger } from '../../../core/logger.ts';
import { csvParser } from '../../../parsers/csv/csv.ts';
import { NonExistingTableError, TableAlreadyInitializedError } from '../errors.ts';
import type { LoadLimits, LoadResult, TableLoad } from '../load.ts';
import type { TableName } from '../names.ts';
import type { MappingName, TableState } from '../own-tables.ts';
import type { SyncRow } from '../reference-tables.ts';
import type { Source, SqlTable } from '../table.ts';
import { SqlTarget } from '../target.ts';
import { canonical, parsePlace, placeText, type ReplicaPlace, sharedPlace } from './place.ts';
import { replicaSchema, schemaDescription } from './schema.ts';

export interface ReplicatorOptions {
  /** Of tables that are initialised. Default ours. */
  readonly mapping?: MappingName;
  readonly limits?: Partial<LoadLimits>;
  readonly logger?: Logger;
}

export interface ReplicaProgress {
  readonly filesDone: number;
  readonly files: number;
  /** So far, of this call. */
  readonly rows: number;
}

export interface ReplicateOptions {
  readonly signal?: AbortSignal;
  onJob?(job: { readonly id: string; readonly status: string }): void;
  onProgress?(progress: ReplicaProgress): void;
}

export interface ReplicaResult extends LoadResult, ReplicaPlace {
  /** `current`: there was nothing new. `reloaded`: changes could not be had any more, so the whole table was loaded. */
  readonly outcome: 'initialized' | 'synchronized' | 'current' | 'reloaded';
  /** Empty if there was no job. */
  readonly jobId: string;
}

const QUERY = { format: 'tsv', mode: 'condensed' } as const;

/**
 * Keeps tables of the Data Access Platform in a database. What is cut off anywhere can simply be called again; readers see the
 * last complete state.
 */
export class SQLReplicator implements AsyncDisposable {
  readonly #session: DapSession;
  readonly #connection: string | SqlTarget;
  readonly #mapping: MappingName;
  readonly #limits: Partial<LoadLimits>;
  readonly #logger: Logger;
  #target: Promise<SqlTarget> | undefined;

  /**
   * @param session stays open
   * @param connection a connection string, opened by the first call; or a target, which stays open
   */
  constructor(session: DapSession, connection: string | SqlTarget, options: ReplicatorOptions = {}) {
    this.#session = session;
    this.#connection = connection;
    this.#mapping = options.mapping ?? 'landfall';
    this.#limits = options.limits ?? {};
    this.#logger = options.logger ?? silentLogger;
  }

  /**
   * Loads a table for the first time.
   *
   * @throws {TableAlreadyInitializedError} it is there already
   * @throws {TableAlreadyExistsError} there is a table of that name that is not a replica
   */
  async initialize(namespace: string, table: string, options: ReplicateOptions = {}): Promise<ReplicaResult> {
    const replica = await this.#replica({ namespace, name: table });
    if (replica.place)
      throw new TableAlreadyInitializedError(`${namespace}.${table} is initialized already; synchronize it`);
    try {
      const result = await this.#reload(replica, options);
      return { ...result, outcome: 'initialized' };
    } finally {
      await replica.table.release();
    }
  }

  /**
   * Applies what changed since the last time. Where the service does not have that any more, the whole table is loaded anew.
   *
   * @throws {NonExistingTableError} it was not initialised
   */
  async synchronize(namespace: string, table: string, options: ReplicateOptions = {}): Promise<ReplicaResult> {
    const replica = await this.#replica({ namespace, name: table });
    const { place } = replica;
    if (!place) throw new NonExistingTableError(`${namespace}.${table} is not initialized; initialize it first`);
    try {
      return await this.#change(replica, place, options);
    } catch (error) {
      if (!isTooOld(error, place)) throw error;
      this.#logger.warn('changes are not kept that long; the table is loaded anew', { table, since: place.timestamp });
      return { ...(await this.#reload(replica, options)), outcome: 'reloaded' };
    } finally {
      await replica.table.release();
    }
  }

  /** Closes the connection, if it was opened here. */
  async close(): Promise<void> {
    const opened = this.#target;
    this.#target = undefined;
    // Whoever waited for a database that could not be opened has been told so.
    if (opened && typeof this.#connection === 'string') await (await opened.catch(() => undefined))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A database that could not be reached is tried again by the next call. */
  async #opened(): Promise<SqlTarget> {
    this.#target ??= openTarget(this.#connection);
    const opening = this.#target;
    try {
      return await opening;
    } catch (error) {
      if (this.#target === opening) this.#target = undefined;
      throw error;
    }
  }

  async #replica(name: TableName): Promise<Replica> {
    const target = await this.#opened();
    const state = (await target.own.exist()) ? await target.own.state(name) : undefined;
    const sync = await target.reference.get(name);
    const mapping = state?.mapping ?? (sync ? 'reference' : this.#mapping);
    const own = state?.generation == null ? undefined : parsePlace(state.place);
    const table = target.table(name, { mapping, limits: this.#limits });
    return { name, table, mapping, state, sync, place: mapping === 'reference' ? sync && sharedPlace(own, sync) : own };
  }

  async #change(replica: Replica, place: ReplicaPlace, options: ReplicateOptions): Promise<ReplicaResult> {
    const { name, table, mapping, state, sync } = replica;
    const { namespace } = name;
    const query = { ...QUERY, since: place.timestamp };
    const data = await this.#session.getTableData(namespace, name.name, query, options);
    const timestamp = String(data.timestamp);
    const nothing = { rows: 0, quarantined: 0, truncated: 0 };
    // Such a job was applied already; to do it again could bring older rows back.
    if (data.jobId === '' || isNotAfter(timestamp, place.timestamp))
      return { ...nothing, ...place, jobId: data.jobId, outcome: 'current' };
    const schema = await this.#schema(name, options);
    const source = sourceOf(schema, mapping);
    if (!state && sync) {
      const known = JSON.parse(sync.schemaDescription) as unknown;
      await table.adopt({ schema: replicaSchema(known, 'reference'), document: known }, sync, placeText(place));
    }
    const load = await table.beginChanges(data.jobId, source);
    await this.#fill(load, source, data.objects, options);
    const result = await this.#finish(load, { timestamp, schema, mapping });
    return { ...result, jobId: data.jobId, outcome: 'synchronized' };
  }

  async #reload({ name, table, mapping }: Replica, options: ReplicateOptions): Promise<ReplicaResult> {
    const data = await this.#session.getTableData(name.namespace, name.name, QUERY, options);
    const schema = await this.#schema(name, options);
    const source = sourceOf(schema, mapping);
    const load = await table.beginGeneration(data.jobId, source);
    await this.#fill(load, source, data.objects, options);
    const result = await this.#finish(load, { timestamp: String(data.timestamp), schema, mapping });
    return { ...result, jobId: data.jobId, outcome: 'reloaded' };
  }

  /** The schema of the data. It is asked for behind the data, so it is not older; if it is newer, older rows fit it too. */
  #schema({ namespace, name }: TableName, { signal }: ReplicateOptions): Promise<VersionedSchema> {
    return this.#session.getTableSchema(namespace, name, signal ? { signal } : {});
  }

  async #fill(
    load: TableLoad,
    { schema }: Source,
    objects: readonly { readonly id: string }[],
    { signal, onProgress }: ReplicateOptions,
  ): Promise<void> {
    const parser = csvParser(
      { dialect: 'dap-tsv', schema, badRecords: 'quarantine', onExtraField: 'fail', compression: 'auto' },
      'tsv',
    );
    let rows = 0;
    const begin = load.offset.part;
    for (let part = begin; part < objects.length; part++) {
      const bytes = this.#session.streamObject(objects[part]!, signal ? { signal } : {});
      const run = {
        label: objects[part]!.id,
        ...(signal && { signal }),
        quarantine: (bad: Parameters<TableLoad['quarantine']>[1]) => load.quarantine(part, bad),
      };
      for await (const batch of parser.parse(bytes, run)) {
        await load.write(part, batch);
        rows += batch.rows.length;
        onProgress?.({ filesDone: part, files: objects.length, rows });
      }
      await load.endPart(part);
    }
    onProgress?.({ filesDone: objects.length, files: objects.length, rows });
  }

  async #finish(
    load: TableLoad,
    at: { readonly timestamp: string; readonly schema: VersionedSchema; readonly mapping: MappingName },
  ): Promise<LoadResult & ReplicaPlace> {
    const { timestamp, schema, mapping } = at;
    const place = { timestamp, schemaVersion: schema.version };
    const sync: SyncRow = {
      timestamp: canonical(timestamp),
      schemaVersion: schema.version,
      schemaDescription: schemaDescription(schema.schema),
    };
    const result = await load.finish({ place: placeText(place), ...(mapping === 'reference' && { sync }) });
    if (result.quarantined > 0) this.#logger.warn('rows were set aside', { quarantined: result.quarantined });
    return { ...result, ...place };
  }
}

interface Replica {
  readonly name: TableName;
  readonly table: SqlTable;
  readonly mapping: MappingName;
  readonly state: TableState | undefined;
  readonly sync: SyncRow | undefined;
  readonly place: ReplicaPlace | undefined;
}

export const openTarget = (connection: string | SqlTarget): Promise<SqlTarget> =>
  typeof connection === 'string' ? SqlTarget.open(connection) : Promise.resolve(connection);

const isNotAfter = (a: string, b: string): boolean => Instant.parse(a).compare(Instant.parse(b)) <= 0;

const sourceOf = ({ schema }: VersionedSchema, mapping: MappingName): Source => ({
  schema: replicaSchema(schema, mapping),
  document: schema,
});

/** The table was reloaded, or what follows our watermark is gone. */
function isTooOld(error: unknown, { timestamp }: ReplicaPlace): boolean {
  if (error instanceof SnapshotRequiredError) return true;
  return error instanceof OutOfRangeError && error.since !== undefined && !isNotAfter(String(error.since), timestamp);
}
