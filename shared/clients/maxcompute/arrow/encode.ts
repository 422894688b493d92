import type { RecordBatch } from 'apache-arrow';
import { Compression, toCompressionName } from '../enums.ts';
import { readBuffers } from './flatbuffer.ts';
import { loadArrow, loadCodec } from './library.ts';
import { type ArrowMessage, MessageCutter } from './messages.ts';

/**
 * The messages of one Arrow stream that holds the batches; the schema comes first, once.
 *
 * @param compression of the buffers
 */
export async function* messagesFrom(
  batches: Iterable<RecordBatch> | AsyncIterable<RecordBatch>,
  compression: Compression = Compression.UNCOMPRESSED,
): AsyncGenerator<ArrowMessage> {
  const { RecordBatchStreamWriter } = await loadArrow();
  const name = toCompressionName(compression);
  const codec = name === null ? undefined : await loadCodec(name);
  let isFirst = true;
  for await (const batch of batches) {
    const write = () => {
      const writer = new RecordBatchStreamWriter({ compressionType: codec?.type ?? null });
      writer.write(batch);
      return [...new MessageCutter().push(writer.finish().toUint8Array(true))];
    };
    const { result: messages, lengths } = codec ? codec.use(write) : { result: write(), lengths: [] };
    const packed = messages.filter(({ compression: within }) => within !== null);
    // Dictionaries stand before the batch, but are packed after it.
    for (const message of packed) if (message.kind === 'batch') setLengths(message, lengths);
    for (const message of packed) if (message.kind === 'dictionary') setLengths(message, lengths);
    for (const message of messages) {
      if (message.kind === 'schema' && !isFirst) continue;
      isFirst = false;
      yield message;
    }
  }
}

/**
 * Before each packed buffer stands how long it is unpacked. The library (21.2) writes its packed length there, which no
 * other reader understands; −1, for one that is stored, is right.
 */
function setLengths({ chunks, bytes }: ArrowMessage, lengths: number[]): void {
  // It came in one piece.
  const [whole] = chunks;
  const view = new DataView(whole!.buffer, whole!.byteOffset, bytes);
  const bodyStart = 8 + view.getInt32(4, true);
  for (const { offset, length } of readBuffers(whole!.subarray(8, bodyStart))) {
    if (length === 0) continue;
    const unpacked = BigInt(lengths.shift()!);
    const at = bodyStart + offset;
    if (view.getBigInt64(at, true) !== -1n) view.setBigInt64(at, unpacked, true);
  }
}
