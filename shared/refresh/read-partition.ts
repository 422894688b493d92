import type { BytesConnector, Metadata, ReadRun } from '../connectors/connector.ts';
import type { OpenSource } from '../connectors/service.ts';
import type { Deadline } from '../core/deadline.ts';
import { IngestError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { type ContentHash, nativeHash, resumableHash } from '../landing/content-hash.ts';
import { decompressed } from '../landing/decoder.ts';
import { ChunkBytes, newEncoder } from '../landing/encoder.ts';
import type { RecordFormat } from '../landing/keys.ts';
import type { Objects } from '../landing/objects.ts';
import { checkCursor } from '../listing/list-node.ts';
import type { LandedObject, Progress, SetAside } from '../partitions/store.ts';
import { SEGMENTS_MAX } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';

/** A source of bytes, open. */
export interface OpenBytes extends OpenSource {
  readonly connector: BytesConnector;
}

/** What a read yielded in all: what a commit makes real. */
export interface ReadResult {
  readonly sha256: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly objects: readonly LandedObject[];
  /** Of records, the format they were written in. */
  readonly format?: RecordFormat;
  readonly errors?: SetAside;
  /** As the connector counted them, if it did; of records how many were written. */
  readonly rows?: number;
  readonly facts?: JsonObject;
}

export interface ReadPartitionOptions {
  readonly pipeline: Pipeline;
  readonly run: number;
  readonly path: readonly string[];
  readonly metadata: Metadata;
  readonly fingerprint: string;
  readonly attempt: number;
  readonly progress: Progress | undefined;
  /** The key of a segment, which ends in plan and take; `errors`: of records that could not be taken. */
  readonly keyOf: (segment: number, file?: 'errors') => string;
  /** Keeps a checkpoint; rejects if another take has the partition now. */
  readonly saveProgress: (progress: Progress) => Promise<void>;
  readonly deadline: Deadline;
  readonly stopWithinMs: number;
  /** A segment is closed at the first checkpoint after so many bytes. */
  readonly segmentBytes: number;
  readonly log: Logger;
  readonly metric: (name: string, value: number) => void;
  readonly warn: (message: string) => Promise<void>;
  /** When the read began. */
  readonly at: Date;
  /** A local folder for what must be read at random. */
  readonly spoolFolder: string;
}

/** A function that has less time than this is one whose reads may go on in another. */
const CARRIED_BELOW_MS = 20 * 60_000;

/**
 * Streams one partition to where it lands: one object, or, past its first kept checkpoint, one a segment. Each segment is
 * whole in itself (a gzip member, a zstd frame), so segments may be put one after the other.
 *
 * @returns what was read, or `suspended` if time ran out after a checkpoint was kept
 * @throws {SourceError} the connector threw, or yielded no bytes: the partition's own failure
 * @throws {PartitionTooLongError} time ran out, and the connector keeps no checkpoints
 * @throws {StorageError} the store failed: nothing of the partition's fault
 */
export async function readPartition(
  source: OpenBytes,
  objects: Objects,
  options: ReadPartitionOptions,
): Promise<ReadResult | 'suspended'> {
  const reading = new Reading(objects, options, await hashFor(objects, options));
  try {
    return await reading.run(source);
  } finally {
    await reading.close();
  }
}

async function hashFor(objects: Objects, { pipeline, progress, deadline }: ReadPartitionOptions): Promise<ContentHash> {
  // Only where time is limited may the state have to be carried over; elsewhere the fast one, rebuilt after a crash.
  const carries = pipeline.longReads === 'cursor' && deadline.remainingMs() < CARRIED_BELOW_MS;
  if (carries && !progress) return resumableHash();
  if (progress?.hashState) return resumableHash(progress.hashState);
  const hash = carries ? await resumableHash() : nativeHash();
  for (const { key } of progress?.segments ?? []) {
    for await (const chunk of decompressed(objects.read(key), pipeline.land.compression)) hash.update(chunk);
  }
  return hash;
}

class Reading {
  readonly #objects: Objects;
  readonly #options: ReadPartitionOptions;
  readonly #hash: ContentHash;
  readonly #text: ChunkBytes;
  readonly #segments: LandedObject[];
  #segment: OpenSegment | undefined;
  #bytes: number;
  #chunks: number;
  #savedBytes: number;
  #rows: number | undefined;
  #facts: JsonObject | undefined;
  #checkpoints = 0;
  #stopped = false;
  #checkpointFailure: unknown;

  constructor(objects: Objects, options: ReadPartitionOptions, hash: ContentHash) {
    const { progress, pipeline } = options;
    this.#objects = objects;
    this.#options = options;
    this.#hash = hash;
    this.#text = new ChunkBytes(pipeline.lineMode);
    this.#segments = [...(progress?.segments ?? [])];
    this.#bytes = progress?.bytes ?? 0;
    this.#chunks = progress?.chunks ?? 0;
    this.#savedBytes = this.#bytes;
  }

  async run({ connector, context }: OpenBytes): Promise<ReadResult | 'suspended'> {
    const { metadata, deadline } = this.#options;
    const iterator = await fromSource(() => iterate(connector.readBytes(context, metadata, this.#readRun())));
    try {
      for (;;) {
        const next = await fromSource(() => iterator.next());
        // What comes after the checkpoint is asked for again from its cursor.
        if (this.#stopped) return 'suspended';
        if (next.done) break;
        await this.#take(next.value);
        if (deadline.signal.aborted) throw this.#outOfTime();
      }
    } catch (error) {
      // A checkpoint runs inside the connector's call, but what fails there is ours.
      if (this.#checkpointFailure !== undefined) throw this.#checkpointFailure;
      // The writer stops at the same signal, and may be first to say so.
      const failure = deadline.signal.aborted ? this.#outOfTime(error) : error;
      if (failure instanceof SourceError) failure.offset = this.#bytes;
      throw failure;
    } finally {
      // Runs the connector's `finally` blocks; what they throw after a failure says nothing new.
      await Promise.resolve(iterator.return?.()).catch(() => {});
    }
    try {
      return await this.#finish();
    } catch (error) {
      throw deadline.signal.aborted ? this.#outOfTime(error) : error;
    }
  }

  async #finish(): Promise<ReadResult> {
    const { pipeline } = this.#options;
    const rest = this.#text.rest();
    if (rest.length > 0) await this.#write(rest);
    if (this.#bytes === 0 && pipeline.emptyInput === 'fail') throw new SourceError(new EmptyPartitionError());
    const wanted = this.#bytes > 0 || pipeline.emptyInput === 'ok';
    if (wanted && (this.#segment || this.#segments.length === 0)) await this.#closeSegment();
    const told = {
      ...(this.#rows === undefined ? {} : { rows: this.#rows }),
      ...(this.#facts === undefined ? {} : { facts: this.#facts }),
    };
    return { sha256: this.#hash.hex(), bytes: this.#bytes, chunks: this.#chunks, objects: this.#segments, ...told };
  }

  async #take(chunk: string | Uint8Array): Promise<void> {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))
      throw new SourceError(new InvalidChunkError(chunk, this.#bytes));
    if (chunk.length === 0) return;
    this.#chunks += 1;
    const data = this.#text.of(chunk);
    if (data.length > 0) await this.#write(data);
  }

  async #write(data: Uint8Array): Promise<void> {
    this.#hash.update(data);
    this.#bytes += data.length;
    this.#segment ??= this.#openSegment();
    await this.#segment.write(data);
  }

  #openSegment(): OpenSegment {
    const { pipeline, keyOf, deadline } = this.#options;
    return new OpenSegment(this.#objects, keyOf(this.#segments.length), pipeline.land.compression, deadline.signal);
  }

  async #closeSegment(): Promise<void> {
    this.#segment ??= this.#openSegment();
    this.#segments.push(await this.#segment.close());
    this.#segment = undefined;
  }

  /** Keeps a checkpoint if enough has come since the last one, or if there is no time for another. */
  async #checkpoint(cursor: JsonValue): Promise<void> {
    const { deadline, stopWithinMs, segmentBytes, saveProgress, fingerprint, pipeline } = this.#options;
    if (this.#stopped || pipeline.longReads === 'fail') return;
    this.#checkpoints += 1;
    const since = this.#bytes - this.#savedBytes;
    const stop = deadline.remainingMs() < stopWithinMs;
    // A segment that ended within a character would not be whole in itself.
    if (this.#text.pending) return;
    if (!stop && (since < segmentBytes || this.#segments.length >= SEGMENTS_MAX - 1)) return;
    if (since > 0) {
      await this.#closeSegment();
      const hashState = this.#hash.save();
      await saveProgress({
        fingerprint,
        versions: pipeline.versions,
        cursor,
        bytes: this.#bytes,
        chunks: this.#chunks,
        segments: this.#segments,
        ...(hashState ? { hashState } : {}),
      });
      this.#savedBytes = this.#bytes;
    }
    // Without a byte since the last one the next invocation would come no further either.
    this.#stopped = stop && this.#savedBytes > (this.#options.progress?.bytes ?? 0);
  }

  #readRun(): ReadRun {
    const { progress } = this.#options;
    return readRunOf(this.#options, {
      resumeAtByte: progress?.bytes ?? 0,
      rows: (count) => {
        this.#rows = count;
      },
      facts: (facts) => {
        checkCursor(facts);
        this.#facts = facts;
      },
      ...(progress ? { resumeFrom: progress.cursor } : {}),
      checkpoint: async (cursor) => {
        checkCursor(cursor);
        await this.#checkpoint(cursor).catch((error: unknown) => {
          this.#checkpointFailure = error;
          throw error;
        });
      },
    });
  }

  #outOfTime(cause?: unknown): SourceError {
    return new SourceError(new PartitionTooLongError(this.#checkpoints > 0, cause === undefined ? {} : { cause }));
  }

  async close(): Promise<void> {
    await this.#segment?.abort();
  }
}

type OwnReadRun = Pick<ReadRun, 'resumeAtByte' | 'rows' | 'facts' | 'resumeFrom' | 'checkpoint'>;

/** What a connector is told of a read, and may tell. */
export function readRunOf(
  { pipeline, run, path, attempt, deadline, log, metric, warn }: ReadPartitionOptions,
  own: OwnReadRun,
): ReadRun {
  return {
    pipeline: pipeline.name,
    run,
    path,
    attempt,
    log,
    metric,
    signal: deadline.signal,
    remainingMs: () => deadline.remainingMs(),
    warn,
    ...own,
  };
}

/** An object being written, through its encoder. */
class OpenSegment {
  readonly #key: string;
  readonly #writer: ReturnType<Objects['create']>;
  readonly #encoder: ReturnType<typeof newEncoder>;
  #bytes = 0;

  constructor(objects: Objects, key: string, compression: Pipeline['land']['compression'], signal: AbortSignal) {
    this.#key = key;
    this.#encoder = newEncoder(compression);
    const contentEncoding = compression === 'none' ? {} : { contentEncoding: compression };
    this.#writer = objects.create(key, { ...contentEncoding, signal });
  }

  async write(data: Uint8Array): Promise<void> {
    await this.#store(await this.#encoder.encode(data));
  }

  async close(): Promise<LandedObject> {
    await this.#store(await this.#encoder.end());
    this.#encoder.close();
    const stored = await this.#writer.close();
    if (stored.bytes !== this.#bytes) throw new LandingMismatchError(this.#key, this.#bytes, stored.bytes);
    return { key: this.#key, bytes: stored.bytes, etag: stored.etag };
  }

  async abort(): Promise<void> {
    this.#encoder.close();
    await this.#writer.abort();
  }

  async #store(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      this.#bytes += piece.length;
      await this.#writer.write(piece);
    }
  }
}

export function iterate<T>(chunks: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  if (chunks !== null && typeof chunks === 'object' && Symbol.asyncIterator in chunks)
    return chunks[Symbol.asyncIterator]();
  if (chunks !== null && typeof chunks === 'object' && Symbol.iterator in chunks) return chunks[Symbol.iterator]();
  throw new TypeError('a read must return something to iterate over, such as a generator');
}

/** What the connector throws is told apart from what the store throws. */
export async function fromSource<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new SourceError(cause);
  }
}

/** Wraps what a connector threw, so that it counts against the partition and not against the platform. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  /** How many bytes had come. */
  offset = 0;
  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

/** A chunk is neither text nor bytes. */
export class InvalidChunkError extends IngestError {
  override readonly name = 'InvalidChunkError';
  readonly code = 'InvalidChunk';
  readonly retryable = false;
  constructor(chunk: unknown, offset: number) {
    super(`a chunk must be a string or a Uint8Array, got ${chunk === null ? 'null' : typeof chunk} at byte ${offset}`);
  }
}

/** The pipeline refuses partitions without a byte. */
export class EmptyPartitionError extends IngestError {
  override readonly name = 'EmptyPartitionError';
  readonly code = 'EmptyPartition';
  readonly retryable = false;
  constructor() {
    super('the partition has no bytes, and the pipeline says emptyInput: "fail"');
  }
}

/** The read takes longer than a function lives. */
export class PartitionTooLongError extends IngestError {
  override readonly name = 'PartitionTooLongError';
  readonly code = 'PartitionTooLong';
  readonly retryable = false;
  constructor(checkpoints: boolean, options: ErrorOptions) {
    super(
      checkpoints
        ? 'the read came no further than one checkpoint before the function ran out of time; checkpoint more often'
        : 'the read took longer than a function lives; let the connector call run.checkpoint(cursor) where it can go on, ' +
            'cut the source into smaller partitions, or run it with `landfall worker`, which has no such limit',
      options,
    );
  }
}

/** The store has other bytes than were written. */
export class LandingMismatchError extends IngestError {
  override readonly name = 'LandingMismatchError';
  readonly code = 'LandingMismatch';
  readonly retryable = true;
  constructor(key: string, written: number, stored: number) {
    super(`${written} bytes were written to ${key}, but ${stored} were stored`);
  }
}
