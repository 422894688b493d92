import {
  ConnectionFailedError,
  type DapSession,
  DownloadError,
  Instant,
  type Job,
  NoDataError,
  NotFoundError,
  type Query,
  RateLimitedError,
  SnapshotRequiredError,
} from '../../../shared/clients/dap/index.ts';
import type { Task } from '../world.ts';
import type { Caller, KindParts } from './kind.ts';
import { Service } from './service.ts';

const DAY_MS = 86_400_000;
const URL_LIFE_MS = 900_000;

export type Rows = ReadonlyMap<string, string>;

interface Change {
  readonly at: number;
  readonly key: string;
  /** Absent: the row goes. */
  readonly value?: string;
}

/** A table from one load of it to the next: queries from before a load are of no use after it. */
interface Table {
  readonly name: string;
  loadedAt: number;
  before: Rows;
  changes: Change[];
  schemaVersion: number;
}

export interface DapJob {
  readonly id: string;
  readonly table: string;
  /** Of the load that it read. */
  readonly loadedAt: number;
  /** Of an incremental query: changes after it. */
  readonly since?: number;
  /** The state that it read, and the `since` of the next query. */
  readonly at: number;
  readonly readyAt: number;
  expiresAt: number;
  readonly fails: boolean;
  readonly schemaVersion: number;
  /** What its files hold. */
  readonly files: readonly string[];
}

const FACTS = { status: 400, headers: {}, body: undefined };
const body = (message: string) => ({ type: 'simulated', uuid: 'u', message });

/** A Data Access Platform: tables that change and are loaded anew, and jobs that take their time, fail, and expire. */
export class DapService extends Service {
  readonly #tables = new Map<string, Table>();
  readonly jobs = new Map<string, DapJob>();
  /** Calls that ask for a query. */
  starts = 0;
  /** Told of each query as it takes effect. */
  onQuery: (table: string, since: number | undefined) => void = () => {};

  constructor(parts: KindParts, tables: readonly string[]) {
    super(parts, {
      lost: () => new ConnectionFailedError('the connection broke', { retryable: true }),
      busy: () => new RateLimitedError(body('too many requests'), { ...FACTS, status: 429 }, 30_000),
    });
    for (const name of tables) {
      const table: Table = { name, loadedAt: this.tick(), before: new Map(), changes: [], schemaVersion: 1 };
      this.#tables.set(name, table);
      for (let row = 0; row < parts.random.int(0, 4); row++) this.#changeRow(table);
    }
  }

  change(): string {
    const { random, troubles } = this.parts;
    const table = random.pick([...this.#tables.values()]);
    if (troubles.strikes('snapshot required')) {
      this.#load(table);
      return `table ${table.name} is loaded anew`;
    }
    for (let rows = random.int(1, 3); rows > 0; rows--) this.#changeRow(table);
    if (random.chance(0.1)) table.schemaVersion += 1;
    return `table ${table.name} has ${table.changes.length} changes`;
  }

  #changeRow(table: Table): void {
    const { random } = this.parts;
    const at = this.tick();
    const key = `k${random.int(0, 5)}`;
    table.changes.push(random.chance(0.25) ? { at, key } : { at, key, value: `v${at}` });
  }

  #load(table: Table): void {
    const rows = new Map([...this.rowsAt(table.name, Number.POSITIVE_INFINITY)].map(([key]) => [key, `${key} anew`]));
    table.before = rows;
    table.changes = [];
    table.loadedAt = this.tick();
    for (const job of this.jobs.values()) if (job.table === table.name) this.#unused.add(job.id);
  }

  /** Jobs that an equal query does not find any more. */
  readonly #unused = new Set<string>();

  names(): string[] {
    return [...this.#tables.keys()];
  }

  loadedAt(table: string): number {
    return this.#tables.get(table)!.loadedAt;
  }

  rowsAt(table: string, at: number): Rows {
    const { before, changes } = this.#tables.get(table)!;
    const rows = new Map(before);
    for (const change of changes) if (change.at <= at) apply(rows, change);
    return rows;
  }

  /** Whether a table, as it is loaded now, changed in `(after, upTo]`. */
  hasChanges(table: string, after: number, upTo: number): boolean {
    return this.#tables.get(table)!.changes.some(({ at }) => at > after && at <= upTo);
  }

  /** The service as one function sees it. */
  session({ task }: Caller): DapSession {
    const session: Pick<
      DapSession,
      'getTables' | 'querySnapshot' | 'queryIncremental' | 'getJob' | 'getTableSchema' | 'close'
    > & { streamObject(object: { readonly id: string }): AsyncIterable<Uint8Array> } = {
      getTables: () =>
        this.call(
          task,
          () => 'lists tables',
          () => this.names(),
        ),
      querySnapshot: (_namespace, table) => this.#start(task, table, undefined),
      queryIncremental: (_namespace, table, query: Query & { since?: unknown }) =>
        this.#start(task, table, Instant.from(query.since as string).epochMs),
      getJob: (id) =>
        this.call(
          task,
          () => `job ${id}`,
          () => this.#shown(this.#job(id, 'job')),
        ),
      getTableSchema: (_namespace, table) =>
        this.call(
          task,
          () => `schema of ${table}`,
          () => ({ schema: {}, version: this.#tables.get(table)!.schemaVersion }),
        ),
      streamObject: (object) => this.#file(task, object.id),
      close: async () => {},
    };
    return session as unknown as DapSession;
  }

  #start(task: Task, table: string, since: number | undefined): Promise<Job> {
    this.starts += 1;
    return this.call(
      task,
      () => `query ${table} ${since === undefined ? 'whole' : `since ${new Date(since).toISOString()}`}`,
      () => this.#query(table, since),
      true,
    );
  }

  #query(name: string, since: number | undefined): Job {
    const { random, troubles } = this.parts;
    const table = this.#tables.get(name)!;
    this.onQuery(name, since);
    if (since !== undefined && since < table.loadedAt)
      throw new SnapshotRequiredError(body('the table was loaded anew'), FACTS, {});
    const at = this.tick();
    if (since !== undefined && !this.hasChanges(name, since, at) && troubles.strikes('no data told as an error'))
      throw new NoDataError(body('there is no data'), FACTS);
    const equal = [...this.jobs.values()].findLast(
      (job) =>
        job.table === name && job.since === since && job.expiresAt > at && !job.fails && !this.#unused.has(job.id),
    );
    if (equal && !troubles.strikes('job made anew')) return this.#shown(equal);
    const id = this.newId('job');
    const expires = troubles.strikes('job expires') ? random.int(10_000, 1_800_000) : DAY_MS;
    const job: DapJob = {
      id,
      table: name,
      loadedAt: table.loadedAt,
      ...(since === undefined ? {} : { since }),
      at,
      readyAt: at + random.pick([0, 0, 0, 20_000, 120_000]),
      expiresAt: at + expires,
      fails: troubles.strikes('job fails'),
      schemaVersion: table.schemaVersion,
      files: this.#files(table, id, since, at),
    };
    this.jobs.set(id, job);
    return this.#shown(job);
  }

  #files(table: Table, id: string, since: number | undefined, at: number): string[] {
    const { random } = this.parts;
    const changes =
      since === undefined
        ? [...this.rowsAt(table.name, at)].map(([key, value]) => ({ key, value }))
        : lastOfEach(table.changes.filter((change) => change.at > since && change.at <= at));
    if (changes.length === 0) return [];
    const count = random.int(1, Math.min(3, changes.length));
    const size = Math.ceil(changes.length / count);
    const lots = Array.from({ length: count }, (_, index) => changes.slice(index * size, (index + 1) * size));
    const full = lots.filter((lot) => lot.length > 0);
    return full.map((lot, file) =>
      [{ job: id, file }, ...lot.map(({ key, value }) => ({ key, ...(value === undefined ? {} : { value }) }))]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(''),
    );
  }

  #job(id: string, kind: 'job' | 'object'): DapJob {
    const job = this.jobs.get(id);
    if (job && this.parts.troubles.strikes('results gone')) job.expiresAt = 0;
    if (!job || job.expiresAt <= this.parts.world.now)
      throw new NotFoundError(body(`no ${kind} ${id}`), { ...FACTS, status: 404 }, { id, kind });
    return job;
  }

  #shown({ id, readyAt, expiresAt, fails, files, schemaVersion, since, at }: DapJob): Job {
    const expires_at = instant(expiresAt);
    if (this.parts.world.now < readyAt) return { id, status: 'running', expires_at };
    if (fails) return { id, status: 'failed', expires_at, error: body('something broke') };
    const objects = files.map((_, index) => ({ id: `${id}/part-${index}.json` }));
    const complete = { id, status: 'complete', objects, schema_version: schemaVersion, expires_at } as const;
    return since === undefined
      ? { ...complete, at: instant(at) }
      : { ...complete, since: instant(since), until: instant(at) };
  }

  /** Two requests: what the object's URL is, good for a quarter of an hour, and what is there. */
  async *#file(task: Task, id: string): AsyncGenerator<Uint8Array> {
    const [jobId, name] = id.split('/') as [string, string];
    const { troubles, random, world } = this.parts;
    const until = await this.call(
      task,
      () => `URL of ${id}`,
      () => {
        this.#job(jobId, 'object');
        return world.now + (troubles.strikes('url expires') ? 0 : URL_LIFE_MS);
      },
    );
    const text = await this.call(
      task,
      () => `fetches ${id}`,
      () => {
        if (world.now > until) throw new DownloadError('the URL is over', { status: 403, retryable: true });
        return this.#job(jobId, 'object').files[Number(/\d+/.exec(name)![0])]!;
      },
    );
    const middle = random.chance(0.3) ? Math.floor(text.length / 2) : 0;
    if (middle > 0) {
      yield Buffer.from(text.slice(0, middle));
      await this.call(
        task,
        () => `goes on with ${id}`,
        () => {},
      );
    }
    yield Buffer.from(text.slice(middle));
  }
}

const instant = (ms: number) => Instant.parse(new Date(ms).toISOString());

/** Of a row that changed several times its last change, as the service has it. */
const lastOfEach = (changes: readonly Change[]) => [...new Map(changes.map((change) => [change.key, change])).values()];

export function apply(
  rows: Map<string, string>,
  { key, value }: { readonly key: string; readonly value?: string },
): void {
  if (value === undefined) rows.delete(key);
  else rows.set(key, value);
}
