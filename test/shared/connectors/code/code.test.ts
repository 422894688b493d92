import { describe, expect, it } from 'vitest';
import { type CodeOptions, code, type PythonMetadata } from '../../../../shared/connectors/code/code.ts';
import type { Chunks, Metadata, RecordsSource } from '../../../../shared/connectors/connector.ts';
import { InvalidInputError } from '../../../../shared/core/errors.ts';
import { aRun, bytesOf, collect } from '../../../support/connector-run.ts';

const { run } = aRun();
const LEAF: Metadata = { name: 'a', fingerprint: '1', isPrefix: false };
const complete: CodeOptions<string> = {
  context: (credentials) => credentials,
  listObjects: () => [LEAF],
  readBytes: () => ['x'],
};
const options = (given: object) => given as CodeOptions<unknown>;

describe('code', () => {
  it('calls the three functions with the context they built', async () => {
    const { connector } = code({
      context: async (credentials) => ({ user: credentials }),
      *listObjects({ user }, metadata) {
        yield { name: `${user}.csv`, fingerprint: '1', isPrefix: false, root: metadata === null };
      },
      async *readBytes({ user }, { name }) {
        yield `${user}:`;
        yield Buffer.from(name);
      },
    });

    const context = await connector.context('ada', run);
    const leaves = await collect(connector.listObjects(context, null, run));

    expect(leaves).toEqual([{ name: 'ada.csv', fingerprint: '1', isPrefix: false, root: true }]);
    expect(String(await bytesOf(connector.readBytes(context, leaves[0] as Metadata, run)))).toBe('ada:ada.csv');
  });

  it("gives dictionaries in Python's spelling back as they were", async () => {
    const seen: unknown[] = [];
    const { connector } = code({
      context: () => null,
      *list_objects(_context, metadata: PythonMetadata | null) {
        seen.push(metadata);
        if (metadata === null) yield { name: '2025/', fingerprint: '', is_prefix: true, year: 2025 };
      },
      *read_bytes(_context, metadata) {
        yield metadata.is_prefix ? '' : metadata.name;
      },
    });

    const [prefix] = await collect(connector.listObjects(null, null, run));
    await collect(connector.listObjects(null, prefix as Metadata, run));

    expect(seen).toEqual([null, { name: '2025/', fingerprint: '', is_prefix: true, year: 2025 }]);
    expect(seen[1]).toBe(prefix);
    const leaf = { name: 'a', fingerprint: '1', is_prefix: false } as unknown as Metadata;
    expect(String(await bytesOf(connector.readBytes(null, leaf, run)))).toBe('a');
  });

  it.each<[string, () => ReturnType<NonNullable<CodeOptions<unknown>['listObjects']>>]>([
    ['an array', () => [LEAF]],
    ['a promise of an array', async () => [LEAF]],
    ['a set', () => new Set([LEAF])],
    [
      'a generator',
      function* () {
        yield LEAF;
      },
    ],
    [
      'an async generator',
      async function* () {
        yield LEAF;
      },
    ],
    [
      'a promise of an async generator',
      async () =>
        (async function* () {
          yield LEAF;
        })(),
    ],
  ])('takes a listing that is %s', async (_what, listObjects) => {
    const { connector } = code({ ...complete, listObjects });

    expect(await collect(connector.listObjects('', null, run))).toEqual([LEAF]);
  });

  it.each<[string, () => Chunks | string | Uint8Array | Promise<Chunks | string | Uint8Array>]>([
    ['all its text', () => 'añb'],
    ['all its bytes', () => Buffer.from('añb')],
    ['a promise of its text', async () => 'añb'],
    ['a promise of its pieces', async () => ['a', Buffer.from('ñ'), 'b']],
    ['a web stream', () => new Blob(['añb']).stream() as unknown as AsyncIterable<Uint8Array>],
  ])('takes a read that returns %s', async (_what, readBytes) => {
    const { connector } = code({ ...complete, readBytes });

    expect(String(await bytesOf(connector.readBytes('', LEAF, run)))).toBe('añb');
  });

  it('puts nothing between chunks', async () => {
    const { connector } = code({ ...complete, readBytes: () => ['a', 'b\n', 'c'] });

    expect(String(await bytesOf(connector.readBytes('', LEAF, run)))).toBe('ab\nc');
  });

  it("lets the code's own errors pass, at the moment they are thrown", async () => {
    const { connector } = code({
      ...complete,
      async *listObjects() {
        yield LEAF;
        throw new TypeError('the page had no rows');
      },
      readBytes: () => {
        throw new RangeError('no such page');
      },
    });
    const seen: unknown[] = [];

    const listing = (async () => {
      for await (const node of connector.listObjects('', null, run)) seen.push(node);
    })();

    await expect(listing).rejects.toThrow(TypeError);
    expect(seen).toEqual([LEAF]);
    expect(() => connector.readBytes('', LEAF, run)).toThrow(RangeError);
  });

  it('passes on acknowledge and close, and leaves out what was not given', async () => {
    const told: unknown[] = [];
    const { connector } = code({
      ...complete,
      acknowledge: (_context, node) => void told.push(node.path),
      close: (context) => void told.push(context),
    });

    await connector.acknowledge?.('session', { path: ['a'], metadata: null });
    await connector.close?.('session');

    expect(told).toEqual([['a'], 'session']);
    expect(Object.keys(code(complete).connector).sort()).toEqual(['context', 'listObjects', 'readBytes']);
  });

  it("keeps the `this` of a class's instance", async () => {
    class Pages {
      readonly #pages = ['one', 'two'];
      context() {
        return null;
      }
      listObjects() {
        return this.#pages.map((name) => ({ name, fingerprint: name, isPrefix: false }));
      }
      readBytes(_context: null, { name }: Metadata) {
        return `${this.#pages.indexOf(name)}`;
      }
    }

    const { connector } = code(new Pages());

    expect(await collect(connector.listObjects(null, null, run))).toHaveLength(2);
    expect(String(await bytesOf(connector.readBytes(null, { ...LEAF, name: 'two' }, run)))).toBe('1');
  });

  it.each([
    ['context', { context: undefined }, '"context" is required'],
    ['the listing', { listObjects: undefined }, '"listObjects" (or "list_objects") is required: a function'],
    ['the read', { readBytes: undefined }, '"readBytes" (or "read_bytes") is required: a function'],
    ['one of two listings', { list_objects: () => [] }, '"listObjects" and "list_objects" do the same'],
    ['one of two reads', { read_bytes: () => [] }, '"readBytes" and "read_bytes" do the same'],
    [
      'a listing that is not a function',
      { listObjects: [LEAF] },
      '"listObjects" must be a function, got an array of 1',
    ],
    ['an unknown function', { list_object: () => [] }, 'unknown option "list_object"'],
    ['an empty version', { version: '' }, '"version" must be'],
  ])('names %s when it is wrong', (_what, given, expected) => {
    expect(() => code(options({ ...complete, ...given }))).toThrow(InvalidInputError);
    expect(() => code(options({ ...complete, ...given }))).toThrow(expected);
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'a number'],
    [{ name: 'a' }, 'an object that cannot be iterated'],
  ])('says when a listing or a read is %j', (returned, shown) => {
    const { connector } = code(options({ ...complete, listObjects: () => returned, readBytes: () => returned }));

    expect(() => connector.listObjects('', null, run)).toThrow(
      `"listObjects" must yield nodes or return an array of them, got ${shown}`,
    );
    expect(() => connector.readBytes('', LEAF, run)).toThrow(
      `"readBytes" must yield or return strings or bytes, got ${shown}`,
    );
  });

  it.each([
    [
      'a generator',
      function* () {
        yield { id: 1 };
      },
    ],
    [
      'an async generator',
      async function* () {
        yield { id: 1 };
      },
    ],
    ['an array', () => [{ id: 1 }]],
    ['a promise of one', async () => [{ id: 1 }]],
  ])('takes %s of records in place of bytes', async (_what, readRecords) => {
    const { context, listObjects } = complete;
    const typing = { onExtraField: 'drop' } as const;
    for (const given of [{ readRecords }, { read_records: readRecords }]) {
      const { connector } = code(options({ context, listObjects, ...given, typing })) as unknown as RecordsSource;

      expect(connector).toMatchObject({ kind: 'records', typing });
      expect(await collect(connector.readRecords('', LEAF, run))).toEqual([{ id: 1 }]);
    }
  });

  it.each<[object, string]>([
    [{ readRecords: () => [] }, '"readBytes" and "readRecords" do the same'],
    [{ typing: {} }, '"typing" is for "readRecords"'],
  ])('refuses %j beside bytes', (given, says) => {
    expect(() => code(options({ ...complete, ...given }))).toThrow(says);
  });

  it('does not take a word for a list of letters', () => {
    const { connector } = code(options({ ...complete, listObjects: () => 'a.csv' }));

    expect(() => connector.listObjects('', null, run)).toThrow('got a string');
  });

  describe('its identity', () => {
    it('is the version, where one is given', () => {
      expect(code({ ...complete, version: '7' }).identity).toEqual({ version: '7' });
      expect(code({ ...complete, version: '7', readBytes: () => 'new' }).identity).toEqual({ version: '7' });
    });

    it('is the text of the functions otherwise', () => {
      const edited = { ...complete, readBytes: () => ['y'] };

      expect(code({ ...complete }).identity).toEqual(code(complete).identity);
      expect(code(edited).identity).not.toEqual(code(complete).identity);
      expect(code({ ...complete, close: () => {} }).identity).toEqual(code(complete).identity);
    });

    it('asks for a version where the text cannot be seen', () => {
      const bound = { ...complete, readBytes: complete.readBytes?.bind(null) };

      expect(() => code(options(bound))).toThrow('"readBytes" is a bound or built-in function');
      expect(code(options({ ...bound, version: '1' })).identity).toEqual({ version: '1' });
    });
  });
});
