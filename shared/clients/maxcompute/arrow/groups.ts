import { InvalidRequestError } from '../client-errors.ts';
import { type ArrowMessage, END_MARKER } from './messages.ts';

/** A complete Arrow stream for one request, in pieces, and what is in it. */
export interface Upload {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly rows: number;
  /** The batches it is made of, to cut it smaller. */
  readonly batches: readonly ArrowMessage[];
  /** What they lie in, if it can be used again. */
  readonly slab?: Uint8Array | undefined;
}

const SLAB_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Gathers the messages of one Arrow stream into several of bounded length, each with the schema and all dictionaries. Batches are
 * copied to memory that is used again: what waited in pieces would live long enough for each to cost a full collection.
 */
export class UploadPacker {
  readonly #limitBytes: number;
  readonly #free: Uint8Array[] = [];
  /** Not before one upload was full: what is small shall not take the memory of what is large. */
  #usesSlabs = false;
  #slab: Uint8Array | undefined;
  #schema: ArrowMessage | undefined;
  #dictionaries: ArrowMessage[] = [];
  #batches: ArrowMessage[] = [];
  #batchBytes = 0;

  /** @param limitBytes of one upload; a single batch may exceed it */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** @returns an upload that has become full @throws {InvalidRequestError} a second schema */
  push(message: ArrowMessage): Upload | undefined {
    switch (message.kind) {
      case 'schema':
        if (this.#schema) throw new InvalidRequestError('an Arrow stream has one schema, got a second one');
        this.#schema = message;
        return undefined;
      case 'dictionary':
        this.#dictionaries.push(message);
        return undefined;
      case 'batch': {
        const isFull = this.#batchBytes > 0 && this.#batchBytes + message.bytes > this.#limitBytes;
        const full = isFull ? this.flush() : undefined;
        this.#usesSlabs ||= isFull && this.#limitBytes <= SLAB_MAX_BYTES;
        this.#batches.push(this.#kept(message));
        this.#batchBytes += message.bytes;
        return full;
      }
      default:
        throw new InvalidRequestError('an Arrow stream of rows holds schema, dictionaries and batches alone');
    }
  }

  /** What is left; undefined if there are no rows. */
  flush(): Upload | undefined {
    const batches = this.#batches;
    const slab = this.#slab;
    this.#batches = [];
    this.#batchBytes = 0;
    this.#slab = undefined;
    return batches.length === 0 ? undefined : { ...this.uploadOf(batches), slab };
  }

  /** The upload has been taken: nobody needs its bytes any more. */
  release({ slab }: Upload): void {
    if (slab) this.#free.push(slab);
  }

  #kept(message: ArrowMessage): ArrowMessage {
    const { chunks, bytes } = message;
    if (!this.#usesSlabs || this.#batchBytes + bytes > this.#limitBytes) return message;
    this.#slab ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(Math.ceil(this.#limitBytes));
    let at = this.#batchBytes;
    for (const chunk of chunks) {
      this.#slab.set(chunk, at);
      at += chunk.byteLength;
    }
    return { ...message, chunks: [this.#slab.subarray(this.#batchBytes, at)] };
  }

  uploadOf(batches: readonly ArrowMessage[]): Upload {
    const messages = [this.#schema!, ...this.#dictionaries, ...batches];
    const pieces = [...messages.flatMap(({ chunks }) => chunks), END_MARKER];
    return {
      pieces,
      bytes: messages.reduce((sum, { bytes }) => sum + bytes, END_MARKER.byteLength),
      rows: batches.reduce((sum, { rows }) => sum + rows, 0),
      batches,
    };
  }
}
