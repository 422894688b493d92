import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonParser } from '../../../shared/parsers/json/json.ts';
import type { JsonOptions } from '../../../shared/parsers/json/options.ts';
import type { CommonOptions } from '../../../shared/parsers/options.ts';
import { parseAll } from '../../support/parsing.ts';

const json = (input: string | Uint8Array, options: JsonOptions & CommonOptions = {}, chunkSize?: number) =>
  parseAll({ format: 'json', ...options }, input, chunkSize === undefined ? {} : { chunkSize });

const SIZES = [undefined, 1, 2, 7];

describe('modes of json', () => {
  it.each<{ options: JsonOptions; input: string; rows: unknown[][] }>([
    { options: { mode: 'lines' }, input: '{"a":1}\n\n{"a":2}\r\n', rows: [[1], [2]] },
    { options: { mode: 'array' }, input: ' [ {"a":1} , {"a":2} ] \n', rows: [[1], [2]] },
    { options: { mode: 'array' }, input: '[]', rows: [] },
    { options: { mode: 'concatenated' }, input: '{"a":1}{"a":\n2} \u001e{"a":3}', rows: [[1], [2], [3]] },
    { options: {}, input: '[{"a":1},{"a":2}]', rows: [[1], [2]] },
    { options: {}, input: '{"a":1}\n{"a":2}', rows: [[1], [2]] },
    { options: {}, input: '{\n "a": 1\n}', rows: [[1]] },
    { options: {}, input: '[1]\n[2]\n', rows: [[[1]], [[2]]] },
    { options: {}, input: '[1,2.5,"x"]', rows: [['1'], ['2.5'], ['x']] },
    {
      options: { recordsPath: '/data/items' },
      input: '{"n":[1,{"x":"]"}],"data":{"items":[{"a":1},{"a":2}],"items2":[3]},"z":0}',
      rows: [[1], [2]],
    },
    { options: { recordsPath: '/1/a~1b' }, input: '[{"skip":1},{"a/b":[{"a":3}]}]', rows: [[3]] },
    { options: { recordsPath: '' }, input: '[{"a":1}]', rows: [[1]] },
    { options: { flatten: true }, input: '[{"a":{"b":1,"c":{"d":[1]}}}]', rows: [[1, [1]]] },
  ])('$options reads $input', async ({ options, input, rows }) => {
    for (const size of SIZES) expect((await json(input, options, size)).rows).toEqual(rows);
  });

  it('names flattened members by the delimiter', async () => {
    const { names } = await json('[{"a":{"b":1}}]', { flatten: true, namespaceDelimiter: '.' });

    expect(names).toEqual(['a.b']);
  });

  it('reads timestamps in the format given', async () => {
    const { rows } = await json('[{"t":1709193600.5}]', {
      timestampFormat: 'epochSeconds',
      schema: [{ name: 't', type: 'timestamp' }],
    });

    expect(rows).toEqual([['2024-02-29T08:00:00.5Z']]);
  });
});

describe('numbers of json', () => {
  it.each<{ number: string; type: string; value: unknown }>([
    { number: '9007199254740993', type: 'long', value: 9007199254740993n },
    { number: '-9223372036854775808', type: 'long', value: -9223372036854775808n },
    { number: '12345678901234567890', type: 'string', value: '12345678901234567890' },
    { number: '0.1234567890123456789', type: 'decimal(20,19)', value: '0.1234567890123456789' },
    { number: '123456789012345678.25', type: 'decimal(38,2)', value: '123456789012345678.25' },
    { number: '1.5e3', type: 'decimal(6,2)', value: '1500.00' },
    { number: '1.10', type: 'json', value: '1.1' },
    { number: '1.00000000000000000001', type: 'json', value: '1.00000000000000000001' },
    { number: '1e400', type: 'string', value: '1e400' },
    { number: '1.0', type: 'int', value: 1 },
    { number: '1e2', type: 'long', value: 100n },
  ])('$number as $type keeps all its digits', async ({ number, type, value }) => {
    const { rows } = await json(`[{"n":${number}}]`, { schema: [{ name: 'n', type }] });

    expect(rows).toEqual([[value]]);
  });

  it('infers text for integers beyond 64 bits, or a double where that is asked for', async () => {
    const input = '[{"n":1},{"n":12345678901234567890}]';

    expect((await json(input)).rows).toEqual([['1'], ['12345678901234567890']]);
    expect((await json(input, { bigNumbers: 'number' })).rows).toEqual([[1], [12345678901234567000]]);
  });
});

describe('bad records of json', () => {
  it.each<{ name: string; options?: JsonOptions & CommonOptions; input: string; reason: string }>([
    {
      name: 'a line that is no JSON',
      options: { mode: 'lines' },
      input: '{"a":1}\n{"a":\n{"a":3}',
      reason: 'it is not JSON',
    },
    { name: 'an element that is no JSON', input: '[{"a":1},{"a":tru},{"a":3}]', reason: 'it is not JSON' },
    {
      name: 'a record that nests too deep',
      options: { maxDepth: 2 },
      input: '[{"a":1},{"a":[[1]]},{"a":3}]',
      reason: 'it nests deeper than maxDepth, 2',
    },
    {
      name: 'a record that is too long',
      options: { maxRecordBytes: 20 },
      input: `[{"a":1},{"a":"${'x'.repeat(50)}"},{"a":3}]`,
      reason: 'it is longer than maxRecordBytes, 20',
    },
    {
      name: 'a line that is too long',
      options: { mode: 'lines', maxRecordBytes: 20 },
      input: `{"a":1}\n{"a":"${'x'.repeat(50)}"}\n{"a":3}`,
      reason: 'it is longer than maxRecordBytes, 20',
    },
    {
      name: 'members that flatten to one name',
      options: { flatten: true },
      input: '[{"a":1},{"a__b":1,"a":{"b":2}},{"a":3}]',
      reason: 'two of its members flatten to one name',
    },
    {
      name: 'half a surrogate pair',
      options: { schema: [{ name: 'a', type: 'string' }], onMismatch: 'rescue' },
      input: '[{"a":"1"},{"a":"\\ud800"},{"a":"3"}]',
      reason: '"a" is not text of its encoding',
    },
  ])('sets $name aside', async ({ options, input, reason }) => {
    for (const size of SIZES) {
      const { rows, quarantined } = await json(input, { ...options, badRecords: 'quarantine' }, size);

      expect(rows.map(([value]) => String(value))).toEqual(['1', '3']);
      expect(quarantined).toMatchObject([{ record: 1, reason }]);
    }
  });

  it('tells the byte a bad line begins at, blank lines counted', async () => {
    for (const size of SIZES) {
      const { quarantined } = await parseAll({ format: 'ndjson', badRecords: 'quarantine' }, '{"a":"é"}\n\n{"a"\n', {
        ...(size && { chunkSize: size }),
      });

      expect(quarantined).toMatchObject([{ record: 1, offset: 12, raw: '{"a"' }]);
    }
  });

  it('sets a line with bytes that are no UTF-8 aside', async () => {
    const input = Buffer.concat([Buffer.from('{"a":1}\n{"a":"'), Buffer.from([0xff]), Buffer.from('"}\n{"a":3}\n')]);

    const { rows, quarantined } = await parseAll({ format: 'ndjson', badRecords: 'quarantine' }, input);

    expect(rows).toEqual([[1], [3]]);
    expect(quarantined).toMatchObject([{ record: 1, reason: 'it is not text of its encoding' }]);
  });

  it.each<{ input: string; options?: JsonOptions; says: string }>([
    { input: '[{"a":1},', says: 'its array never ends' },
    { input: '[{"a":1}', says: 'its array never ends' },
    { input: '[{"a":1} {"a":2}]', says: 'no comma between them' },
    { input: '[{"a":1}] x', says: 'something follows the end of its array' },
    { input: '{"a":1}', options: { mode: 'array' }, says: 'its records are not in an array' },
    { input: '[1,,2]', says: 'an element of its array is no JSON' },
    { input: '{"a":1}]', options: { mode: 'concatenated' }, says: 'is no JSON' },
    { input: '{"data":1}', options: { recordsPath: '/items' }, says: 'nothing at recordsPath "/items"' },
    { input: '{"data":1}', options: { recordsPath: '/data' }, says: 'its records are not in an array' },
  ])('refuses $input as a whole', async ({ input, options, says }) => {
    for (const size of SIZES) {
      const refused = json(input, { ...options, badRecords: 'skip' }, size);
      await expect(refused).rejects.toMatchObject({ code: 'CorruptInput', message: expect.stringContaining(says) });
    }
  });

  it('passes over an element of 100 MB', async () => {
    async function* huge() {
      yield Buffer.from('[{"a":1},{"a":"');
      const piece = Buffer.alloc(1024 * 1024, '\\"');
      for (let count = 0; count < 100; count++) yield piece;
      yield Buffer.from('"},{"a":3}]');
    }
    const before = process.memoryUsage().rss;

    const { rows, quarantined } = await parseAll(
      { format: 'json', badRecords: 'quarantine', maxRecordBytes: 1_000_000 },
      huge(),
    );

    expect(rows).toEqual([[1], [3]]);
    expect(quarantined).toHaveLength(1);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });
});

describe('records of json', () => {
  it('takes no member from the prototype of objects', async () => {
    const { rows } = await json('[{"constructor":"x","__proto__":"y"},{"a":1}]', {
      schema: ['constructor', '__proto__', 'toString'].map((name) => ({ name, type: 'string' })),
      onExtraField: 'drop',
    });

    expect(rows).toEqual([
      ['x', 'y', null],
      [null, null, null],
    ]);
  });

  it('gives the same records for any size of chunk and any mode', async () => {
    const object = fc.dictionary(fc.constantFrom('a', 'b"', 'ü'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(object, { maxLength: 6 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (objects, chunkSize, pretty) => {
          const options = { schema: [{ name: 'a', type: 'json' }], onExtraField: 'drop' } as const;
          const expected = objects.map(({ a }) => [a === undefined || a === null ? null : JSON.stringify(a)]);
          const texts = {
            array: JSON.stringify(objects, undefined, pretty ? 1 : 0),
            concatenated: objects.map((one) => JSON.stringify(one)).join(''),
            lines: objects.map((one) => JSON.stringify(one)).join('\n'),
          };
          for (const [mode, text] of Object.entries(texts) as ['array' | 'concatenated' | 'lines', string][]) {
            expect((await json(text, { ...options, mode }, chunkSize)).rows).toEqual(expected);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('never fails but by name, whatever it is given', async () => {
    const input = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '1', 'a', '\\', '\n', ' ', 'é'),
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(
        input,
        fc.constantFrom('auto', 'lines', 'array', 'concatenated'),
        fc.integer({ min: 1, max: 9 }),
        async (text, mode, chunkSize) => {
          const parsed = await json(text, { mode: mode as 'auto', badRecords: 'skip' }, chunkSize).catch(
            (error: { code?: string }) => error,
          );

          if ('code' in parsed) expect(parsed.code).toBe('CorruptInput');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('reads no further ahead than a window of an endless array', async () => {
    let given = 0;
    const chunk = Buffer.from(`{"a":"${'x'.repeat(93)}"},`.repeat(1000));
    async function* endless() {
      yield Buffer.from('[');
      for (;;) {
        given += chunk.length;
        yield chunk;
      }
    }
    let taken = 0;

    for await (const { rows } of jsonParser({ schema: [{ name: 'a', type: 'string' }] }).parse(endless(), {
      label: 'x',
    })) {
      taken += rows.length * 102;
      expect(given - taken).toBeLessThan(1024 * 1024);
      if (taken > 10 * 1024 * 1024) break;
    }
  });

  it.each<{ options: Record<string, unknown>; says: string }>([
    { options: { mode: 'line' }, says: '"mode" must be one of' },
    { options: { recordsPath: 'items' }, says: 'must be a JSON pointer' },
    { options: { mode: 'lines', recordsPath: '/a' }, says: 'goes with the mode "array"' },
    { options: { maxDepth: 0 }, says: '"maxDepth" must be an integer (1 to 1000)' },
    { options: { bigNumbers: 'bigint' }, says: '"bigNumbers" must be one of' },
  ])('refuses the options $options', async ({ options, says }) => {
    await expect(parseAll({ format: 'json', ...options } as never, '')).rejects.toThrow(says);
  });
});
