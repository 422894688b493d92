import { CorruptStreamError, EmptyBodyError, StreamTruncatedError } from '../client-errors.ts';
import { type MessageHead, readMessageHead } from './flatbuffer.ts';

/** One encapsulated message of an Arrow stream, with its envelope, as it came. */
export interface ArrowMessage extends MessageHead {
  /** All of it in order, in pieces that may be of any size. */
  readonly chunks: readonly Uint8Array[];
  /** Of all chunks. */
  readonly bytes: number;
}

const CONTINUATION = 0xffffffff;
/** Metadata beyond this is no Arrow message but garbage read as a length. */
const METADATA_MAX_BYTES = 256 * 1024 * 1024;

export const END_MARKER = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/**
 * Cuts an Arrow stream into its messages without copying or decoding what is in them. One message is held at a time. The
 * end marker is not among them; a stream that ends behind a whole message without one is whole.
 *
 * @param state told what was seen of the end
 * @throws {EmptyBodyError} not one byte
 * @throws {StreamTruncatedError} the end within a message
 * @throws {CorruptStreamError} something else than Arrow messages, or behind the end marker
 */
export async function* messagesOf(
  bytes: AsyncIterable<Uint8Array>,
  state: { hasEndMarker?: boolean } = {},
): AsyncGenerator<ArrowMessage> {
  const cutter = new MessageCutter();
  for await (const chunk of bytes) for (const message of cutter.push(chunk)) yield message;
  cutter.end();
  state.hasEndMarker = cutter.hasEndMarker;
}

/** {@link messagesOf} for bytes that are pushed. */
export class MessageCutter {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Bytes of the message up to where the next thing is known: its lengths, its metadata, all of it. */
  #wanted = 8;
  #head: MessageHead | undefined;
  #isFirst = true;
  #seen = 0;
  hasEndMarker = false;

  *push(chunk: Uint8Array): Generator<ArrowMessage> {
    this.#seen += chunk.byteLength;
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.hasEndMarker) throw new CorruptStreamError('something follows the end of the Arrow stream');
      const taken = Math.min(this.#wanted - this.#heldBytes, chunk.byteLength - at);
      this.#hold(chunk.subarray(at, at + taken));
      this.#heldBytes += taken;
      at += taken;
      if (this.#heldBytes < this.#wanted) return;
      const message = this.#advance();
      if (message) yield message;
    }
  }

  /** @throws {EmptyBodyError} {@link StreamTruncatedError} */
  end(): void {
    if (this.#seen === 0) throw new EmptyBodyError('the Arrow stream is empty: not even a schema');
    if (this.#heldBytes > 0 || (this.#isFirst && !this.hasEndMarker)) {
      throw new StreamTruncatedError(`the Arrow stream ended within a message, after ${this.#seen} bytes`);
    }
  }

  /** Pieces that lie side by side in memory are kept as one. */
  #hold(piece: Uint8Array): void {
    const last = this.#held.at(-1);
    if (last && last.buffer === piece.buffer && last.byteOffset + last.byteLength === piece.byteOffset) {
      const bytes = last.byteLength + piece.byteLength;
      this.#held[this.#held.length - 1] = new Uint8Array(last.buffer, last.byteOffset, bytes);
    } else this.#held.push(piece);
  }

  #advance(): ArrowMessage | undefined {
    if (this.#head === undefined && this.#wanted === 8) return this.#readLengths();
    if (this.#head === undefined) {
      this.#head = readMessageHead(joined(this.#held, 8, this.#heldBytes));
      if (this.#isFirst && this.#head.kind !== 'schema') {
        throw new CorruptStreamError('the Arrow stream does not begin with a schema');
      }
      this.#wanted += this.#head.bodyBytes;
      if (this.#head.bodyBytes > 0) return undefined;
    }
    const message: ArrowMessage = { ...this.#head, chunks: this.#held, bytes: this.#heldBytes };
    this.#isFirst = false;
    this.#reset();
    return message;
  }

  #readLengths(): undefined {
    const envelope = joined(this.#held, 0, 8);
    const view = new DataView(envelope.buffer, envelope.byteOffset, 8);
    if (view.getUint32(0, true) !== CONTINUATION) {
      throw new CorruptStreamError(`no Arrow message begins ${this.#seen === 0 ? 'here' : 'where one should'}`);
    }
    const metadataBytes = view.getInt32(4, true);
    if (metadataBytes === 0) {
      this.hasEndMarker = true;
      this.#reset();
    } else if (metadataBytes < 0 || metadataBytes > METADATA_MAX_BYTES) {
      throw new CorruptStreamError(`an Arrow message claims ${metadataBytes} bytes of metadata`);
    } else this.#wanted = 8 + metadataBytes;
  }

  #reset(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#wanted = 8;
    this.#head = undefined;
  }
}

/** The bytes `[from, to)` of chunks in one piece, copied only if they are in several. */
export function joined(chunks: readonly Uint8Array[], from: number, to: number): Uint8Array {
  let start = 0;
  for (const chunk of chunks) {
    if (from >= start && to <= start + chunk.byteLength) return chunk.subarray(from - start, to - start);
    start += chunk.byteLength;
  }
  return Buffer.concat(chunks).subarray(from, to);
}
