import { IngestError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/**
 * Where bytes land: S3, or a folder. An object appears whole or not at all, and is read back as soon as it has been
 * written. Keys are ours (`landing/keys.ts`): ASCII, `/` between their parts, never `..`.
 */
export interface Objects {
  /**
   * Opens an object to be written in pieces of any size, zero bytes in all included. It appears when `close` returns;
   * what is not closed leaves nothing that anybody sees. Memory stays below 64 MiB an open object.
   */
  create(key: string, options?: CreateOptions): ObjectWriter;
  /** Writes a small object at once. @returns undefined if the condition did not hold: nothing was written */
  put(key: string, data: Uint8Array, options?: PutOptions): Promise<StoredObject | undefined>;
  /** A whole small object (it is held in memory), or undefined if there is none. */
  get(key: string): Promise<{ readonly data: Uint8Array; readonly etag: string } | undefined>;
  /** The bytes of an object in chunks, all or from `start` up to `end` (excluded). @throws {ObjectMissingError} */
  read(
    key: string,
    range?: { readonly start?: number; readonly end?: number; readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  head(key: string): Promise<StoredObject | undefined>;
  /** Deletes what is there of these keys, in batches of 1,000. A key that is not there is no error. */
  delete(keys: readonly string[]): Promise<void>;
  /** Keys that begin with `prefix`, in order. For the folders `garbage/` and `staging/` only: no bucket is ever searched. */
  list(prefix: string): AsyncIterable<string>;
  /** Where people find it: `s3://bucket/key`, or a path. */
  location(key: string): string;
}

export interface ObjectWriter {
  /** Resolves when more may be written: this is the back-pressure. The chunk must not be changed before that. */
  write(chunk: Uint8Array): Promise<void>;
  /** Writes what is left; durable when it returns. @throws {StorageError} */
  close(): Promise<StoredObject>;
  /** Drops what was written so far; safe after a failure, and twice. */
  abort(): Promise<void>;
}

export interface StoredObject {
  readonly bytes: Bytes;
  /** For comparing only: for a multipart object it is not the MD5 of the content. */
  readonly etag: string;
}

export interface CreateOptions {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CreateOptions {
  /** Only if the object there has this etag. */
  readonly ifMatch?: string;
  /** Only if there is none. */
  readonly ifAbsent?: boolean;
}

/** The store refused or failed: disk full, access denied, throttled. `retryable` says whether the same call may succeed later. */
export class StorageError extends IngestError {
  override readonly name = 'StorageError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(message: string, options: ErrorOptions & { code?: string; retryable?: boolean } = {}) {
    super(message, options);
    this.code = options.code ?? 'Storage';
    this.retryable = options.retryable ?? false;
  }
}

export class ObjectMissingError extends IngestError {
  override readonly name = 'ObjectMissingError';
  readonly code = 'ObjectMissing';
  readonly retryable = false;
  readonly key: string;

  constructor(key: string, options?: ErrorOptions) {
    super(`there is no object ${key}`, options);
    this.key = key;
  }
}
