import { MIB } from '../../core/units.ts';
import { ByteReader } from '../input/byte-reader.ts';

/** The header of an object container file. */
export interface AvroHeader {
  readonly schema: unknown;
  readonly codec: string;
}

export interface AvroBlock {
  readonly count: number;
  readonly data: Buffer;
}

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const SYNC_BYTES = 16;
const HEADER_MAX_BYTES = 16 * MIB;
/** A block is held whole. */
export const BLOCK_MAX_BYTES = 256 * MIB;

/** The frame of an Avro file: its header, then blocks of records, each with the file's marker behind it. */
export class AvroContainer {
  readonly #reader: ByteReader;
  #sync: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#reader = new ByteReader(chunks);
  }

  /** @returns undefined for no bytes at all. @throws if it is no Avro file */
  async header(): Promise<AvroHeader | undefined> {
    if (!(await this.#reader.hasMore())) return undefined;
    if (!(await this.#reader.take(MAGIC.length))?.equals(MAGIC)) throw new Error('it does not begin like one');
    const meta = new Map<string, Buffer>();
    for (let count = await this.#long(); count !== 0; count = await this.#long()) {
      // A negative count has the size of the block behind it.
      if (count < 0) await this.#long();
      for (let left = Math.abs(count); left > 0; left--) {
        const name = (await this.#bytes()).toString();
        meta.set(name, Buffer.from(await this.#bytes()));
      }
    }
    this.#sync = Buffer.from(await this.#exactly(SYNC_BYTES));
    const schema: unknown = JSON.parse(meta.get('avro.schema')?.toString() ?? 'null');
    return { schema, codec: meta.get('avro.codec')?.toString() ?? 'null' };
  }

  /** @returns undefined at the end of the file. @throws if it is cut off, or the marker is missing */
  async block(): Promise<AvroBlock | undefined> {
    if (!(await this.#reader.hasMore())) return undefined;
    const count = await this.#long();
    const size = await this.#long();
    if (count < 0 || size < 0 || size > BLOCK_MAX_BYTES)
      throw new Error(`a block has ${count} records in ${size} bytes`);
    const data = await this.#exactly(size);
    if (!(await this.#exactly(SYNC_BYTES)).equals(this.#sync)) throw new Error('a block does not end with the marker');
    return { count, data };
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #exactly(bytes: number): Promise<Buffer> {
    const taken = await this.#reader.take(bytes);
    if (!taken) throw new Error('it ends early');
    return taken;
  }

  async #bytes(): Promise<Buffer> {
    const length = await this.#long();
    if (length < 0 || length > HEADER_MAX_BYTES) throw new Error(`its header has ${length} bytes in a piece`);
    return this.#exactly(length);
  }

  /** Zigzag, seven bits a byte, the lowest first. */
  async #long(): Promise<number> {
    let value = 0;
    for (let shift = 0; shift < 53; shift += 7) {
      const [byte] = (await this.#exactly(1)) as unknown as [number];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new Error('a length is too long');
  }
}
