import { CorruptStreamError } from '../client-errors.ts';
import { FlatTable } from './flat-table.ts';
import { checkSchemaTable } from './schema-table.ts';

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
    message.checkPairs(MESSAGE_METADATA);
    if (bodyBytes < 0 || bodyBytes > Number.MAX_SAFE_INTEGER) throw new RangeError('bodyLength');
    if (type === 'schema') checkSchemaTable(message.table(MESSAGE_HEADER));
    if (type !== 'batch' && type !== 'dictionary') return { kind: type, bodyBytes, rows: 0, compression: null };
    const header = message.table(MESSAGE_HEADER);
    const batch = type === 'batch' ? header : header?.table(DICTIONARY_DATA);
    if (!batch) throw new RangeError('header');
    const compression = batch.table(BATCH_COMPRESSION);
    const rows = batch.int64(BATCH_LENGTH);
    checkLengths(batch, rows, bodyBytes);
    return {
      kind: type,
      bodyBytes,
      rows: type === 'batch' ? rows : 0,
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
    const batch = isDictionary ? header?.table(DICTIONARY_DATA) : header;
    return batch?.pairs(BATCH_BUFFERS).map(([offset, length]) => ({ offset, length })) ?? [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptStreamError('the metadata of an Arrow message cannot be read', { cause: error });
  }
}

/** The library believes what it is told: it would count to any length, and read behind the end of its memory. */
function checkLengths(batch: FlatTable, rows: number, bodyBytes: number): void {
  if (rows < 0 || rows > LENGTH_MAX) throw new RangeError('length');
  for (const [length, nulls] of batch.pairs(BATCH_NODES)) {
    if (length < 0 || length > LENGTH_MAX || nulls < 0 || nulls > length) throw new RangeError('nodes');
  }
  for (const [offset, length] of batch.pairs(BATCH_BUFFERS)) {
    if (offset < 0 || length < 0 || offset + length > bodyBytes) throw new RangeError('buffers');
  }
  batch.vector(BATCH_VARIADIC_COUNTS, 8);
}

/** What other implementations hold to. */
const LENGTH_MAX = 2 ** 31 - 1;

/** By the numbers of `MessageHeader`. */
const KINDS: Readonly<Record<number, MessageHead['kind'] | undefined>> = { 1: 'schema', 2: 'dictionary', 3: 'batch' };

/** Fields by their place in the tables of Message.fbs. */
const MESSAGE_HEADER_TYPE = 1;
const MESSAGE_HEADER = 2;
const MESSAGE_BODY_LENGTH = 3;
const MESSAGE_METADATA = 4;
const DICTIONARY_DATA = 1;
const BATCH_LENGTH = 0;
const BATCH_NODES = 1;
const BATCH_BUFFERS = 2;
const BATCH_COMPRESSION = 3;
const BATCH_VARIADIC_COUNTS = 4;
const COMPRESSION_CODEC = 0;
