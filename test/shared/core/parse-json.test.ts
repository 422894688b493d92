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

  it('reads what nests deeper than the stack', () => {
    let value = parseJson(`${'[{"\\n":'.repeat(100_000)}1${'}]'.repeat(100_000)}`);

    for (let depth = 0; depth < 100_000; depth++) value = (value as { '\n': unknown }[])[0]!['\n'];
    expect(value).toBe(1);
  });

  it('is not kept busy by a long run of what it marks names with', () => {
    const run = '\x7f'.repeat(1_000_000);

    expect(parseJson(`{"\\n":"${run}"}`)).toEqual({ '\n': run });
  });

  it.each(['{"\\x":1}', '{"\\n":1', '{"\\n":', '{"a\\":1}', '{"\\ud8":1}'])('refuses %s', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
