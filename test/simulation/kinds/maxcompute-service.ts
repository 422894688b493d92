import { END_MARKER } from '../../../shared/clients/maxcompute/arrow/messages.ts';
import {
  type ArrowMessage,
  BadRequestError,
  ConnectionLostError,
  type CreateReadSessionRequest,
  type MaxComputeClient,
  NoSuchSessionError,
  type ReadStreamRequest,
  ServiceUnavailableError,
  SessionStatus,
  SplitMode,
  StreamTruncatedError,
  TableModifiedError,
} from '../../../shared/clients/maxcompute/index.ts';
import type { Task } from '../world.ts';
import type { Caller, KindParts } from './kind.ts';
import { Service } from './service.ts';

const DAY_MS = 86_400_000;

interface Table {
  readonly name: string;
  /** Another one is another table of this name. */
  id: string;
  /** Rows in the order in which they were written, each with the version that wrote it. */
  rows: { readonly text: string; readonly version: number }[];
  version: number;
  /** Changes before this version are not kept. */
  keptFrom: number;
  modifiedAt: number;
}

export interface ReadSession {
  readonly id: string;
  readonly table: string;
  readonly tableId: string;
  readonly rows: readonly string[];
  /** Of an incremental read: changes after it. */
  readonly since?: number;
  readonly version: number;
  readonly readyAt: number;
  expiresAt: number;
  readonly fails: boolean;
  isModified: boolean;
}

const facts = (message: string, status = 400) => ({
  message,
  serviceCode: null,
  requestId: null,
  hostId: null,
  status,
});

/** A MaxCompute project: tables that are written to and made anew, and read sessions that take their time, fail, and expire. */
export class MaxComputeService extends Service {
  readonly #tables = new Map<string, Table>();
  readonly sessions = new Map<string, ReadSession>();
  readonly #hasVersions: boolean;
  /** Calls that ask for a session. */
  starts = 0;
  onSession: (session: ReadSession) => void = () => {};

  constructor(parts: KindParts, tables: readonly string[], hasVersions: boolean) {
    super(parts, {
      lost: () => new ConnectionLostError('the connection broke'),
      busy: () => new ServiceUnavailableError(facts('try again', 503)),
    });
    this.#hasVersions = hasVersions;
    for (const name of tables) {
      const table = {
        name,
        id: this.newId('table'),
        rows: [],
        version: 1,
        keptFrom: 1,
        modifiedAt: this.tick() - 10_000,
      };
      this.#tables.set(name, table);
      this.#append(table, parts.random.int(0, 5));
    }
  }

  names(): string[] {
    return [...this.#tables.keys()];
  }

  rowsAt(name: string, version = Number.POSITIVE_INFINITY): string[] {
    return this.#tables
      .get(name)!
      .rows.filter((row) => row.version <= version)
      .map(({ text }) => text);
  }

  tableId(name: string): string {
    return this.#tables.get(name)!.id;
  }

  change(): string {
    const { random, troubles, world } = this.parts;
    const table = random.pick([...this.#tables.values()]);
    if (troubles.strikes('table made anew')) {
      table.id = this.newId('table');
      table.rows = [];
      table.version = 1;
      table.keptFrom = 1;
    } else if (troubles.strikes('versions dropped')) table.keptFrom = table.version + 1;
    else if (troubles.strikes('table modified'))
      for (const session of this.sessions.values()) if (session.table === table.name) session.isModified = true;
    this.#append(table, random.int(1, 4));
    table.modifiedAt = world.now;
    return `table ${table.name} is ${table.id} at version ${table.version}, with ${table.rows.length} rows`;
  }

  #append(table: Table, count: number): void {
    if (count === 0) return;
    table.version += 1;
    const { id, version } = table;
    for (let row = 0; row < count; row++) table.rows.push({ text: `${id}/${version}/${row}`, version });
  }

  client({ task }: Caller): MaxComputeClient {
    const client = {
      table: ({ table }: { table: string }) => this.#api(task, table),
      getTable: ({ table }: { table: string }) =>
        this.call(
          task,
          () => `describes ${table}`,
          () => this.#described(this.#tables.get(table)!),
        ),
      listTables: (_schema: unknown) => this.#listed(task),
    };
    return client as unknown as MaxComputeClient;
  }

  async *#listed(task: Task) {
    const names = await this.call(
      task,
      () => 'lists tables',
      () => this.names(),
    );
    for (const name of names) yield { name, type: 'MANAGED_TABLE' };
  }

  #described({ name, id, modifiedAt, rows }: Table) {
    const toSeconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
    return {
      name,
      tableId: id,
      columns: [],
      partitionKeys: [],
      lastModifiedTime: toSeconds(modifiedAt),
      lastDdlTime: null,
      recordCount: rows.length,
      isView: false,
      answeredAt: toSeconds(this.parts.world.now),
    };
  }

  #api(task: Task, table: string) {
    return {
      createReadSession: (request: CreateReadSessionRequest) => {
        this.starts += 1;
        return this.call(
          task,
          () => `opens a session of ${table}`,
          () => this.#create(table, request),
          true,
        );
      },
      getReadSession: (id: string, { refresh = false } = {}) =>
        this.call(
          task,
          () => `session ${id}`,
          () => {
            const session = this.#session(id);
            if (refresh && session.expiresAt > this.parts.world.now + 3_600_000)
              session.expiresAt = this.parts.world.now + DAY_MS;
            return this.#shown(session);
          },
        ),
      readRowsStream: (request: ReadStreamRequest, { expectedRows }: { expectedRows?: number }) => ({
        messages: () => this.#messages(task, request, expectedRows),
      }),
    };
  }

  #create(name: string, request: CreateReadSessionRequest) {
    const { random, troubles, world } = this.parts;
    const table = this.#tables.get(name)!;
    const { incrementalRead, incrementalReadOptions } = request;
    const since = incrementalRead ? Number(incrementalReadOptions!.startVersion) : undefined;
    if (since !== undefined && (since < table.keptFrom || since > table.version))
      throw new BadRequestError(facts(`no changes since ${since}`));
    const id = this.newId('session');
    const session: ReadSession = {
      id,
      table: name,
      tableId: table.id,
      rows: table.rows.filter(({ version }) => since === undefined || version > since).map(({ text }) => text),
      ...(since === undefined ? {} : { since }),
      version: table.version,
      readyAt: world.now + random.pick([0, 0, 0, 5000, 60_000]),
      expiresAt: world.now + (troubles.strikes('session expires') ? random.int(5000, 600_000) : DAY_MS),
      fails: troubles.strikes('session fails'),
      isModified: false,
    };
    this.sessions.set(id, session);
    this.onSession(session);
    return this.#shown(session);
  }

  #session(id: string): ReadSession {
    const session = this.sessions.get(id);
    if (!session || session.expiresAt <= this.parts.world.now)
      throw new NoSuchSessionError(facts('no such session', 404));
    return session;
  }

  #shown({ id, rows, readyAt, expiresAt, fails, version }: ReadSession) {
    const isReady = readyAt <= this.parts.world.now;
    const sessionStatus = !isReady ? SessionStatus.INIT : fails ? SessionStatus.CRITICAL : SessionStatus.NORMAL;
    return {
      sessionId: id,
      sessionStatus,
      sessionStatusText: sessionStatus,
      message: null,
      splitMode: SplitMode.ROW_OFFSET,
      splitsCount: null,
      recordCount: rows.length,
      splitBucketId: null,
      sessionStats: null,
      latestVersion: this.#hasVersions ? BigInt(version) : null,
      expirationTime: new Date(expiresAt),
    };
  }

  /** As messages of an Arrow stream come: a schema, then batches. What is in them is text. */
  async *#messages(
    task: Task,
    { sessionId, rowOffset = 0, rowCount, maxBatchRows = 2 }: ReadStreamRequest,
    expectedRows: number | undefined,
  ): AsyncGenerator<ArrowMessage> {
    const { random, troubles } = this.parts;
    const read = <T>(what: string, effect: (session: ReadSession) => T) =>
      this.call(
        task,
        () => `${what} ${sessionId}`,
        () => {
          const session = this.#session(sessionId);
          if (session.isModified) throw new TableModifiedError(facts('the table has changed'));
          return effect(session);
        },
      );
    const rows = await read('reads', (session) =>
      session.rows.slice(rowOffset, rowOffset + (rowCount ?? Number.MAX_SAFE_INTEGER)),
    );
    if (expectedRows !== undefined && rows.length !== expectedRows)
      throw new StreamTruncatedError(`${rows.length} rows came of ${expectedRows}`);
    yield messageOf('schema', `schema of ${sessionId}\n`, 0);
    for (let at = 0; at < rows.length; ) {
      if (at > 0 || random.chance(0.3)) {
        await read('goes on reading', () => {});
        if (troubles.strikes('stream breaks')) throw new StreamTruncatedError('the stream ended early');
      }
      const some = rows.slice(at, at + random.int(1, maxBatchRows));
      yield messageOf('batch', some.map((row) => `${row}\n`).join(''), some.length);
      at += some.length;
    }
  }
}

function messageOf(kind: 'schema' | 'batch', text: string, rows: number): ArrowMessage {
  const bytes = Buffer.from(text);
  return { kind, rows, chunks: [bytes], bytes: bytes.length } as unknown as ArrowMessage;
}

/** What landed of a split: the session that it says it is of, and its rows. */
export function splitOf(content: string): { readonly session: string; readonly rows: readonly string[] } {
  const end = Buffer.from(END_MARKER).toString();
  const [schema, ...rows] = content
    .slice(0, content.length - end.length)
    .split('\n')
    .filter((line) => line !== '');
  return { session: schema?.replace('schema of ', '') ?? '', rows };
}
