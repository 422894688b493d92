import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { csv } from '../../../../local/servers/dap/formats/csv.ts';
import { jsonLines } from '../../../../local/servers/dap/formats/jsonl.ts';
import { ParquetFile } from '../../../../local/servers/dap/formats/parquet.ts';
import { tsv } from '../../../../local/servers/dap/formats/tsv.ts';
import type { Row } from '../../../../local/servers/dap/generator.ts';
import { parseInstant } from '../../../../local/servers/dap/instants.ts';
import {
  bool,
  date,
  float64,
  int32,
  int64,
  listOf,
  nested,
  optional,
  since,
  text,
  timestamp,
} from '../../../../local/servers/dap/tables/column.ts';
import { entityTable } from '../../../../local/servers/dap/tables/definition.ts';
import type { Value } from '../../../../local/servers/dap/tables/value.ts';

const none = () => '';
const nestedColumn = nested('', { s1: int32('', () => 1), s2: text(64, '', none), s3: text(64, '', none) });
const small = entityTable('canvas', 'small', '', { plain: text(64, '', none), nested: nestedColumn });
const row = (key: Value, values: readonly Value[] | null, at = '2026-01-06T08:00:00Z'): Row => ({
  key,
  values,
  writtenAt: parseInstant(at)!,
});
const example = row(7n, ['text', { s1: 1, s2: 'two\nlines', s3: null }]);

describe('TSV', () => {
  it('spreads nested fields in mode expanded', () => {
    const { header, encode } = tsv(small, 1, 'expanded', false);

    expect(header).toBe('meta.ts\tkey.id\tvalue.plain\tvalue.nested.s1\tvalue.nested.s2\tvalue.nested.s3\n');
    expect(encode(example)).toBe('2026-01-06T08:00:00Z\t7\ttext\t1\ttwo\\nlines\t\\N\n');
  });

  it('keeps them together in mode condensed, escaped for JSON first and then for the cell', () => {
    const { header, encode } = tsv(small, 1, 'condensed', true);

    expect(header).toBe('meta.ts\tmeta.action\tkey.id\tvalue.plain\tvalue.nested\n');
    expect(encode(example)).toBe('2026-01-06T08:00:00Z\tU\t7\ttext\t{"s1":1,"s2":"two\\\\nlines"}\n');
  });

  it('writes a nested field without any value as NULL, and a deletion with nothing but NULL', () => {
    const { encode } = tsv(small, 1, 'condensed', true);

    expect(encode(row(8n, ['', { s1: null, s2: null, s3: null }]))).toBe('2026-01-06T08:00:00Z\tU\t8\t\t\\N\n');
    expect(encode(row(9n, null))).toBe('2026-01-06T08:00:00Z\tD\t9\t\\N\t\\N\n');
  });

  it('escapes all that PostgreSQL would read as something else', () => {
    const { encode } = tsv(small, 1, 'condensed', false);

    expect(encode(row(1n, ['\\N \b\f\n\r\t\v', null]))).toBe(
      '2026-01-06T08:00:00Z\t1\t\\\\N \\b\\f\\n\\r\\t\\v\t\\N\n',
    );
  });
});

describe('CSV', () => {
  const { header, encode } = csv(small, 1, 'condensed', true);
  const cellOf = (value: Value) =>
    encode(row(1n, [value, null])).slice('2026-01-06T08:00:00Z,U,1,'.length, -',NULL\n'.length);

  it('begins with a header', () => {
    expect(header).toBe('meta.ts,meta.action,key.id,value.plain,value.nested\n');
  });

  it.each([
    ['text', 'text'],
    ['', '""'],
    [null, 'NULL'],
    ['NULL', '"NULL"'],
    ['a,b', '"a,b"'],
    ['say "so"', '"say ""so"""'],
    ['two\nlines', '"two\nlines"'],
    ['carriage\rreturn', '"carriage\rreturn"'],
    ['a\ttab', '"a\ttab"'],
    [12.5, '12.5'],
  ])('writes %j as %s', (value, cell) => {
    expect(cellOf(value)).toBe(cell);
  });

  it('writes a deletion with missing values, and a nested field without any value as missing', () => {
    expect(encode(row(9n, null))).toBe('2026-01-06T08:00:00Z,D,9,,\n');
    expect(encode(row(9n, ['a', { s1: null, s2: null, s3: null }]))).toBe('2026-01-06T08:00:00Z,U,9,a,\n');
  });
});

describe('JSON Lines', () => {
  it('leaves null members out, at every level, and value in a deletion', () => {
    const { header, encode } = jsonLines(small, 1, true);

    expect(header).toBe('');
    expect(encode(example)).toBe(
      '{"key":{"id":7},"value":{"plain":"text","nested":{"s1":1,"s2":"two\\nlines"}},"meta":{"ts":"2026-01-06T08:00:00Z","action":"U"}}\n',
    );
    expect(encode(row(9n, null))).toBe('{"key":{"id":9},"meta":{"ts":"2026-01-06T08:00:00Z","action":"D"}}\n');
  });

  it('keeps all digits of 64-bit integers and has no action in a snapshot', () => {
    const { encode } = jsonLines(small, 1, false);

    expect(encode(row(9_223_372_036_854_775_807n, [null, null]))).toBe(
      '{"key":{"id":9223372036854775807},"value":{},"meta":{"ts":"2026-01-06T08:00:00Z"}}\n',
    );
  });
});

describe('a column of a later schema version', () => {
  const table = entityTable('canvas', 'grown', '', { a: text(9, '', none), b: since(2, text(9, '', none)) });

  it('is in no file of an earlier version', () => {
    expect(tsv(table, 1, 'expanded', false).header).toBe('meta.ts\tkey.id\tvalue.a\n');
    expect(tsv(table, 2, 'expanded', false).header).toBe('meta.ts\tkey.id\tvalue.a\tvalue.b\n');
    expect(jsonLines(table, 1, false).encode(row(1n, ['x', 'y']))).not.toContain('"b"');
  });
});

describe('Parquet', () => {
  const table = entityTable('canvas', 'typed', '', {
    big: int64('', () => 1n),
    small: optional(int32('', () => 1)),
    score: float64('', () => 1),
    flag: bool('', () => true),
    at: timestamp(''),
    day: date(''),
    tags: listOf({ type: 'string' }, '', () => []),
    nested: nestedColumn,
  });
  const values: Value[] = [
    90_730_000_000_000_001n,
    null,
    1.5,
    false,
    '2026-01-06T08:15:00.273001Z',
    '2024-02-29',
    ['a', 'b"c'],
    { s1: 1, s2: 'x', s3: null },
  ];

  async function read(file: ParquetFile, ...rows: readonly Row[]) {
    const parts: Uint8Array[] = [];
    for (const each of rows) {
      const part = file.add(each);
      if (part) parts.push(part);
    }
    parts.push(file.end());
    const bytes = Buffer.concat(parts);
    expect(bytes.subarray(0, 4).toString()).toBe('PAR1');
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    return { metadata: parquetMetadata(buffer), rows: await parquetReadObjects({ file: buffer }) };
  }

  it('is a real file of typed columns under dotted names', async () => {
    const { rows } = await read(new ParquetFile(table, 1, 'expanded', true), row(3n, values), row(4n, null));

    expect(rows).toEqual([
      {
        'meta.ts': new Date('2026-01-06T08:00:00Z'),
        'meta.action': 'U',
        'key.id': 3n,
        'value.big': 90_730_000_000_000_001n,
        'value.small': null,
        'value.score': 1.5,
        'value.flag': false,
        'value.at': new Date('2026-01-06T08:15:00.273Z'),
        'value.day': new Date('2024-02-29'),
        'value.tags': '["a","b\\"c"]',
        'value.nested.s1': 1,
        'value.nested.s2': 'x',
        'value.nested.s3': null,
      },
      expect.objectContaining({ 'meta.action': 'D', 'key.id': 4n, 'value.big': null, 'value.nested.s1': null }),
    ]);
  });

  it('keeps nested fields together in mode condensed', async () => {
    const { rows } = await read(new ParquetFile(table, 1, 'condensed', false), row(3n, values));

    expect(rows[0]).toMatchObject({ 'value.nested': '{"s1":1,"s2":"x"}' });
    expect(rows[0]).not.toHaveProperty('meta.action');
  });

  it('has its columns also without a row', async () => {
    const { metadata, rows } = await read(new ParquetFile(table, 1, 'condensed', false));

    expect(rows).toEqual([]);
    expect(metadata.schema.map(({ name }) => name)).toContain('value.tags');
  });

  it('lets go of each group of ten thousand rows', async () => {
    const file = new ParquetFile(small, 1, 'condensed', false);
    const sizes: number[] = [];
    for (let index = 1; index <= 20_000; index++) {
      const part = file.add(row(BigInt(index), ['x', null]));
      if (part) sizes.push(part.length);
    }

    expect(sizes).toHaveLength(2);
    expect(file.end().length).toBeGreaterThan(0);
  });
});
