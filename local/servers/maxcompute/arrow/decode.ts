import { type Data, DataType, Message, MessageHeader, RecordBatchReader, type Schema } from 'apache-arrow';
import { checkBatch } from '../../../../shared/clients/maxcompute/arrow/check-batch.ts';
import { readMessageHead } from '../../../../shared/clients/maxcompute/arrow/flatbuffer.ts';
import { CorruptStreamError } from '../../../../shared/clients/maxcompute/client-errors.ts';
import { ByteReader } from './byte-reader.ts';
import { registerCodecs } from './codecs.ts';

export interface DecodedBatch {
  readonly columns: readonly Data[];
  readonly rows: number;
}

/** A stream or message that is no Arrow, or ends in the middle of it. */
export class MalformedArrowError extends Error {
  override readonly name = 'MalformedArrowError';
}

const CONTINUATION = 0xffff_ffff;
const METADATA_MAX_BYTES = 16 * 1024 * 1024;

/** Reads the batches of messages that share one schema. */
export class BatchDecoder {
  readonly schema: Schema;
  /** The schema, and the dictionaries that came since. */
  readonly #before: Uint8Array[];

  constructor(schemaMessage: Uint8Array) {
    registerCodecs();
    this.#before = [schemaMessage];
    const reader = RecordBatchReader.from([schemaMessage]).open();
    this.schema = reader.schema;
  }

  dictionary(message: Uint8Array): void {
    this.#before.push(message);
  }

  /** @param message with the eight bytes in front of it */
  batch(message: Uint8Array): DecodedBatch {
    const [batch] = RecordBatchReader.from([...this.#before, message]);
    if (!batch) throw new MalformedArrowError('a record batch without content');
    checkBatch({ DataType }, batch);
    return { columns: batch.data.children, rows: batch.numRows };
  }
}

/**
 * The record batches of an Arrow IPC stream, one at a time, compressed buffers decoded. Gives the schema first.
 *
 * @param schemaMessage of a stream that has none
 *
 * @throws {MalformedArrowError} if the stream is none, or ends inside a message; a missing end marker is accepted
 */
export async function* decodeStream(
  body: AsyncIterable<Uint8Array>,
  schemaMessage?: Uint8Array,
): AsyncGenerator<Schema | DecodedBatch> {
  const reader = new ByteReader(body);
  let decoder = schemaMessage && new BatchDecoder(schemaMessage);
  if (decoder) yield decoder.schema;
  try {
    for (;;) {
      const message = await nextMessage(reader);
      if (!message) break;
      if (!decoder) {
        if (message.type !== MessageHeader.Schema)
          throw new MalformedArrowError('the stream does not begin with a schema');
        decoder = new BatchDecoder(message.bytes);
        yield decoder.schema;
      } else if (message.type === MessageHeader.DictionaryBatch) decoder.dictionary(message.bytes);
      else if (message.type === MessageHeader.RecordBatch) yield decoder.batch(message.bytes);
      else throw new MalformedArrowError(`message type ${message.type} where a record batch is expected`);
    }
  } catch (cause) {
    if (cause instanceof CorruptStreamError) throw new MalformedArrowError(cause.message, { cause });
    if (cause instanceof MalformedArrowError || isNetwork(cause)) throw cause;
    throw new MalformedArrowError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (!decoder) throw new MalformedArrowError('the stream is empty');
}

const isNetwork = (error: unknown): boolean => error instanceof Error && 'code' in error;

async function nextMessage(reader: ByteReader): Promise<{ type: MessageHeader; bytes: Uint8Array } | undefined> {
  const head = await reader.upTo(8);
  if (head.length === 0) return undefined;
  if (head.length < 8) throw new MalformedArrowError('the stream ends inside a message');
  if (head.readUInt32LE(0) !== CONTINUATION) throw new MalformedArrowError('a message does not begin with FFFFFFFF');
  const metadataBytes = head.readUInt32LE(4);
  if (metadataBytes === 0) return undefined;
  if (metadataBytes > METADATA_MAX_BYTES) throw new MalformedArrowError(`a message header of ${metadataBytes} bytes`);
  const metadata = await reader.take(metadataBytes);
  // The library believes the lengths that it is told.
  readMessageHead(metadata);
  const { headerType, bodyLength } = Message.decode(metadata);
  const body = await reader.take(bodyLength);
  return { type: headerType, bytes: Buffer.concat([head, metadata, body]) };
}
