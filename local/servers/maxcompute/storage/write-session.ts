import { type Engine, newToken } from '../engine.ts';
import { badRequest, conflict, notFound, ServiceError } from '../errors.ts';
import type { Table } from '../tables/catalog.ts';
import { type UploadedSegment, withRows } from '../tables/changes.ts';
import { parseSpec } from '../tables/partition-spec.ts';
import { removeSegment } from '../tables/segment.ts';
import { Session } from './sessions.ts';
import type { Uploaded } from './upload.ts';

/** One attempt of a stream: a higher version takes its place, with nothing of it left. */
export class WriteStream {
  readonly id: string;
  readonly version: number;
  readonly isExactlyOnce: boolean;
  state: 'OPEN' | 'CLOSED' = 'OPEN';
  segments: UploadedSegment[] = [];
  rows = 0;
  bytes = 0;
  /** Only its bearer may write: a new one is given whenever somebody asks where the stream stands. */
  accessToken = newToken('at');
  #last: { readonly offset: number; readonly hash: string } | undefined;

  constructor(id: string, version: number, isExactlyOnce: boolean) {
    this.id = id;
    this.version = version;
    this.isExactlyOnce = isExactlyOnce;
  }

  /** @throws {ServiceError} if rows cannot come at this place */
  checkWrite(offset: number | undefined, accessToken: string | undefined): void {
    if (this.state === 'CLOSED') throw conflict(`stream ${this.id} is closed`);
    if (!this.isExactlyOnce) return;
    if (accessToken !== this.accessToken)
      throw new ServiceError(403, 'AccessDenied', `stream ${this.id}: the access token is not its newest`);
    if (offset === undefined) throw badRequest(`stream ${this.id} is exactly-once: RowOffset is missing`);
    if (offset > this.rows) throw this.#offsetConflict(offset);
    if (offset < this.rows && offset !== this.#last?.offset) throw this.#offsetConflict(offset);
  }

  /** Whether the rows are those that came last, once more. */
  isReplay(offset: number | undefined, { hash }: Uploaded): boolean {
    if (!this.isExactlyOnce || offset === undefined || offset === this.rows) return false;
    if (this.#last?.offset === offset && this.#last.hash === hash) return true;
    throw this.#offsetConflict(offset);
  }

  append({ segments, rows, bytes, hash }: Uploaded): void {
    if (rows > 0) this.#last = { offset: this.rows, hash };
    this.segments.push(...segments);
    this.rows += rows;
    this.bytes += bytes;
  }

  #offsetConflict(offset: number): ServiceError {
    return conflict(`stream ${this.id} is at row ${this.rows}, got RowOffset ${offset}`, 'RowOffsetConflict');
  }
}

export class WriteSession extends Session {
  readonly table: Table;
  readonly levels: ReadonlyMap<string, string>;
  readonly overwrites: boolean;
  /** Rows are there when they are written: no close, no commit. */
  readonly isStreaming: boolean;
  state: 'OPEN' | 'COMMITTED' | 'ABORTED' = 'OPEN';
  readonly streams = new Map<string, WriteStream>();

  constructor(
    table: Table,
    of: { spec: string; overwrites: boolean; isStreaming: boolean },
    { clock, settings }: Engine,
  ) {
    super('ws', clock.nowMs() + settings.sessionLifeMs);
    this.table = table;
    this.levels = parseSpec(of.spec, table.record.partitionColumns);
    this.overwrites = of.overwrites;
    this.isStreaming = of.isStreaming;
  }

  /** @throws {ServiceError} StatusConflict once it is committed, aborted or expired */
  checkOpen(nowMs: number): void {
    if (this.state !== 'OPEN') throw conflict(`write session ${this.id} is ${this.state.toLowerCase()}`);
    if (this.isExpired(nowMs)) throw conflict(`write session ${this.id} has expired`);
    if (this.table.isDropped) throw notFound('NoSuchTable', `table ${this.table.at.table} is gone`);
  }

  /** Makes a stream, or finds it: the same version again is the same stream, a higher one begins anew. */
  async createStream(id: string, version: number, isExactlyOnce: boolean): Promise<WriteStream> {
    const current = this.streams.get(id);
    if (current && version < current.version) {
      throw conflict(`stream ${id} is at version ${current.version}, got ${version}`);
    }
    if (current && version === current.version) {
      if (current.isExactlyOnce !== isExactlyOnce) throw conflict(`stream ${id} has another ExactlyOnceMode`);
      return current;
    }
    const stream = new WriteStream(id, version, isExactlyOnce);
    this.streams.set(id, stream);
    if (current) await this.#remove([current]);
    return stream;
  }

  /** @throws {ServiceError} NoSuchStream, StatusConflict for a version that is not the current one */
  stream(id: string | undefined, version: number): WriteStream {
    const stream = this.streams.get(id ?? '');
    if (!stream) throw notFound('NoSuchStream', `stream ${id ?? '(none given)'} does not exist`);
    if (stream.version !== version)
      throw conflict(`stream ${stream.id} is at version ${stream.version}, got ${version}`);
    return stream;
  }

  /**
   * Makes the rows of the streams part of the table, in one step. Streams that are not listed are dropped.
   *
   * @param listed undefined for all
   * @throws {ServiceError} StatusConflict if one is still open
   */
  async commit(
    listed: readonly { readonly id: string; readonly version: number }[] | undefined,
    nowMs: number,
  ): Promise<void> {
    if (this.state === 'COMMITTED') return;
    this.checkOpen(nowMs);
    const streams = listed ? listed.map(({ id, version }) => this.stream(id, version)) : [...this.streams.values()];
    const open = streams.find(({ state }) => state === 'OPEN');
    if (open) throw conflict(`stream ${open.id} is not closed`);
    const segments = streams.flatMap((stream) => stream.segments);
    await this.table.change((record) => {
      if (this.state !== 'OPEN') throw conflict(`write session ${this.id} is ${this.state.toLowerCase()}`);
      const changed = withRows(record, segments, { overwritten: this.#overwritten(segments), nowMs });
      return changed;
    });
    this.state = 'COMMITTED';
    await this.#remove([...this.streams.values()].filter((stream) => !streams.includes(stream)));
  }

  async abort(): Promise<void> {
    if (this.state === 'COMMITTED') throw conflict(`write session ${this.id} is committed`);
    this.state = 'ABORTED';
    await this.#remove([...this.streams.values()]);
  }

  /** What a streaming session has just got. */
  async publish({ segments }: Uploaded, nowMs: number): Promise<number> {
    const { version } = await this.table.change((record) => withRows(record, segments, { overwritten: [], nowMs }));
    return version;
  }

  /** Partitions that lose what they had: the one that the session names whole, else those that got rows. */
  #overwritten(segments: readonly UploadedSegment[]): (readonly string[])[] {
    if (!this.overwrites) return [];
    const { partitionColumns } = this.table.record;
    if (partitionColumns.every(({ name }) => this.levels.has(name))) {
      return [partitionColumns.map(({ name }) => this.levels.get(name)!)];
    }
    return segments.map(({ partition }) => partition);
  }

  async #remove(streams: readonly WriteStream[]): Promise<void> {
    for (const { id } of streams.flatMap((stream) => stream.segments))
      await removeSegment(this.table.segmentFolder, id);
  }
}
