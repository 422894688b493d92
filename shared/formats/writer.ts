import { IngestError } from '../core/errors.ts';
import type { RecordBatch, Row, Schema } from '../records/schema.ts';

/** Where the bytes of one file go; `ObjectWriter` of the landing is one. */
export interface ByteSink<T> {
  /** Resolves when more may be written. The chunk is not changed after. */
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<T>;
  /** Drops what was written; safe after a failure, and twice. */
  abort(): Promise<void>;
}

/** What is to be opened. */
export interface PartFile {
  /** From 0. */
  readonly part: number;
  /** Such as `ndjson.gz` or `parquet`. */
  readonly extension: string;
  readonly contentType: string;
  readonly contentEncoding?: 'gzip' | 'zstd';
  /** Of all its rows, lineage included. */
  readonly schema: Schema;
}

export interface WrittenPart<T> {
  readonly part: number;
  readonly rows: number;
  readonly bytes: number;
  readonly schema: Schema;
  /** What the sink's `close` returned. */
  readonly stored: T;
}

/**
 * Writes records as files of one format. A new file begins when the last has its target size, or when the columns change.
 * Memory stays constant: what is complete is written at once.
 */
export interface RecordWriter<T> {
  /** @throws {UnwritableValueError} a value that the format cannot hold. @throws what the sink throws */
  write(batch: RecordBatch): Promise<void>;
  /** Writes what is left. Without a row there is no file. */
  close(): Promise<readonly WrittenPart<T>[]>;
  /** Drops the file that is open; those that are closed stay. */
  abort(): Promise<void>;
}

/** Makes the bytes of one file. */
export interface FileEncoder {
  /** @returns what can be written by now */
  encode(rows: readonly Row[]): Promise<readonly Uint8Array[]>;
  /** @returns the rest */
  end(): Promise<readonly Uint8Array[]>;
  /** Frees what is held; after `end`, or instead of it. */
  close(): void;
}

/** A value that the format cannot hold, such as a timestamp beyond its range. Names the column, not the value. */
export class UnwritableValueError extends IngestError {
  override readonly name = 'UnwritableValueError';
  readonly code = 'UnwritableValue';
  readonly retryable = false;
}
