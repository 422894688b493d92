import { describe, expect, it } from 'vitest';
import { type CustomRecord, customParser } from '../../../shared/parsers/custom.ts';
import type { ParserOptions } from '../../../shared/parsers/formats.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { parseAll } from '../../support/parsing.ts';

describe('text', () => {
  it.each<{ options: object; input: string; rows: unknown[][] }>([
    { options: {}, input: 'one\r\n\ntwo\nlast', rows: [['one'], [''], ['two'], ['last']] },
    { options: {}, input: '', rows: [] },
    { options: { wholeFile: true }, input: 'one\ntwo\n', rows: [['one\ntwo\n']] },
    { options: { encoding: 'latin1' }, input: 'a', rows: [['a']] },
  ])('$options gives $rows', async ({ options, input, rows }) => {
    for (const chunkSize of [1, 100])
      expect((await parseAll({ format: 'text', ...options }, input, { chunkSize })).rows).toEqual(rows);
  });

  it.each([{ wholeFile: true }, { wholeFile: false }])(
    'of more than a record may have is bad ($wholeFile)',
    async (options) => {
      const parsed = parseAll({ format: 'text', maxRecordBytes: 10, ...options }, 'x'.repeat(11));

      await expect(parsed).rejects.toMatchObject({
        code: 'TooManyBadRecords',
        message: expect.stringContaining('longer than maxRecordBytes, 10'),
      });
    },
  );
});

describe('raw', () => {
  it('gives the decompressed bytes in pieces, with their offsets', async () => {
    const { names, rows } = await parseAll({ format: 'raw' }, 'abcdef', { chunkSize: 4 });

    expect(names).toEqual(['offset', 'bytes']);
    expect(rows).toEqual([
      [0n, new Uint8Array(Buffer.from('abcd'))],
      [4n, new Uint8Array(Buffer.from('ef'))],
    ]);
  });

  it('fails for no bytes where that is asked for', async () => {
    await expect(parseAll({ format: 'raw', emptyInput: 'fail' }, '')).rejects.toMatchObject({ code: 'EmptyInput' });
  });
});

describe('grok', () => {
  const COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326';

  it("reads Apache's common log", async () => {
    const { names, rows } = await parseAll(
      { format: 'grok', pattern: 'common' },
      `${COMMON}\n::1 - - [10/Oct/2000:13:55:36 -0700] "-" 400 -\n`,
    );

    expect(names).toEqual([
      'client',
      'ident',
      'user',
      'time',
      'method',
      'request',
      'http_version',
      'raw_request',
      'status',
      'bytes',
    ]);
    expect(rows).toEqual([
      ['127.0.0.1', '-', 'frank', '2000-10-10T20:55:36Z', 'GET', '/a.gif', '1.0', null, 200, 2326n],
      ['::1', '-', '-', '2000-10-10T20:55:36Z', null, null, null, '-', 400, null],
    ]);
  });

  it("reads Apache's combined log", async () => {
    const { names, rows } = await parseAll(
      { format: 'grok', pattern: 'combined' },
      `${COMMON} "http://example.com/" "Mozilla/4.08 [en]"`,
    );

    expect(names.slice(-2)).toEqual(['referrer', 'agent']);
    expect(rows[0]?.slice(-2)).toEqual(['http://example.com/', 'Mozilla/4.08 [en]']);
  });

  it('takes patterns of its own and types', async () => {
    const options = { pattern: '%{LEVEL:level} %{NUMBER:took:double}ms', patternDefinitions: { LEVEL: 'INFO|WARN' } };

    expect((await parseAll({ format: 'grok', ...options }, 'INFO 1.5ms\nWARN 20ms')).rows).toEqual([
      ['INFO', 1.5],
      ['WARN', 20],
    ]);
  });

  it('puts lines of one record together', async () => {
    const options = {
      pattern: '%{TIMESTAMP_ISO8601:at:timestamp} %{GREEDYDATA:message}(?:\\n%{STACK:stack})?',
      patternDefinitions: { STACK: '.*' },
      multilineStart: '^\\d{4}-',
    };
    const input = '2024-02-29T08:00:00Z failed\n  at a\n  at b\n2024-02-29T08:00:01Z fine\n';

    for (const chunkSize of [1, 100]) {
      const { rows } = await parseAll({ format: 'grok', ...options }, input, { chunkSize });
      expect(rows).toEqual([
        ['2024-02-29T08:00:00Z', 'failed', '  at a\n  at b'],
        ['2024-02-29T08:00:01Z', 'fine', null],
      ]);
    }
  });

  it.each(['bad', 'skip'] as const)('a line that does not match: %s', async (onNoMatch) => {
    const { rows, quarantined } = await parseAll(
      { format: 'grok', pattern: '%{INT:n:int}', onNoMatch, badRecords: 'quarantine' },
      '1\nx\n2',
    );

    expect(rows).toEqual([[1], [2]]);
    expect(quarantined).toMatchObject(
      onNoMatch === 'bad' ? [{ record: 1, offset: 2, raw: 'x', reason: 'it does not match the pattern' }] : [],
    );
  });

  it.each<{ options: object; says: string }>([
    { options: { pattern: '%{NOPE:x}' }, says: 'there is no pattern NOPE' },
    { options: { pattern: '%{A:x}', patternDefinitions: { A: '%{A}' } }, says: 'name each other without end' },
    { options: { pattern: '%{INT:x} %{INT:x}' }, says: 'has the field "x" twice' },
    { options: { pattern: '%{INT:x:whole}' }, says: 'must be a type' },
    { options: { pattern: '%{INT}' }, says: 'names no field' },
    { options: { pattern: '(%{INT:x}' }, says: 'is no regular expression' },
    { options: {}, says: '"pattern" is required' },
  ])('refuses $options', async ({ options, says }) => {
    await expect(parseAll({ format: 'grok', ...options } as ParserOptions, '')).rejects.toThrow(says);
  });
});

describe('custom', () => {
  const lines = async (reader: AsyncIterable<Uint8Array>, emit: (record: CustomRecord) => Promise<void>) => {
    for await (const chunk of reader)
      for (const line of Buffer.from(chunk).toString().split('\n')) await emit({ line, length: line.length });
  };

  it('types what is emitted', async () => {
    expect(await parseAll({ format: 'custom', parse: lines }, 'a\nbcd')).toMatchObject({
      types: ['string', 'int'],
      rows: [
        ['a', 1],
        ['bcd', 3],
      ],
    });
  });

  it('holds the emission until its records are read', async () => {
    let emitted = 0;
    const parser = customParser({
      schema: [{ name: 'n', type: 'int' }],
      parse: async (_reader, emit) => {
        for (; ; emitted++) await emit({ n: emitted });
      },
    });
    let rows = 0;

    for await (const batch of parser.parse(inChunks(''), { label: 'x' })) {
      rows += batch.rows.length;
      expect(emitted - rows).toBeLessThan(3000);
      if (rows > 20_000) break;
    }
  });

  it.each<{ parse: (reader: unknown, emit: (record: CustomRecord) => Promise<void>) => Promise<void>; says: string }>([
    { parse: async () => Promise.reject(new Error('broken')), says: 'broken' },
    { parse: async (_reader, emit) => emit([1] as never), says: 'emit() takes an object' },
  ])('fails with what it throws: $says', async ({ parse, says }) => {
    await expect(parseAll({ format: 'custom', parse }, 'x')).rejects.toThrow(says);
  });

  it('may not emit nonsense past the column types', async () => {
    const parse = async (_reader: unknown, emit: (record: CustomRecord) => Promise<void>) => {
      await emit({ n: 1, at: '2024-02-29T08:00:00Z' });
      await emit({ n: 'x' });
    };
    const schema = [
      { name: 'n', type: 'int' },
      { name: 'at', type: 'timestamp' },
    ];

    expect(await parseAll({ format: 'custom', parse, schema, badRecords: 'skip' }, '')).toMatchObject({
      rows: [[1, '2024-02-29T08:00:00Z']],
      stats: { badRecords: 1 },
    });
  });
});

it('refuses a format that does not exist', async () => {
  await expect(parseAll({ format: 'xml' } as never, '')).rejects.toThrow('there is no parser "xml"');
});
