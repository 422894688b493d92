import {
  MissingAccessTokenError,
  NoSuchObjectError,
  type StorageApi,
  type WriteSession,
  type WriteStream,
} from '../../clients/maxcompute/index.ts';
import { type SinkContext, SinkStartOverError } from '../sink.ts';
import { type Committing, type Kept, keptFromJson, keptToJson } from './kept.ts';
import { type Lane, Lanes } from './lanes.ts';
import type { CheckedMaxComputeTable } from './sink.ts';

/** A stream that a landed partition is written to. */
export interface OpenLane {
  readonly lane: Lane;
  readonly stream: WriteStream;
  /** So many rows of the partition are there already. */
  readonly rowsThere: number;
}

/**
 * The write session of a transition and its streams. Whatever somebody who goes on has to know is kept before it is relied on:
 * the session before it has a stream; a stream, and whose rows come next in it, before those rows.
 */
export class Streams {
  readonly api: StorageApi;
  readonly #options: CheckedMaxComputeTable;
  readonly #context: SinkContext;
  readonly #lanes: Lanes;
  #kept: Omit<Kept, 'lanes'> | undefined;
  #session: Promise<WriteSession> | undefined;

  constructor(api: StorageApi, options: CheckedMaxComputeTable, context: SinkContext) {
    const { lanes = [], ...kept } = keptFromJson(context.kept) ?? {};
    this.api = api;
    this.#options = options;
    this.#context = context;
    this.#kept = 'session' in kept ? (kept as Omit<Kept, 'lanes'>) : undefined;
    this.#lanes = new Lanes(lanes, options.streams, (order) => context.isDone(order));
  }

  /** Undefined as long as there was nothing to write. */
  get sessionId(): string | undefined {
    return this.#kept?.session;
  }

  get committing(): Committing | undefined {
    return this.#kept?.committing;
  }

  get lanes(): readonly Lane[] {
    return this.#lanes.all;
  }

  /** Whether the service counts the rows of a stream. */
  get counts(): boolean {
    return this.#kept?.counts === true;
  }

  /** The session; makes one if there is none. */
  session(): Promise<WriteSession> {
    this.#session ??= this.#openSession();
    return this.#session;
  }

  /** From here on nothing but the commit of these streams may be done with the session. */
  async commits(committing: Committing): Promise<void> {
    this.#kept = { ...this.#kept!, committing };
    await this.#keep();
  }

  /** @param order of the landed partition */
  async open(order: number, sizeBytes: number): Promise<OpenLane> {
    const session = await this.session();
    // Where rows are not counted, a stream that breaks is written again as a whole: better it is nobody else's.
    const { lane, as } = this.#lanes.take(order, this.counts && sizeBytes < this.#options.smallBytes);
    if (as === 'new') {
      await this.#keep();
      lane.stream = await this.#create(session, lane);
      return { lane, stream: lane.stream, rowsThere: 0 };
    }
    if (as === 'shared') {
      lane.stream ??= await this.#reopen(session, lane);
      lane.order = order;
      // Not counted, it has to be remembered that there is something.
      lane.start = this.counts ? lane.stream.rowOffset : Math.max(1, lane.stream.rowOffset);
      await this.#keep();
      return { lane, stream: lane.stream, rowsThere: 0 };
    }
    return this.#again(session, lane);
  }

  /** Goes on with a landed partition that was cut off. */
  async #again(session: WriteSession, lane: Lane): Promise<OpenLane> {
    if (this.counts) {
      const stream = await this.#resume(session, lane).catch((error: unknown) => {
        // It was kept, and whoever did so died before it was made.
        if (error instanceof NoSuchObjectError && lane.start === 0) return this.#create(session, lane);
        throw error;
      });
      lane.stream = stream;
      if (stream.rowOffset >= lane.start) return { lane, stream, rowsThere: stream.rowOffset - lane.start };
      throw new SinkStartOverError(
        `stream ${lane.streamId} is at row ${stream.rowOffset}, below ${lane.start}, where it was`,
      );
    }
    if (lane.start > 0)
      throw new SinkStartOverError(`stream ${lane.streamId} broke within a partition, and holds others before it`);
    lane.version += 1;
    await this.#keep();
    lane.stream = await this.#create(session, lane);
    return { lane, stream: lane.stream, rowsThere: 0 };
  }

  #reopen(session: WriteSession, lane: Lane): Promise<WriteStream> {
    // Made again with the same version, it is the same.
    return this.counts ? this.#resume(session, lane) : this.#create(session, lane);
  }

  #resume(session: WriteSession, { streamId, version }: Lane): Promise<WriteStream> {
    const { tableId = null, schemaVersion = null } = this.#kept!;
    const state = { streamId, streamVersion: version, exactlyOnce: true, tableId, schemaVersion };
    return session.resumeStream(state, { compression: this.#options.compression, signal: this.#context.signal });
  }

  async #create(session: WriteSession, lane: Lane): Promise<WriteStream> {
    const { counts = this.#options.rowOffsets } = this.#kept!;
    const { compression } = this.#options;
    const { signal } = this.#context;
    const open = (exactlyOnce: boolean) =>
      session.openStream({ streamId: lane.streamId, streamVersion: lane.version, exactlyOnce, compression, signal });
    try {
      return await this.#knowing(counts, await open(counts));
    } catch (error) {
      if (!(error instanceof MissingAccessTokenError) || this.#kept!.counts === true) throw error;
      this.#context.log.warn('the service does not count rows: what breaks is written again from its first row');
      lane.version += 1;
      this.#kept = { ...this.#kept!, counts: false };
      await this.#keep();
      return this.#knowing(false, await open(false));
    }
  }

  /** What the first stream tells is kept before anything is written: an invocation that does not know it finds nothing there. */
  async #knowing(counts: boolean, stream: WriteStream): Promise<WriteStream> {
    const { tableId, schemaVersion } = stream.state;
    if (this.#kept!.counts !== undefined && this.#kept!.tableId !== undefined) return stream;
    this.#kept = {
      ...this.#kept!,
      counts,
      ...(tableId ? { tableId } : {}),
      ...(schemaVersion ? { schemaVersion } : {}),
    };
    await this.#keep();
    return stream;
  }

  async #openSession(): Promise<WriteSession> {
    const { requestBytes, spec, overwrite } = this.#options;
    const { signal } = this.#context;
    if (this.#kept) {
      const { session, routeToken } = this.#kept;
      return this.api.attachWriteSession(session, { requestBytes, signal, routeToken });
    }
    const flags: Record<string, boolean> = overwrite ? { overwrite } : {};
    const session = await this.api.openWriteSession({ partialPartitionSpec: spec, flags }, { requestBytes, signal });
    this.#kept = { session: session.id };
    await this.#keep();
    return session;
  }

  async #keep(): Promise<void> {
    const routeToken = this.#session ? this.api.routeTokenOf(this.#kept!.session) : undefined;
    this.#kept = { ...this.#kept!, ...(routeToken === undefined ? {} : { routeToken }) };
    await this.#context.keep(keptToJson({ ...this.#kept, lanes: this.#lanes.toKeep() }));
  }
}
