import { type Call, Caller, type CallOptions } from './caller.ts';
import { readText } from './reply-body.ts';
import { RouteTokens } from './route-tokens.ts';
import { type MaxComputeClientOptions, named, settingsOf } from './settings.ts';
import { StorageApi } from './storage-api.ts';
import {
  type ListedTable,
  type PartitionMetadata,
  parsePartitions,
  parseTableMetadata,
  parseTables,
  type TableMetadata,
} from './tables/metadata.ts';
import { type InstanceName, instanceTarget, type TableName, tableTarget } from './target.ts';

/** A way to MaxCompute: what is configured, and the door to tables and SQL instances. */
export class MaxComputeClient {
  readonly #caller: Caller;
  readonly #tokens = new RouteTokens();

  /**
   * @param options with `env: process.env`, the vendor's environment variables are the defaults
   * @throws {InvalidCredentialsError} there are none, or they cannot be sent
   * @throws {InvalidRequestError} a setting is missing or out of its limits; the message names it
   */
  constructor(options: MaxComputeClientOptions = {}) {
    this.#caller = new Caller(settingsOf(options));
  }

  get project(): string {
    return this.#caller.settings.project;
  }

  /** The storage API of a table. Nothing is sent yet. @throws {InvalidRequestError} a name with a dot, slash or space */
  table(name: string | TableName): StorageApi {
    const { project, schema, table } = this.#named(name);
    return new StorageApi(this.#caller, this.#tokens, tableTarget(project, schema, table));
  }

  /** The rows of a SELECT that has run: read only. Nothing is sent yet. */
  instance(name: string | InstanceName): StorageApi {
    const { project = this.project, instance } = typeof name === 'string' ? { instance: name } : name;
    return new StorageApi(this.#caller, this.#tokens, instanceTarget(project, instance));
  }

  /**
   * Schema, sizes and modification times of a table. Needs the REST endpoint.
   *
   * @throws {NoSuchTableError} or `NoSuchObjectError`
   */
  async getTable(name: string | TableName, options: CallOptions = {}): Promise<TableMetadata> {
    const { text, answeredAt } = await this.#get(this.#named(name), {}, options);
    return parseTableMetadata(text, answeredAt);
  }

  /** The tables of a schema by name, page by page. Needs the REST endpoint. @param schema default: the client's */
  async *listTables(schema?: string, options: CallOptions = {}): AsyncGenerator<ListedTable> {
    const within = { project: this.project, schema: schema ?? this.#caller.settings.schema, table: undefined };
    let marker: string | undefined;
    do {
      const query = { expectmarker: 'true', marker };
      const page = parseTables((await this.#get(within, query, options)).text);
      yield* page.tables;
      marker = page.marker === marker ? undefined : page.marker;
    } while (marker !== undefined);
  }

  /** The partitions of a table, page by page. */
  async *listPartitions(name: string | TableName, options: CallOptions = {}): AsyncGenerator<PartitionMetadata> {
    let marker: string | undefined;
    do {
      const query = { partitions: '', expectmarker: 'true', marker };
      const page = parsePartitions((await this.#get(this.#named(name), query, options)).text);
      yield* page.partitions;
      // A list that leads back to where it was would never end.
      marker = page.marker === marker ? undefined : page.marker;
    } while (marker !== undefined);
  }

  #named(name: string | TableName) {
    const { settings } = this.#caller;
    const {
      project = settings.project,
      schema = settings.schema,
      table,
    } = typeof name === 'string' ? { table: name } : name;
    return { project, schema, table };
  }

  #get(
    { project, schema, table }: { project: string; schema: string | undefined; table: string | undefined },
    query: Record<string, string | undefined>,
    { signal = new AbortController().signal }: CallOptions,
  ): Promise<{ text: string; answeredAt: Date | null }> {
    const path = [
      ...['projects', named('the project', project)],
      ...(schema === undefined ? [] : ['schemas', named('the schema', schema)]),
      ...['tables', ...(table === undefined ? [] : [named('the table', table)])],
    ];
    const call: Call = {
      label: 'table',
      method: 'GET',
      at: 'rest',
      resource: `/${path.map(encodeURIComponent).join('/')}`,
      query: { ...query, curr_project: this.project },
      headers: {},
      replay: 'free',
    };
    return this.#caller.send(call, signal, async (reply) => {
      const at = Date.parse(reply.headers.get('date') ?? '');
      return { text: await readText(reply, call.label), answeredAt: Number.isNaN(at) ? null : new Date(at) };
    });
  }
}
