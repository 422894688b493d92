import { describe, expect, it } from 'vitest';
import {
  atJsonPath,
  checkJsonPath,
  parseJson,
  textAt,
} from '../../../../../shared/connectors/async/built-in/json-path.ts';

const VALUE = { a: { 'b c': [1, { d: null, e: 'x' }] }, n: 0, f: false, "it's": 'quoted', empty: '' };

describe('atJsonPath', () => {
  it.each([
    ['$', VALUE],
    ['$.n', 0],
    ["$.a['b c'][1].e", 'x'],
    ["$.a['b c'][1].d", null],
    ["$['it\\'s']", 'quoted'],
    ['$.missing', undefined],
    ['$.n.deeper', undefined],
    ["$.a['b c'][9]", undefined],
    ["$.a['b c'].length", undefined],
    ['$[0]', undefined],
    ['$.constructor', undefined],
    ['$.__proto__', undefined],
  ])('%s', (path, expected) => {
    expect(atJsonPath(VALUE, path)).toEqual(expected);
  });

  it.each(['', 'a', '$.', '$..a', '$.a[*]', '$[-1]', '$.a[', "$['a", '$ .a'])('refuses %j', (path) => {
    expect(() => checkJsonPath(path, 'create.id')).toThrow(/"create.id" must be a JSON path/);
  });
});

describe('textAt', () => {
  it.each([
    ['$.n', '0'],
    ['$.f', 'false'],
    ['$.empty', undefined],
    ["$.a['b c'][1].d", undefined],
    ['$.a', undefined],
    [undefined, undefined],
  ])('%s', (path, expected) => {
    expect(textAt(VALUE, path)).toBe(expected);
  });
});

describe('parseJson', () => {
  it('keeps whole numbers beyond 2^53 as their digits', () => {
    expect(parseJson('{"id": 9007199254740993, "small": [1], "text": "9007199254740993"}')).toEqual({
      id: '9007199254740993',
      small: [1],
      text: '9007199254740993',
    });
  });

  it('answers undefined for what is not JSON', () => {
    expect(parseJson('<html>')).toBeUndefined();
  });
});
