import { checkKey, checkPrefix } from '../../shared/landing/object-key.ts';
import {
  ObjectMissingError,
  type Objects,
  type ObjectWriter,
  StorageError,
  type StoredObject,
} from '../../shared/landing/objects.ts';

/** A store of objects in memory that remembers how often each key was written: for tests of what uses one. */
export class MemoryObjects implements Objects {
  readonly #stored = new Map<string, { readonly data: Buffer; readonly etag: string }>();
  /** How often an object appeared under each key, also if it was deleted since. */
  readonly writes = new Map<string, number>();
  #etags = 0;

  keys(prefix = ''): string[] {
    return [...this.#stored.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  bytes(key: string): Buffer | undefined {
    return this.#stored.get(key)?.data;
  }

  text(key: string): string {
    return String(this.#stored.get(key)?.data ?? '');
  }

  create(key: string, { signal }: { signal?: AbortSignal } = {}): ObjectWriter {
    checkKey(key);
    const pieces: Buffer[] = [];
    let dropped = false;
    const write = async (chunk: Uint8Array): Promise<void> => {
      signal?.throwIfAborted();
      if (dropped) throw new StorageError(`${key} was dropped`, { code: 'WriterClosed' });
      pieces.push(Buffer.from(chunk));
    };
    return {
      write,
      close: async () => {
        await write(Buffer.alloc(0));
        return this.#store(key, Buffer.concat(pieces));
      },
      abort: async () => {
        dropped = true;
      },
    };
  }

  async put(key: string, data: Uint8Array, options: Parameters<Objects['put']>[2] = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    const there = this.#stored.get(key);
    if (options.ifAbsent && there) return undefined;
    if (options.ifMatch !== undefined && there?.etag !== options.ifMatch) return undefined;
    return this.#store(key, Buffer.from(data));
  }

  async get(key: string) {
    checkKey(key);
    const there = this.#stored.get(key);
    return there && { data: Buffer.from(there.data), etag: there.etag };
  }

  async *read(key: string, { start = 0, end = Infinity, signal }: Parameters<Objects['read']>[1] = {}) {
    checkKey(key);
    const there = this.#stored.get(key);
    if (!there) throw new ObjectMissingError(key);
    const data = there.data.subarray(start, Math.min(end, there.data.length));
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      yield Buffer.from(data.subarray(at, at + CHUNK_BYTES));
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    checkKey(key);
    const there = this.#stored.get(key);
    return there && { bytes: there.data.length as StoredObject['bytes'], etag: there.etag };
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key);
    for (const key of keys) this.#stored.delete(key);
  }

  async *list(prefix: string) {
    checkPrefix(prefix);
    yield* this.keys(prefix);
  }

  location(key: string): string {
    checkKey(key);
    return `memory://${key}`;
  }

  #store(key: string, data: Buffer): StoredObject {
    this.#etags += 1;
    this.writes.set(key, (this.writes.get(key) ?? 0) + 1);
    // As long as S3's.
    const etag = `"${this.#etags.toString(16).padStart(32, '0')}"`;
    this.#stored.set(key, { data, etag });
    return { bytes: data.length as StoredObject['bytes'], etag };
  }
}

const CHUNK_BYTES = 64 * 1024;
