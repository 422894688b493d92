import { tableFromIPC } from 'apache-arrow';
import {
  CommitOutcomeUnknownError,
  ConnectionLostError,
  type MaxComputeClient,
  NoSuchSessionError,
  NoSuchStreamError,
  RowOffsetConflictError,
  ServiceUnavailableError,
  StatusConflictError,
  type StorageApi,
} from '../../../../shared/clients/maxcompute/index.ts';
import { WriteSession } from '../../../../shared/clients/maxcompute/write/session.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { maxComputeTable } from '../../../../shared/sinks/maxcompute/sink.ts';
import type { StreamSink } from '../../../../shared/sinks/sink.ts';
import type { Task } from '../../world.ts';
import { Violation } from '../../world.ts';
import type { Caller, KindParts } from '../kind.ts';
import { TOKEN } from '../redactor.ts';
import { Service } from '../service.ts';
import type { Place } from '../sinks.ts';
import { countsOf, linesOf, type Transition } from '../transitions.ts';

interface Stream {
  readonly version: number;
  rows: string[];
  closed: boolean;
}

interface Session {
  readonly streams: Map<string, Stream>;
  readonly overwrite: boolean;
  state: 'open' | 'committed' | 'gone';
  /** Also when the service has forgotten it. */
  wasCommitted: boolean;
}

const facts = (message: string, status = 400) => ({
  message,
  serviceCode: null,
  requestId: null,
  hostId: null,
  status,
});
const noSession = () => new NoSuchSessionError(facts('no such session', 404));

const text = { typeName: 'string', type: 'string', nullable: true, parts: [] } as const;
const SCHEMA = {
  dataColumns: ['k', 'v'].map((name, columnId) => ({
    name,
    columnId,
    ...text,
    isDistributionKey: false,
    hasDefaultValue: false,
    defaultValue: null,
  })),
  systemColumns: [],
};

/** A table of MaxCompute: the real sink, its write sessions and streams, over a simulated service that counts rows. */
export class TablePlace extends Service implements Place {
  readonly name = 'table';
  readonly secret = JSON.stringify({ bearerToken: TOKEN });
  received = 0;
  readonly #overwrite: boolean;
  readonly #options: {
    readonly streams: number;
    readonly parallel: number;
    readonly smallBytes: number;
    readonly rowOffsets: boolean;
  };
  readonly #sessions = new Map<string, Session>();
  #rows: string[] = [];
  #modifiedAt: number;

  constructor(parts: KindParts) {
    super(parts, {
      lost: () => new ConnectionLostError('the connection broke'),
      busy: () => new ServiceUnavailableError(facts('try again', 503)),
    });
    const { random } = parts;
    this.#overwrite = random.chance(0.25);
    this.#options = {
      streams: random.pick([2, 4]),
      parallel: random.pick([1, 2]),
      smallBytes: random.pick([0, 8 * 1024 * 1024]),
      rowOffsets: random.chance(0.8),
    };
    this.#modifiedAt = parts.world.now;
  }

  sink(caller: Caller): StreamSink {
    return maxComputeTable(
      {
        project: 'project',
        endpoint: 'https://simulated.invalid/api',
        table: 'out',
        credentials: secret(this.name),
        name: this.name,
        overwrite: this.#overwrite,
        ...this.#options,
      },
      { client: () => this.#client(caller.task) },
    );
  }

  #client(task: Task): MaxComputeClient {
    const client = {
      table: () => this.#api(task),
      getTable: () =>
        this.call(
          task,
          () => 'table out',
          () => ({
            lastModifiedTime: new Date(Math.floor(this.#modifiedAt / 1000) * 1000),
            lastDdlTime: null,
            recordCount: this.#rows.length,
            answeredAt: new Date(Math.floor(this.parts.world.now / 1000) * 1000),
          }),
        ),
    };
    return client as unknown as MaxComputeClient;
  }

  /** What the real sessions and streams are made of. */
  #api(task: Task): StorageApi {
    const call = <T>(what: string, effect: () => T, writes = true) =>
      this.call(task, () => `out ${what}`, effect, writes);
    const api = {
      routeTokenOf: () => undefined,
      newRepeats: () => ({ count: 0 }),
      mayRepeat: async (repeats: { count: number }) => {
        repeats.count += 1;
        return repeats.count <= 2;
      },
      openWriteSession: async ({ flags }: { flags?: { overwrite?: boolean } }, options: object) => {
        const id = await call('opens a session', () => {
          const made = this.newId('write');
          this.#sessions.set(made, {
            streams: new Map(),
            overwrite: flags?.overwrite === true,
            state: 'open',
            wasCommitted: false,
          });
          return made;
        });
        return new WriteSession(api as never, id, options);
      },
      attachWriteSession: async (id: string, options: object) => {
        await call(`session ${id}`, () => void this.#session(id), false);
        return new WriteSession(api as never, id, options);
      },
      createWriteStream: ({ sessionId, streamId, streamVersion = 1, exactlyOnceMode }: Reference) =>
        call(`creates stream ${streamId}`, () => {
          const { streams } = this.#open(sessionId);
          const there = streams.get(`${streamId}`);
          if (!there || there.version < streamVersion)
            streams.set(`${streamId}`, { version: streamVersion, rows: [], closed: false });
          return this.#described(exactlyOnceMode);
        }),
      getWriteStream: (reference: Reference) =>
        call(
          `stream ${reference.streamId}`,
          () => {
            const { rows, closed } = this.#stream(reference);
            const { exactlyOnceMode } = reference;
            return {
              ...this.#described(exactlyOnceMode),
              status: closed ? 'CLOSED' : 'OPEN',
              recordCount: rows.length,
              rowOffset: exactlyOnceMode ? rows.length : null,
            };
          },
          false,
        ),
      writeRowsStream: (request: Reference & { rowOffset?: number }, pieces: readonly Uint8Array[]) => {
        // Rows that are not counted no client sends twice of its own accord.
        let taken: Written | undefined;
        const write = () => this.#write(request, pieces);
        const once = () => {
          taken ??= write();
          return taken;
        };
        return call(
          `writes to ${request.streamId} at ${request.rowOffset}`,
          request.rowOffset === undefined ? once : write,
        );
      },
      closeWriteStream: (reference: Reference) =>
        call(`closes ${reference.streamId}`, () => {
          this.#stream(reference).closed = true;
        }),
      commitWriteSession: (id: string, streams: readonly Omit<Reference, 'sessionId'>[]) =>
        call(`commits ${id}`, this.#repeatable(id, streams)),
      abortWriteSession: (id: string) =>
        call(`aborts ${id}`, () => {
          const session = this.#sessions.get(id);
          if (session?.state === 'committed') throw new StatusConflictError(facts('it is committed'));
          if (session) session.state = 'gone';
        }),
    };
    return api as unknown as StorageApi;
  }

  #described(exactlyOnce = false) {
    return { dataSchema: SCHEMA, tableId: 'out', schemaVersion: '1', accessToken: exactlyOnce ? 'access' : null };
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session?.state === 'open' && this.parts.troubles.strikes('write session expires')) session.state = 'gone';
    if (!session || session.state === 'gone') throw noSession();
    return session;
  }

  #open(id: string): Session {
    const session = this.#session(id);
    if (session.state !== 'open') throw new StatusConflictError(facts(`session ${id} is ${session.state}`));
    return session;
  }

  #stream({ sessionId, streamId, streamVersion = 1 }: Reference): Stream {
    const stream = this.#open(sessionId).streams.get(`${streamId}`);
    if (stream?.version !== streamVersion) throw new NoSuchStreamError(facts(`no stream ${streamId}`, 404));
    return stream;
  }

  #write(request: Reference & { rowOffset?: number }, pieces: readonly Uint8Array[]): Written {
    const stream = this.#stream(request);
    const { rowOffset } = request;
    if (stream.closed) throw new StatusConflictError(facts('the stream is closed'));
    if (rowOffset !== undefined && rowOffset !== stream.rows.length)
      throw new RowOffsetConflictError(facts(`the stream is at row ${stream.rows.length}`));
    for (const row of tableFromIPC(Buffer.concat(pieces)).toArray())
      stream.rows.push(JSON.stringify({ k: row.k, v: row.v }));
    this.received += 1;
    return { exactlyOnceRowOffset: rowOffset === undefined ? null : stream.rows.length, warningMessage: null };
  }

  /** The client repeats a commit by itself; whether one that is refused then was done before it cannot tell. */
  #repeatable(id: string, streams: readonly Omit<Reference, 'sessionId'>[]) {
    let isRepeated = false;
    return () => {
      try {
        return this.#commit(id, streams);
      } catch (error) {
        throw isRepeated ? new CommitOutcomeUnknownError(`session ${id} may have been committed`) : error;
      } finally {
        isRepeated = true;
      }
    };
  }

  #commit(id: string, streams: readonly Omit<Reference, 'sessionId'>[]) {
    const session = this.#session(id);
    // Whoever sends the same commit again finds that it is done, as long as the service remembers.
    if (session.state === 'committed') {
      if (this.parts.random.chance(0.5)) session.state = 'gone';
      return { requestId: '' };
    }
    const rows = streams.flatMap(({ streamId, streamVersion = 1 }) => {
      const stream = session.streams.get(`${streamId}`);
      if (!stream?.closed || stream.version !== streamVersion) throw new StatusConflictError(facts('a stream is open'));
      return stream.rows;
    });
    this.#rows = session.overwrite ? rows : [...this.#rows, ...rows];
    session.wasCommitted = true;
    this.#modifiedAt = this.parts.world.now;
    session.state = this.parts.random.chance(0.5) ? 'committed' : 'gone';
    this.received += 1;
    return { requestId: '' };
  }

  /** What an operator sees who looks at the table. */
  isIn(error: string): boolean {
    const [, id] = /\bsession (\S+) was committed/.exec(error) ?? [];
    return id !== undefined && this.#sessions.get(id)?.wasCommitted === true;
  }

  check(applied: readonly Transition[]): void {
    const last = applied.at(-1)?.to;
    const leaves = this.#overwrite ? (last?.leaves ?? []) : applied.flatMap(({ uploads }) => uploads);
    const wanted = told(countsOf(leaves.flatMap(linesOf)));
    const held = told(countsOf(this.#rows));
    if (wanted !== held)
      throw new Violation(`sink table: ${differences(countsOf(this.#rows), countsOf(leaves.flatMap(linesOf)))}`);
  }
}

interface Reference {
  readonly sessionId: string;
  readonly streamId: string | number;
  readonly streamVersion?: number;
  readonly exactlyOnceMode?: boolean;
}

const told = (counts: ReadonlyMap<string, number>) => JSON.stringify([...counts].sort());

/** What is there more or less often than it should be. */
function differences(held: ReadonlyMap<string, number>, wanted: ReadonlyMap<string, number>): string {
  const all = new Set([...held.keys(), ...wanted.keys()]);
  const wrong = [...all].filter((text) => held.get(text) !== wanted.get(text));
  return wrong.map((text) => `${text} is there ${held.get(text) ?? 0} times, not ${wanted.get(text) ?? 0}`).join('; ');
}

interface Written {
  readonly exactlyOnceRowOffset: number | null;
  readonly warningMessage: null;
}
