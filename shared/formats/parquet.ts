import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { MIB } from '../core/units.ts';
import type { Value } from '../records/column-type.ts';
import type { Row, Schema } from '../records/schema.ts';
import type { FormatSettings } from './options.ts';
import { asWritten, parquetSchema } from './parquet-schema.ts';
import { type FileEncoder, UnwritableValueError } from './writer.ts';

const CODECS = { none: 'UNCOMPRESSED', gzip: 'GZIP', zstd: 'ZSTD', snappy: 'SNAPPY' } as const;
const GROUP_MAX_BYTES = 64 * MIB;

/** A Parquet file; what is held is one row group, and at the end the directory of all. */
export function parquetFile(schema: Schema, { compression, rowGroupRows }: FormatSettings): FileEncoder {
  const { elements, fields } = parquetSchema(schema);
  const bytes = new SpillingWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: elements.map(asWritten),
    codec: CODECS[compression],
    compressors: { GZIP: (input) => gzipSync(input), ZSTD: (input) => zstdCompressSync(input) },
    createdBy: 'landfall',
  });
  const { columns } = schema;
  let group: unknown[][] = columns.map(() => []);
  let rows = 0;
  let size = 0;
  const add = (row: Row) => {
    for (let at = 0; at < columns.length; at++) {
      const value = row[at]!;
      group[at]!.push(value === null ? null : encoded(value, at));
      size += sizeOf(value);
    }
    rows += 1;
  };
  const encoded = (value: Exclude<Value, null>, at: number): unknown => {
    try {
      return fields[at]!.encode(value);
    } catch (error) {
      const name = JSON.stringify(columns[at]!.name);
      throw new UnwritableValueError(`parquet cannot hold a value of the column ${name}`, { cause: error });
    }
  };
  const flush = () => {
    const columnData = columns.map(({ name }, at) => ({ name, data: group[at]! }));
    void writer.write({ columnData, rowGroupSize: rows });
    group = columns.map(() => []);
    rows = 0;
    size = 0;
  };
  return {
    async encode(batch) {
      const ready: Uint8Array[] = [];
      for (const row of batch) {
        add(row);
        if (rows < rowGroupRows && size < GROUP_MAX_BYTES) continue;
        flush();
        ready.push(bytes.take());
      }
      return ready;
    },
    async end() {
      if (rows > 0) flush();
      // Only the directory says what is json.
      writer.schema = elements;
      void writer.finish();
      return [bytes.take()];
    },
    close() {
      group = [];
    },
  };
}

/** Roughly, in memory. */
function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length + 16;
  if (value === null || typeof value !== 'object') return 8;
  if (value instanceof Uint8Array) return value.length + 16;
  let size = 16;
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) size += sizeOf(inner as Value);
  return size;
}

/** Lets go of what has been taken; offsets in the file go on counting. */
class SpillingWriter extends ByteWriter {
  take(): Uint8Array {
    const taken = this.getBytes().slice();
    this.index = 0;
    return taken;
  }
}
