import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRecords, writeRecordsCsv } from '../../../../shared/clients/dis/index.ts';
import { collect, failure, scratch } from '../../../support/client-calls.ts';
import { World } from './harness.ts';

async function fileOf(text: string): Promise<string> {
  const filename = join(await scratch(), 'in.csv');
  await writeFile(filename, text);
  return filename;
}

describe('a CSV file of records', () => {
  it.each([
    ['one column', 'data\na\nb\n', [{ data: 'a' }, { data: 'b' }]],
    ['no line end at the end', 'data\na', [{ data: 'a' }]],
    ['CR LF', 'data\r\na\r\nb\r\n', [{ data: 'a' }, { data: 'b' }]],
    ['a byte order mark', '\uFEFFdata\na\n', [{ data: 'a' }]],
    ['quotes', 'data\n"a ""b"", c"\n"line 1\nline 2"\n', [{ data: 'a "b", c' }, { data: 'line 1\nline 2' }]],
    [
      'empty cells are none',
      'data,partition_key,timestamp\na,,\nb,k,7\n',
      [{ data: 'a' }, { data: 'b', partitionKey: 'k', timestamp: 7n }],
    ],
    [
      'all columns',
      'partition_id,explicit_hash_key,data\n0,12,x\n',
      [{ data: 'x', partitionId: '0', explicitHashKey: '12' }],
    ],
    ['an empty line at the end', 'data,partition_key\na,k\n\n', [{ data: 'a', partitionKey: 'k' }]],
  ])('%s', async (_what, text, records) => {
    expect(await collect(csvRecords(await fileOf(text)))).toEqual(records);
  });

  it.each([
    ['nothing', '', /is empty/],
    ['no column data', 'text\na\n', /a column "text"/],
    ['a header without data', 'partition_key\nk\n', /no column data/],
    ['another column', 'data,color\na,red\n', /a column "color"; it may have data, partition_id/],
    ['too few cells', 'data,partition_key\na\n', /row 2 of the CSV file has 1 cells, its header 2/],
    ['too many cells', 'data\na,b\n', /row 2 of the CSV file has 2 cells, its header 1/],
    ['an open quote', 'data\n"a\n', /ends inside of quotes/],
    ['a quote in the middle', 'data\na"b"\n', /a quote inside/],
    ['a time that is none', 'data,timestamp\na,now\n', /row 2 of the CSV file has a timestamp/],
  ])('refused: %s', async (_what, text, message) => {
    const error = await failure(collect(csvRecords(await fileOf(text))));

    expect(error.name).toBe('InvalidCsvError');
    expect(error.message).toMatch(message);
  });

  it('an empty data cell is refused with its index, before anything is sent', async () => {
    const world = new World(() => ({}));
    const filename = await fileOf(`data,partition_key\n${'a,k\n'.repeat(600)},k\n`);

    expect(await failure(world.client.uploadData('s', { filename }))).toMatchObject({
      name: 'InvalidRecordError',
      index: 600,
    });
    expect(world.sent).toEqual([]);
  });

  it('gives back any text that was put in quotes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 }), async (texts) => {
        const text = `data\n${texts.map((one) => `"${one.replaceAll('"', '""')}"`).join('\n')}\n`;

        const read = await collect(csvRecords(await fileOf(text)));

        expect(read.map(({ data }) => data)).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it('is written whole or not at all', async () => {
    const filename = join(await scratch(), 'out.csv');
    function* breaking() {
      yield { sequenceNumber: 1n, data: Buffer.from('a') };
      throw new Error('no more');
    }

    await failure(writeRecordsCsv(filename, breaking()));
    await expect(readFile(filename)).rejects.toThrow('ENOENT');
    await writeRecordsCsv(filename, [{ sequenceNumber: 2n ** 63n - 1n, data: Buffer.from('grüß') }]);

    expect(await readFile(filename, 'utf8')).toBe(
      'sequence_number,data,timestamp,timestamp_type\r\n9223372036854775807,Z3LDvMOf,,\r\n',
    );
  });
});
