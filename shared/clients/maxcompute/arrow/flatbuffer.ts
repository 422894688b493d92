import { CorruptStreamError } from '../client-errors.ts';

/** What the envelope of an Arrow message says. */
export interface MessageHead {
  readonly kind: 'schema' | 'dictionary' | 'batch' | 'other';
  /** Of the body behind the metadata; a multiple of 8. */
  readonly bodyBytes: number;
  /** Of a batch; 0 for the others. */
  readonly rows: number;
  /** The codec inside a batch or dictionary. */
  readonly compression: 'lz4' | 'zstd' | null;
}

/**
 * Reads the few members that say how long a message is and how many rows it holds, straight from its flatbuffer: raw
 * streams need no Arrow library.
 *
 * @see https://github.com/apache/arrow/blob/main/format/Message.fbs
 * @throws {CorruptStreamError} no such flatbuffer
 */
export function readMessageHead(metadata: Uint8Array): MessageHead {
  try {
    const view = new DataView(metadata.buffer, metadata.byteOffset, metadata.byteLength);
    const message = new FlatTable(view, view.getUint32(0, true));
    const bodyBytes = message.int64(MESSAGE_BODY_LENGTH);
    const type = KINDS[message.uint8(MESSAGE_HEADER_TYPE)] ?? 'other';
    if (bodyBytes < 0 || bodyBytes > Number.MAX_SAFE_INTEGER) throw new RangeError('bodyLength');
    if (type !== 'batch' && type !== 'dictionary') return { kind: type, bodyBytes, rows: 0, compression: null };
    const header = message.table(MESSAGE_HEADER);
    const batch = type === 'batch' ? header : header?.table(DICTIONARY_DATA);
    if (!batch) throw new RangeError('header');
    const compression = batch.table(BATCH_COMPRESSION);
    return {
      kind: type,
      bodyBytes,
      rows: type === 'batch' ? batch.int64(BATCH_LENGTH) : 0,
      compression: compression ? (compression.uint8(COMPRESSION_CODEC) === 1 ? 'zstd' : 'lz4') : null,
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptStreamError('the metadata of an Arrow message cannot be read', { cause: error });
  }
}

/** Where the buffers of a batch or dictionary lie in its body. @throws {CorruptStreamError} */
export function readBuffers(metadata: Uint8Array): { readonly offset: number; readonly length: number }[] {
  try {
    const view = new DataView(metadata.buffer, metadata.byteOffset, metadata.byteLength);
    const message = new FlatTable(view, view.getUint32(0, true));
    const header = message.table(MESSAGE_HEADER);
    const isDictionary = KINDS[message.uint8(MESSAGE_HEADER_TYPE)] === 'dictionary';
    return (isDictionary ? header?.table(DICTIONARY_DATA) : header)?.ranges(BATCH_BUFFERS) ?? [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptStreamError('the metadata of an Arrow message cannot be read', { cause: error });
  }
}

/** By the numbers of `MessageHeader`. */
const KINDS: Readonly<Record<number, MessageHead['kind'] | undefined>> = { 1: 'schema', 2: 'dictionary', 3: 'batch' };

/** Fields by their place in the tables of Message.fbs. */
const MESSAGE_HEADER_TYPE = 1;
const MESSAGE_HEADER = 2;
const MESSAGE_BODY_LENGTH = 3;
const DICTIONARY_DATA = 1;
const BATCH_LENGTH = 0;
const BATCH_BUFFERS = 2;
const BATCH_COMPRESSION = 3;
const COMPRESSION_CODEC = 0;

/** A table of a flatbuffer; every access is checked by the view. Absent fields read as zero. */
class FlatTable {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  uint8(field: number): number {
    const at = this.#place(field);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  int64(field: number): number {
    const at = this.#place(field);
    return at === 0 ? 0 : Number(this.#view.getBigInt64(at, true));
  }

  table(field: number): FlatTable | undefined {
    const at = this.#place(field);
    return at === 0 ? undefined : new FlatTable(this.#view, at + this.#view.getUint32(at, true));
  }

  /** A vector of structs of two 64-bit numbers. */
  ranges(field: number): { offset: number; length: number }[] {
    const at = this.#place(field);
    if (at === 0) return [];
    const start = at + this.#view.getUint32(at, true);
    return Array.from({ length: this.#view.getUint32(start, true) }, (_, index) => ({
      offset: Number(this.#view.getBigInt64(start + 4 + index * 16, true)),
      length: Number(this.#view.getBigInt64(start + 12 + index * 16, true)),
    }));
  }

  /** Where a field is; 0 if it is absent. */
  #place(field: number): number {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const entry = 4 + field * 2;
    if (entry >= this.#view.getUint16(vtable, true)) return 0;
    const offset = this.#view.getUint16(vtable + entry, true);
    return offset === 0 ? 0 : this.#at + offset;
  }
}
