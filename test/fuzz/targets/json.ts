import { isDeepStrictEqual } from 'node:util';
import { parseExact, parseLossless, stringifyLossless } from '../../../shared/core/lossless-json.ts';
import { parseJson } from '../../../shared/core/parse-json.ts';
import { type FuzzTarget, holds, outcomeOfSync } from '../target.ts';

/** What `JSON.parse` says, but for the names that V8 reads wrongly. */
function expected(text: string): { readonly value?: unknown; readonly isJson: boolean } {
  try {
    return { value: JSON.parse(text), isJson: true };
  } catch {
    return { isJson: false };
  }
}

/** Whatever is JSON is JSON for all three, says the same, and comes back from its own text. */
function run(data: Uint8Array): string {
  const text = Buffer.from(data).toString();
  const plain = expected(text);
  let outcome = '';
  for (const [name, parse] of [
    ['parseJson', parseJson],
    ['parseLossless', parseLossless],
    ['parseExact', parseExact],
  ] as const) {
    let value: unknown;
    const came = outcomeOfSync(() => {
      value = parse(text);
    }, SyntaxError);
    holds((came === 'done') === plain.isJson, `${name} and JSON.parse agree on what is JSON`);
    outcome += came;
    if (!plain.isJson || text.length > COMPARED_MAX_CHARS) continue;
    // Comparing and writing recur; only reading is held to any depth.
    const written = stringifyLossless(value);
    // A number beyond 2^53 that was written with an exponent comes back as the integer it is.
    holds(stringifyLossless(parse(written)) === written, `${name} reads again what was written of it`);
    if (name === 'parseJson' && !text.includes('\\')) {
      holds(isDeepStrictEqual(value, plain.value), 'parseJson is JSON.parse');
    }
  }
  return outcome;
}

const COMPARED_MAX_CHARS = 1500;

const json: FuzzTarget = {
  name: 'json',
  run,
  seeds: () => [
    '{"a":1,"b":[true,false,null,"x\\n\\u0041"],"c":{"\\n":1,"\\"":2,"__proto__":3}}',
    '{"id":12345678901234567890,"x":-1.5e300,"y":0.1234567890123456789,"z":1E-400}',
    '[9007199254740993,"9007199254740993",-9223372036854775808]',
    '{"\\u007f":"\x7f1234567890123456789","a\\\\":[{"\\t":12345678901234567}]}',
    '[[[[{"\\n":[[[[1]]]]}]]]]',
    ' {"a" : "\\\\" , "\\\\" : 1 } ',
  ],
  words: ['\\u0000', '\\\\', '\\"', '"', '[', '{"', '":', '{"\\n":', '1234567890123456789', '1e400', '\x7f', '\\ud800'],
};

export const targets: readonly FuzzTarget[] = [json];
