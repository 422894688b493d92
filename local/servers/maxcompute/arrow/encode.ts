import { type Data, makeData, RecordBatch, RecordBatchStreamWriter, type Schema, Struct } from 'apache-arrow';
import { COMPRESSION_TYPES, type Codec, registerCodecs } from './codecs.ts';

export const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** Arrow's stream writer, handing out the bytes of each message instead of queueing them. */
class MessageWriter extends RecordBatchStreamWriter {
  #chunks: Uint8Array[] = [];

  protected override _write(chunk: ArrayBufferView): this {
    if (chunk.byteLength > 0) this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    return this;
  }

  /**
   * The library (21.2) gives the compressed length where the format wants the uncompressed one, which its own reader does not look
   * at and every other does.
   */
  protected override _compressBodyBuffers(buffers: ArrayBufferView[]) {
    const compressed = super._compressBodyBuffers(buffers);
    buffers.forEach(({ byteLength }, index) => {
      const prefix = compressed.buffers[2 * index]!;
      const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
      if (prefix.byteLength > 0 && view.getBigInt64(0, true) !== -1n) view.setBigInt64(0, BigInt(byteLength), true);
    });
    return compressed;
  }

  taken(): Uint8Array {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return bytes;
  }
}

/** Makes the messages of one stream: its schema once, then batches, then `END_OF_STREAM`. */
export class BatchEncoder {
  readonly schema: Schema;
  readonly #writer: MessageWriter;
  readonly #schemaMessage: Uint8Array;

  constructor(schema: Schema, codec?: Codec) {
    registerCodecs();
    this.schema = schema;
    this.#writer = new MessageWriter({
      autoDestroy: false,
      ...(codec && { compressionType: COMPRESSION_TYPES[codec] }),
    });
    this.#writer.reset(undefined, schema);
    this.#schemaMessage = this.#writer.taken();
  }

  schemaMessage(): Uint8Array {
    return this.#schemaMessage;
  }

  /** @param columns of the schema's types, each of so many rows, starting at 0 */
  batch(columns: readonly Data[], rows: number): Uint8Array {
    const children = columns as Data[];
    const data = makeData({ type: new Struct(this.schema.fields), offset: 0, length: rows, nullCount: 0, children });
    this.#writer.write(new RecordBatch(this.schema, data));
    return this.#writer.taken();
  }
}
