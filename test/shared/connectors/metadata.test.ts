import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Listed } from '../../../shared/connectors/connector.ts';
import { InvalidListingError } from '../../../shared/connectors/connector.ts';
import { parseListed } from '../../../shared/connectors/metadata.ts';

const LEAF = { name: 'a.csv', fingerprint: 'v1', isPrefix: false };

/** Connector code is the user's: nothing holds it to the types. */
const listed = (value: unknown) => value as Listed;
const complaint = (value: unknown, path: string[] = []) => {
  try {
    parseListed(listed(value), path);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidListingError);
    return (error as Error).message;
  }
  throw new Error('it passed');
};

describe('parseListed', () => {
  it('hands a leaf on as it was yielded', () => {
    const leaf = { ...LEAF, size: 12, lastModified: '2026-01-01T00:00:00Z', etag: '"x"', tags: ['a', { b: null }] };

    expect(parseListed(leaf, [])).toEqual({
      metadata: leaf,
      name: 'a.csv',
      fingerprint: 'v1',
      kind: 'leaf',
      size: 12,
      generation: undefined,
    });
    expect(parseListed(leaf, []).metadata).toBe(leaf);
  });

  it("takes Python's spelling and keeps it", () => {
    const prefix = { name: '2025/', fingerprint: '', is_prefix: true, last_modified: '2026-01-01T00:00:00Z' };

    const node = parseListed(prefix, []);

    expect(node.kind).toBe('folder');
    expect(Object.keys(node.metadata)).toEqual(['name', 'fingerprint', 'is_prefix', 'last_modified']);
  });

  it.each([
    [{ name: 'x', fingerprint: '', isPrefix: true }, 'folder'],
    [{ name: 'x', fingerprint: 'v', isPrefix: true, kind: 'folder' }, 'folder'],
    [{ name: 'x', fingerprint: 'v', isPrefix: true, kind: 'feed' }, 'feed'],
    [{ name: 'x', fingerprint: 'v', is_prefix: true, kind: null, size: null, last_modified: null }, 'folder'],
    [{ name: 'x', fingerprint: 'v', isPrefix: false, is_prefix: false, generation: 'g1' }, 'leaf'],
  ])('knows what kind of node %j is', (node, kind) => {
    expect(parseListed(node, []).kind).toBe(kind);
  });

  it.each([
    ['a single byte', 'x'],
    ['1,024 bytes', 'n'.repeat(1024)],
    ['1,024 bytes in 512 letters', 'é'.repeat(512)],
    ['1,024 bytes in 256 symbols', '🙂'.repeat(256)],
    ['a path that climbs', '../../etc/passwd'],
    ['dots', '..'],
    ['a slash', '/'],
    ['control characters', '\u0001\n\r\t\u007f'],
    ['a name of objects', '__proto__'],
  ])('takes a name of %s', (_what, name) => {
    expect(parseListed({ ...LEAF, name }, []).name).toBe(name);
  });

  it.each([
    ['an empty name', { ...LEAF, name: '' }, '"name" must be 1 to 1024 bytes of UTF-8, got an empty one'],
    ['1,025 bytes', { ...LEAF, name: 'n'.repeat(1025) }, '"name" must be 1 to 1024 bytes of UTF-8, got 1025 bytes'],
    ['1,026 bytes in 342 letters', { ...LEAF, name: '€'.repeat(342) }, 'got 1026 bytes'],
    ['NUL in a name', { ...LEAF, name: 'a\0b' }, '"name" must not contain NUL, got "a\\u0000b"'],
    ['half a character', { ...LEAF, name: 'a\ud800' }, '"name" must be well-formed Unicode'],
    ['a number for a name', { ...LEAF, name: 7 }, '"name" must be a string, got the number 7'],
    ['no name', { fingerprint: 'v', isPrefix: false }, '"name" must be a string, got undefined'],
    [
      'no fingerprint',
      { name: 'a', isPrefix: false },
      '"fingerprint" must be a string of well-formed Unicode, got undef',
    ],
    ['a fingerprint of bytes', { ...LEAF, fingerprint: Buffer.from('x') }, 'got an instance of Buffer'],
    ['half a character in a fingerprint', { ...LEAF, fingerprint: '\udc00' }, '"fingerprint" must be a string of well'],
    ['an empty fingerprint', { ...LEAF, fingerprint: '' }, '"fingerprint" of a leaf must not be empty'],
    ['no prefix flag', { name: 'a', fingerprint: 'v' }, '"isPrefix" (or "is_prefix") must be true or false, got undef'],
    ['a prefix flag in words', { ...LEAF, isPrefix: 'False' }, 'must be true or false, got "False"'],
    ['two prefix flags', { ...LEAF, is_prefix: true }, '"isPrefix" is false and "is_prefix" is true: give one of them'],
    [
      'an unknown kind',
      { ...LEAF, isPrefix: true, kind: 'book' },
      '"kind" must be "folder", "feed" or "job", got "book"',
    ],
    ['a job node without its job', { ...LEAF, isPrefix: true, kind: 'job' }, '"job" must be an object, got undefined'],
    ['the kind of a leaf', { ...LEAF, kind: 'feed' }, '"kind" is for nodes whose "isPrefix" is true, got "feed"'],
    ['half a byte', { ...LEAF, size: 1.5 }, '"size" must be a whole number of bytes, 0 or more, got the number 1.5'],
    ['less than nothing', { ...LEAF, size: -1 }, '"size" must be'],
    ['a size in words', { ...LEAF, size: '12' }, '"size" must be a whole number of bytes, 0 or more, got "12"'],
    ['an empty generation', { ...LEAF, generation: '' }, '"generation" must be a string of at least one character'],
    ['a time as a number', { ...LEAF, last_modified: 17 }, '"lastModified" (or "last_modified") must be ISO 8601 text'],
    ['a function', { ...LEAF, read() {} }, '"read" must be JSON, got a function'],
    ['NaN deep down', { ...LEAF, stats: { rates: [1, NaN] } }, '"stats" must be JSON, got the number NaN'],
    ['a big integer', { ...LEAF, offset: 5n }, '"offset" must be JSON, got the bigint 5'],
    ['a date', { ...LEAF, at: new Date(0) }, '"at" must be JSON, got an instance of Date'],
    ['a map', { ...LEAF, tags: new Map() }, '"tags" must be JSON, got an instance of Map'],
    ['a hole in a list', { ...LEAF, tags: [undefined] }, '"tags" must be JSON, got undefined'],
    ['null', null, 'a node must be a plain object, got null'],
    ['a string', 'a.csv', 'a node must be a plain object, got "a.csv"'],
    ['a list', [LEAF], 'a node must be a plain object, got an array of 1'],
    ["a class's object", new URL('http://localhost'), 'a node must be a plain object, got an instance of URL'],
  ])('refuses %s', (_what, node, expected) => {
    expect(complaint(node)).toContain(expected);
  });

  it('names the listing and the node, shortened and on one line', () => {
    expect(complaint({ ...LEAF, name: 'new\nline', size: -1 }, ['2024', '01'])).toMatch(
      /^listing of "2024\/01", node "new\\nline": "size"/,
    );
    expect(complaint({ ...LEAF, name: 'x'.repeat(5000) }).length).toBeLessThan(250);
    expect(complaint({})).toMatch(/^listing of the root: /);
  });

  it('leaves an empty fingerprint to the caller in lenient mode', () => {
    expect(parseListed({ ...LEAF, fingerprint: '' }, [], { strict: false }).fingerprint).toBe('');
  });

  it('drops what is undefined', () => {
    const { metadata, size } = parseListed(listed({ ...LEAF, size: undefined, more: { a: 1, b: undefined } }), []);

    expect(size).toBeUndefined();
    expect(metadata).toStrictEqual({ ...LEAF, more: { a: 1 } });
  });

  it('takes 16 KiB of JSON and refuses a byte more', () => {
    const room = 16 * 1024 - Buffer.byteLength(JSON.stringify({ ...LEAF, extra: '' }));

    expect(parseListed({ ...LEAF, extra: 'x'.repeat(room) }, []).metadata.extra).toHaveLength(room);
    expect(complaint({ ...LEAF, extra: 'x'.repeat(room + 1) })).toContain('at most 16384 bytes of JSON, got 16385');
    expect(complaint({ ...LEAF, extra: '"'.repeat(room) })).toContain('at most 16384 bytes of JSON');
  });

  it('refuses what refers to itself', () => {
    const loop: Record<string, unknown> = {};
    loop.loop = loop;

    expect(complaint({ ...LEAF, loop })).toContain('"loop" must be nested at most 32 deep');
  });

  it('carries any JSON that fits exactly as it was', () => {
    const extra = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }));
    fc.assert(
      fc.property(extra, (extra) => {
        const node = JSON.parse(JSON.stringify({ ...extra, ...LEAF }));
        for (const field of ['size', 'kind', 'generation', 'lastModified', 'last_modified', 'is_prefix'])
          delete node[field];
        const text = JSON.stringify(node);
        if (Buffer.byteLength(text) > 16 * 1024) expect(complaint(node)).toContain('at most');
        else expect(JSON.stringify(parseListed(node, []).metadata)).toBe(text);
      }),
    );
  });

  it('ends every value either as a node that is JSON or with InvalidListingError', () => {
    const anything = fc.record(
      {
        name: fc.oneof(fc.string({ unit: 'binary', maxLength: 1100 }), fc.anything()),
        fingerprint: fc.oneof(fc.string(), fc.anything()),
        isPrefix: fc.oneof(fc.boolean(), fc.anything()),
        size: fc.anything(),
        extra: fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(anything, (node) => {
        try {
          const { metadata } = parseListed(listed(node), []);
          expect(Buffer.byteLength(JSON.stringify(metadata))).toBeLessThanOrEqual(16 * 1024);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidListingError);
        }
      }),
    );
  });
});
