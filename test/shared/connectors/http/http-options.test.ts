import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../../../shared/connectors/http/client.ts';
import { type HttpOptions, http } from '../../../../shared/connectors/http/http.ts';
import { resolvePointer } from '../../../../shared/connectors/http/json-index.ts';

describe('http, options', () => {
  it.each<[string, unknown, string]>([
    ['none of the three', {}, 'exactly one of "urls", "index" and "directory" must be given, got none'],
    ['two of them', { urls: ['http://a'], directory: { url: 'http://a' } }, 'got urls and directory'],
    [
      'an unknown one',
      { urls: ['http://a'], retries: 3 },
      'unknown option "retries"; the allowed ones are urls, index',
    ],
    [
      'an unknown one of the index',
      { index: { url: 'http://a', pointer: '', path: '' } },
      'unknown option "index.path"',
    ],
    [
      'a pointer without its slash',
      { index: { url: 'http://a', pointer: 'data' } },
      '"index.pointer" must be empty or begin with "/"',
    ],
    [
      'a number out of its limits',
      { urls: ['http://a'], concurrency: 0 },
      '"concurrency" must be an integer (1 to 256), got 0',
    ],
    ['file:', { urls: ['file:///etc/passwd'] }, '"urls" must hold http or https URLs, got file://'],
    ['ftp:', { directory: { url: 'ftp://h/' } }, '"directory.url" must hold http or https URLs, got ftp://h'],
    ['what is no URL', { urls: ['a.csv'] }, '"urls" must hold http or https URLs, got something else'],
    ['a password in a URL', { urls: ['http://u:canary@h/'] }, '"urls" must not hold a user or password (h)'],
    [
      'a header of ours',
      { urls: ['http://a'], headers: { Range: 'bytes=0-' } },
      '"headers" may not set the header "Range"',
    ],
  ])('refuses %s', (_what, options, message) => {
    expect(() => http(options as HttpOptions)).toThrow(message);
    expect(() => http(options as HttpOptions)).not.toThrow('canary');
  });

  it('keeps its identity when a URL is added, and changes it when a name may mean something else', () => {
    const identity = (options: HttpOptions) => JSON.stringify(http(options).identity);

    expect(identity({ urls: ['http://a/1', 'http://a/2'] })).toBe(identity({ urls: ['http://a/1'] }));
    expect(identity({ directory: { url: 'http://a/' } })).not.toBe(identity({ directory: { url: 'http://b/' } }));
    expect(identity({ urls: ['http://a/1'], headers: { accept: 'text/csv' } })).not.toBe(
      identity({ urls: ['http://a/1'] }),
    );
  });

  it('has no header’s value in its identity', () => {
    expect(JSON.stringify(http({ urls: ['http://a/'], headers: { 'x-key': 'canary' } }).identity)).not.toContain(
      'canary',
    );
  });
});

describe('resolvePointer', () => {
  const document = { 'a/b': { '~': [10, { '': 'empty' }] } };

  it.each([
    ['', document],
    ['/a~1b/~0/0', 10],
    ['/a~1b/~0/1/', 'empty'],
    ['/a~1b/~0/01', undefined],
    ['/constructor', undefined],
    ['/a~1b/x/y', undefined],
  ])('%s', (pointer, expected) => {
    expect(resolvePointer(document, pointer)).toEqual(expected);
  });
});

describe('parseRetryAfter', () => {
  const now = new Date('2026-01-01T00:00:00Z');

  it.each([
    [undefined, undefined],
    ['soon', undefined],
    ['0', 0],
    [' 17 ', 17_000],
    ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ])('%s', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
