import { tableFromArrays } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { MessageCutter } from '../../../../shared/clients/maxcompute/arrow/messages.ts';
import { packContent } from '../../../../shared/clients/maxcompute/codec/content-coding.ts';
import {
  batchOfRows,
  Compression,
  messagesFrom,
  type Row,
  type RowValue,
  rowsOfBatch,
} from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { inPieces, World } from './harness.ts';
import { ALL_TYPES, ARROW_CASES, type ArrowCase, arrowBytes } from './rows.ts';

const CHUNKS = [1, 3, 1000, 65_536];

/** The golden data's spelling of a value. */
function spelled(value: RowValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  if (value instanceof Map) return [...value].map(([key, inner]) => [spelled(key), spelled(inner)]);
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value === 'string' && /^-?\d+\.\d+$/.test(value)) return value.replace(/0+$/, '').replace(/\.$/, '');
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) return epochNs(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spelled(inner as RowValue)]));
}

function epochNs(text: string): string {
  const [seconds, fraction = ''] = text.split('.');
  return String(BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0')));
}

function expectedOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expectedOf);
  if (typeof value === 'string' && /^-?\d+\.\d+$/.test(value)) return value.replace(/0+$/, '').replace(/\.$/, '');
  if (typeof value !== 'object' || value === null) return value;
  if ('epoch_ns' in value) return String(value.epoch_ns);
  if ('epoch_ms' in value) return String(BigInt(String(value.epoch_ms)) * 1_000_000n);
  if ('sec' in value) return { sec: value.sec, nano: Number((value as { nano?: unknown }).nano) };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, expectedOf(inner)]));
}

function expectedRows(one: ArrowCase): unknown[] {
  if (one.name === 'two_batches_5000_rows') {
    return Array.from({ length: 5000 }, (_, row) => ({ id: String(row), v: `v${row % 10}` }));
  }
  const rows = one.expected_rows_ref ? ALL_TYPES : one.expected;
  return rows ? rows.map(expectedOf) : [];
}

const label = ({ name, buffer_compression }: ArrowCase) => `${name} (${buffer_compression ?? 'plain'})`;
const whole = ARROW_CASES.filter(({ name }) => !/truncated|empty_body|missing_end/.test(name));

describe('rows of Arrow streams', () => {
  it.each(whole.flatMap((one) => CHUNKS.map((size) => [label(one), size, one] as const)))(
    '%s, in chunks of %i',
    async (_label, size, one) => {
      const world = new World(() => ({ body: inPieces(Buffer.from(one.stream_base64, 'base64'), size) }));
      const declared = { ts: 'timestamp' };

      const rows: Row[] = [];
      const stream = world.table.readRowsStream({ sessionId: 's' }, { expectedRows: one.rows });
      for await (const batch of stream) rows.push(...(await rowsOfBatch(batch, declared)));

      expect(rows.map((row) => spelled(row))).toEqual(expectedRows(one));
      expect(stream).toMatchObject({ rowCount: one.rows, status: 'OK', requestId: 'REQ-1' });
    },
  );

  it.each(whole.filter(({ name }) => !name.startsWith('body_level')).map((one) => [label(one), one] as const))(
    '%s lands byte for byte',
    async (_label, one) => {
      const bytes = Buffer.from(one.stream_base64, 'base64');
      const world = new World(() => ({ body: inPieces(bytes, 777) }));

      const landed = await collect(world.table.readRowsStream({ sessionId: 's' }).bytes());

      expect(Buffer.concat(landed).equals(bytes)).toBe(true);
    },
  );

  it.each(['body_level_zstd_variant', 'body_level_lz4_variant'])('%s lands as the stream in it', async (name) => {
    const world = new World(() => ({ body: inPieces(arrowBytes(name), 100) }));

    const landed = await collect(world.table.readRowsStream({ sessionId: 's' }).bytes());

    expect(Buffer.concat(landed).equals(arrowBytes('all_types_3_rows'))).toBe(true);
  });

  it('a stream without its end marker lands without it, once its rows are counted', async () => {
    const bytes = arrowBytes('missing_end_of_stream_marker');
    const world = new World(() => ({ body: bytes }));

    const landed = await collect(world.table.readRowsStream({ sessionId: 's' }, { expectedRows: 10 }).bytes());

    expect(Buffer.concat(landed).equals(bytes)).toBe(true);
  });
});

describe('bodies that are no whole Arrow stream', () => {
  const once = { resume: false };

  it.each([
    ['half a batch', arrowBytes('truncated_mid_batch'), 'StreamTruncatedError'],
    ['not a byte', Buffer.alloc(0), 'EmptyBodyError'],
    ['half a length', Buffer.of(0xff, 0xff, 0xff), 'StreamTruncatedError'],
    ['half a schema', arrowBytes('schema_only_no_rows').subarray(0, 60), 'StreamTruncatedError'],
    ['an HTML page', Buffer.from('<html>busy</html>'), 'CorruptStreamError'],
    ['no schema', Buffer.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), undefined],
    [
      'something behind the end',
      Buffer.concat([arrowBytes('schema_only_no_rows'), Buffer.of(1)]),
      'CorruptStreamError',
    ],
    [
      'garbage for metadata',
      Buffer.concat([Buffer.of(0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0), Buffer.alloc(16, 0xee)]),
      'CorruptStreamError',
    ],
    ['a negative length', Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 'CorruptStreamError'],
    ['a cut zstd body', arrowBytes('body_level_zstd_variant').subarray(0, 500), 'StreamTruncatedError'],
    ['a cut lz4 body', arrowBytes('body_level_lz4_variant').subarray(0, 500), 'StreamTruncatedError'],
  ])('%s', async (_name, bytes, name) => {
    for (const size of CHUNKS) {
      const world = new World(() => ({ body: inPieces(bytes, size) }));

      const reading = collect(world.table.readRowsStream({ sessionId: 's' }, once).bytes());

      if (name === undefined) await reading;
      else expect(await failure(reading)).toMatchObject({ name });
    }
  });

  it('every bit of an lz4 body with checksums counts', async () => {
    const packed = packContent(inPieces(arrowBytes('all_types_3_rows'), 5000), Compression.LZ4_FRAME);
    const bytes = Buffer.concat(await collect(packed));
    const kinds = new Set<string>();
    for (let at = 4; at < bytes.byteLength; at += 11) {
      const broken = Buffer.from(bytes);
      broken[at]! ^= 0x10;
      const world = new World(() => ({ body: broken }));
      try {
        const read = await collect(world.table.readRowsStream({ sessionId: 's' }, once).bytes());
        // A distance within a run of equal bytes may change without changing what is unpacked.
        expect(Buffer.concat(read).equals(arrowBytes('all_types_3_rows'))).toBe(true);
      } catch (error) {
        kinds.add((error as Error).name);
      }
    }

    expect([...kinds].sort()).toEqual(['ChecksumMismatchError', 'CorruptStreamError']);
  });

  it.each([
    ['zstd', 0],
    ['lz4', 0],
    ['zstd', -8],
    ['lz4', -8],
  ] as const)('a %s buffer with another magic number (0) or length (−8): %i', async (codec, offset) => {
    const broken = arrowBytes('two_batches_5000_rows', codec);
    const magic = codec === 'zstd' ? Buffer.of(0x28, 0xb5, 0x2f, 0xfd) : Buffer.of(0x04, 0x22, 0x4d, 0x18);
    const at = broken.indexOf(magic);
    broken[at + offset]! ^= 1;
    const world = new World(() => ({ body: broken }));

    const error = await failure(collect(world.table.readRowsStream({ sessionId: 's' }, once)));

    expect(error).toMatchObject({ name: 'CorruptStreamError', retryable: true });
  });

  it('random bytes behind a schema never do worse than a named error', () => {
    const schema = arrowBytes('schema_only_no_rows').subarray(0, -8);
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    for (let round = 0; round < 300; round++) {
      const noise = Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256)));
      noise.writeInt32LE(-1, 0);
      noise.writeInt32LE(Math.floor(random() * 48), 4);
      const cutter = new MessageCutter();
      try {
        for (const _ of cutter.push(Buffer.concat([schema, noise])));
        cutter.end();
      } catch (error) {
        expect((error as Error).name).toMatch(/^(CorruptStream|StreamTruncated)Error$/);
      }
    }
  });
});

describe('what is written is read equal', () => {
  it.each([
    ['plain', Compression.UNCOMPRESSED],
    ['zstd', Compression.ZSTD],
    ['lz4', Compression.LZ4_FRAME],
  ])('every type, %s', async (_name, compression) => {
    const source = new World(() => ({ body: arrowBytes('all_types_3_rows') }));
    const [batch] = await collect(source.table.readRowsStream({ sessionId: 's' }));
    const rows = await rowsOfBatch(batch!);

    const made = await batchOfRows(batch!.schema, rows);
    const messages = await collect(messagesFrom([made], compression));

    const world = new World(() => ({ body: Buffer.concat(messages.flatMap(({ chunks }) => chunks)) }));
    const read = await collect(world.table.readRowsStream({ sessionId: 's' }));
    expect((await rowsOfBatch(read[0]!)).map(spelled)).toEqual(ALL_TYPES.map(expectedOf));
    expect(read[0]!.schema.toString()).toBe(batch!.schema.toString());
  });

  it('dictionaries, packed too', async () => {
    const texts = Array.from({ length: 500 }, (_, row) => `a rather long text ${row % 7}`);
    const [batch] = tableFromArrays({ text: texts }).batches;

    for (const compression of [Compression.ZSTD, Compression.LZ4_FRAME]) {
      const messages = await collect(messagesFrom([batch!, batch!], compression));

      expect(messages.map(({ kind }) => kind)).toEqual(['schema', 'dictionary', 'batch', 'dictionary', 'batch']);
      const world = new World(() => ({ body: Buffer.concat(messages.flatMap(({ chunks }) => chunks)) }));
      const read = await collect(world.table.readRowsStream({ sessionId: 's' }));
      expect((await rowsOfBatch(read[1]!)).map(({ text }) => text)).toEqual(texts);
    }
  });

  it.each([
    ['c_bigint', '1'],
    ['c_bigint', 2n ** 63n],
    ['c_int', 2 ** 31],
    ['c_tinyint', 1.5],
    ['c_boolean', 1],
    ['c_string', 1],
    ['c_binary', 'text'],
    ['c_date', '2025-13-01'],
    ['c_datetime', '2025-11-20T08:00:00.1234'],
    ['c_decimal', '1.234'],
    ['c_decimal', '123456789.00'],
    ['c_array', new Map()],
    ['c_map', []],
    ['c_struct', [1n]],
  ])('%s does not hold %o', async (column, value) => {
    const source = new World(() => ({ body: arrowBytes('all_types_3_rows') }));
    const [batch] = await collect(source.table.readRowsStream({ sessionId: 's' }));

    expect(await failure(batchOfRows(batch!.schema, [{}, { [column]: value as RowValue }]))).toMatchObject({
      name: 'InvalidRequestError',
      message: expect.stringContaining(`column ${column}, row 1`),
    });
  });
});
