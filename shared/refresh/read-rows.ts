import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadRun, SourceRecord } from '../connectors/connector.ts';
import type { OpenSource } from '../connectors/service.ts';
import { IngestError } from '../core/errors.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import { type ExactValue, stringifyLossless } from '../core/lossless-json.ts';
import { newRecordWriter } from '../formats/formats.ts';
import type { FormatOptions } from '../formats/options.ts';
import { type ContentHash, nativeHash } from '../landing/content-hash.ts';
import { ChunkBytes } from '../landing/encoder.ts';
import { pathText } from '../landing/flat-manifest.ts';
import type { Objects } from '../landing/objects.ts';
import { newParser, type ParserOptions } from '../parsers/formats.ts';
import type { ParsedRecords, ParseRun } from '../parsers/parser.ts';
import { typeRecords } from '../parsers/records.ts';
import { requiredParser } from '../pipelines/rows.ts';
import { FixedColumns } from './fixed-columns.ts';
import { AsideObject, OneObject } from './one-object.ts';
import {
  EmptyPartitionError,
  fromSource,
  InvalidChunkError,
  iterate,
  PartitionTooLongError,
  type ReadPartitionOptions,
  type ReadResult,
  readRunOf,
  SourceError,
} from './read-partition.ts';

/**
 * Reads one partition as records, and lands them as one file of the pipeline's format. What is held is a window of the input and
 * of the file. Records that cannot be taken are dropped, or set aside in an object of their own, as the parser's options say.
 *
 * @throws {SourceError} the connector threw, or its bytes or records are none that can be taken: the partition's own failure
 * @throws {StorageError} the store failed: nothing of the partition's fault
 */
export async function readRows(
  source: OpenSource,
  objects: Objects,
  options: ReadPartitionOptions,
): Promise<ReadResult> {
  const folder = await mkdtemp(join(options.spoolFolder, 'landfall-rows-'));
  const reading = new RowsReading(objects, options, folder);
  try {
    return await reading.run(source);
  } finally {
    await reading.close();
    await rm(folder, { recursive: true, force: true });
  }
}

class RowsReading {
  readonly #options: ReadPartitionOptions;
  readonly #file: FormatOptions;
  readonly #folder: string;
  readonly #label: string;
  readonly #hash: ContentHash = nativeHash();
  readonly #object: OneObject;
  readonly #aside: AsideObject;
  #bytes = 0;
  #chunks = 0;
  #facts: JsonObject | undefined;
  /** What the source threw; a parser may throw something else over it. */
  #sourceFailure: SourceError | undefined;

  constructor(objects: Objects, options: ReadPartitionOptions, folder: string) {
    const { pipeline, keyOf, deadline, path } = options;
    this.#options = options;
    this.#file = pipeline.land.file!;
    this.#folder = folder;
    this.#label = pathText(path);
    this.#object = new OneObject(objects, keyOf(0), pipeline.land.compression, deadline.signal);
    this.#aside = new AsideObject(objects, keyOf(0, 'errors'), deadline.signal);
  }

  async run(source: OpenSource): Promise<ReadResult> {
    const { deadline, pipeline } = this.#options;
    let records: ParsedRecords;
    try {
      records = await this.#records(source);
      await this.#write(records);
      if (deadline.signal.aborted) throw this.#outOfTime();
    } catch (error) {
      throw this.#failure(error);
    }
    if (this.#bytes === 0 && pipeline.emptyInput === 'fail') throw new SourceError(new EmptyPartitionError());
    try {
      const { rows, badRecords } = records.stats;
      const object = await this.#object.finish();
      const errors = await this.#aside.finish();
      if (badRecords > 0) this.#tell(badRecords, errors?.key);
      return {
        sha256: this.#hash.hex(),
        bytes: this.#bytes,
        chunks: this.#chunks,
        objects: object ? [object] : [],
        format: this.#file.format,
        rows,
        ...(errors ? { errors } : {}),
        ...(this.#facts ? { facts: this.#facts } : {}),
      };
    } catch (error) {
      throw deadline.signal.aborted ? this.#outOfTime(error) : error;
    }
  }

  async close(): Promise<void> {
    await this.#object.abort();
    await this.#aside.abort();
  }

  async #records({ connector, context }: OpenSource): Promise<ParsedRecords> {
    const { deadline, metadata, pipeline, path } = this.#options;
    const run: ParseRun = {
      label: this.#label,
      signal: deadline.signal,
      temporaryFolder: this.#folder,
      quarantine: (record) => this.#aside.add(record),
    };
    if (connector.kind === 'records') {
      const records = this.#yielded(() => connector.readRecords(context, metadata, this.#readRun()));
      return typeRecords(this.#seenRecords(records), connector.typing ?? {}, run);
    }
    const parser = await newParser(requiredParser(pipeline, path));
    const chunks = this.#yielded(() => connector.readBytes(context, metadata, this.#readRun()));
    return parser.parse(this.#seenBytes(chunks), run);
  }

  async #write(records: ParsedRecords): Promise<void> {
    const { pipeline, run, path, fingerprint, at } = this.#options;
    const lineage = {
      partition: pathText(path),
      fingerprint,
      runId: `${pipeline.name}/${run}`,
      ingestedAt: at.toISOString().replace(/\.?0*Z$/, 'Z'),
    };
    // What is around a text is around the object.
    const isText = this.#file.format === 'ndjson' || this.#file.format === 'csv';
    const options: FormatOptions = isText ? { ...this.#file, compression: 'none' } : this.#file;
    const writer = newRecordWriter(options, (file) => this.#object.part(file), lineage);
    // A line of JSON names its own columns; in the other formats those of a file are told once.
    const fixed = this.#file.format === 'ndjson' ? undefined : new FixedColumns(this.#label, this.#mayGrow());
    try {
      for await (const batch of records) await writer.write(fixed ? fixed.of(batch) : batch);
      await writer.close();
    } finally {
      await writer.abort();
    }
  }

  #mayGrow(): boolean {
    const { pipeline, path } = this.#options;
    const { connector } = pipeline.source;
    const options: Partial<ParserOptions> =
      connector.kind === 'records' ? (connector.typing ?? {}) : requiredParser(pipeline, path);
    if (options.format === 'parquet' || options.format === 'avro' || options.format === 'raw') return false;
    const { schema, onMismatch = schema ? 'bad' : 'rescue', onExtraField = 'keep' } = options;
    return onMismatch !== 'bad' || onExtraField === 'keep' || onExtraField === 'rescue';
  }

  /** What the source yields; what it throws is told apart from what fails after it. */
  async *#yielded<T>(read: () => AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
    const { deadline } = this.#options;
    let iterator: AsyncIterator<T> | Iterator<T> | undefined;
    try {
      const opened = await fromSource(() => iterate(read()));
      iterator = opened;
      for (;;) {
        const next = await fromSource(() => opened.next());
        if (next.done) return;
        if (deadline.signal.aborted) throw this.#outOfTime();
        this.#chunks += 1;
        yield next.value;
      }
    } catch (error) {
      if (error instanceof SourceError) this.#sourceFailure ??= error;
      throw error;
    } finally {
      // Runs the connector's `finally` blocks; what they throw after a failure says nothing new.
      await Promise.resolve(iterator?.return?.()).catch(() => {});
    }
  }

  async *#seenBytes(chunks: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
    const text = new ChunkBytes(this.#options.pipeline.lineMode);
    for await (const chunk of chunks) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        this.#sourceFailure = new SourceError(new InvalidChunkError(chunk, this.#bytes));
        throw this.#sourceFailure;
      }
      const data = text.of(chunk);
      this.#see(data);
      if (data.length > 0) yield data;
    }
    const rest = text.rest();
    this.#see(rest);
    if (rest.length > 0) yield rest;
  }

  /** What identifies records is their JSON, a line each. */
  async *#seenRecords(records: AsyncIterable<SourceRecord>): AsyncGenerator<SourceRecord> {
    for await (const record of records) {
      if (!isObject(record)) {
        this.#sourceFailure = new SourceError(new InvalidRecordError(record));
        throw this.#sourceFailure;
      }
      this.#see(Buffer.from(`${stringifyLossless(record as ExactValue)}\n`));
      yield record;
    }
  }

  #see(data: Uint8Array): void {
    this.#hash.update(data);
    this.#bytes += data.length;
  }

  /** Not with the run, which holds a few words: each of a million partitions may have some. */
  #tell(badRecords: number, key: string | undefined): void {
    const { log, metric } = this.#options;
    log.warn(key ? 'bad records were set aside' : 'bad records were dropped', { badRecords, ...(key ? { key } : {}) });
    metric('BadRecords', badRecords);
  }

  #readRun(): ReadRun {
    return readRunOf(this.#options, {
      resumeAtByte: 0,
      // They are counted as they land.
      rows: () => {},
      facts: (facts) => {
        this.#facts = facts;
      },
      // A file of a format is written in one go.
      checkpoint: async () => {},
    });
  }

  /** Whose failure it is: the platform's time, the source, the store; else what came is none that can be taken. */
  #failure(error: unknown): unknown {
    if (this.#options.deadline.signal.aborted) return this.#outOfTime(error);
    if (!this.#sourceFailure && this.#object.failure) return this.#object.failure.error;
    if (!this.#sourceFailure && this.#aside.failure) return this.#aside.failure.error;
    const failure = this.#sourceFailure ?? (error instanceof SourceError ? error : new SourceError(error));
    failure.offset = this.#bytes;
    return failure;
  }

  #outOfTime(cause?: unknown): SourceError {
    return new SourceError(new PartitionTooLongError(false, cause === undefined ? {} : { cause }));
  }
}

/** A source of records yielded something else. */
export class InvalidRecordError extends IngestError {
  override readonly name = 'InvalidRecordError';
  readonly code = 'InvalidRecord';
  readonly retryable = false;
  constructor(record: unknown) {
    super(
      `a record must be an object by the names of its fields, got ${Array.isArray(record) ? 'an array' : record === null ? 'null' : typeof record}`,
    );
  }
}
