import type { SilenceLimit } from '../transport/abort.ts';

/** Pieces count as one body of known length. */
export type Body =
  | string
  | Uint8Array
  | readonly Uint8Array[]
  | AsyncIterable<Uint8Array>
  | (() => AsyncIterable<Uint8Array>);

export function isStream(body: Body | undefined): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

/** Undefined where it is not known, so that the body is sent in chunks. */
export function lengthOf(body: Body | undefined): string | undefined {
  if (typeof body === 'string') return String(Buffer.byteLength(body));
  if (body instanceof Uint8Array) return String(body.byteLength);
  if (!Array.isArray(body)) return undefined;
  return String(body.reduce((sum: number, piece: Uint8Array) => sum + piece.byteLength, 0));
}

const SLICE_BYTES = 1024 * 1024;

/** A body on its way. While its source takes its time, the service is not silent. */
export class Upload {
  readonly #silence: SilenceLimit;
  #isAnswered = false;
  /** Whether all of it has been taken. */
  isSent = true;
  /** As `fetch` takes it. */
  readonly body: string | AsyncIterable<Uint8Array> | undefined;

  constructor(body: Body | undefined, silence: SilenceLimit) {
    this.#silence = silence;
    if (body === undefined || typeof body === 'string') this.body = body;
    else {
      this.isSent = false;
      this.body = this.#paced(body instanceof Uint8Array ? [body] : typeof body === 'function' ? body() : body);
    }
  }

  /** From here on it is the reply that must not be silent. */
  answered(): void {
    this.#isAnswered = true;
    this.#silence.stop();
  }

  async *#paced(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#pause();
    for await (const chunk of chunks) {
      // What is long is sent in slices, so that a slow line is not taken for a silent one.
      for (let at = 0; at < chunk.byteLength; at += SLICE_BYTES) {
        this.#wait();
        yield chunk.subarray(at, at + SLICE_BYTES);
        this.#pause();
      }
    }
    this.isSent = true;
    this.#wait();
  }

  #wait(): void {
    if (!this.#isAnswered) this.#silence.start();
  }

  #pause(): void {
    if (!this.#isAnswered) this.#silence.stop();
  }
}
