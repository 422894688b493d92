import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

describe('landfall preview --rows', () => {
  it('prints typed rows of a format that the name tells, also of a packed file', async () => {
    const place = new Workplace();
    const csv = 'id,day,city\n1,2024-02-29,Ulm\n2,,"Bad\nUrach"\n3,2024-03-01,x\n';
    place.files('data', { 'a.csv': csv, 'b.csv.gz': gzipSync(csv) });

    const first = await place.landfall('preview data a.csv --rows 2 --options {"multiline":true}');
    const packed = await place.landfall('preview data b.csv.gz --rows 1');

    expect(first.out).toBe(
      [
        'id   day         city',
        'int  date        string',
        '1    2024-02-29  Ulm',
        '2                Bad Urach',
        '',
      ].join('\n'),
    );
    expect(first.err).toContain('the first 2 rows; --rows shows more');
    expect(packed.out).toContain('1    2024-02-29  Ulm');
    expect(packed.err).toContain('bad records were left out');
  });

  it("takes the pipeline's own parser, and records as they are", async () => {
    const place = new Workplace();
    place.files('data', { a: 'x;y\n1;2\n' }, `land: { parser: { format: 'csv', delimiter: ';' } }`);
    const records = `code({ context: () => '', listObjects: () => [{ name: 'a', fingerprint: 'v', isPrefix: false }],
      readRecords: () => [{ id: 1, day: '2024-02-29' }, { id: 2n ** 60n }] })`;
    place.pipeline('records', records);

    const parsed = await place.landfall('preview data a --rows 5');
    const given = await place.landfall('preview data a --rows 5 --options {"delimiter":","}');
    const typed = await place.landfall('preview records a --rows 5');
    const bytes = await place.landfall('preview records a');

    expect(parsed.out).toBe('x    y\nint  int\n1    2\n');
    expect(given.out).toBe('x;y\nstring\n1;2\n');
    expect(typed.out).toBe(
      'id                   day\nlong                 date\n1                    2024-02-29\n1152921504606846976\n',
    );
    expect(bytes.out).toBe('{"id":1,"day":"2024-02-29"}\n{"id":1152921504606846976}\n');
  });

  it('prints JSON with the schema, longs whole', async () => {
    const place = new Workplace();
    place.files('data', { a: '{"id":90730000000000001}\n' });

    const { out } = await place.landfall('preview data a --format ndjson --json');

    expect(out.trim()).toBe(
      '{"pipeline":"data","path":"a","more":false,"badRecords":0,"columns":[{"name":"id","type":"long","nullable":true}],"rows":[{"id":90730000000000001}]}',
    );
  });

  it.each([
    ['a --rows 1', 'does not tell its format'],
    ['a --format xml', 'there is no parser'],
    ['a --format csv --options {', '--options must be a JSON object'],
    ['a --format csv --options {"delimeter":1}', 'unknown option'],
  ])('refuses %s', async (command, says) => {
    const place = new Workplace();
    place.files('data', { a: 'x' });

    const { code, err } = await place.landfall(`preview data ${command}`);

    expect(code).not.toBe(0);
    expect(err).toContain(says);
  });
});
