import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../shared/core/json.ts';
import type { ParserOptions } from '../../../shared/parsers/formats.ts';
import { parseAll } from '../../support/parsing.ts';

/** Files of other people's writers; `make.py` beside them made them. */
const FOLDER = join(import.meta.dirname, '../../fixtures/formats');

let temporaryFolder: string;
beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'landfall-fixtures-'));
});
afterAll(async () => {
  // What is spooled is removed again, also after a failure.
  expect(await readdir(temporaryFolder)).toEqual([]);
  await rm(temporaryFolder, { recursive: true });
});

const read = (options: ParserOptions, name: string, chunkSize = 1000) =>
  parseAll(options, readFileSync(join(FOLDER, name)), { temporaryFolder, chunkSize });
const given = (options: ParserOptions, bytes: Uint8Array) => parseAll(options, bytes, { temporaryFolder });

describe('parquet of pyarrow', () => {
  const rows = [
    [
      ...[1n, 1, '0', '1.23', '0.1', '2024-02-29', '2024-02-29T08:00:00.123456789Z', '2024-02-29T08:00:00.123456'],
      ...['08:30:00.25', 'é', new Uint8Array([0, 255]), 1.5, ['a', null]],
      new Map([
        ['x', 1],
        ['y', null],
      ]),
      { sku: 's', deep: { n: 1n } },
      [{ n: 1n }, null, { n: null }],
    ],
    [
      ...[2n ** 62n, -2, '18446744073709551615', '-99999999999999999.99', '-0.2', '0001-01-01'],
      ...['1969-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.999999', '00:00:00', '', new Uint8Array(0), -0.25, []],
      ...[new Map(), { sku: null, deep: null }, []],
    ],
    new Array(16).fill(null),
  ];

  it.each(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'])('of the codec %s has all its values', async (codec) => {
    expect((await read({ format: 'parquet' }, `types-${codec}.parquet`)).rows).toEqual(rows);
  });

  it('has its types', async () => {
    const { types } = await read({ format: 'parquet' }, 'types-none.parquet');

    expect(types.slice(0, 12)).toEqual([
      'long',
      'int16',
      'decimal(20,0)',
      'decimal(19,2)',
      'decimal(3,1)',
      'date',
      'timestamp(ns)',
      'local-timestamp',
      'time',
      'string',
      'bytes',
      'float',
    ]);
  });

  it('gives the columns that are selected, in their order', async () => {
    const { names, rows: selected } = await read({ format: 'parquet', select: ['text', 'id'] }, 'types-zstd.parquet');

    expect(names).toEqual(['text', 'id']);
    expect(selected[0]).toEqual(['é', 1n]);
  });

  it('flattens structs', async () => {
    const { names, rows: flat } = await read(
      { format: 'parquet', select: ['line'], flatten: true, namespaceDelimiter: '.' },
      'types-none.parquet',
    );

    expect(names).toEqual(['line.sku', 'line.deep.n']);
    expect(flat).toEqual([
      ['s', 1n],
      [null, null],
      [null, null],
    ]);
  });

  it('reads INT96 as a timestamp, or as its bytes', async () => {
    expect((await read({ format: 'parquet' }, 'int96.parquet')).rows[0]).toEqual([
      1n,
      '2024-02-29T08:00:00.123456789Z',
    ]);
    const { rows: raw } = await read({ format: 'parquet', int96AsTimestamp: false }, 'int96.parquet');
    expect(Buffer.from(raw[0]![1] as Uint8Array).toString('hex')).toBe('15cd208d311a0000d28a2500');
  });

  it.each<{ options: object; says: string }>([
    {
      options: {
        requireNoMissingFields: true,
        schema: [
          { name: 'id', type: 'long' },
          { name: 'x', type: 'int' },
        ],
      },
      says: 'there is no "x"',
    },
    { options: { requireNoExtraFields: true, schema: [{ name: 'id', type: 'long' }] }, says: 'not in the schema' },
    {
      options: { requireTypeMatch: true, schema: [{ name: 'id', type: 'int' }] },
      says: '"id" is long where the schema has int',
    },
    { options: { select: ['x'] }, says: 'there is no column "x"' },
  ])('refuses by $options', async ({ options, says }) => {
    const refused = read({ format: 'parquet', ...options }, 'types-none.parquet');

    await expect(refused).rejects.toMatchObject({ code: 'ColumnMismatch', message: expect.stringContaining(says) });
  });

  it('converts to the types of a schema', async () => {
    const schema = ['id', 'price', 'day'].map((name) => ({ name, type: 'string' }));
    const { rows: texts } = await read({ format: 'parquet', schema, onExtraField: 'drop' }, 'types-none.parquet');

    expect(texts[0]).toEqual(['1', '1.23', '2024-02-29']);
  });

  it('is refused when it is damaged, wherever that is', async () => {
    const file = readFileSync(join(FOLDER, 'types-snappy.parquet'));
    const wrong = [file.subarray(0, -20), file.subarray(0, 500), Buffer.from('PAR1'), Buffer.from('no parquet')];
    for (const at of [4, 40, 300, 1000, file.length - 200]) {
      const copy = Buffer.from(file);
      copy.fill(0xff, at, at + 30);
      wrong.push(copy);
    }

    for (const [index, bytes] of wrong.entries()) {
      const outcome = await given({ format: 'parquet', badRecords: 'skip' }, bytes).catch(
        (error: { code?: string }) => error,
      );
      // Bytes within a page may be damaged without anything that tells.
      if ('code' in outcome) expect(['CorruptInput', 'ExpansionLimit', 'ColumnMismatch']).toContain(outcome.code);
      else expect(index).toBeGreaterThan(3);
    }
  });
});

describe('avro of fastavro', () => {
  const line = { sku: 's1', state: 'PAID' };
  const second = [
    ...[
      9007199254740994n,
      null,
      '-12.50',
      '2024-02-29',
      '2024-02-29T08:00:00.123456Z',
      '1969-12-31T23:59:59.999',
      '08:30:00.25',
    ],
    ...['00000000-0000-0000-0000-000000000001', 'PAID', new Uint8Array([0, 1, 2, 1]), ['a'], new Map([['x', 1]]), line],
    ...['7', 2n ** 40n],
  ];

  it.each(['null', 'deflate', 'snappy', 'zstandard', 'bzip2'])('of the codec %s has all its values', async (codec) => {
    for (const chunkSize of [1, 1000]) {
      const { rows, types } = await read({ format: 'avro' }, `orders-${codec}.avro`, chunkSize);

      expect(rows).toHaveLength(3);
      expect(rows[1]).toEqual(second);
      expect(types.slice(0, 8)).toEqual([
        'long',
        'string',
        'decimal(10,2)',
        'date',
        'timestamp',
        'local-timestamp(ms)',
        'time(ms)',
        'string:uuid',
      ]);
    }
  });

  it('is resolved to a reader schema', async () => {
    const readerSchema = {
      type: 'record',
      name: 'Order',
      namespace: 'shop',
      fields: [
        { name: 'id', type: 'double' },
        { name: 'customer', type: 'string', default: 'nobody' },
      ],
    };
    const { names, rows } = await read(
      { format: 'avro', readerSchema: readerSchema as JsonObject },
      'orders-null.avro',
    );

    expect(names).toEqual(['id', 'customer']);
    expect(rows[0]).toEqual([9007199254740992, 'nobody']);
  });

  it('is refused when a block tells more records than it has bytes', async () => {
    const schema = '{"type":"record","name":"r","fields":[]}';
    const sync = Buffer.alloc(16, 7);
    const file = Buffer.concat([
      Buffer.from('Obj\x01\x02\x16avro.schema', 'latin1'),
      Buffer.from([schema.length * 2]),
      Buffer.from(schema),
      Buffer.from([0]),
      sync,
      // A billion records in no bytes.
      Buffer.from([0x80, 0xa8, 0xd6, 0xb9, 0x07, 0]),
      sync,
    ]);

    await expect(given({ format: 'avro' }, file)).rejects.toMatchObject({
      code: 'CorruptInput',
      cause: { message: 'a block has 1000000000 records in 0 bytes' },
    });
  });

  it('is refused when it is cut off, or no Avro at all', async () => {
    const file = readFileSync(join(FOLDER, 'orders-deflate.avro'));
    for (const bytes of [
      file.subarray(0, -1),
      file.subarray(0, 100),
      file.subarray(0, 3),
      Buffer.from('no avro file'),
    ]) {
      await expect(given({ format: 'avro' }, bytes)).rejects.toMatchObject({ code: 'CorruptInput' });
    }
  });

  it('never fails but by name, wherever a byte is wrong', async () => {
    const file = readFileSync(join(FOLDER, 'orders-null.avro'));
    for (let at = 0; at < file.length; at += 13) {
      const copy = Buffer.from(file);
      copy[at] = 255 - copy[at]!;
      const outcome = await given({ format: 'avro', badRecords: 'skip' }, copy).catch(
        (error: { code?: string }) => error,
      );
      if ('code' in outcome) expect(['CorruptInput', 'UnsupportedInput']).toContain(outcome.code);
    }
  });
});

describe('workbooks', () => {
  const first = [1, 'Äpfel & Birnen', 1.5, '2024-02-29', '2024-02-29T08:30:15', true];

  it('give the first sheet with the types of its cells', async () => {
    const { names, types, rows } = await read({ format: 'excel' }, 'orders.xlsx');

    expect(names).toEqual(['id', 'name', 'price', 'day', 'at', 'open', 'sum', 'H', 'I']);
    expect(types.slice(0, 6)).toEqual(['int', 'string', 'double', 'date', 'local-timestamp', 'boolean']);
    expect(rows[0]?.slice(0, 6)).toEqual(first);
    expect(rows[1]?.slice(0, 6)).toEqual([2, null, 2, '1900-01-01', '1999-12-31T23:59:59', false]);
    expect(rows[2]?.at(-1)).toBe('apart');
  });

  it.each<{ options: object; names: string[]; rows: unknown[][] }>([
    {
      options: { sheet: 'Stock 2024' },
      names: ['sku', 'count'],
      rows: [
        ['s1', 3],
        ['s2', 4],
      ],
    },
    { options: { sheet: 2 }, names: ['sku', 'left'], rows: [['s1', 5]] },
    {
      options: { sheet: 'Stock *' },
      names: ['sku', 'count', 'left'],
      rows: [
        ['s1', 3, null],
        ['s2', 4, null],
        ['s1', null, 5],
      ],
    },
    {
      options: { sheet: ['Stock 2025', 1] },
      names: ['sku', 'left', 'count'],
      rows: [
        ['s1', 5, null],
        ['s1', null, 3],
        ['s2', null, 4],
      ],
    },
    {
      options: { sheet: 'Stock 2024', headerRow: 0 },
      names: ['A', 'B'],
      rows: [
        ['sku', 'count'],
        ['s1', '3'],
        ['s2', '4'],
      ],
    },
    { options: { sheet: 'Stock 2024', skipRows: 1 }, names: ['sku', 'count'], rows: [['s2', 4]] },
    { options: { sheet: 'Orders', range: 'A1:B2' }, names: ['id', 'name'], rows: [[1, 'Äpfel & Birnen']] },
    {
      options: { sheet: 'Orders', range: 'B:C' },
      names: ['name', 'price'],
      rows: [
        ['Äpfel & Birnen', 1.5],
        [null, 2],
      ],
    },
    {
      options: { sheet: 'Merged' },
      names: ['region', 'city'],
      rows: [
        ['north', 'a'],
        [null, 'b'],
        ['south', 'c'],
      ],
    },
    {
      options: { sheet: 'Merged', mergedCells: 'fill' },
      names: ['region', 'city'],
      rows: [
        ['north', 'a'],
        ['north', 'b'],
        ['south', 'c'],
      ],
    },
    { options: { range: 'D1:E2', dateMode: 'number' }, names: ['day', 'at'], rows: [[45351, 45351.35434027778]] },
    { options: { range: 'G1:G2', formulas: 'text' }, names: ['sum'], rows: [['=A2*2']] },
  ])('$options', async ({ options, names, rows }) => {
    const parsed = await read({ format: 'excel', ...options }, 'orders.xlsx');

    expect(parsed.names).toEqual(names);
    expect(parsed.rows).toEqual(rows);
  });

  it('give all sheets with their names', async () => {
    const { names, rows } = await read({ format: 'excel', allSheets: true }, 'orders.xlsx');

    expect(names).toContain('_sheet');
    expect(new Set(rows.map((row) => row[names.indexOf('_sheet')]))).toEqual(
      new Set(['Orders', 'Stock 2024', 'Stock 2025', 'Merged']),
    );
  });

  it('of another writer give values of formulas, rich text, elapsed time, and the calendar of 1904', async () => {
    expect((await read({ format: 'excel' }, 'formulas-1904.xlsx')).rows).toEqual([
      ['2024-02-29', 3, 'plain bold', '06:00:00', null],
    ]);
  });

  it.each<{ options: object; code: string; says: string }>([
    { options: { sheet: 'None' }, code: 'ColumnMismatch', says: 'there is no sheet "None"' },
    { options: { maxFileBytes: 1000 }, code: 'UnsupportedInput', says: 'more than 1000 bytes' },
  ])('refuse $options', async ({ options, code, says }) => {
    const refused = read({ format: 'excel', ...options }, 'orders.xlsx');

    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  });

  it.each<{ options: object; says: string }>([
    { options: { range: 'A0' }, says: 'A1 notation' },
    { options: { range: 'C1:A1' }, says: 'A1 notation' },
    { options: { sheet: 'x', allSheets: true }, says: 'do not go together' },
    { options: { mergedCells: 'all' }, says: '"mergedCells" must be one of' },
  ])('refuse the options $options', async ({ options, says }) => {
    await expect(given({ format: 'excel', ...options } as ParserOptions, Buffer.alloc(0))).rejects.toThrow(says);
  });

  it('are refused when they are none', async () => {
    const file = readFileSync(join(FOLDER, 'orders.xlsx'));
    for (const bytes of [file.subarray(0, 2000), Buffer.from('no workbook')]) {
      await expect(given({ format: 'excel' }, bytes)).rejects.toMatchObject({ code: 'CorruptInput' });
    }
  });
});
