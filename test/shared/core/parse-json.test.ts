import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../shared/core/parse-json.ts';

/** Names that are written with escapes, in every order: what one text has left behind is what the next one would read. */
const name = fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'N', "'", 'é', '\x7f'), maxLength: 4 });
const object = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom(null, 1, 'a\\"b":', '\x7f0'), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
})).object;

describe('parseJson', () => {
  it('reads every name as it is written, whatever was read before', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, null, indent);

        expect(JSON.stringify(parseJson(text), null, indent)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['{"\\u0061":1,"a":2}', '{"a":2}'],
    ['{"\\u005f_proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
    ['{"a\\n" :\t[{"\\"":"\\":"}]}', '{"a\\n":[{"\\"":"\\":"}]}'],
  ])('reads %s', (text, expected) => {
    expect(JSON.stringify(parseJson(text))).toBe(expected);
  });

  it('hands values to a reviver', () => {
    const doubled = (_name: string, value: unknown) => (typeof value === 'number' ? value * 2 : value);

    expect(parseJson('{"\\n":[1,{"b":2}]}', doubled)).toEqual({ '\n': [2, { b: 4 }] });
  });

  it.each(['{"\\x":1}', '{"\\n":1', '{"\\n":', '{"a\\":1}', '{"\\ud8":1}'])('refuses %s', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
