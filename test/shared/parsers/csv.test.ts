import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvParser } from '../../../shared/parsers/csv/csv.ts';
import type { CsvOptions } from '../../../shared/parsers/csv/options.ts';
import type { CommonOptions } from '../../../shared/parsers/options.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { parseAll } from '../../support/parsing.ts';

const csv = (input: string | Uint8Array, options: CsvOptions & CommonOptions = {}, chunkSize?: number) =>
  parseAll({ format: 'csv', ...options }, input, chunkSize === undefined ? {} : { chunkSize });

const strings = (...names: string[]) => names.map((name) => ({ name, type: 'string' }));

describe('options of csv', () => {
  it.each<{ option: CsvOptions; input: string; names?: string[]; rows: unknown[][] }>([
    { option: {}, input: 'a,b\n1,x\n', names: ['a', 'b'], rows: [[1, 'x']] },
    { option: { delimiter: ';' }, input: 'a;b\n1;x', names: ['a', 'b'], rows: [[1, 'x']] },
    { option: { delimiter: '\\t' }, input: 'a\tb\n1\tx', rows: [[1, 'x']] },
    { option: { delimiter: '||' }, input: 'a||b\n1||x|y', rows: [[1, 'x|y']] },
    {
      option: { header: false },
      input: '1,x\n2,y',
      names: ['column1', 'column2'],
      rows: [
        [1, 'x'],
        [2, 'y'],
      ],
    },
    { option: { header: false, columnNames: ['n', 't'] }, input: '1,x', names: ['n', 't'], rows: [[1, 'x']] },
    { option: { columnNames: ['n', 't'] }, input: 'a,b\n1,x', names: ['n', 't'], rows: [[1, 'x']] },
    {
      option: { headerLineCount: 2 },
      input: 'total,total\nnet,gross\n1,2',
      names: ['total net', 'total gross'],
      rows: [[1, 2]],
    },
    { option: { headersToColumns: { a: 'id' } }, input: 'a,b\n1,x', names: ['id', 'b'], rows: [[1, 'x']] },
    { option: { skipLinesBefore: 2 }, input: 'report "of\n\na\n1', names: ['a'], rows: [[1]] },
    { option: { skipLinesAfterHeader: 1 }, input: 'a,b\n---,---\n1,x', rows: [[1, 'x']] },
    { option: { commentPrefix: '#' }, input: '# by me\na,b\n#1,2\n1,#x', names: ['a', 'b'], rows: [[1, '#x']] },
    { option: { quote: "'" }, input: 'a,b\n\'1,5\',"x"', rows: [['1,5', '"x"']] },
    { option: { quote: '' }, input: 'a,b\n"1,x"', rows: [['"1', 'x"']] },
    { option: { escape: '\\' }, input: 'a,b\n"say \\"hi\\" \\\\",x\\,y', rows: [['say "hi" \\', 'x,y']] },
    { option: {}, input: 'a,b\n"say ""hi""",x', rows: [['say "hi"', 'x']] },
    { option: { multiline: true }, input: 'a,b\n"two\r\nlines",x', rows: [['two\r\nlines', 'x']] },
    {
      option: {},
      input: 'a,b\r1,x\r2,y',
      rows: [
        [1, 'x'],
        [2, 'y'],
      ],
    },
    {
      option: {},
      input: 'a,b\r\n1,x\r\n\r\n2,y\r\n',
      rows: [
        [1, 'x'],
        [2, 'y'],
      ],
    },
    { option: { lineEnding: 'lf' }, input: 'a,b\n1,x\r\n', rows: [[1, 'x\r']] },
    { option: { lineEnding: 'crlf' }, input: 'a,b\r\n1,x\ny\r\n', rows: [[1, 'x\ny']] },
    { option: { lineEnding: 'lfcr' }, input: 'a,b\n\r1,x\n\r', rows: [[1, 'x']] },
    { option: { lineEnding: 'ff' }, input: 'a,b\f1,x', rows: [[1, 'x']] },
    { option: { lineEnding: 'vt' }, input: 'a,b\v1,x', rows: [[1, 'x']] },
    { option: { lineEnding: 'nel' }, input: 'a,b\u00851,x', rows: [[1, 'x']] },
    { option: { lineEnding: 'ls' }, input: 'a,b\u20281,x', rows: [[1, 'x']] },
    { option: { lineEnding: 'ps' }, input: 'a,b\u20291,x', rows: [[1, 'x']] },
    { option: { ignoreLeadingSpace: true }, input: 'a,b\n  1,  "x"', rows: [[1, 'x']] },
    { option: { ignoreTrailingSpace: true }, input: 'a,b\n1  ,"x"  ', rows: [[1, 'x']] },
    {
      option: { raggedRows: 'pad' },
      input: 'a,b\n1\n2,y',
      rows: [
        [1, null],
        [2, 'y'],
      ],
    },
    {
      option: { raggedRows: 'truncate' },
      input: 'a,b\n1,x,more\n2,y',
      rows: [
        [1, 'x'],
        [2, 'y'],
      ],
    },
    {
      option: {},
      input: 'a,b\n1,\n,y',
      rows: [
        [1, ''],
        [null, 'y'],
      ],
    },
    {
      option: { nullValues: ['NA'] },
      input: 'a,b\nNA,NA\n1,"NA"',
      rows: [
        [null, null],
        [1, 'NA'],
      ],
    },
  ])('$option reads $input', async ({ option, input, names, rows }) => {
    for (const chunkSize of [undefined, 1, 3]) {
      const parsed = await csv(input, option, chunkSize);

      if (names) expect(parsed.names).toEqual(names);
      expect(parsed.rows).toEqual(rows);
    }
  });

  it('reads dates and timestamps in the formats given', async () => {
    const { rows } = await csv('d,t\n29.02.2024,2/29/24 8:05 PM', {
      dateFormat: 'dd.MM.yyyy',
      timestampFormat: 'M/d/yy h:mm a',
      schema: [
        { name: 'd', type: 'date' },
        { name: 't', type: 'local-timestamp' },
      ],
    });

    expect(rows).toEqual([['2024-02-29', '2024-02-29T20:05:00']]);
  });

  it('keeps an empty cell in any column where emptyAsNull is off', async () => {
    const bad = csv('a\n1\n""', { emptyAsNull: false, schema: [{ name: 'a', type: 'int' }] });

    await expect(bad).rejects.toMatchObject({ code: 'TooManyBadRecords' });
  });
});

describe('bad records of csv', () => {
  it.each<{ name: string; option: CsvOptions; input: string; reason: string; offset: number }>([
    {
      name: 'a ragged row',
      option: {},
      input: 'a,b\n1,x\n2\n3,z',
      reason: 'it has 1 cells where the header has 2',
      offset: 8,
    },
    {
      name: 'a line end in quotes',
      option: {},
      input: 'a,b\n1,x\n2,"y\n3,z',
      reason: 'a quote is not closed',
      offset: 8,
    },
    {
      name: 'text behind a quote',
      option: {},
      input: 'a,b\n1,x\n"2"0,y\n3,z',
      reason: 'something follows a closing quote',
      offset: 8,
    },
    {
      name: 'a doubled quote that is not allowed',
      option: { doubleQuote: false },
      input: 'a,b\n1,x\n2,"y""z"\n3,z',
      reason: 'something follows a closing quote',
      offset: 8,
    },
  ])('sets $name aside, and goes on with the next', async ({ option, input, reason, offset }) => {
    for (const chunkSize of [undefined, 1]) {
      const { rows, quarantined, stats } = await csv(input, { ...option, badRecords: 'quarantine' }, chunkSize);

      expect(rows).toEqual([
        [1, 'x'],
        [3, 'z'],
      ]);
      expect(quarantined).toMatchObject([{ record: 1, reason, offset }]);
      expect(stats).toMatchObject({ rows: 2, badRecords: 1 });
    }
  });

  it('tells of a quote that is never closed, at the end of a file of records over several lines', async () => {
    const { quarantined, rows } = await csv('a,b\n1,x\n2,"y\n3,z', { multiline: true, badRecords: 'quarantine' });

    expect(rows).toEqual([[1, 'x']]);
    expect(quarantined).toMatchObject([{ record: 1, reason: 'a quote is not closed', raw: '2,"y\n3,z' }]);
  });

  it.each([true, false])(
    'passes over a field of 100 MB and holds no more of it than a record may have (multiline %s)',
    async (multiline) => {
      async function* huge() {
        yield Buffer.from('a,b\n1,x\n2,"');
        const piece = Buffer.alloc(1024 * 1024, 'y');
        for (let count = 0; count < 100; count++) yield piece;
        yield Buffer.from('"\n3,z\n');
      }
      const before = process.memoryUsage().rss;

      const { rows, quarantined } = await parseAll(
        { format: 'csv', multiline, badRecords: 'quarantine', maxRecordBytes: 1_000_000 },
        huge(),
      );

      expect(rows).toEqual([
        [1, 'x'],
        [3, 'z'],
      ]);
      expect(quarantined).toMatchObject([{ record: 1, reason: 'it is longer than maxRecordBytes, 1000000' }]);
      expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
    },
  );

  it('sets bytes that are no UTF-8 aside with their record only, where a replacement character is none', async () => {
    const input = Buffer.concat([Buffer.from('a,b\n1,\ufffd\n2,'), Buffer.from([0xff, 0xc3]), Buffer.from('\n3,é\n')]);
    for (const chunkSize of [undefined, 1, 7]) {
      const { rows, quarantined } = await csv(
        input,
        { badRecords: 'quarantine', schema: [{ name: 'a', type: 'int' }, ...strings('b')] },
        chunkSize,
      );

      expect(rows).toEqual([
        [1, '\ufffd'],
        [3, 'é'],
      ]);
      expect(quarantined).toMatchObject([{ record: 1, column: 'b', reason: '"b" is not text of its encoding' }]);
    }
  });

  it('refuses two columns of one name, also in other words', async () => {
    await expect(csv('a,b,a\n1,2,3')).rejects.toMatchObject({
      code: 'ColumnMismatch',
      message: 'the input: two columns are called "a"',
    });
    await expect(csv('a,b\n1,2', { headersToColumns: { b: 'a' } })).rejects.toMatchObject({ code: 'ColumnMismatch' });
  });

  it('never quotes the input in its messages', async () => {
    const error = await csv('a\nsecret', { schema: [{ name: 'a', type: 'int' }] }).catch((caught: Error) => caught);

    expect(String(error)).toContain('record 0 (at byte 2): "a" must be int');
    expect(String(error)).not.toContain('secret');
  });
});

describe('options of csv that are wrong', () => {
  it.each<{ options: Record<string, unknown>; says: string }>([
    { options: { delimeter: ';' }, says: 'unknown option "delimeter"' },
    { options: { delimiter: '' }, says: '"delimiter" must be a string (1 to 16 characters)' },
    { options: { delimiter: '"' }, says: '"delimiter" must not contain "quote"' },
    { options: { delimiter: '\n' }, says: 'must not be line ends' },
    { options: { quote: '""' }, says: '"quote" must be a string (at most 1 characters)' },
    { options: { commentPrefix: '"' }, says: '"commentPrefix" must not be the quote or the delimiter' },
    { options: { lineEnding: 'eol' }, says: '"lineEnding" must be one of' },
    { options: { raggedRows: 'keep' }, says: '"raggedRows" must be one of' },
    { options: { headerLineCount: 0 }, says: '"headerLineCount" must be an integer (1 to 100)' },
    { options: { encoding: 'utf-9' }, says: '"encoding" must be one of the WHATWG standard' },
    { options: { dialect: 'dap-tsv', quote: '"' }, says: '"quote" is fixed by the dialect "dap-tsv"' },
    { options: { schema: [{ name: 'a', type: 'integr' }] }, says: 'schema"[0].type must be a type such as' },
    { options: { columns: [{ type: 'int' }] }, says: '"columns"[0] needs a "sourceName" or a "targetName"' },
  ])('$options', async ({ options, says }) => {
    await expect(parseAll({ format: 'csv', ...options } as never, '')).rejects.toThrow(says);
  });
});

describe('csv as it is cut up', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ' ', '𝄞'), maxLength: 6 });

  it('gives the same records for any size of chunk', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { maxLength: 8 }),
        fc.integer({ min: 1, max: 20 }),
        async (records, chunkSize) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const text = ['a,b', ...records.map((record) => record.map(quoted).join(','))].join('\r\n');

          const { rows } = await csv(text, { multiline: true, schema: strings('a', 'b') }, chunkSize);

          expect(rows).toEqual(records);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never fails but by name, whatever it is given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, multiline) => {
        const parsed = await csv(bytes, { multiline, badRecords: 'skip', compression: 'none' }).catch(
          (error: { code?: string }) => error,
        );

        if ('code' in parsed) expect(parsed.code).toBe('ColumnMismatch');
      }),
      { numRuns: 300 },
    );
  });

  it('reads no further ahead than a window, however slow its reader is', async () => {
    const chunk = Buffer.from(`${'x'.repeat(99)},1\n`.repeat(1000));
    let given = 0;
    async function* endless() {
      yield Buffer.from('a,b\n');
      for (;;) {
        given += chunk.length;
        yield chunk;
      }
    }
    const parsed = csvParser({ schema: [...strings('a'), { name: 'b', type: 'int' }] }).parse(endless(), {
      label: 'x',
    });
    let taken = 0;

    for await (const { rows } of parsed) {
      taken += rows.length * 102;
      expect(given - taken).toBeLessThan(1024 * 1024);
      if (taken > 20 * 1024 * 1024) break;
    }
  });
});

it.each([1, 2, 100])('takes a byte order mark off, in chunks of %d bytes', async (chunkSize) => {
  const { names, quarantined } = await csv(
    '\ufeffid\n1\nx\n',
    { badRecords: 'quarantine', schema: [{ name: 'id', type: 'int' }] },
    chunkSize,
  );

  expect(names).toEqual(['id']);
  expect(quarantined).toMatchObject([{ record: 1, offset: 8 }]);
});

describe('copy-text', () => {
  it('reads PostgreSQL COPY text with its escapes', async () => {
    const { rows } = await csv('a\tb\n\\N\tx\\ty\\nz\\\\\\r\\b\\f\\v\n1\t\n', {
      dialect: 'copy-text',
      schema: [{ name: 'a', type: 'int' }, ...strings('b')],
    });

    expect(rows).toEqual([
      [null, 'x\ty\nz\\\r\b\f\v'],
      [1, ''],
    ]);
  });

  it('sets a record with an escape that does not exist aside', async () => {
    const { quarantined } = await csv('a\tb\n1\t\\q\n', { dialect: 'copy-text', badRecords: 'quarantine' });

    expect(quarantined).toMatchObject([{ reason: 'it has an unknown escape', raw: '1\t\\q\n' }]);
  });
});

describe('reading stops', () => {
  it('closes the source when nobody reads on', async () => {
    let isClosed = false;
    async function* source() {
      try {
        for (;;) yield Buffer.from('1,2\n'.repeat(100_000));
      } finally {
        isClosed = true;
      }
    }

    for await (const _batch of csvParser({ header: false, schema: strings('column1', 'column2') }).parse(source(), {
      label: 'x',
    }))
      break;

    expect(isClosed).toBe(true);
  });

  it('at once when it is aborted', async () => {
    const aborted = AbortSignal.abort(new Error('enough'));

    await expect(parseAll({ format: 'csv' }, inChunks('a\n1'), { signal: aborted })).rejects.toThrow('enough');
  });
});

it('reads a real file of another encoding', async () => {
  const file = readFileSync(join(import.meta.dirname, '../../../node_modules/vega-datasets/data/unemployment.tsv'));
  const text = file.toString('utf8');

  for (const encoding of ['utf-16le', 'latin1', 'windows-1252'] as const) {
    const bytes = encoding === 'utf-16le' ? Buffer.from(`\ufeff${text}`, 'utf16le') : Buffer.from(text, 'latin1');
    const { rows } = await parseAll({ format: 'tsv', encoding }, bytes, { chunkSize: 1001 });
    expect(rows.length).toBe(3218);
  }
});
