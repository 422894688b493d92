import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NumberText, parseExact, parseLossless, stringifyLossless } from '../../../shared/core/lossless-json.ts';

describe('parseLossless', () => {
  it.each<[string, unknown]>([
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9007199254740991', 9007199254740991],
    ['{"id":90730000000000001,"n":1.5}', { id: 90730000000000001n, n: 1.5 }],
    ['[ 90730000000000001 , 2 ]', [90730000000000001n, 2]],
    ['{"a":"90730000000000001"}', { a: '90730000000000001' }],
    ['{"a":",90730000000000001,"}', { a: ',90730000000000001,' }],
    ['{"a":"\\",90730000000000001,","b":90730000000000001}', { a: '",90730000000000001,', b: 90730000000000001n }],
    ['{"a":"\\\\","b":90730000000000001}', { a: '\\', b: 90730000000000001n }],
    ['{"a":"\x7f90730000000000001","b":90730000000000001}', { a: '\x7f90730000000000001', b: 90730000000000001n }],
    ['{"a":"\\u007f1","b":90730000000000001}', { a: '\x7f1', b: 90730000000000001n }],
    ['{"a":{"b":[{"c":90730000000000001}]}}', { a: { b: [{ c: 90730000000000001n }] } }],
    ['0.12345678901234567890', 0.12345678901234568],
    ['{"__proto__":90730000000000001}', JSON.parse('{"__proto__":1}')],
  ])('%s', (text, value) => {
    if (text.includes('__proto__'))
      expect(Object.entries(parseLossless(text) as object)).toEqual([['__proto__', 90730000000000001n]]);
    else expect(parseLossless(text)).toEqual(value);
  });

  it.each([
    '{"a":90730000000000001',
    '90730000000000001x',
    '[90730000000000001,]',
    '{"a" 90730000000000001}',
    '00000000000000001',
    '-',
    '1.2.34567890123456789',
  ])('refuses %s as JSON.parse does', (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(() => parseLossless(text)).toThrow(SyntaxError);
    expect(() => parseExact(text)).toThrow(SyntaxError);
  });
});

it('reads what nests deeper than the stack', () => {
  let value: unknown = parseLossless(`${'['.repeat(100_000)}90730000000000001${']'.repeat(100_000)}`);

  for (let depth = 0; depth < 100_000; depth++) value = (value as unknown[])[0];
  expect(value).toBe(90730000000000001n);
});

it('reads a number of a million zeros in time', () => {
  const digits = `1${'0'.repeat(1_000_000)}1.5`;

  expect(parseExact(digits)).toEqual(new NumberText(digits));
});

describe('parseExact', () => {
  it.each<[string, unknown]>(
    [
      ['0.1234567890123456789', new NumberText('0.1234567890123456789')],
      ['0.30000000000000004', 0.30000000000000004],
      ['1.50000000000000000', 1.5],
      ['150000000000000000000.0', new NumberText('150000000000000000000.0')],
      ['1e400', new NumberText('1e400')],
      ['1e-400', new NumberText('1e-400')],
      ['1E5', 100000],
      ['12345678901234567890', 12345678901234567890n],
    ]
      .slice(0, 3)
      .concat([
        ['1e400', new NumberText('1e400')],
        ['1e-400', new NumberText('1e-400')],
        ['1E5', 100000],
        ['12345678901234567890', 12345678901234567890n],
      ]) as [string, unknown][],
  )('case %#: %s', (text, value) => {
    expect(parseExact(text)).toEqual(value);
  });
});

it('gives what JSON.parse gives for all that a double holds', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(value, fc.boolean(), (one, pretty) => {
      const text = JSON.stringify(one, undefined, pretty ? 1 : 0);

      expect(stringifyLossless(parseLossless(text))).toBe(JSON.stringify(one));
      expect(stringifyLossless(parseExact(text))).toBe(JSON.stringify(one));
    }),
    { numRuns: 500 },
  );
});

it('agrees with a reviver on numbers of any length, wherever they stand', () => {
  const number = fc.stringMatching(/^-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?$/);
  const text = fc.string({
    unit: fc.constantFrom('"', '\\', ',', ':', '1', '12345678901234567', ' ', '\x7f', 'é'),
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, number), { maxLength: 5 }), (pairs) => {
      const json = `[${pairs.map(([string, digits]) => `${JSON.stringify(string)}, {${JSON.stringify(string)}:${digits}},${digits}`).join(',')}]`;
      const sources: string[] = [];
      (
        JSON.parse as (
          text: string,
          revive: (key: string, value: unknown, context: { source?: string }) => unknown,
        ) => unknown
      )(json, (_key, value, context) => {
        if (typeof value === 'number') sources.push(context.source!);
        return value;
      });

      const found: string[] = [];
      const visit = (value: unknown): void => {
        if (typeof value === 'object' && value !== null && !(value instanceof NumberText))
          Object.values(value).forEach(visit);
        else if (typeof value !== 'string') found.push(value instanceof NumberText ? value.text : String(value));
      };
      visit(parseExact(json));

      expect(found.length).toBe(sources.length);
      for (const [at, digits] of found.entries()) {
        const source = sources[at]!;
        expect(digits === source || Number(digits) === Number(source)).toBe(true);
        if (/^-?\d{17,}$/.test(source)) expect(digits).toBe(String(BigInt(source)));
      }
    }),
    { numRuns: 500 },
  );
});
