import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRecordWriter } from '../../../shared/formats/formats.ts';
import type { Lineage } from '../../../shared/formats/lineage.ts';
import type { FormatOptions } from '../../../shared/formats/options.ts';
import type { Value } from '../../../shared/records/column-type.ts';
import { type RecordBatch, type Row, type Schema, schemaFromJson } from '../../../shared/records/schema.ts';
import { valueToJson } from '../../../shared/records/value-json.ts';
import { memoryFiles } from '../../support/byte-sinks.ts';
import { nullable } from '../../support/record-arbitraries.ts';

const schema = (...columns: readonly (readonly [string, unknown])[]): Schema =>
  schemaFromJson(columns.map(([name, type]) => ({ name, type })));
const batch = (of: Schema, rows: readonly Row[], firstRow = 0): RecordBatch => ({ schema: of, rows, firstRow });

async function written(options: FormatOptions, batches: readonly RecordBatch[], lineage?: Lineage) {
  const memory = memoryFiles();
  const writer = newRecordWriter({ lineage: lineage !== undefined, ...options }, memory.open, lineage);
  for (const one of batches) await writer.write(one);
  return { parts: await writer.close(), files: memory.files };
}

const TWO = schema(['n', 'long'], ['t', 'string']);

describe('text of files', () => {
  it.each<{ options: FormatOptions; text: string }>([
    { options: { format: 'ndjson' }, text: '{"n":9007199254740993,"t":"a"}\n{"n":null,"t":""}\n' },
    { options: { format: 'ndjson', omitNulls: true }, text: '{"n":9007199254740993,"t":"a"}\n{"t":""}\n' },
    { options: { format: 'csv' }, text: 'n,t\n9007199254740993,a\n,""\n' },
    { options: { format: 'csv', header: false, delimiter: ';' }, text: '9007199254740993;a\n;""\n' },
  ])('$options', async ({ options, text }) => {
    const batches = [
      batch(TWO, [
        [9007199254740993n, 'a'],
        [null, ''],
      ]),
    ];

    expect((await written(options, batches)).files[0]?.bytes.toString()).toBe(text);
    const { files } = await written({ ...options, compression: 'gzip' }, batches);
    expect(gunzipSync(files[0]!.bytes).toString()).toBe(text);
    expect(files[0]?.file).toMatchObject({ extension: `${options.format}.gz`, contentEncoding: 'gzip' });
    expect(
      zstdDecompressSync((await written({ ...options, compression: 'zstd' }, batches)).files[0]!.bytes).toString(),
    ).toBe(text);
  });

  it.each<{ type: unknown; value: Value; json: string; csv: string }>([
    { type: 'double', value: Number.NaN, json: '"NaN"', csv: 'NaN' },
    { type: 'double', value: -Infinity, json: '"-Infinity"', csv: '-Infinity' },
    { type: 'double', value: -0, json: '-0', csv: '-0' },
    { type: 'decimal(5,2)', value: '1.50', json: '"1.50"', csv: '1.50' },
    { type: 'bytes', value: new Uint8Array([0, 255]), json: '"AP8="', csv: 'AP8=' },
    { type: 'json', value: '{"a":\n1}', json: '{"a": 1}', csv: '"{""a"":\n1}"' },
    { type: { list: 'long' }, value: [1n, null], json: '[1,null]', csv: '"[1,null]"' },
    { type: { map: 'int' }, value: new Map([['a', 1]]), json: '{"a":1}', csv: '"{""a"":1}"' },
    { type: { map: 'int', key: 'int' }, value: new Map([[2, 1]]), json: '[[2,1]]', csv: '"[[2,1]]"' },
    {
      type: { struct: [{ name: 'a', type: 'date' }] },
      value: { a: '2024-02-29' },
      json: '{"a":"2024-02-29"}',
      csv: '"{""a"":""2024-02-29""}"',
    },
    { type: 'string', value: 'a "b",\r\n', json: '"a \\"b\\",\\r\\n"', csv: '"a ""b"",\r\n"' },
  ])('$type $json', async ({ type, value, json, csv }) => {
    const of = schema(['x', type], ['y', 'int']);

    expect((await written({ format: 'ndjson' }, [batch(of, [[value, 1]])])).files[0]?.bytes.toString()).toBe(
      `{"x":${json},"y":1}\n`,
    );
    expect(
      (await written({ format: 'csv', header: false }, [batch(of, [[value, 1]])])).files[0]?.bytes.toString(),
    ).toBe(`${csv},1\n`);
  });
});

describe('lineage', () => {
  const lineage: Lineage = {
    partition: 'a/b.csv',
    fingerprint: 'v1',
    runId: 'p/7',
    ingestedAt: '2024-02-29T08:00:00Z',
  };

  it('is five columns behind the others, with the number of each record', async () => {
    const { files } = await written({ format: 'csv' }, [batch(TWO, [[1n, 'a']]), batch(TWO, [[2n, 'b']], 1)], lineage);

    expect(files[0]?.bytes.toString()).toBe(
      'n,t,_partition,_fingerprint,_run_id,_record_no,_ingested_at\n' +
        '1,a,a/b.csv,v1,p/7,0,2024-02-29T08:00:00Z\n2,b,a/b.csv,v1,p/7,1,2024-02-29T08:00:00Z\n',
    );
  });

  it('takes the place of columns of the same names', async () => {
    const { files } = await written(
      { format: 'ndjson' },
      [batch(schema(['_partition', 'int'], ['n', 'int']), [[1, 2]])],
      lineage,
    );

    expect(Object.entries(JSON.parse(files[0]!.bytes.toString())).slice(0, 2)).toEqual([
      ['n', 2],
      ['_partition', 'a/b.csv'],
    ]);
  });

  it('is left out where that is asked for', async () => {
    const { files } = await written({ format: 'csv', lineage: false }, [batch(TWO, [[1n, 'a']])], lineage);

    expect(files[0]?.bytes.toString()).toBe('n,t\n1,a\n');
  });
});

describe('files', () => {
  it('are none without a row', async () => {
    expect(await written({ format: 'parquet' }, [batch(TWO, [])])).toEqual({ parts: [], files: [] });
  });

  it.each(['ndjson', 'csv', 'avro', 'parquet'] as const)(
    'of %s begin anew at their target size, each whole in itself',
    async (format) => {
      const rows = (from: number): Row[] =>
        Array.from({ length: 1000 }, (_, at) => [BigInt(from + at), `text ${from + at} `.repeat(60)]);
      const options: FormatOptions = {
        format,
        targetBytes: 1_000_000,
        ...(format === 'parquet' && { rowGroupRows: 1000, compression: 'none' }),
      };

      const { parts, files } = await written(
        options,
        Array.from({ length: 10 }, (_, at) => batch(TWO, rows(at * 1000), at * 1000)),
      );

      expect(parts.length).toBeGreaterThan(1);
      expect(parts.map(({ part }) => part)).toEqual(parts.map((_, at) => at));
      expect(parts.reduce((sum, { rows: count }) => sum + count, 0)).toBe(10_000);
      for (const [at, { bytes, stored }] of parts.entries()) {
        expect(bytes).toBe(files[at]!.bytes.length);
        expect(stored).toBe(bytes);
        expect(bytes).toBeLessThan(2_000_000);
      }
    },
  );

  it('begin anew when the columns change, and not when only the value of the schema does', async () => {
    const same = schema(['n', 'long'], ['t', 'string']);
    const more = schema(['n', 'long'], ['t', 'string'], ['x', 'int']);

    const { files } = await written({ format: 'csv' }, [
      batch(TWO, [[1n, 'a']]),
      batch(same, [[2n, 'b']]),
      batch(more, [[3n, 'c', 4]]),
    ]);

    expect(files.map(({ bytes }) => bytes.toString())).toEqual(['n,t\n1,a\n2,b\n', 'n,t,x\n3,c,4\n']);
  });

  it.each(['ndjson', 'csv', 'avro', 'parquet'] as const)('of %s are written as they grow', async (format) => {
    const memory = memoryFiles();
    let held = 0;
    let given = 0;
    let most = 0;
    const writer = newRecordWriter(
      {
        format,
        lineage: false,
        targetBytes: 2 ** 40,
        ...(format === 'parquet' && { rowGroupRows: 2000, compression: 'none' }),
      },
      (file) => {
        const sink = memory.open(file);
        return {
          ...sink,
          write: async (chunk) => {
            held -= chunk.length;
          },
        };
      },
    );
    const text = 'x'.repeat(1000);

    for (let at = 0; at < 20; at++) {
      await writer.write(
        batch(
          TWO,
          Array.from({ length: 500 }, (_, index) => [BigInt(index), text + (at * 500 + index)]),
        ),
      );
      given += 500 * 1000;
      held += 500 * 1000;
      most = Math.max(most, held);
    }
    await writer.close();

    expect(given).toBe(10_000_000);
    expect(most).toBeLessThan(2_600_000);
  });

  it('are dropped by abort, those that are closed stay', async () => {
    const memory = memoryFiles();
    const writer = newRecordWriter({ format: 'csv', lineage: false, targetBytes: 1 }, memory.open);
    await writer.write(
      batch(
        TWO,
        Array.from({ length: 100 }, () => [1n, 'x'.repeat(10_000)]),
      ),
    );
    await writer.write(
      batch(
        schema(['n', 'int']),
        Array.from({ length: 5 }, () => [1]),
      ),
    );

    await writer.abort();
    await writer.abort();

    expect(memory.files.length).toBeGreaterThan(0);
  });

  it('cannot hold a timestamp beyond 64 bits of nanoseconds', async () => {
    const of = schema(['at', 'timestamp(ns)']);
    const rows: Row[] = [['3000-01-01T00:00:00Z']];

    for (const format of ['parquet', 'avro'] as const) {
      const failed = written({ format }, [batch(of, rows)]);
      await expect(failed).rejects.toMatchObject({ code: 'UnwritableValue', message: expect.stringContaining('"at"') });
    }
  });

  it.each<{ options: object; says: string }>([
    { options: { format: 'xml' }, says: '"format" must be one of' },
    { options: { format: 'csv', compression: 'snappy' }, says: '"compression" must be one of' },
    { options: { format: 'csv', rowGroupRows: 1 }, says: '"rowGroupRows" is an option of parquet' },
    { options: { format: 'csv', delimiter: '"' }, says: '"delimiter" must not be a quote' },
    { options: { format: 'csv', targetBytes: 0 }, says: '"targetBytes" must be an integer' },
  ])('refuse the options $options', ({ options, says }) => {
    expect(() => newRecordWriter(options as FormatOptions, memoryFiles().open)).toThrow(says);
  });
});

describe('files as DuckDB reads them', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'landfall-duck-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const COLUMNS = schema(
    ['b', 'boolean'],
    ['i', 'int'],
    ['l', 'long'],
    ['d', 'double'],
    ['x', 'decimal(20,4)'],
    ['y', 'decimal(9,2)'],
    ['s', 'string'],
    ['day', 'date'],
    ['t', 'time'],
    ['at', 'timestamp'],
    ['local', 'local-timestamp'],
    ['j', 'json'],
    ['list', { list: 'int' }],
    ['map', { map: 'long' }],
    [
      'st',
      {
        struct: [
          { name: 'a', type: 'int' },
          { name: 'b', type: 'string' },
        ],
      },
    ],
  );

  it('have the same values', async () => {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const duck = await (await DuckDBInstance.create(':memory:')).connect();
    await duck.run("SET TimeZone = 'UTC'");
    const years = (text: unknown) => typeof text !== 'string' || /^(?:\d\d:|[12]\d{3}-)/.test(text);
    const row = fc
      .tuple(
        ...COLUMNS.columns.map(({ type }) =>
          nullable(type, true).filter(
            (value) => !['date', 'timestamp'].includes(type.kind) || value === null || years(value),
          ),
        ),
      )
      .map((values) => values as Row);
    const rows = fc.sample(row, { numRuns: 200, seed: 11 });
    const batches = [batch(COLUMNS, rows.slice(0, 150)), batch(COLUMNS, rows.slice(150), 150)];
    for (const [format, compression] of [
      ['parquet', 'snappy'],
      ['parquet', 'zstd'],
      ['parquet', 'none'],
    ] as const) {
      const { files } = await written({ format, compression, rowGroupRows: 64 }, batches);
      const path = join(folder, `file.${format}`);
      await writeFile(path, files[0]!.bytes);
      const columns = COLUMNS.columns.map(({ name, type }) =>
        ['list', 'struct', 'map'].includes(type.kind) ? `to_json("${name}")::VARCHAR` : `"${name}"::VARCHAR`,
      );

      const found = (await duck.runAndReadAll(`SELECT ${columns.join(', ')} FROM '${path}'`)).getRows() as (
        | string
        | null
      )[][];

      expect(found.length).toBe(rows.length);
      for (const [at, values] of rows.entries()) {
        for (const [index, { name, type }] of COLUMNS.columns.entries()) {
          const text = found[at]![index]!;
          const expected = values[index]!;
          if (expected === null) expect([name, text]).toEqual([name, null]);
          else if (type.kind === 'double')
            expect(Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'))).toBe(
              Object.is(expected, -0) ? -0 : expected,
            );
          else if (type.kind === 'timestamp') expect(text.replace(' ', 'T').replace(/\+00$/, 'Z')).toBe(expected);
          else if (type.kind === 'map') expect(text).toBe(valueToJson(expected, type));
          else if (type.kind === 'list' || type.kind === 'struct') expect(JSON.parse(text)).toEqual(expected);
          else expect([name, text]).toEqual([name, String(expected)]);
        }
      }
    }
    duck.closeSync();
  });
});
