import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, zstdCompress } from 'node:zlib';
import { setMember } from '../core/json.ts';
import { avroType } from '../records/avro-library.ts';
import type { Value } from '../records/column-type.ts';
import type { Row, Schema } from '../records/schema.ts';
import { AvroSchemas } from './avro-schema.ts';
import type { FormatSettings } from './options.ts';
import { type FileEncoder, UnwritableValueError } from './writer.ts';

/** A block is closed when it has so many bytes. */
const BLOCK_BYTES = 256 * 1024;
const SYNC_BYTES = 16;

const CODECS = {
  none: { name: 'null', pack: async (data: Buffer) => data },
  gzip: { name: 'deflate', pack: promisify(deflateRaw) },
  zstd: { name: 'zstandard', pack: promisify(zstdCompress) },
} as const;

/** An object container file. Names that Avro does not allow are changed, and kept beside. */
export function avroFile(schema: Schema, { compression }: FormatSettings): FileEncoder {
  const { schema: avroSchema, fields } = new AvroSchemas().record(schema);
  const type = avroType(avroSchema);
  const codec = CODECS[compression as keyof typeof CODECS];
  const sync = randomBytes(SYNC_BYTES);
  let header: Buffer | undefined = headerOf(avroSchema, codec.name, sync);
  let records: Buffer[] = [];
  let size = 0;

  const recordOf = (row: Row): Buffer => {
    const record: Record<string, unknown> = {};
    for (let at = 0; at < fields.length; at++) {
      const { name, encode } = fields[at]!;
      const value = row[at]!;
      setMember(record, name, value === null ? null : encode(value));
    }
    try {
      return type.toBuffer(record);
    } catch (error) {
      throw unwritable(row, error);
    }
  };
  const unwritable = (row: Row, cause: unknown) => {
    const at = fields.findIndex(({ encode, schema: of }, index) => !isWritable(avroType(of), encode, row[index]!));
    const name = JSON.stringify(schema.columns[at]?.name ?? '');
    return new UnwritableValueError(`avro cannot hold a value of the column ${name}`, { cause });
  };
  const block = async (): Promise<Buffer[]> => {
    const data = await codec.pack(Buffer.concat(records));
    const parts = [longBytes(records.length), longBytes(data.length), data, sync];
    records = [];
    size = 0;
    return parts;
  };

  return {
    async encode(rows) {
      const ready: Buffer[] = header ? [header] : [];
      header = undefined;
      for (const row of rows) {
        const record = recordOf(row);
        records.push(record);
        size += record.length;
        if (size >= BLOCK_BYTES) ready.push(...(await block()));
      }
      return ready;
    },
    async end() {
      const ready: Buffer[] = header ? [header] : [];
      header = undefined;
      if (records.length > 0) ready.push(...(await block()));
      return ready;
    },
    close() {
      records = [];
    },
  };
}

function isWritable(
  type: { isValid(value: unknown): boolean },
  encode: (value: Exclude<Value, null>) => unknown,
  value: Value,
) {
  try {
    return type.isValid(value === null ? null : encode(value));
  } catch {
    return false;
  }
}

function headerOf(schema: unknown, codec: string, sync: Buffer): Buffer {
  const meta = [
    ['avro.schema', JSON.stringify(schema)],
    ['avro.codec', codec],
  ] as const;
  const parts: Buffer[] = [Buffer.from('Obj\x01', 'latin1'), longBytes(meta.length)];
  for (const text of meta.flat()) {
    const bytes = Buffer.from(text);
    parts.push(longBytes(bytes.length), bytes);
  }
  return Buffer.concat([...parts, longBytes(0), sync]);
}

/** Zigzag of a count, seven bits a byte, the lowest first. */
function longBytes(count: number): Buffer {
  const bytes: number[] = [];
  let left = count * 2;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
  return Buffer.from(bytes);
}
