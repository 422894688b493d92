import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import {
  arrowSchemaOf,
  batchOfRows,
  Compression,
  messagesFrom,
  type Row,
  type TypeName,
} from '../../../shared/clients/maxcompute/index.ts';
import { newParser } from '../../../shared/parsers/formats.ts';
import type { RecordBatch } from '../../../shared/records/schema.ts';

async function parse(...chunks: Uint8Array[]) {
  const parser = await newParser({ format: 'arrow' });
  const records = parser.parse(from(chunks), { label: 'rows' });
  const batches: RecordBatch[] = await Array.fromAsync(records);
  return { schema: records.stats.schema, batches, rows: batches.flatMap(({ rows }) => rows), stats: records.stats };
}

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

const END = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

/** A stream of a table's columns, as the service would make it. */
async function streamOf(columns: Readonly<Record<string, string>>, rows: readonly Row[], compression: Compression) {
  const dataColumns = Object.entries(columns).map(([name, type], at) => ({
    name,
    columnId: at,
    typeName: type as TypeName,
    type,
    nullable: true,
    isDistributionKey: false,
    hasDefaultValue: false,
    defaultValue: null,
    parts: [],
  }));
  const schema = await arrowSchemaOf({ dataColumns, systemColumns: [] });
  const chunks: Uint8Array[] = [];
  const batches = rows.length === 0 ? [await batchOfRows(schema, [])] : [await batchOfRows(schema, rows)];
  for await (const message of messagesFrom(batches, compression)) chunks.push(...message.chunks);
  return Buffer.concat([...chunks, END]);
}

const TYPES: Readonly<Record<string, readonly [type: string, kind: string, value: Row[string], read?: unknown]>> = {
  a: ['bigint', 'long', 2n ** 63n - 1n],
  b: ['int', 'int', -1],
  c: ['smallint', 'int', -32768],
  d: ['tinyint', 'int', 127],
  e: ['double', 'double', 1e300],
  f: ['float', 'float', 1.5],
  g: ['boolean', 'boolean', true],
  h: ['string', 'string', '杭州'],
  i: ['binary', 'bytes', new Uint8Array([0, 255])],
  j: ['date', 'date', '1969-12-31'],
  k: ['datetime', 'timestamp', '2025-11-20T08:00:00.123'],
  l: ['timestamp', 'timestamp', '1969-12-31T23:59:59.999999999'],
  m: ['decimal(10,2)', 'decimal', '-0.01'],
  n: ['decimal(38,18)', 'decimal', '-1.000000000000000001'],
  o: ['array<bigint>', 'list', [1n, null, 3n]],
  p: ['map<string,bigint>', 'map', new Map([['k', 1n]])],
  q: ['struct<x:bigint,y:string>', 'struct', { x: 1n, y: null }],
  r: ['array<struct<x:string,y:array<bigint>>>', 'list', [{ x: 'a', y: [1n] }, null]],
};
const columns = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
const values = Object.fromEntries(Object.entries(TYPES).map(([name, [, , value]]) => [name, value]));

describe('the arrow parser', () => {
  it.each([Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME])(
    'reads every type of MaxCompute, nulls and nesting included (compression %i)',
    async (compression) => {
      const { schema, rows } = await parse(await streamOf(columns, [values, {}], compression));

      expect(schema!.columns.map(({ type }) => type.kind)).toEqual(Object.values(TYPES).map(([, kind]) => kind));
      expect(rows).toEqual([Object.values(values), Object.values(TYPES).map(() => null)]);
    },
  );

  it('takes chunks of any size', async () => {
    const bytes = await streamOf(columns, [values, values], Compression.UNCOMPRESSED);

    const { rows } = await parse(...Array.from(bytes, (byte) => Uint8Array.of(byte)));

    expect(rows).toHaveLength(2);
  });

  it('gives a batch of many rows on in small batches, in order and none twice', async () => {
    const count = 1000;
    const ids = Array.from({ length: count }, (_, id) => ({ id: BigInt(id), name: `n${id}` }));

    const { batches } = await parse(await streamOf({ id: 'bigint', name: 'string' }, ids, Compression.UNCOMPRESSED));

    expect(batches.flatMap(({ rows }) => rows)).toEqual(ids.map(({ id, name }) => [id, name]));
    expect(Math.max(...batches.map(({ rows }) => rows.length))).toBeLessThan(count);
    let next = 0;
    for (const { firstRow, rows } of batches) {
      expect(firstRow).toBe(next);
      next += rows.length;
    }
  });

  it('knows the columns of a stream without rows, and of nothing none', async () => {
    expect((await parse(await streamOf({ a: 'bigint' }, [], Compression.UNCOMPRESSED))).schema!.columns).toMatchObject([
      { name: 'a', type: { kind: 'long' } },
    ]);
    expect((await parse()).rows).toEqual([]);
  });

  it.each([
    ['text', Buffer.from('id,name\n1,a\n'), 'CorruptInput'],
    [
      'a stream that is cut',
      Buffer.from(tableToIPC(tableFromArrays({ a: [1, 2] }), 'stream')).subarray(0, -20),
      'CorruptInput',
    ],
    ['an Arrow file', Buffer.from(tableToIPC(tableFromArrays({ a: [1, 2] }), 'file')), 'CorruptInput'],
    ['a dictionary', Buffer.from(tableToIPC(tableFromArrays({ a: ['x', 'y'] }), 'stream')), 'UnsupportedInput'],
  ])('refuses %s by name', async (_what, bytes, code) => {
    await expect(parse(bytes)).rejects.toMatchObject({ code });
  });
});
