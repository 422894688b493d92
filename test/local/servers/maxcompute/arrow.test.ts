import { Readable } from 'node:stream';
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';
import { DataType, Schema, tableFromIPC, Vector } from 'apache-arrow';
import fc from 'fast-check';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { describe, expect, it } from 'vitest';
import { compressBody } from '../../../../local/servers/maxcompute/arrow/codecs.ts';
import { convert } from '../../../../local/servers/maxcompute/arrow/convert.ts';
import { type DecodedBatch, decodeStream } from '../../../../local/servers/maxcompute/arrow/decode.ts';
import { BatchEncoder, END_OF_STREAM } from '../../../../local/servers/maxcompute/arrow/encode.ts';
import { gather, type Run } from '../../../../local/servers/maxcompute/arrow/gather.ts';
import { decodeLz4Frame } from '../../../../local/servers/maxcompute/arrow/lz4-decode.ts';
import { arrowType, storedForm } from '../../../../local/servers/maxcompute/arrow/types.ts';
import { formatType, parseType } from '../../../../local/servers/maxcompute/tables/types.ts';
import { fixture } from './api.ts';

interface StreamCase {
  readonly name: string;
  readonly buffer_compression?: string | null;
  readonly http_body_compression?: string;
  readonly rows?: number;
  readonly stream_base64: string;
  readonly expected_error?: string;
}

const { streams } = fixture<{ streams: readonly StreamCase[] }>('arrow_streams');
const plain = streams.filter(({ http_body_compression: whole, stream_base64: bytes }) => !whole && bytes !== '');

/** In pieces that end anywhere. */
async function* pieces(bytes: Uint8Array, size = 37): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(bytes: Uint8Array): Promise<{ schema: Schema; batches: DecodedBatch[] }> {
  let schema: Schema | undefined;
  const batches: DecodedBatch[] = [];
  for await (const item of decodeStream(pieces(bytes))) {
    if (item instanceof Schema) schema = item;
    else batches.push(item);
  }
  return { schema: schema!, batches };
}

const bytesOf = ({ stream_base64: text }: StreamCase): Buffer => Buffer.from(text, 'base64');

const shown = (bytes: Uint8Array): string =>
  JSON.stringify(tableFromIPC(bytes).toArray(), (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );

const right = plain.filter(({ expected_error: error }) => error === undefined);

describe('Arrow streams', () => {
  it.each(right)('$name ($buffer_compression) is read whole', async (of) => {
    const { batches } = await decode(bytesOf(of));

    expect(batches.reduce((sum, { rows }) => sum + rows, 0)).toBe(of.rows ?? tableFromIPC(bytesOf(of)).numRows);
  });

  it.each(['truncated_mid_batch', 'empty_body'])('%s is refused', async (name) => {
    const of = streams.find((one) => one.name === name)!;

    await expect(decode(bytesOf(of))).rejects.toMatchObject({ name: 'MalformedArrowError' });
  });

  it.each(['none', 'zstd', 'lz4'] as const)(
    'cut anywhere and put together again (%s) they say the same',
    async (codec) => {
      const all = right.find(({ name }) => name === 'all_types_3_rows')!;
      const { schema, batches } = await decode(bytesOf(all));
      const encoder = new BatchEncoder(schema, codec === 'none' ? undefined : codec);
      for (const cut of [0, 1, 2, 3]) {
        const messages = batches.flatMap(({ columns, rows }) =>
          (
            [
              [0, cut],
              [cut, rows],
            ] as Run[]
          ).map((run) =>
            encoder.batch(
              columns.map((data) => gather(data, [run])),
              run[1] - run[0],
            ),
          ),
        );

        expect(shown(Buffer.concat([encoder.schemaMessage(), ...messages, END_OF_STREAM]))).toBe(shown(bytesOf(all)));
      }
    },
  );

  it('announce the uncompressed length in front of a compressed buffer', async () => {
    const { schema, batches } = await decode(bytesOf(right.find(({ name }) => name === 'two_batches_5000_rows')!));
    const message = new BatchEncoder(schema, 'zstd').batch(batches[0]!.columns, 4096);
    // Of 4096 whole numbers of 64 bits, behind the message's header: what stands in front of the zstd frame.
    const frame = Buffer.from(message).indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));

    expect(Buffer.from(message).readBigInt64LE(frame - 8)).toBe(32_768n);
  });

  it('keep the runs that are asked for, of every type', async () => {
    const all = await decode(bytesOf(right.find(({ name }) => name === 'all_types_3_rows')!));
    const [batch] = all.batches;

    for (const data of batch!.columns) {
      const picked = new Vector([
        gather(data, [
          [2, 3],
          [0, 1],
          [0, 2],
        ]),
      ]);
      const whole = new Vector([data]);
      const rows = [2, 0, 0, 1].map((row) => JSON.stringify(whole.get(row), bigints));
      expect([0, 1, 2, 3].map((row) => JSON.stringify(picked.get(row), bigints))).toEqual(rows);
    }
  });

  it.each([
    ['timestamp_as_struct_variant', 'timestamp'],
    ['large_string_variant', 'string'],
    ['dictionary_encoded_string_variant', 'string'],
    ['decimal256_bare_decimal_variant', 'decimal(54,18)'],
  ])('%s becomes what a %s is stored as', async (name, declared) => {
    const of = streams.find((one) => one.name === name)! as StreamCase & {
      expected: readonly Record<string, unknown>[];
    };
    const { batches } = await decode(bytesOf(of));
    const type = arrowType(parseType(declared), storedForm(256));

    const converted = convert(batches[0]!.columns[0]!, type, 'c');

    expect(String(converted.type)).toBe(String(type));
    expect(converted.length).toBe(of.expected.length);
    const nulls = of.expected.filter((row) => Object.values(row)[0] === null).length;
    expect(converted.nullCount).toBe(nulls);
    if (DataType.isTimestamp(type)) {
      const nanos = of.expected.map((row) => BigInt((Object.values(row)[0] as { epoch_ns: string }).epoch_ns));
      expect([...(converted.values as BigInt64Array)]).toEqual(nanos);
    }
    if (DataType.isUtf8(type))
      expect([...new Vector([converted])]).toEqual(of.expected.map((row) => Object.values(row)[0]));
  });

  it('names the column whose type is another', async () => {
    const { batches } = await decode(bytesOf(right.find(({ name }) => name === 'two_batches_5000_rows')!));

    expect(() => convert(batches[0]!.columns[0]!, arrowType(parseType('string'), storedForm(128)), 'id')).toThrow(
      'id must be Utf8, got Int64',
    );
  });

  it('refuses a bare decimal that does not fit the narrower form', async () => {
    const { batches } = await decode(bytesOf(streams.find(({ name }) => name === 'decimal256_bare_decimal_variant')!));

    expect(() => convert(batches[0]!.columns[0]!, arrowType(parseType('decimal'), storedForm(128)), 'd')).toThrow(
      'does not fit',
    );
  });
});

const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

const { cases: mapping } = fixture<{ cases: readonly { odps_type: string; arrow_type?: string }[] }>('type_mapping');

/** The names of one library in those of the other. */
function asPyarrow(type: DataType): string {
  if (DataType.isInt(type)) return `int${type.bitWidth}`;
  if (DataType.isFloat(type)) return type.precision === 1 ? 'float' : 'double';
  if (DataType.isUtf8(type)) return 'string';
  if (DataType.isBinary(type)) return 'binary';
  if (DataType.isBool(type)) return 'bool';
  if (DataType.isDate(type)) return 'date32[day]';
  if (DataType.isTimestamp(type)) return `timestamp[${['s', 'ms', 'us', 'ns'][type.unit]}]`;
  if (DataType.isDecimal(type)) return `decimal${type.bitWidth}(${type.precision}, ${type.scale})`;
  if (DataType.isList(type)) return `list<item: ${asPyarrow(type.children[0]!.type)}>`;
  if (DataType.isMap(type))
    return `map<${type.children[0]!.type.children.map((child: { type: DataType }) => asPyarrow(child.type)).join(', ')}>`;
  return `struct<${type.children.map(({ name, type: inner }) => `${name}: ${asPyarrow(inner)}`).join(', ')}>`;
}

describe('declared types', () => {
  it.each(mapping.filter(({ arrow_type: arrow }) => arrow !== undefined))('$odps_type travels as $arrow_type', (of) => {
    const type = parseType(of.odps_type);

    expect(asPyarrow(arrowType(type, storedForm(256)))).toBe(of.arrow_type);
    expect(formatType(type)).toBe(of.odps_type);
  });

  it.each(['strange', 'array<int', 'decimal(', 'map<string>', 'int x'])('%s is refused', (text) => {
    expect(() => parseType(text)).toThrow(SyntaxError);
  });
});

describe('whole bodies', () => {
  const collect = async (body: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(body));

  it('are compressed as one LZ4 frame that others read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        async (bytes, size) => {
          const frame = await collect(compressBody('lz4', pieces(bytes, size)));

          expect(decompressFrameSync(frame).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('are compressed as one zstd frame', async () => {
    const bytes = Buffer.alloc(300_000, 'abc');

    const frame = await collect(compressBody('zstd', pieces(bytes, 1000)));

    expect((await collect(Readable.from([frame]).pipe(createZstdDecompress()))).equals(bytes)).toBe(true);
  });

  it('are decoded from any LZ4 frame', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.integer({ min: 1, max: 5000 })), {
          maxLength: 20,
        }),
        async (repeated) => {
          const bytes = Buffer.concat(repeated.map(([pattern, times]) => Buffer.alloc(times, pattern)));
          const frame = compressFrameSync(bytes, { contentChecksum: true, blockChecksums: true });

          expect((await collect(decodeLz4Frame(pieces(frame, 1013)))).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('are refused if they are no frame, or end early', async () => {
    const frame = compressFrameSync(Buffer.alloc(1000, 'x'));

    await expect(collect(decodeLz4Frame(pieces(frame.subarray(0, -3))))).rejects.toThrow(RangeError);
    await expect(collect(decodeLz4Frame(pieces(zstdCompressSync('abc'))))).rejects.toThrow('not an LZ4 frame');
  });
});
