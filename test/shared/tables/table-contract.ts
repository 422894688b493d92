import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import {
  absent,
  anyOf,
  atMost,
  below,
  equals,
  ITEM_MAX_BYTES,
  type Item,
  ItemTooLargeError,
  type KeyRange,
  present,
  type Table,
} from '../../../shared/tables/table.ts';
import { expectLikeModel, operations } from './table-model.ts';

export interface OpenTable {
  readonly table: Table;
  close(): Promise<void> | void;
}

export interface TableContractOptions {
  readonly randomRuns?: number;
  readonly largestItemBytes?: number;
  readonly ordersTypes?: boolean;
}

/**
 * What every kind of table promises. Each test has partition keys of its own, so one table, empty or not, serves all.
 *
 * @param options.randomRuns how many random histories are compared with the model
 * @param options.largestItemBytes where an endpoint stops before DynamoDB does
 * @param options.ordersTypes false where an endpoint breaks down if a text is to be below a number
 */
export function describeTableContract(
  name: string,
  openTable: () => Promise<OpenTable> | OpenTable,
  { randomRuns = 100, largestItemBytes = ITEM_MAX_BYTES, ordersTypes = true }: TableContractOptions = {},
): void {
  describe(`the table contract: ${name}`, () => {
    let opened: OpenTable;
    let table: Table;
    let pk: string;
    let keys = 0;
    const newPk = () => `contract#${process.pid}#${++keys}`;
    const key = (sk: string) => ({ pk, sk });
    const all = async (range?: KeyRange) => (await Array.fromAsync(table.query(pk, range))).flat();
    const sortKeys = async (range?: KeyRange) => (await all(range)).map(({ sk }) => sk);

    beforeAll(async () => {
      opened = await openTable();
      table = opened.table;
    });
    afterAll(() => opened?.close());
    beforeEach(() => {
      pk = newPk();
    });

    describe('get and put', () => {
      it('gives back every kind of value as it was put', async () => {
        const item: Item = {
          ...key('a'),
          text: 'ä😀\0"\\',
          empty: '',
          count: 2 ** 53 - 1,
          ratio: -0.125,
          yes: true,
          nothing: null,
          list: [1, 'two', [null, {}], []],
          map: { size: 1, 'with.dot': { $set: ['x'] } },
          tags: new Set(['b', 'a']),
        };

        await table.put(item);

        expect(await table.get(key('a'))).toStrictEqual(item);
      });

      it.each([{ $set: ['a'] }, { $map: { $set: ['a'] } }, { $set: 1 }, JSON.parse('{"__proto__":{"a":1}}')])(
        'takes the map %j for a map',
        async (value) => {
          await table.put({ ...key('a'), value });

          expect((await table.get(key('a')))?.value).toStrictEqual(value);
        },
      );

      it('replaces the whole item', async () => {
        await table.put({ ...key('a'), old: 1 });

        await table.put({ ...key('a'), new: 2 });

        expect(await table.get(key('a'))).toStrictEqual({ ...key('a'), new: 2 });
      });

      it('stores neither what is undefined nor an empty set', async () => {
        await table.put({ ...key('a'), none: undefined, members: new Set() });

        expect(await table.get(key('a'))).toStrictEqual(key('a'));
        expect(await table.put(key('a'), [absent('members')])).toBe(true);
      });

      it('knows no item under another sort key or partition key', async () => {
        await table.put(key('a'));

        expect(await table.get(key('A'))).toBeUndefined();
        expect(await table.get({ pk: `${pk}x`, sk: 'a' })).toBeUndefined();
      });

      it('keeps what it returned apart from what is stored', async () => {
        const list = [1];
        await table.put(key('a'));
        const updated = (await table.update(key('a'), { set: { list } })) as Item;

        list.push(2);
        (updated.list as number[]).push(3);

        expect((await table.get(key('a')))?.list).toStrictEqual([1]);
      });
    });

    describe('conditions', () => {
      const cases = [
        { condition: [], holds: true },
        { condition: [present('count')], holds: true },
        { condition: [absent('count')], holds: false },
        { condition: [present('state'), equals('state', 'DUE')], holds: true },
        { condition: [equals('state', 'due')], holds: false },
        { condition: [equals('count', '5')], holds: false },
        { condition: [equals('open', true)], holds: true },
        { condition: [equals('open', false)], holds: false },
        { condition: [below('count', 5)], holds: false },
        { condition: [below('count', 6)], holds: true },
        { condition: [atMost('count', 5)], holds: true },
        { condition: [atMost('count', 4)], holds: false },
        { condition: [{ attribute: 'count', is: '>', value: 4 }], holds: true },
        { condition: [{ attribute: 'count', is: '>=', value: 6 }], holds: false },
        { condition: [below('count', 10)], holds: true },
        { condition: [below('state', 'DUF')], holds: true },
        ...(ordersTypes ? [{ condition: [below('state', 5)], holds: false }] : []),
        { condition: [below('missing', 5)], holds: false },
        { condition: [equals('missing', 5)], holds: false },
        { condition: [equals('count', 5), equals('state', 'GONE')], holds: false },
        { condition: [anyOf(equals('state', 'GONE'), absent('state'))], holds: false },
        { condition: [anyOf(equals('state', 'GONE'), below('count', 6)), present('open')], holds: true },
      ] as const;

      it.each(cases)('lets a write happen or not: $condition → $holds', async ({ condition, holds }) => {
        const item = { ...key('a'), count: 5, state: 'DUE', open: true };
        await table.put(item);

        expect(await table.update(key('a'), { set: { touched: 1 } }, condition)).toStrictEqual(
          holds ? { ...item, touched: 1 } : undefined,
        );
        expect(await table.put({ ...item, touched: 2 }, condition)).toBe(holds);
        expect(await table.get(key('a'))).toStrictEqual(holds ? { ...item, touched: 2 } : item);
        expect(await table.delete(key('a'), condition)).toBe(holds);
        expect(await table.get(key('a'))).toStrictEqual(holds ? undefined : item);
      });

      it('sees an item that is not there as one without attributes', async () => {
        expect(await table.put(key('a'), [present('pk')])).toBe(false);
        expect(await table.update(key('a'), { set: { a: 1 } }, [below('count', 5)])).toBeUndefined();
        expect(await table.delete(key('a'), [present('pk')])).toBe(false);
        expect(await table.delete(key('a'), [absent('pk')])).toBe(true);
        expect(await table.delete(key('a'))).toBe(true);
        expect(await table.get(key('a'))).toBeUndefined();
        expect(await table.put(key('a'), [absent('pk')])).toBe(true);
        expect(await table.put(key('a'), [absent('pk')])).toBe(false);
      });

      it('takes reserved words and odd characters as names', async () => {
        const odd = { name: 'a', status: 'b', size: 1, 'a.b-c d': 2 };
        await table.put({ ...key('a'), ...odd });

        const updated = await table.update(key('a'), { set: { status: 'c' }, remove: ['a.b-c d'] }, [
          equals('size', 1),
        ]);

        expect(updated).toStrictEqual({ ...key('a'), name: 'a', status: 'c', size: 1 });
      });

      it('lets one of many concurrent writers of a version win', async () => {
        await table.put({ ...key('a'), version: 1 });

        const wins = await Promise.all(
          Array.from({ length: 20 }, (_, writer) =>
            table.update(key('a'), { set: { version: 2, writer } }, [equals('version', 1)]),
          ),
        );

        const won = wins.filter((item) => item !== undefined);
        expect(won).toHaveLength(1);
        expect(await table.get(key('a'))).toStrictEqual(won[0]);
      });

      it('refuses a choice of nothing', async () => {
        await expect(table.put(key('a'), [anyOf()])).rejects.toThrow(InvalidInputError);
      });
    });

    describe('update', () => {
      it('sets, removes, counts and adds to sets at once, and keeps the rest', async () => {
        await table.put({ ...key('a'), kept: 1, gone: 2, count: 3, members: new Set(['x']) });

        const updated = await table.update(key('a'), {
          set: { state: 'SENT', ignored: undefined },
          remove: ['gone', 'neverThere'],
          addToSet: { members: ['y', 'x', 'y'], others: ['z'], none: [] },
          increment: { count: -1, fresh: 4 },
        });

        const expected = {
          ...key('a'),
          kept: 1,
          state: 'SENT',
          count: 2,
          fresh: 4,
          members: new Set(['x', 'y']),
          others: new Set(['z']),
        };
        expect(updated).toStrictEqual(expected);
        expect(await table.get(key('a'))).toStrictEqual(expected);
      });

      it('makes an item that is not there', async () => {
        expect(await table.update(key('a'), { remove: ['x'] })).toStrictEqual(key('a'));
        expect(await table.get(key('a'))).toStrictEqual(key('a'));
      });

      it('removes a set that is set to nothing', async () => {
        await table.put({ ...key('a'), members: new Set(['x']) });

        expect(await table.update(key('a'), { set: { members: new Set() } })).toStrictEqual(key('a'));
      });

      it.each([
        ['nothing', {}],
        ['only what is undefined or empty', { set: { a: undefined }, addToSet: { b: [] }, remove: [] }],
        ['the key', { set: { sk: 'b' } }],
        ['an attribute twice', { set: { a: 1 }, remove: ['a'] }],
      ])('refuses to change %s', async (_what, change) => {
        await expect(table.update(key('a'), change)).rejects.toThrow(InvalidInputError);
        expect(await table.get(key('a'))).toBeUndefined();
      });

      it('refuses to count what is no number and to add to what is no set', async () => {
        await table.put({ ...key('a'), text: 'x' });

        await expect(table.update(key('a'), { increment: { text: 1 } })).rejects.toMatchObject({ retryable: false });
        await expect(table.update(key('a'), { addToSet: { text: ['y'] } })).rejects.toMatchObject({ retryable: false });
        expect(await table.get(key('a'))).toStrictEqual({ ...key('a'), text: 'x' });
      });

      it('loses none of many concurrent additions', async () => {
        const members = Array.from({ length: 30 }, (_, at) => `g${at}`);

        await Promise.all(
          members.map((member) => table.update(key('a'), { addToSet: { done: [member] }, increment: { count: 1 } })),
        );

        expect(await table.get(key('a'))).toStrictEqual({ ...key('a'), done: new Set(members), count: 30 });
      });
    });

    describe('query', () => {
      it('yields the items of one partition key in the order of their UTF-8 bytes', async () => {
        const inOrder = ['#', '1', '10', '2', 'A', 'a', 'a#1', 'ä', '\uffee', '😀'];
        await table.putMany([...inOrder].reverse().map((sk) => ({ ...key(sk), n: 1 })));
        await table.put({ pk: `${pk}#`, sk: 'b' });

        expect(await sortKeys()).toStrictEqual(inOrder);
        expect(await sortKeys({ reverse: true })).toStrictEqual([...inOrder].reverse());
      });

      it.each<[KeyRange, string[]]>([
        [{ from: 'b' }, ['b', 'c', 'd']],
        [{ from: 'bb' }, ['c', 'd']],
        [{ from: '' }, ['a', 'b', 'c', 'd']],
        [{ to: 'c' }, ['a', 'b']],
        [{ to: '' }, []],
        [{ from: 'b', to: 'd' }, ['b', 'c']],
        [{ from: 'b', to: 'b' }, []],
        [{ from: 'c', to: 'b' }, []],
        [{ from: 'b', to: 'd', reverse: true }, ['c', 'b']],
        [{ from: 'a', to: 'd', reverse: true, limit: 1 }, ['c']],
        [{ from: 'a', to: 'd', limit: 3 }, ['a', 'b', 'c']],
        [{ reverse: true, limit: 2 }, ['d', 'c']],
        [{ limit: 0 }, []],
        [{ limit: 9 }, ['a', 'b', 'c', 'd']],
      ])('yields of a, b, c, d in the range %j only %j', async (range, expected) => {
        await table.putMany(['a', 'b', 'c', 'd'].map(key));

        expect(await sortKeys(range)).toStrictEqual(expected);
      });

      it('yields no page where there is nothing', async () => {
        expect(await Array.fromAsync(table.query(pk))).toStrictEqual([]);
      });

      it.each([{}, { reverse: true }, { from: '002', to: '011' }])(
        'pages what is more than 1 MiB: %j',
        async (range) => {
          const sks = Array.from({ length: 14 }, (_, at) => String(at).padStart(3, '0'));
          await table.putMany(sks.map((sk) => ({ ...key(sk), text: 'x'.repeat(200_000) })));

          const pages = await Array.fromAsync(table.query(pk, range));

          const expected = range.from ? sks.slice(2, 11) : sks;
          expect(pages.flat().map(({ sk }) => sk)).toStrictEqual(range.reverse ? expected.toReversed() : expected);
          expect(pages.length).toBeGreaterThan(1);
          expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(6);
        },
      );

      it('serves several queries of one table at a time', async () => {
        await table.putMany(['a', 'b', 'c'].map((sk) => ({ ...key(sk), text: 'x'.repeat(390_000) })));

        const [one, other, third] = await Promise.all([sortKeys(), sortKeys(), sortKeys({ reverse: true })]);

        expect([one, other, third?.toReversed()]).toStrictEqual([
          ['a', 'b', 'c'],
          ['a', 'b', 'c'],
          ['a', 'b', 'c'],
        ]);
      });
    });

    describe('many at a time', () => {
      it('puts, gets and deletes more than a batch holds', async () => {
        const items = Array.from({ length: 230 }, (_, at) => ({ ...key(`k${String(at).padStart(3, '0')}`), at }));

        await table.putMany(items);

        expect(await all()).toStrictEqual(items);
        const found = await table.getMany([...items, key('missing')]);
        expect(found.toSorted((a, b) => (a.at as number) - (b.at as number))).toStrictEqual(items);
        await table.deleteMany([...items.slice(10), key('missing')]);
        expect(await all()).toStrictEqual(items.slice(0, 10));
      });

      it('takes a key named twice once; the last item wins', async () => {
        await table.putMany([
          { ...key('a'), n: 1 },
          { ...key('a'), n: 2 },
        ]);

        expect(await table.getMany([key('a'), key('a')])).toStrictEqual([{ ...key('a'), n: 2 }]);
        await table.deleteMany([key('a'), key('a')]);
        expect(await table.getMany([key('a')])).toStrictEqual([]);
      });

      it('does nothing for none', async () => {
        await table.putMany([]);
        await table.deleteMany([]);

        expect(await table.getMany([])).toStrictEqual([]);
      });
    });

    describe('limits', () => {
      const filled = (bytes: number): Item => ({
        ...key('a'),
        text: 'x'.repeat(bytes - `pk${pk}ska`.length - 'text'.length),
      });

      it('stores an item of the largest size', async () => {
        expect(await table.put(filled(largestItemBytes))).toBe(true);
      });

      it('refuses a larger one and names its key, its size and the limit', async () => {
        const write = table.put(filled(ITEM_MAX_BYTES + 1));

        await expect(write).rejects.toThrow(ItemTooLargeError);
        await expect(write).rejects.toThrow(
          new RegExp(`"${pk}" "a".* ${ITEM_MAX_BYTES + 1} bytes, at most ${ITEM_MAX_BYTES}`),
        );
        await expect(table.putMany([key('b'), filled(ITEM_MAX_BYTES + 1)])).rejects.toThrow(ItemTooLargeError);
        expect(await all()).toStrictEqual([]);
      });

      it('refuses an update after which the item would be too large', async () => {
        await table.put(filled(largestItemBytes - 10));

        await expect(table.update(key('a'), { set: { another: 'more' } })).rejects.toThrow(ItemTooLargeError);
        expect(Object.keys((await table.get(key('a'))) ?? {})).not.toContain('another');
      });

      it.each([
        ['an empty sort key', { sk: '' }],
        ['a sort key over 1024 bytes', { sk: 'ä'.repeat(513) }],
        ['a partition key over 2048 bytes', { pk: 'x'.repeat(2049) }],
        ['half a surrogate pair in a key', { sk: 'a\ud800' }],
        ['half a surrogate pair in a value', { text: '\udc00' }],
        ['a number that is none', { n: Number.NaN }],
        ['a number without end', { list: [Number.POSITIVE_INFINITY] }],
        ['a number too small', { n: 1e-131 }],
        ['more than 32 levels', { deep: JSON.parse('['.repeat(33) + ']'.repeat(33)) }],
      ])('refuses %s', async (_what, part) => {
        await expect(table.put({ ...key('a'), ...part })).rejects.toThrow(InvalidInputError);
        expect(await all()).toStrictEqual([]);
      });

      it('stores the longest keys and the deepest values', async () => {
        const item = {
          pk: pk.padEnd(2048, 'x'),
          sk: 'x'.repeat(1024),
          deep: JSON.parse('['.repeat(32) + ']'.repeat(32)),
        };

        await table.put(item);

        expect(await table.get(item)).toStrictEqual(item);
      });
    });

    it('does in random histories what a plain model does', async () => {
      await fc.assert(
        fc.asyncProperty(operations, (sequence) => expectLikeModel(table, newPk(), sequence)),
        { seed: 42, numRuns: randomRuns },
      );
    });
  });
}
