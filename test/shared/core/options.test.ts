import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { checkOptions } from '../../../shared/core/options.ts';

interface Options {
  readonly url: string;
  readonly depth?: number;
  readonly mode?: 'fast' | 'slow';
  readonly names?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly index?: { readonly pointer: string };
}

const check = (options: unknown) =>
  checkOptions('demo', options as Options, {
    url: { kind: 'string', required: true, min: 1 },
    depth: { kind: 'integer', min: 1, max: 64, default: 8 },
    mode: { kind: 'string', oneOf: ['fast', 'slow'] },
    names: { kind: 'array', of: 'string', min: 1 },
    headers: { kind: 'object', of: 'string' },
    index: { kind: 'object', fields: { pointer: { kind: 'string', required: true } } },
  });

const complaint = (options: unknown): string => {
  try {
    check(options);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return (error as Error).message;
  }
  return 'accepted';
};

describe('checkOptions', () => {
  it('fills in defaults and leaves out what is undefined', () => {
    expect(check({ url: 'u', mode: undefined })).toEqual({ url: 'u', depth: 8 });
  });

  it('names unknown options together with the allowed ones', () => {
    expect(complaint({ url: 'u', urll: 'x', dept: 1 })).toBe(
      'demo: unknown options "urll", "dept"; the allowed ones are url, depth, mode, names, headers, index',
    );
  });

  it('tells all complaints at once', () => {
    expect(complaint({ depth: 0, mode: 'medium' })).toBe(
      'demo: "url" is required: a string (at least 1 characters); ' +
        '"depth" must be an integer (1 to 64), got 0; "mode" must be one of "fast", "slow", got "medium"',
    );
  });

  it.each([
    ['a fraction', { url: 'u', depth: 1.5 }, '"depth" must be an integer (1 to 64), got 1.5'],
    ['null', { url: 'u', depth: null }, '"depth" must be an integer (1 to 64), got null'],
    ['a wrong item', { url: 'u', names: ['a', 1] }, '"names"[1] must be a string, got 1'],
    [
      'an empty list',
      { url: 'u', names: [] },
      '"names" must be an array of strings (at least 1 items), got an array of 0',
    ],
    ['a wrong value in a map', { url: 'u', headers: { a: true } }, '"headers"["a"] must be a string, got true'],
    [
      'an unknown nested option',
      { url: 'u', index: { pointer: '', path: '' } },
      'unknown option "index.path"; the allowed ones are pointer',
    ],
    ['a missing nested option', { url: 'u', index: {} }, '"index.pointer" is required: a string'],
  ])('refuses %s', (_case, options, message) => {
    expect(complaint(options)).toBe(`demo: ${message}`);
  });

  it('refuses options that are no object', () => {
    expect(complaint('http://a')).toBe('demo: its options must be an object, got "http://a"');
  });

  it('does not show what a wrong object holds, since it may be a secret', () => {
    expect(complaint({ url: { token: 'hunter2' } })).not.toContain('hunter2');
  });
});
