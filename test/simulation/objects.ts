import { hash } from 'node:crypto';
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
    const checked = (key: string) => {
      if (this.#checks) checkKey(key);
    };
    return {
      create: (key, options) => {
        checked(key);
        return this.#writer(task, key, options?.signal);
      },
      put: async (key, data, options) => {
        checked(key);
        const copy = Buffer.from(data);
        options?.signal?.throwIfAborted();
        return task.call(
          () => `put object ${key} ${options?.ifMatch ? `if it is ${options.ifMatch}` : ''}`,
          () => this.#put(key, copy, options ?? {}),
          unavailable,
        );
      },
      get: async (key) => {
        checked(key);
        const stored = await task.call(
          () => `get object ${key}`,
          () => this.#stored.get(key),
          unavailable,
        );
        return stored && { data: Buffer.from(stored.data), etag: stored.etag };
      },
      read: (key, range) => this.#read(task, key, range ?? {}),
      head: async (key) => {
        checked(key);
        return task.call(
          () => `head object ${key}`,
          () => {
            const stored = this.#stored.get(key);
            return stored && asStored(stored);
          },
          unavailable,
        );
      },
      delete: async (keys) => {
        keys.forEach(checked);
        for (let at = 0; at < keys.length; ) {
          const some = this.#random.chance(0.2) ? this.#random.int(1, keys.length) : DELETE_BATCH;
          const batch = keys.slice(at, at + some);
          await task.call(
            () => `delete objects ${batch.join(' ')}`,
            () => {
              for (const key of batch) this.remove(key);
            },
            unavailable,
          );
          at += some;
        }
      },
      list: (prefix) => this.#list(task, prefix),
      location: (key) => {
        checked(key);
        return `s3://simulated/${key}`;
      },
    };
  }

  #writer(task: Task, key: string, signal: AbortSignal | undefined): ObjectWriter {
    const pieces: Buffer[] = [];
    let ended = false;
    const checkOpen = () => {
      signal?.throwIfAborted();
      if (ended)
        throw new StorageError('the object was closed, dropped or has failed before', { code: 'WriterClosed' });
    };
    const writer: ObjectWriter = {
      write: async (chunk) => {
        checkOpen();
        pieces.push(Buffer.from(chunk));
      },
      close: async () => {
        checkOpen();
        ended = true;
        return task.call(
          () => `complete object ${key}`,
          () => {
            signal?.throwIfAborted();
            return this.#store(key, Buffer.concat(pieces), writer);
          },
          unavailable,
        );
      },
      abort: async () => {
        ended = true;
      },
    };
    return writer;
  }

  async *#read(
    task: Task,
    key: string,
    { start = 0, end = Number.POSITIVE_INFINITY, signal }: Parameters<Objects['read']>[1] & object,
  ) {
    if (this.#checks) checkKey(key);
    signal?.throwIfAborted();
    const stored = await task.call(
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

  async *#list(task: Task, prefix: string) {
    if (this.#checks) checkPrefix(prefix);
    let after = '';
    for (;;) {
      const size = this.#random.chance(0.2) ? this.#random.int(1, 3) : 1000;
      const page = await task.call(
        () => `list ${prefix}`,
        () =>
          this.keys(prefix)
            .filter((key) => key > after)
            .slice(0, size),
        unavailable,
      );
      yield* page;
      if (page.length < size) return;
      after = page.at(-1)!;
    }
  }

  #put(key: string, data: Buffer, { ifMatch, ifAbsent }: PutOptions): StoredObject | undefined {
    const there = this.#stored.get(key);
    if (ifAbsent && there) return undefined;
    if (ifMatch !== undefined && there?.etag !== ifMatch) return undefined;
    return this.#store(key, data, {});
  }

  #store(key: string, data: Buffer, writer: object): StoredObject {
    const stored = { data, etag: `"${hash('md5', data, 'hex')}"` };
    this.#stored.set(key, stored);
    this.#watch.stored(key, data, writer);
    return asStored(stored);
  }

  // Without a turn of the scheduler.

  bytes(key: string): Buffer | undefined {
    return this.#stored.get(key)?.data;
  }

  etag(key: string): string | undefined {
    return this.#stored.get(key)?.etag;
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

const CHUNK_BYTES = 64 * 1024;
const asStored = ({ data, etag }: Stored): StoredObject => ({ bytes: data.length as StoredObject['bytes'], etag });
const unavailable = () => new StorageError('the store did not answer', { retryable: true });
