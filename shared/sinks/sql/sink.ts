import { InvalidInputError } from '../../core/errors.ts';
import { checkOptions } from '../../core/options.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import type { SecretReference } from '../../pipelines/define.ts';
import { columnIndex, type RecordBatch, type Schema } from '../../records/schema.ts';
import type {
  Generation,
  ReadPartition,
  RemovedPartition,
  SinkContext,
  SinkSession,
  StreamSink,
  Transition,
  UploadPartition,
} from '../sink.ts';
import { replicaSchema } from './dap/schema.ts';
import type { TableLoad } from './load.ts';
import type { MappingName } from './own-tables.ts';
import type { SqlTable } from './table.ts';
import { SqlTarget } from './target.ts';

export interface SqlDatabaseOptions {
  /** `secret('landfall/warehouse')`, whose value is a connection string; or `pglite:<folder>`, which holds no password. */
  readonly connection: SecretReference | string;
  /** The schema (PostgreSQL) or prefix (MySQL) of the tables. Default: the pipeline's name, with `_` for `-`. */
  readonly namespace?: string;
  /** One table for all partitions. Default: as the source says, else the first name of the path. */
  readonly table?: string;
  /** Columns that identify a row. Default: as the source says; without, a partition's rows are replaced as a whole. */
  readonly key?: readonly string[];
  /** Of types: `landfall` (default: text for enums, everything nullable), or `reference`, as the vendor's DAP client maps them. */
  readonly mapping?: MappingName;
  /** Default `sql`. */
  readonly name?: string;
}

const SPEC = {
  connection: { kind: ['string', 'object'], required: true },
  namespace: { kind: 'string', min: 1, max: 63 },
  table: { kind: 'string', min: 1, max: 63 },
  key: { kind: 'array', of: 'string' },
  mapping: { kind: 'string', oneOf: ['landfall', 'reference'], default: 'landfall' },
  name: { kind: 'string', default: 'sql' },
} as const;

/**
 * A database kept in sync with what is published: PostgreSQL, MySQL or MariaDB, or PostgreSQL within this process
 * (`pglite:<folder>`). A snapshot loads beside the table and takes its place in one transaction; changes are applied by key,
 * older ones never over newer ones; other partitions replace their own rows. What does not fit is set aside in
 * `landfall.quarantine`, and counted.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong
 */
export function sqlDatabase(options: SqlDatabaseOptions): StreamSink {
  const checked = checkOptions<SqlDatabaseOptions, typeof SPEC>('sqlDatabase', options, SPEC);
  const { connection, name } = checked;
  const embedded = typeof connection === 'string';
  if (embedded && !connection.startsWith('pglite:')) {
    throw new InvalidInputError(
      'sqlDatabase: "connection" as a text must be pglite:<folder>; one with a password belongs into a secret: secret(…)',
    );
  }
  return {
    type: 'sql',
    name,
    guarantee: 'idempotent by key',
    // PostgreSQL within this process has one connection.
    parallel: embedded ? 1 : 4,
    ...(embedded ? {} : { credentials: connection }),
    open: async (context) => new SqlSession(checked, embedded ? connection : context.credential, context),
  };
}

class SqlSession implements SinkSession {
  readonly #options: SqlDatabaseOptions;
  readonly #connection: string;
  readonly #namespace: string;
  /** Tables are loaded side by side, each over a connection of its own. */
  readonly #tables = new Map<string, OpenTable>();
  readonly #targets: Promise<SqlTarget>[] = [];
  #transition = '';

  constructor(options: SqlDatabaseOptions, connection: string, context: SinkContext) {
    this.#options = options;
    this.#connection = connection;
    this.#namespace = options.namespace ?? context.pipeline.replaceAll('-', '_');
  }

  async begin({ id }: Transition): Promise<void> {
    this.#transition = id;
  }

  upload(partition: UploadPartition): Promise<void> {
    const { change, table } = partition.records;
    if (change === 'none') return Promise.resolve();
    return this.#table(table).exclusively(async (open) => {
      if (change === 'snapshot') return this.#snapshot(partition, open);
      return change === 'changes' ? this.#changes(partition, open) : this.#rows(partition, open);
    });
  }

  finishGeneration(generation: Generation): Promise<void> {
    return this.#table(generation.table).exclusively(async (open) => {
      const loadId = this.#loadId(generation.id);
      const state = await (await open.table()).state();
      // It was finished, and whoever did so could not say it.
      if (state?.generation === loadId) return;
      const load = open.load ?? (await this.#beginGeneration(generation.id, generation.path, generation.read, open));
      open.load = undefined;
      if (!load) return;
      await load.finish({ place: open.place });
    });
  }

  remove({ path, records, isReplaced }: RemovedPartition): Promise<void> {
    if (records.change !== 'rows' || isReplaced) return Promise.resolve();
    return this.#table(records.table).exclusively(async (open) => {
      const table = await open.table();
      if (await table.state()) await table.removePartition(pathText(path), open.place);
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#tables.values()].map((open) => open.close()));
    await Promise.allSettled(this.#targets.map(async (target) => (await target).close()));
  }

  /** PostgreSQL within this process is one connection for all. */
  readonly #target = (): Promise<SqlTarget> => {
    const [first] = this.#targets;
    if (first && this.#connection.startsWith('pglite:')) return first;
    const target = SqlTarget.open(this.#connection);
    this.#targets.push(target);
    return target;
  };

  #table(name: string): OpenTable {
    const wanted = this.#options.table ?? name;
    const known = this.#tables.get(wanted);
    if (known) return known;
    const open = new OpenTable(this.#target, { namespace: this.#namespace, name: wanted }, this.#options);
    this.#tables.set(wanted, open);
    return open;
  }

  readonly #loadId = (generation: string): string => `${this.#transition} ${generation}`;

  /** The files of a generation are the parts of one load, which counts when the generation is finished. */
  async #snapshot(partition: UploadPartition, open: OpenTable): Promise<void> {
    const { generation = '', feed = [], order, path } = partition;
    open.load ??= await this.#beginGeneration(generation, feed, partition.read, open);
    const { load } = open;
    if (!load) throw new InvalidInputError(`${pathText(path)} has no schema beside it`);
    const { part, rows } = load.offset;
    if (order < part) return;
    const fromRow = order === part ? rows : 0;
    await fill(load, order, partition, { fromRow, schema: open.schema! });
    if (partition.signal.aborted) await load.pause();
    else {
      await load.endPart(order);
      await load.pause();
    }
  }

  async #beginGeneration(
    id: string,
    feed: readonly string[],
    read: ReadPartition,
    open: OpenTable,
  ): Promise<TableLoad | undefined> {
    const document = await documentIn(read, [...feed, id]);
    if (document === undefined) return undefined;
    open.know(document);
    return (await open.table()).beginGeneration(this.#loadId(id), { schema: open.schema!, document });
  }

  /** Repeated, they change nothing: a row is only ever replaced by a newer one. */
  async #changes(partition: UploadPartition, open: OpenTable): Promise<void> {
    const document = (await documentIn(partition.read, partition.path.slice(0, -1))) ?? (await open.knownDocument());
    if (document === undefined)
      throw new InvalidInputError(`${pathText(partition.path)}: no schema of its table is known`);
    open.know(document);
    const table = await open.table();
    const load = await table.beginChanges(loadOf(partition), { schema: open.schema!, document });
    await fill(load, 0, partition, {
      fromRow: load.offset.part > 0 ? Infinity : load.offset.rows,
      schema: open.schema!,
    });
    if (partition.signal.aborted) await load.pause();
    else await load.finish({ place: open.place });
  }

  /** A partition's rows take the place of those it had. */
  async #rows(partition: UploadPartition, open: OpenTable): Promise<void> {
    const table = await open.table({ hasPartition: true });
    const batches = partition.rows()[Symbol.asyncIterator]();
    const first = await batches.next();
    const schema: Schema = first.done ? { columns: [] } : first.value.schema;
    if (first.done && !(await table.state())) return;
    const source = { schema: first.done ? (await table.state())!.schema : schema };
    const load = await table.beginPartition(loadOf(partition), pathText(partition.path), source);
    let rows = 0;
    for (let next = first; !next.done; next = await batches.next()) {
      if (partition.signal.aborted) break;
      await load.write(0, next.value);
      rows = next.value.firstRow + next.value.rows.length;
    }
    if (partition.signal.aborted) {
      await load.pause();
      return;
    }
    await load.finish({ place: open.place });
    await partition.committed(rows);
  }
}

const loadOf = ({ path, sha256 }: UploadPartition): string => `${pathText(path)} ${sha256}`;

/** The schema that landed beside a query's files. */
async function documentIn(read: ReadPartition, query: readonly string[]): Promise<unknown> {
  const stored = await read([...query, 'schema.json']);
  return stored && (JSON.parse(Buffer.from(stored).toString()) as { schema: unknown }).schema;
}

async function fill(
  load: TableLoad,
  part: number,
  partition: UploadPartition,
  { fromRow, schema }: { readonly fromRow: number; readonly schema: Schema },
): Promise<void> {
  if (fromRow === Infinity) return;
  const wanted = {
    fromRow,
    schema,
    quarantine: (bad: Parameters<TableLoad['quarantine']>[1]) => load.quarantine(part, bad),
  };
  let end = fromRow;
  for await (const batch of partition.rows(wanted)) {
    if (partition.signal.aborted) return;
    await load.write(part, withoutRescued(batch, schema));
    end = batch.firstRow + batch.rows.length;
  }
  await partition.committed(end);
}

/** What the schema does not know stays out: the next version of it will. */
function withoutRescued(batch: RecordBatch, schema: Schema): RecordBatch {
  const known = columnIndex(schema);
  if (batch.schema.columns.every(({ name }) => known.has(name))) return batch;
  const kept = batch.schema.columns.flatMap(({ name }, at) => (known.has(name) ? [at] : []));
  const columns = kept.map((at) => batch.schema.columns[at]!);
  return { ...batch, schema: { ...batch.schema, columns }, rows: batch.rows.map((row) => kept.map((at) => row[at]!)) };
}

/** One table, over a connection of its own, used by one upload at a time. */
class OpenTable {
  readonly #open: () => Promise<SqlTarget>;
  readonly #name: { readonly namespace: string; readonly name: string };
  readonly #options: SqlDatabaseOptions;
  #target: SqlTarget | undefined;
  #table: SqlTable | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #document: unknown;
  schema: Schema | undefined;
  /** Of the generation that is being loaded. */
  load: TableLoad | undefined;

  constructor(open: () => Promise<SqlTarget>, name: OpenTable['name'], options: SqlDatabaseOptions) {
    this.#open = open;
    this.#name = name;
    this.#options = options;
  }

  get name(): { readonly namespace: string; readonly name: string } {
    return this.#name;
  }

  exclusively<T>(work: (open: OpenTable) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => work(this));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async table(shape: { readonly hasPartition?: boolean } = {}): Promise<SqlTable> {
    const { key, mapping } = this.#options;
    this.#target ??= await this.#open();
    this.#table ??= this.#target.table(this.#name, {
      ...shape,
      ...(key ? { key } : {}),
      ...(mapping ? { mapping } : {}),
    });
    return this.#table;
  }

  /** What the table's records are, by the schema of its service. */
  know(document: unknown): void {
    this.#document = document;
    this.schema = replicaSchema(document, this.#options.mapping ?? 'landfall');
  }

  /** Noted in the database with each load. */
  get place(): string {
    return JSON.stringify({ document: this.#document });
  }

  async knownDocument(): Promise<unknown> {
    if (this.#document !== undefined) return this.#document;
    const place = (await (await this.table()).state())?.place;
    return place ? (JSON.parse(place) as { document?: unknown }).document : undefined;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.load?.pause().catch(() => {});
    await this.#table?.release().catch(() => {});
  }
}
