import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommonOptions } from '../../../shared/parsers/options.ts';
import { parseAll } from '../../support/parsing.ts';
import { zipOf } from '../../support/zip.ts';

let temporaryFolder: string;
beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'landfall-common-'));
});
afterAll(() => rm(temporaryFolder, { recursive: true }));

const csv = (input: string | Uint8Array, options: CommonOptions = {}) =>
  parseAll({ format: 'csv', ...options }, input, { temporaryFolder });
const ndjson = (input: string, options: CommonOptions = {}) => parseAll({ format: 'ndjson', ...options }, input);

/** Of `a\n1\n`, made once. */
const BZIP2 = Buffer.from('QlpoOTFBWSZTWR956Z4AAAHJAAAQIAAgACAAMMwMeoJxdyRThQkB956Z4A==', 'base64');

describe('compression', () => {
  const text = 'a\n1\n';
  it.each<{ compression: CommonOptions['compression']; input: Buffer }>([
    { compression: 'auto', input: Buffer.from(text) },
    { compression: 'auto', input: gzipSync(text) },
    { compression: 'auto', input: Buffer.concat([gzipSync('a\n'), gzipSync('1\n')]) },
    { compression: 'auto', input: zstdCompressSync(text) },
    { compression: 'auto', input: zipOf({ 'data.csv': text, 'other.csv': 'b\n2\n' }) },
    { compression: 'auto', input: BZIP2 },
    { compression: 'gzip', input: gzipSync(text) },
    { compression: 'zstd', input: zstdCompressSync(text) },
    { compression: 'deflate', input: deflateSync(text) },
  ])('$compression unpacks its input', async ({ compression, input }) => {
    expect((await csv(input, { compression })).rows).toEqual([[1]]);
  });

  it('takes the member of a zip that is named', async () => {
    const { names } = await csv(zipOf({ 'data.csv': text, 'other.csv': 'b\n2\n' }), { member: 'other.csv' });

    expect(names).toEqual(['b']);
    expect(await readdir(temporaryFolder)).toEqual([]);
  });

  it('does not unpack what it is told not to', async () => {
    await expect(csv(gzipSync(text), { compression: 'none' })).resolves.toMatchObject({ stats: { badRecords: 0 } });
  });

  it.each<{ what: string; input: Buffer; options?: CommonOptions; code: string; says: string }>([
    {
      what: 'a gzip that ends early',
      input: gzipSync('x'.repeat(10_000)).subarray(0, -10),
      code: 'CorruptInput',
      says: 'ends early',
    },
    {
      what: 'a gzip that is damaged',
      input: damaged(gzipSync(Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 251)))),
      code: 'CorruptInput',
      says: 'damaged',
    },
    {
      what: 'something behind a gzip',
      input: Buffer.concat([gzipSync('a\n1'), Buffer.from('more')]),
      code: 'CorruptInput',
      says: 'compressed data',
    },
    {
      what: 'a zstd that ends early',
      input: zstdCompressSync('x'.repeat(10_000)).subarray(0, -3),
      code: 'CorruptInput',
      says: 'the input',
    },
    { what: 'a bzip2 that ends early', input: BZIP2.subarray(0, -4), code: 'CorruptInput', says: 'ends early' },
    {
      what: 'a zip without its directory',
      input: zipOf({ a: text }).subarray(0, -20),
      code: 'CorruptInput',
      says: 'zip file is damaged',
    },
    {
      what: 'a zip without the member',
      input: zipOf({ a: text }),
      options: { member: 'b' },
      code: 'CorruptInput',
      says: 'no "b" in the zip',
    },
    {
      what: 'a zip bomb',
      input: gzipSync(Buffer.alloc(200 * 1024 * 1024, '\n')),
      options: { maxExpansionRatio: 100 },
      code: 'ExpansionLimit',
      says: 'maxExpansionRatio',
    },
    {
      what: 'more than is allowed',
      input: gzipSync(Buffer.alloc(3_000_000, '\n')),
      options: { maxExpandedBytes: 1_000_000 },
      code: 'ExpansionLimit',
      says: 'maxExpandedBytes',
    },
  ])('refuses $what by name', async ({ input, options, code, says }) => {
    const refused = csv(input, { badRecords: 'skip', maxRecordBytes: 1000, ...options });

    await expect(refused).rejects.toMatchObject({ code, retryable: false, message: expect.stringContaining(says) });
    expect(await readdir(temporaryFolder)).toEqual([]);
  });

  it('needs a temporary folder for what is read at random', async () => {
    await expect(parseAll({ format: 'csv' }, zipOf({ a: text }))).rejects.toMatchObject({ code: 'UnsupportedInput' });
  });

  it('unpacks bzip2 of several blocks and streams', async () => {
    const file = readFileSync(join(import.meta.dirname, '../../fixtures/formats/long.csv.bz2'));
    let expected = 500_000;
    for (let row = 0; row < 400_000; row++) expected += (row * 7919) % 1000;

    const { rows } = await csv(file, { schema: [{ name: 'a', type: 'int' }] });

    expect(rows.length).toBe(500_000);
    expect(rows.reduce((sum, [value]) => sum + (value as number), 0)).toBe(expected);
  });
});

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.fill(0xff, copy.length >> 1, (copy.length >> 1) + 40);
  return copy;
}

describe('emptyInput', () => {
  it.each([
    { emptyInput: 'ok', fails: false },
    { emptyInput: 'skip', fails: false },
    { emptyInput: 'fail', fails: true },
  ] as const)('$emptyInput', async ({ emptyInput, fails }) => {
    const parsed = csv('', { emptyInput });

    if (fails) await expect(parsed).rejects.toMatchObject({ code: 'EmptyInput' });
    else expect((await parsed).rows).toEqual([]);
  });
});

const INTS = [{ name: 'a', type: 'int' }];

describe('bad records', () => {
  const input = 'a\n1\nx\n2\ny\n3\n';
  it.each<{ options: CommonOptions; outcome: 'fails' | number; quarantined: number }>([
    { options: {}, outcome: 'fails', quarantined: 0 },
    { options: { maxErrorCount: 1 }, outcome: 'fails', quarantined: 0 },
    { options: { maxErrorCount: 2 }, outcome: 3, quarantined: 0 },
    { options: { maxErrorPercent: 39 }, outcome: 'fails', quarantined: 0 },
    { options: { maxErrorPercent: 40 }, outcome: 3, quarantined: 0 },
    { options: { badRecords: 'skip' }, outcome: 3, quarantined: 0 },
    { options: { badRecords: 'skip', maxErrorCount: 1 }, outcome: 'fails', quarantined: 0 },
    { options: { badRecords: 'quarantine' }, outcome: 3, quarantined: 2 },
    { options: { badRecords: 'quarantine', maxErrorPercent: 10 }, outcome: 'fails', quarantined: 2 },
  ])('$options', async ({ options, outcome, quarantined }) => {
    const parsed = csv(input, { schema: INTS, ...options });

    if (outcome === 'fails') return expect(parsed).rejects.toMatchObject({ code: 'TooManyBadRecords' });
    const { rows, stats, quarantined: bad } = await parsed;
    expect(rows).toHaveLength(outcome);
    expect(stats.badRecords).toBe(2);
    expect(bad).toHaveLength(quarantined);
    expect(stats.warnings).toHaveLength(2);
  });

  it('are told with their number, offset, column, reason and text', async () => {
    const { quarantined } = await csv(input, { schema: INTS, badRecords: 'quarantine' });

    expect(quarantined).toEqual([
      { record: 1, offset: 4, column: 'a', reason: '"a" must be int', raw: 'x\n' },
      { record: 3, offset: 8, column: 'a', reason: '"a" must be int', raw: 'y\n' },
    ]);
  });

  it('keep as many warnings as asked for', async () => {
    const { stats } = await csv(input, { schema: INTS, badRecords: 'skip', maxWarnCount: 1 });

    expect(stats).toMatchObject({ badRecords: 2, warnings: [{ record: 1 }] });
  });
});

describe('fields that are not in the schema', () => {
  const input = '{"a":1}\n{"a":2,"b":"x"}\n{"a":3,"c":[1]}\n';
  it.each<{ onExtraField: CommonOptions['onExtraField']; names: string[]; rows: unknown[][] }>([
    {
      onExtraField: 'keep',
      names: ['a', 'b', 'c'],
      rows: [
        [1, null, null],
        [2, 'x', null],
        [3, null, [1]],
      ],
    },
    { onExtraField: 'drop', names: ['a'], rows: [[1], [2], [3]] },
    {
      onExtraField: 'rescue',
      names: ['a', '_rescued'],
      rows: [
        [1, null],
        [2, '{"b":"x"}'],
        [3, '{"c":[1]}'],
      ],
    },
    { onExtraField: 'fail', names: ['a'], rows: [[1]] },
  ])('$onExtraField', async ({ onExtraField, names, rows }) => {
    const parsed = await ndjson(input, { schema: INTS, onExtraField, badRecords: 'skip' });

    expect(parsed.names).toEqual(names);
    expect(parsed.rows).toEqual(rows);
  });

  it.each<{ onExtraField: CommonOptions['onExtraField']; names: string[] }>([
    { onExtraField: 'keep', names: ['a', 'b'] },
    { onExtraField: 'drop', names: ['a'] },
    { onExtraField: 'rescue', names: ['a', '_rescued'] },
  ])('$onExtraField, of a header', async ({ onExtraField, names }) => {
    expect((await csv('a,b\n1,x', { schema: INTS, onExtraField })).names).toEqual(names);
  });

  it('fail, of a header, refuses the file', async () => {
    await expect(csv('a,b\n1,x', { schema: INTS, onExtraField: 'fail' })).rejects.toMatchObject({
      code: 'ColumnMismatch',
      message: 'the input: "b" is not in the schema',
    });
  });
});

it('refuses records that never end to have new fields', async () => {
  const lines = Array.from({ length: 11_000 }, (_, at) => `{"f${at}":1}`);

  await expect(ndjson(lines.join('\n'))).rejects.toMatchObject({
    code: 'ColumnMismatch',
    message: 'the input: there are more than 10000 columns',
  });
});

describe('columns that a record has no field for', () => {
  const schema = [...INTS, { name: 'b', type: 'string' }];
  it('are null', async () => {
    expect((await ndjson('{"a":1}', { schema })).rows).toEqual([[1, null]]);
    expect((await csv('a\n1', { schema })).rows).toEqual([[1, null]]);
  });

  it('fail the record, or the file whose header lacks them', async () => {
    const { quarantined } = await ndjson('{"a":1}', { schema, onMissingField: 'fail', badRecords: 'quarantine' });

    expect(quarantined).toMatchObject([{ reason: 'it has no field "b"', column: 'b', raw: '{"a":1}' }]);
    await expect(csv('a\n1', { schema, onMissingField: 'fail' })).rejects.toMatchObject({ code: 'ColumnMismatch' });
  });
});

describe('values that are none of their type', () => {
  const input = '{"a":1}\n{"a":"x"}\n{"a":5000000000}\n';
  it.each<{ onMismatch: CommonOptions['onMismatch']; names: string[]; types: string[]; rows: unknown[][] }>([
    { onMismatch: 'bad', names: ['a'], types: ['int'], rows: [[1]] },
    {
      onMismatch: 'rescue',
      names: ['a', '_rescued'],
      types: ['int', 'json'],
      rows: [
        [1, null],
        [null, '{"a":"x"}'],
        [null, '{"a":5000000000}'],
      ],
    },
    { onMismatch: 'widen', names: ['a'], types: ['string'], rows: [['1'], ['x'], ['5000000000']] },
  ])('$onMismatch', async ({ onMismatch, names, types, rows }) => {
    const parsed = await ndjson(input, { schema: INTS, onMismatch, badRecords: 'skip' });

    expect(parsed.names).toEqual(names);
    expect(parsed.types).toEqual(types);
    expect(parsed.rows).toEqual(rows);
  });

  it('widen to the next type that holds them', async () => {
    expect(await ndjson('{"a":1}\n{"a":5000000000}\n', { schema: INTS, onMismatch: 'widen' })).toMatchObject({
      types: ['long'],
      rows: [[1n], [5000000000n]],
    });
  });

  it('go to _rescued where the type was inferred from a sample', async () => {
    const lines = Array.from({ length: 40_000 }, (_, at) => `{"a":${at}}`);
    const { rows, stats } = await ndjson(`${lines.join('\n')}\n{"a":"late"}`, { sampleRecords: 10 });

    expect(rows.at(-1)).toEqual([null, '{"a":"late"}']);
    expect(stats).toMatchObject({ rescuedValues: 1, badRecords: 0 });
  });
});

describe('rules of columns', () => {
  it.each<{ rule: Record<string, unknown>; cell: string; value: unknown }>([
    { rule: { type: 'boolean', trueValues: ['yes'], falseValues: ['no'] }, cell: 'yes', value: true },
    { rule: { type: 'boolean' }, cell: 'FALSE', value: false },
    { rule: { type: 'date', format: 'dd/MMM/yyyy' }, cell: '29/Feb/2024', value: '2024-02-29' },
    {
      rule: { type: 'timestamp', format: "yyyy-MM-dd'T'HHmm", timezone: 'Europe/Berlin' },
      cell: '2024-07-01T1200',
      value: '2024-07-01T10:00:00Z',
    },
    {
      rule: { type: 'timestamp', timezone: 'America/New_York' },
      cell: '2024-01-01 00:00:00',
      value: '2024-01-01T05:00:00Z',
    },
    {
      rule: { type: 'local-timestamp', timezone: 'Asia/Tokyo' },
      cell: '2024-01-01T00:00:00Z',
      value: '2024-01-01T09:00:00',
    },
    { rule: { type: 'timestamp', format: 'epochMillis' }, cell: '1709193600123', value: '2024-02-29T08:00:00.123Z' },
    { rule: { type: 'time' }, cell: '08:30', value: '08:30:00' },
    { rule: { type: 'time', format: 'h:mm a' }, cell: '8:30 PM', value: '20:30:00' },
    { rule: { type: 'int', thousandsSeparator: '.' }, cell: '1.234.567', value: 1234567 },
    { rule: { type: 'long', thousandsSeparator: ' ' }, cell: '5 000 000 000', value: 5000000000n },
    { rule: { type: 'double', decimalSeparator: ',', thousandsSeparator: '.' }, cell: '"1.234,5"', value: 1234.5 },
    { rule: { type: 'float' }, cell: '0.1', value: Math.fround(0.1) },
    { rule: { type: 'decimal(10,2)', decimalSeparator: ',' }, cell: '"-1234,5"', value: '-1234.50' },
    { rule: { type: 'string', trim: true }, cell: ' x ', value: 'x' },
    { rule: { type: 'json' }, cell: '"{""b"": 1}"', value: '{"b": 1}' },
    { rule: { type: { list: 'int' } }, cell: '"[1,null]"', value: [1, null] },
    { rule: { type: 'int', nullValues: ['-', 'n/a'] }, cell: 'n/a', value: null },
    { rule: { type: 'int', onInvalid: { default: -1 } }, cell: 'x', value: -1 },
    { rule: { type: 'int', onInvalid: { default: null } }, cell: 'x', value: null },
    { rule: { type: 'int', nullIsInvalid: true, onInvalid: { default: 0 } }, cell: '', value: 0 },
    { rule: { type: 'bytes' }, cell: 'AP8=', value: new Uint8Array([0, 255]) },
    { rule: { type: { enum: ['a', 'b'] } }, cell: 'b', value: 'b' },
  ])('$rule makes $value of $cell', async ({ rule, cell, value }) => {
    const { rows } = await csv(`a,b\n${cell},x`, { columns: [{ targetName: 'a', ...rule }] });

    expect(rows).toEqual([[value, 'x']]);
  });

  it.each<{ rule: Record<string, unknown>; cell: string }>([
    { rule: { type: 'boolean' }, cell: 'yes' },
    { rule: { type: 'date' }, cell: '2023-02-29' },
    { rule: { type: 'date', format: 'dd.MM.yyyy' }, cell: '2024-02-29' },
    { rule: { type: 'timestamp' }, cell: '2024-02-29T25:00:00Z' },
    { rule: { type: 'timestamp(ms)' }, cell: '2024-02-29T08:00:00.1234Z' },
    { rule: { type: 'time' }, cell: '24:00:00' },
    { rule: { type: 'int' }, cell: '2147483648' },
    { rule: { type: 'int16' }, cell: '40000' },
    { rule: { type: 'int', thousandsSeparator: ',' }, cell: '"1,2"' },
    { rule: { type: 'long' }, cell: '9223372036854775808' },
    { rule: { type: 'double' }, cell: '1e999' },
    { rule: { type: 'double' }, cell: '0x10' },
    { rule: { type: 'decimal(4,2)' }, cell: '123.4' },
    { rule: { type: 'decimal(4,2)' }, cell: '1.234' },
    { rule: { type: 'string(3)' }, cell: 'four' },
    { rule: { type: 'json' }, cell: '{b' },
    { rule: { type: 'bytes' }, cell: 'A' },
    { rule: { type: { enum: ['a', 'b'] } }, cell: 'c' },
    { rule: { type: 'int', nullIsInvalid: true }, cell: '' },
    { rule: { type: { struct: [{ name: 'n', type: 'int' }] } }, cell: '"{""n"":1,""m"":2}"' },
  ])('$rule refuses $cell', async ({ rule, cell }) => {
    const parsed = csv(`a,b\n${cell},x`, { columns: [{ targetName: 'a', ...rule }], onMismatch: 'bad' });

    await expect(parsed).rejects.toMatchObject({ code: 'TooManyBadRecords' });
  });

  it('rename, skip, fail and are silent where they are told to', async () => {
    const input = 'id,b\n1,x\ny,z\n';
    const rule = { sourceName: 'id', targetName: 'number', type: 'int' } as const;

    const skipped = await csv(input, { columns: [{ ...rule, onInvalid: 'skip' }] });
    const silent = await csv(input, { columns: [{ ...rule, onInvalid: { default: 0 }, suppressWarn: true }] });

    expect(skipped).toMatchObject({
      names: ['number', 'b'],
      rows: [[1, 'x']],
      stats: { skippedRecords: 1, badRecords: 0 },
    });
    expect(skipped.stats.warnings).toHaveLength(1);
    expect(silent).toMatchObject({
      rows: [
        [1, 'x'],
        [0, 'z'],
      ],
      stats: { replacedValues: 1, warnings: [] },
    });
    await expect(csv(input, { badRecords: 'skip', columns: [{ ...rule, onInvalid: 'fail' }] })).rejects.toMatchObject({
      code: 'TooManyBadRecords',
    });
  });

  it.each<{ rule: Record<string, unknown>; says: string }>([
    { rule: { targetName: 'a', format: 'yyyy-qq' }, says: '"format" has "qq", which means nothing' },
    { rule: { targetName: 'a', timezone: 'Mars/Olympus' }, says: '"timezone" must be an IANA zone' },
    { rule: { targetName: 'a', onInvalid: 'ignore' }, says: '"onInvalid" must be' },
    { rule: { targetName: 'a', typ: 'int' }, says: 'unknown option "typ"' },
  ])('that are wrong are refused: $says', async ({ rule, says }) => {
    await expect(csv('a', { columns: [rule] })).rejects.toThrow(says);
  });
});
