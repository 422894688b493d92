import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonLines, readTable } from '../../../../shared/clients/dap/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';

/** The bytes in pieces of a size, so that every boundary is met. */
async function* pieces(data: string | Uint8Array, size = 3): AsyncGenerator<Uint8Array> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('readJsonLines', () => {
  const text = [
    '{"key":{"id":107340000000000123},"value":{"name":"Rööt","a":null},"meta":{"ts":"2026-01-06T08:00:00Z"}}',
    '{"key":{"id":3},"meta":{"ts":"2026-01-06T08:00:02Z","action":"D"}}',
  ].join('\n');

  it.each([
    ['plain', text],
    ['with a line end at the end', `${text}\n`],
    ['packed', gzipSync(text)],
    ['packed in several members', Buffer.concat([gzipSync(text.slice(0, 50)), gzipSync(text.slice(50))])],
  ])('reads records %s, whatever the chunks', async (_what, data) => {
    for (const size of [1, 7, 10_000]) {
      expect(await collect(readJsonLines(pieces(data, size)))).toEqual([
        { key: { id: 107340000000000123n }, value: { name: 'Rööt', a: null }, meta: { ts: '2026-01-06T08:00:00Z' } },
        { key: { id: 3 }, meta: { ts: '2026-01-06T08:00:02Z', action: 'D' } },
      ]);
    }
  });

  it.each([
    ['no bytes', ''],
    ['a packed file of no bytes', gzipSync('')],
  ])('%s are no records', async (_what, data) => {
    expect(await collect(readJsonLines(pieces(data)))).toEqual([]);
  });

  it.each([
    ['that is not JSON', '{"key":{}}\n{"key":'],
    ['without a key', '{"key":{}}\n{"value":{}}'],
  ])('names a line %s by its number, and does not quote it', async (_what, data) => {
    const error = await failure(collect(readJsonLines(pieces(data))));

    expect(error).toMatchObject({ name: 'InvalidRecordError', message: expect.stringContaining('line 2') });
  });
});

describe('readTable, TSV', () => {
  it('reads nulls, empty strings and escapes', async () => {
    const text =
      'meta.ts\tkey.id\tvalue.a\tvalue.b\n2026\t107340000000000123\t\\N\ttwo\\nlines\\t\\\\N\n2026\t2\t\t\\b\\f\\r\\v\n';

    expect(await collect(readTable(pieces(text), 'tsv'))).toEqual([
      { 'meta.ts': '2026', 'key.id': '107340000000000123', 'value.a': null, 'value.b': 'two\nlines\t\\N' },
      { 'meta.ts': '2026', 'key.id': '2', 'value.a': '', 'value.b': '\b\f\r\v' },
    ]);
  });

  it.each([
    ['an unknown escape', 'a\nx\\qy\n', 'row 2'],
    ['a row of another length', 'a\tb\n1\t2\n3\n', 'row 3'],
    ['what is not UTF-8', Buffer.from([0x61, 0x0a, 0xff]), 'UTF-8'],
  ])('refuses %s', async (_what, data, named) => {
    expect((await failure(collect(readTable(pieces(data), 'tsv')))).message).toContain(named);
  });
});

describe('readTable, CSV', () => {
  it('tells nulls from strings, and does not split quoted fields', async () => {
    const text = 'key.id,value.a,value.b\r\n1,NULL,\n2,"NULL",""\n3,"a ""b"", c\nd",x\n';

    expect(await collect(readTable(pieces(text, 1), 'csv'))).toEqual([
      { 'key.id': '1', 'value.a': null, 'value.b': null },
      { 'key.id': '2', 'value.a': 'NULL', 'value.b': '' },
      { 'key.id': '3', 'value.a': 'a "b", c\nd', 'value.b': 'x' },
    ]);
  });

  it('reads back whatever was written', async () => {
    const cell = fc.option(fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a', ' ', 'é', 'N', 'NULL') }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell)), fc.integer({ min: 1, max: 9 }), async (rows, size) => {
        const written = (value: string | null) => (value === null ? 'NULL' : `"${value.replaceAll('"', '""')}"`);
        const text = ['a,b', ...rows.map((row) => row.map(written).join(','))].join('\n');

        const read = await collect(readTable(pieces(text, size), 'csv'));

        expect(read.map(({ a, b }) => [a, b])).toEqual(rows);
      }),
    );
  });

  it.each([
    ['a file that ends within quotes', 'a\n"x', 'quotes'],
    ['something after a closing quote', 'a\n"x"y\n', 'quote'],
  ])('refuses %s', async (_what, data, named) => {
    expect((await failure(collect(readTable(pieces(data), 'csv')))).message).toContain(named);
  });
});
