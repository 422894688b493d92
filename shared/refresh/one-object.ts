import type { ByteSink, PartFile } from '../formats/writer.ts';
import { type Compression, type Encoder, newEncoder } from '../landing/encoder.ts';
import type { CreateOptions, Objects, ObjectWriter } from '../landing/objects.ts';
import type { BadRecord } from '../parsers/parser.ts';
import type { LandedObject, SetAside } from '../partitions/store.ts';
import { LandingMismatchError } from './read-partition.ts';

/** One object that appears when it is finished; it is not there at all if nothing was written. */
class LazyObject {
  readonly #objects: Objects;
  readonly #key: string;
  readonly #signal: AbortSignal;
  #writer: ObjectWriter | undefined;
  #bytes = 0;
  /** What the store threw: whoever writes may throw something else over it. */
  failure: { readonly error: unknown } | undefined;

  constructor(objects: Objects, key: string, signal: AbortSignal) {
    this.#objects = objects;
    this.#key = key;
    this.#signal = signal;
  }

  protected open(options: Pick<CreateOptions, 'contentType' | 'contentEncoding'>): void {
    this.#writer ??= this.#objects.create(this.#key, { ...options, signal: this.#signal });
  }

  protected async store(data: Uint8Array): Promise<void> {
    this.#bytes += data.length;
    try {
      await this.#writer!.write(data);
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }

  protected async close(): Promise<LandedObject | undefined> {
    if (!this.#writer) return undefined;
    const stored = await this.#writer.close();
    if (stored.bytes !== this.#bytes) throw new LandingMismatchError(this.#key, this.#bytes, stored.bytes);
    return { key: this.#key, bytes: stored.bytes, etag: stored.etag };
  }

  async abort(): Promise<void> {
    await this.#writer?.abort();
  }
}

/**
 * A partition's file. What a writer calls its files are put one after the other: newline-delimited JSON may be, and the rest has
 * one. So compression is around all of them, as one gzip member or zstd frame.
 */
export class OneObject extends LazyObject {
  readonly #compression: Compression;
  readonly #encoder: Encoder;
  #isOpen = false;

  constructor(objects: Objects, key: string, compression: Compression, signal: AbortSignal) {
    super(objects, key, signal);
    this.#compression = compression;
    this.#encoder = newEncoder(compression);
  }

  part({ contentType }: PartFile): ByteSink<void> {
    this.open({ contentType, ...(this.#compression === 'none' ? {} : { contentEncoding: this.#compression }) });
    this.#isOpen = true;
    const write = async (chunk: Uint8Array) => this.#storeAll(await this.#encoder.encode(chunk));
    return { write, close: async () => {}, abort: async () => {} };
  }

  async finish(): Promise<LandedObject | undefined> {
    if (!this.#isOpen) return undefined;
    await this.#storeAll(await this.#encoder.end());
    return this.close();
  }

  override async abort(): Promise<void> {
    this.#encoder.close();
    await super.abort();
  }

  async #storeAll(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) await this.store(piece);
  }
}

/** Records that could not be taken: a line of JSON each, with number, offset, reason and text. */
export class AsideObject extends LazyObject {
  #records = 0;

  async add({ record, offset, reason, column, raw }: BadRecord): Promise<void> {
    this.open({ contentType: 'application/x-ndjson' });
    this.#records += 1;
    await this.store(Buffer.from(`${JSON.stringify({ record, offset, reason, column, raw })}\n`));
  }

  async finish(): Promise<SetAside | undefined> {
    const stored = await this.close();
    return stored && { ...stored, records: this.#records };
  }
}
