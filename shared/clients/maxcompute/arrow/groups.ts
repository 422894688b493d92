import { InvalidRequestError } from '../client-errors.ts';
import { type ArrowMessage, END_MARKER } from './messages.ts';

/** A complete Arrow stream for one request, in pieces, and what is in it. */
export interface Upload {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly rows: number;
  /** The batches it is made of, to cut it smaller. */
  readonly batches: readonly ArrowMessage[];
}

/** Gathers the messages of one Arrow stream into several of bounded length, each with the schema and all dictionaries. */
export class UploadPacker {
  readonly #limitBytes: number;
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
        const full =
          this.#batchBytes > 0 && this.#batchBytes + message.bytes > this.#limitBytes ? this.flush() : undefined;
        this.#batches.push(message);
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
    this.#batches = [];
    this.#batchBytes = 0;
    return batches.length === 0 ? undefined : this.uploadOf(batches);
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
