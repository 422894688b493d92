import { crc32 } from 'node:zlib';
import { checkKey, checkPrefix } from '../../shared/landing/object-key.ts';
import {
  ObjectMissingError,
  type Objects,
  type ObjectWriter,
  type PutOptions,
  StorageError,
  type StoredObject,
} from '../../shared/landing/objects.ts';
import type { Random } from './random.ts';
import type { Task } from './world.ts';

interface Stored {
  readonly data: Buffer;
  readonly etag: string;
}

/** What happened to a key, as readers of the store would see it. */
export interface ObjectWatch {
  stored(key: string, data: Buffer, writer: object): void;
  deleted(key: string): void;
}

const DELETE_BATCH = 1000;

/** Objects appear whole and are read back at once, as S3 promises; the etag of equal bytes is equal. */
export class SimulatedObjects {
  readonly #stored = new Map<string, Stored>();
  readonly #random: Random;
  readonly #watch: ObjectWatch;
  readonly #checks: boolean;

  constructor(random: Random, watch: ObjectWatch, options: { readonly checks: boolean }) {
    this.#random = random;
    this.#watch = watch;
    this.#checks = options.checks;
  }

  /** The store as one function sees it. */
  for(task: Task): Objects {
    return new ObjectsView(this, task, this.#random, this.#checks);
  }

  // Without a turn of the scheduler.

  put(key: string, data: Buffer, { ifMatch, ifAbsent }: PutOptions): StoredObject | undefined {
    const there = this.#stored.get(key);
    if (ifAbsent && there) return undefined;
    if (ifMatch !== undefined && there?.etag !== ifMatch) return undefined;
    return this.store(key, data, {});
  }

  store(key: string, data: Buffer, writer: object): StoredObject {
    const stored = { data, etag: `"${crc32(data).toString(16)}-${data.length}"` };
    this.#stored.set(key, stored);
    this.#watch.stored(key, data, writer);
    return asStored(stored);
  }

  get(key: string): Stored | undefined {
    return this.#stored.get(key);
  }

  bytes(key: string): Buffer | undefined {
    return this.#stored.get(key)?.data;
  }

  keys(prefix = ''): string[] {
    const found: string[] = [];
    for (const key of this.#stored.keys()) if (key.startsWith(prefix)) found.push(key);
    // Keys are ASCII, so that this is the order of their bytes.
    return found.sort();
  }

  remove(key: string): void {
    if (this.#stored.delete(key)) this.#watch.deleted(key);
  }
}

class ObjectsView implements Objects {
  readonly #stored: SimulatedObjects;
  readonly #task: Task;
  readonly #random: Random;
  readonly #checks: boolean;

  constructor(stored: SimulatedObjects, task: Task, random: Random, checks: boolean) {
    this.#stored = stored;
    this.#task = task;
    this.#random = random;
    this.#checks = checks;
  }

  #checkKey(key: string): void {
    if (this.#checks) checkKey(key);
  }

  create(key: string, options?: { readonly signal?: AbortSignal }): ObjectWriter {
    this.#checkKey(key);
    return new SimulatedWriter(this.#stored, this.#task, key, options?.signal);
  }

  async put(key: string, data: Uint8Array, options: PutOptions = {}): Promise<StoredObject | undefined> {
    this.#checkKey(key);
    const copy = Buffer.from(data);
    options.signal?.throwIfAborted();
    return this.#task.call(
      () => `put object ${key} ${options.ifMatch ? `if it is ${options.ifMatch}` : ''}`,
      () => this.#stored.put(key, copy, options),
      unavailable,
      { what: key, writes: true },
    );
  }

  async get(key: string): Promise<Stored | undefined> {
    this.#checkKey(key);
    return this.#task.call(
      () => `get object ${key}`,
      () => {
        const stored = this.#stored.get(key);
        return stored && this.#checks ? { ...stored, data: Buffer.from(stored.data) } : stored;
      },
      unavailable,
      { what: key, writes: false },
    );
  }

  async *read(
    key: string,
    { start = 0, end = Number.POSITIVE_INFINITY, signal }: Parameters<Objects['read']>[1] & object = {},
  ): AsyncGenerator<Uint8Array> {
    this.#checkKey(key);
    signal?.throwIfAborted();
    const stored = await this.#task.call(
      () => `read object ${key}`,
      () => this.#stored.get(key),
      unavailable,
    );
    if (!stored) throw new ObjectMissingError(key);
    const data = stored.data.subarray(start, Math.min(end, stored.data.length));
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      yield Buffer.from(data.subarray(at, at + CHUNK_BYTES));
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    this.#checkKey(key);
    return this.#task.call(
      () => `head object ${key}`,
      () => {
        const stored = this.#stored.get(key);
        return stored && asStored(stored);
      },
      unavailable,
    );
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#checkKey(key);
    for (let at = 0; at < keys.length; ) {
      const some = this.#random.chance(0.2) ? this.#random.int(1, keys.length) : DELETE_BATCH;
      const batch = keys.slice(at, at + some);
      await this.#task.call(
        () => `delete objects ${batch.join(' ')}`,
        () => {
          for (const key of batch) this.#stored.remove(key);
        },
        unavailable,
        { what: batch[0]!, writes: true },
      );
      at += some;
    }
  }

  async *list(prefix: string): AsyncGenerator<string> {
    if (this.#checks) checkPrefix(prefix);
    let after = '';
    for (;;) {
      const size = this.#random.chance(0.2) ? this.#random.int(1, 3) : 1000;
      const page = await this.#task.call(
        () => `list ${prefix}`,
        () =>
          this.#stored
            .keys(prefix)
            .filter((key) => key > after)
            .slice(0, size),
        unavailable,
      );
      yield* page;
      if (page.length < size) return;
      after = page.at(-1)!;
    }
  }

  location(key: string): string {
    this.#checkKey(key);
    return `s3://simulated/${key}`;
  }
}

class SimulatedWriter implements ObjectWriter {
  readonly #stored: SimulatedObjects;
  readonly #task: Task;
  readonly #key: string;
  readonly #signal: AbortSignal | undefined;
  readonly #pieces: Buffer[] = [];
  #ended = false;

  constructor(stored: SimulatedObjects, task: Task, key: string, signal: AbortSignal | undefined) {
    this.#stored = stored;
    this.#task = task;
    this.#key = key;
    this.#signal = signal;
  }

  #checkOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended)
      throw new StorageError('the object was closed, dropped or has failed before', { code: 'WriterClosed' });
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    this.#pieces.push(Buffer.from(chunk));
  }

  async close(): Promise<StoredObject> {
    this.#checkOpen();
    this.#ended = true;
    return this.#task.call(
      () => `complete object ${this.#key}`,
      () => {
        this.#signal?.throwIfAborted();
        return this.#stored.store(this.#key, Buffer.concat(this.#pieces), this);
      },
      unavailable,
      { what: this.#key, writes: true },
    );
  }

  async abort(): Promise<void> {
    this.#ended = true;
  }
}

const CHUNK_BYTES = 64 * 1024;
const asStored = ({ data, etag }: Stored): StoredObject => ({ bytes: data.length as StoredObject['bytes'], etag });
const unavailable = () => new StorageError('the store did not answer', { retryable: true });
