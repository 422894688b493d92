import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BYTES, DOUBLE, INT, JSON_TEXT, LONG, STRING, TIMESTAMP } from '../../shared/records/column-type.ts';
import type { Row } from '../../shared/records/schema.ts';
import {
  InvalidNameError,
  SchemaMismatchError,
  TableAlreadyExistsError,
  TableBusyError,
  TooManyQuarantinedError,
} from '../../shared/sinks/sql/errors.ts';
import { TRUNCATED } from '../../shared/sinks/sql/rows.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { batch, deletion, schemaOf, TableUnderTest, upsert } from './sql-table.ts';

const NAMED = schemaOf({ id: LONG, name: STRING });

/** What every database does with a table that is kept in sync. */
export function describeTables(connection: () => string): void {
  let target: SqlTarget;
  let isMysql: boolean;

  beforeAll(async () => {
    target = await SqlTarget.open(connection());
    isMysql = target.database.dialect.name === 'mysql';
  }, 60_000);

  afterAll(() => target?.close());

  describe('names and texts of somebody else', () => {
    const HOSTILE = [
      `a"; DROP TABLE bystander; --`,
      'b`; DROP TABLE bystander; --',
      `c'; DROP TABLE bystander; --`,
      `d\\'; DROP TABLE bystander; --`,
      'e$$; DROP TABLE bystander; --',
      'f */ DROP TABLE bystander; /*',
      'g?, $1, :name, %s, {{x}}',
      'h\n; DROP TABLE bystander;\u2028.',
      '__proto__',
    ];

    it.each(HOSTILE)('are names and texts, and nothing else: %j', async (text) => {
      const bystander = new TableUnderTest(target, {}, 'bystander');
      const hostile = text.replace('bystander', bystander.quoted);
      await bystander.generation(NAMED, [upsert(1, 1n, 'is still here')]);
      const at = new TableUnderTest(target, {}, `${hostile}${process.pid}`);
      const columns: Record<string, typeof STRING> = Object.fromEntries([
        ['id', LONG],
        [hostile, STRING],
      ]);
      const described = schemaOf(columns);
      const schema = {
        ...described,
        columns: described.columns.map((column) => ({ ...column, description: hostile })),
      };

      await at.generation(schema, [upsert(1, 1n, hostile), upsert(1, 2n, 'b')]);
      await at.changes(schema, [upsert(2, 2n, hostile), deletion(2, 2, 1n)], hostile);

      expect(await at.rows('id', hostile)).toEqual([['2', hostile]]);
      expect(await at.table.state()).toMatchObject({ key: ['id'] });
      expect(await bystander.rows('id', 'name')).toEqual([['1', 'is still here']]);
      await at.partition(hostile, schema, [upsert(3, 3n, hostile)]).catch((error: unknown) => {
        // A table with a key has no partitions.
        expect(error).toBeInstanceOf(Error);
      });
      expect(await bystander.rows('id', 'name')).toEqual([['1', 'is still here']]);
    });
  });

  describe('a generation', () => {
    it('is seen when it is finished, and whole', async () => {
      const at = new TableUnderTest(target);
      const load = await at.table.beginGeneration('one', { schema: NAMED });
      await load.write(0, batch(NAMED, [upsert(1, 1n, 'a'), upsert(1, 2n, null)]));
      await load.pause();

      expect(await target.database.dialect.exists(target.database.session, at.quoted)).toBe(false);
      await load.endPart(0);
      const result = await load.finish({ place: 'here' });

      expect(result).toEqual({ rows: 2, quarantined: 0, truncated: 0 });
      expect(await at.rows('id', 'name')).toEqual([
        ['1', 'a'],
        ['2', null],
      ]);
      expect(await at.table.state()).toMatchObject({ generation: 'one', place: 'here', key: ['id'] });
    });

    it('replaces the one before, of which readers see all until then', async () => {
      const at = new TableUnderTest(target);
      await at.generation(NAMED, [upsert(1, 1n, 'a'), upsert(1, 2n, 'b')]);

      const load = await at.table.beginGeneration('next', { schema: NAMED });
      await load.write(0, batch(NAMED, [upsert(2, 2n, 'B'), upsert(2, 3n, 'C')]));
      await load.pause();
      const before = await at.rows('id', 'name');
      await load.finish({ place: '' });

      expect(before).toEqual([
        ['1', 'a'],
        ['2', 'b'],
      ]);
      expect(await at.rows('id', 'name')).toEqual([
        ['2', 'B'],
        ['3', 'C'],
      ]);
    });

    it('goes on where its last batch was committed, from a part that is read from its beginning', async () => {
      const at = new TableUnderTest(target, { limits: { batchRows: 2 } });
      const rows: Row[] = [1, 2, 3, 4, 5, 6, 7].map((id) => upsert(1, BigInt(id), `row ${id}`));
      const first = await at.table.beginGeneration('one', { schema: NAMED });
      await first.write(0, batch(NAMED, rows.slice(0, 3)));
      await first.endPart(0);
      await first.write(1, batch(NAMED, rows.slice(3, 6)));
      await first.pause();
      await at.table.release();

      const again = await at.reopened().beginGeneration('one', { schema: NAMED });
      expect(again.offset).toEqual({ part: 1, rows: 3 });
      for (const part of [0, 1]) {
        await again.write(part, batch(NAMED, part === 0 ? rows.slice(0, 3) : rows.slice(3, 5)));
        if (part === 1) await again.write(1, batch(NAMED, rows.slice(5), 2));
        await again.endPart(part);
      }
      const result = await again.finish({ place: '' });

      expect(result.rows).toBe(1);
      expect((await at.rows('id')).flat()).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    });

    it('begins anew under another id, and leaves nothing of the one that was given up', async () => {
      const at = new TableUnderTest(target);
      const given = await at.table.beginGeneration('one', { schema: NAMED });
      await given.write(0, batch(NAMED, [upsert(1, 1n, 'a')]));
      await given.pause();

      await at.generation(NAMED, [upsert(1, 2n, 'b')], 'two');

      expect(await at.rows('id')).toEqual([['2']]);
    });

    it('never takes what was staged for another load as its own', async () => {
      const at = new TableUnderTest(target);
      const [first, other] = [upsert(1, 1n, 'first'), upsert(1, 2n, 'other')];
      for (const [id, rows] of [
        ['one', [first]],
        ['two', [other]],
      ] as const) {
        const load = await at.reopened().beginGeneration(id, { schema: NAMED });
        await load.write(0, batch(NAMED, rows));
        await load.pause();
      }

      await at.generation(NAMED, [first, other], 'one');

      expect((await at.rows('id')).flat()).toEqual(['1', '2']);
    });

    it('keeps the newest of rows with one key', async () => {
      const at = new TableUnderTest(target);

      await at.generation(NAMED, [
        upsert(2, 1n, 'newer'),
        upsert(1, 1n, 'older'),
        upsert(1, 2n, 'b'),
        upsert(1, 2n, 'c'),
      ]);

      expect(await at.rows('id', 'name')).toEqual([
        ['1', 'newer'],
        ['2', 'c'],
      ]);
    });

    it('has no rows if there are none', async () => {
      const at = new TableUnderTest(target);

      await at.generation(NAMED, []);

      expect(await at.rows('id')).toEqual([]);
    });
  });

  describe('changes', () => {
    it('are upserted and deleted by key', async () => {
      const at = new TableUnderTest(target);
      await at.generation(NAMED, [upsert(1, 1n, 'a'), upsert(1, 2n, 'b'), upsert(1, 3n, 'c')]);

      await at.changes(NAMED, [upsert(2, 2n, 'B'), deletion(2, 2, 3n), upsert(2, 4n, 'd'), deletion(2, 2, 99n)]);

      expect(await at.rows('id', 'name')).toEqual([
        ['1', 'a'],
        ['2', 'B'],
        ['4', 'd'],
      ]);
    });

    it('come to the same in any order, and repeated', async () => {
      const jobs: Row[][] = [
        [upsert(1, 1n, 'one'), upsert(1, 2n, 'two')],
        [upsert(2, 1n, 'one, changed'), deletion(2, 2, 2n)],
        [upsert(3, 2n, 'two, again'), deletion(3, 2, 1n)],
        [upsert(4, 3n, 'three')],
      ];
      const orders = [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [2, 0, 3, 1, 2, 0],
      ];

      for (const order of orders) {
        const at = new TableUnderTest(target);
        for (const job of order) await at.changes(NAMED, jobs[job]!);
        expect(await at.rows('id', 'name'), String(order)).toEqual([
          ['2', 'two, again'],
          ['3', 'three'],
        ]);
      }
    });

    it('forget deletions that are a month older than the newest', async () => {
      const at = new TableUnderTest(target);
      await at.changes(NAMED, [deletion(1, 2, 1n), deletion(1, 2, 2n)]);
      const later = deletion(1, 2, 3n).with(0, '2024-03-01T00:00:00Z');

      await at.changes(NAMED, [later]);

      const state = await at.table.state();
      const { session } = target.database;
      const sql = `SELECT count(*) AS n FROM ${target.own.tombstones} WHERE table_id = ${state!.id}`;
      expect(Number((await session.query(sql))[0]!.n)).toBe(1);
    });

    it('are seen all at once', async () => {
      const at = new TableUnderTest(target, { limits: { batchRows: 1 } });
      await at.generation(NAMED, [upsert(1, 1n, 'a')]);

      const load = await at.table.beginChanges('changes', { schema: NAMED });
      await load.write(0, batch(NAMED, [upsert(2, 1n, 'A'), upsert(2, 2n, 'B')]));
      await load.pause();
      const before = await at.rows('id', 'name');
      await load.finish({ place: '' });

      expect(before).toEqual([['1', 'a']]);
      expect(await at.rows('id', 'name')).toEqual([
        ['1', 'A'],
        ['2', 'B'],
      ]);
    });

    it('are added where there is no key', async () => {
      const schema = schemaOf({ what: STRING }, []);
      const at = new TableUnderTest(target);

      await at.changes(schema, [upsert(1, 'a'), upsert(1, 'a')]);
      await at.changes(schema, [upsert(1, 'b')]);

      expect((await at.rows('what')).flat()).toEqual(['a', 'a', 'b']);
    });

    it('have keys of several columns', async () => {
      const schema = schemaOf({ a: STRING, b: INT, c: STRING }, ['a', 'b']);
      const at = new TableUnderTest(target);
      await at.generation(schema, [upsert(1, 'x', 1, 'x1'), upsert(1, 'x', 2, 'x2'), upsert(1, 'X', 1, 'X1')]);

      await at.changes(schema, [deletion(2, 3, 'x', 1), upsert(2, 'x', 2, 'changed')]);

      expect(await at.rows('a', 'b', 'c')).toEqual([
        ['X', '1', 'X1'],
        ['x', '2', 'changed'],
      ]);
    });
  });

  it('replaces and removes the rows of one partition', async () => {
    const schema = schemaOf({ what: STRING }, []);
    const at = new TableUnderTest(target, { hasPartition: true });
    await at.partition('a.csv', schema, [upsert(1, 'a1'), upsert(1, 'a2')]);
    await at.partition("b's.csv", schema, [upsert(1, 'b1')]);

    await at.partition('a.csv', schema, [upsert(2, 'a3')]);
    const replaced = (await at.rows('what')).flat();
    await at.table.removePartition("b's.csv", 'removed');

    expect(replaced).toEqual(['a3', 'b1']);
    expect((await at.rows('what')).flat()).toEqual(['a3']);
    expect(await at.table.state()).toMatchObject({ place: 'removed' });
  });

  describe('a schema that changes', () => {
    it('adds columns, widens types, and is journaled', async () => {
      const at = new TableUnderTest(target);
      await at.generation(schemaOf({ id: LONG, n: INT, s: INT, j: INT, t: { kind: 'boolean' } }), [
        upsert(1, 1n, 5, 6, 7, true),
      ]);

      const wider = schemaOf({ id: LONG, n: LONG, s: STRING, j: JSON_TEXT, t: STRING, extra: DOUBLE });
      await at.changes(wider, [upsert(2, 2n, 2n ** 40n, 'text', '{"a":1}', 'maybe', 0.5)]);

      expect(await at.rows('id', 'n', 's', 't', 'extra')).toEqual([
        ['1', '5', '6', 'true', null],
        ['2', '1099511627776', 'text', 'maybe', '0.5'],
      ]);
      expect((await at.rows('id', 'j')).map(([, json]) => JSON.parse(json!))).toEqual([7, { a: 1 }]);
      expect(await at.drift()).toEqual([
        '"n": int → long',
        '"s": int → string',
        '"j": int → json',
        '"t": boolean → string',
        'added "extra" double',
      ]);
    });

    it('keeps a column that is gone, and takes records that lack it', async () => {
      const at = new TableUnderTest(target);
      await at.generation(schemaOf({ id: LONG, old: STRING, name: STRING }), [upsert(1, 1n, 'o', 'a')]);

      await at.changes(NAMED, [upsert(2, 2n, 'b')]);
      await at.generation(NAMED, [upsert(3, 3n, 'c')]);

      expect(await at.rows('id', 'old', 'name')).toEqual([['3', null, 'c']]);
    });

    it('goes on in the middle of a load', async () => {
      const at = new TableUnderTest(target);
      const load = await at.table.beginGeneration('one', { schema: NAMED });
      await load.write(0, batch(NAMED, [upsert(1, 1n, 'a')]));

      const wider = schemaOf({ id: LONG, name: STRING, age: INT });
      await load.write(0, batch(wider, [upsert(1, 2n, 'b', 40)], 1));
      await load.finish({ place: '' });

      expect(await at.rows('id', 'name', 'age')).toEqual([
        ['1', 'a', null],
        ['2', 'b', '40'],
      ]);
    });

    it('must not have another key', async () => {
      const at = new TableUnderTest(target);
      await at.generation(NAMED, [upsert(1, 1n, 'a')]);
      const other = { ...NAMED, key: ['name'] };

      await expect(at.table.beginChanges('x', { schema: other })).rejects.toThrow(SchemaMismatchError);
    });
  });

  describe('rows that do not fit', () => {
    it('are set aside with their reason and their content, and counted', async () => {
      const schema = schemaOf({ id: LONG, at: TIMESTAMP });
      const at = new TableUnderTest(target, { limits: { batchRows: 2 } });
      const beyond = isMysql ? '+012024-01-01T00:00:00Z' : '-005000-01-01T00:00:00Z';

      const result = await at.generation(schema, [
        upsert(1, 1n, '2024-01-01T00:00:00.123456Z'),
        upsert(1, 2n, beyond),
        upsert(1, 3n, '2024-01-01T00:00:00.123456789Z'),
        upsert(1, 4n, null),
        upsert(1, null, '2024-01-01T00:00:00Z'),
      ]);

      expect(result).toEqual({ rows: 2, quarantined: 3, truncated: 0 });
      expect((await at.rows('id')).flat()).toEqual(['1', '4']);
      const aside = await at.quarantine();
      expect(aside.map(({ stage, record, column_name, reason }) => [stage, record, column_name, reason])).toEqual([
        ['load', '1', 'at', 'it is beyond the range of dates'],
        ['load', '2', 'at', 'it is finer than a microsecond'],
        ['load', '4', 'id', 'it has no value, and must have one'],
      ]);
      expect(JSON.parse(aside[0]!.raw!)).toMatchObject({ id: 2, at: beyond });
    });

    it('are found by the database if by nobody else', async () => {
      // PostgreSQL keeps no number of so many digits, and a key of MySQL is no longer than that.
      const schema = isMysql ? schemaOf({ id: STRING, json: STRING }) : schemaOf({ id: STRING, json: JSON_TEXT });
      const bad = isMysql ? 'x'.repeat(800) : 'bad';
      const at = new TableUnderTest(target);
      const rows = Array.from({ length: 20 }, (_, id) => upsert(1, `k${String(id).padStart(2, '0')}`, '1'));
      rows.splice(7, 0, upsert(1, bad, '1e400000'));

      const result = await at.generation(schema, rows);

      expect(result).toEqual({ rows: 20, quarantined: 1, truncated: 0 });
      expect(await at.rows('id')).toHaveLength(20);
      expect(await at.quarantine()).toMatchObject([{ record: '7', stage: 'load' }]);
    });

    it('keep numbers that are not finite where the database does', async () => {
      const schema = schemaOf({ id: LONG, n: DOUBLE });
      const at = new TableUnderTest(target);

      const result = await at.generation(schema, [
        upsert(1, 1n, Number.NaN),
        upsert(1, 2n, -Infinity),
        upsert(1, 3n, 1e308),
      ]);

      expect(result.rows + result.quarantined).toBe(3);
      expect((await at.rows('id', 'n')).map(([id, n]) => [id, Number(n)])).toEqual(
        isMysql
          ? [['3', 1e308]]
          : [
              ['1', Number.NaN],
              ['2', -Infinity],
              ['3', 1e308],
            ],
      );
    });

    it('count a value that the source had cut, and load it', async () => {
      const at = new TableUnderTest(target);

      const result = await at.generation(NAMED, [upsert(1, 1n, TRUNCATED), upsert(1, 2n, 'b')]);

      expect(result).toEqual({ rows: 2, quarantined: 0, truncated: 1 });
      expect(await at.rows('id', 'name')).toEqual([
        ['1', TRUNCATED],
        ['2', 'b'],
      ]);
      expect(await at.quarantine()).toMatchObject([{ stage: 'truncated', column_name: 'name', record: '0' }]);
    });

    it('fail the load if there are too many', async () => {
      const at = new TableUnderTest(target, { limits: { quarantineMax: 2 } });
      const rows = [1, 2, 3].map(() => upsert(1, null, 'no key'));

      await expect(at.generation(NAMED, rows)).rejects.toThrow(TooManyQuarantinedError);
    });

    it('of a parser are noted once, however often their part is read', async () => {
      const at = new TableUnderTest(target);
      const bad = { record: 3, reason: 'it is bad', raw: 'a\0b' };
      const first = await at.table.beginGeneration('one', { schema: NAMED });
      first.quarantine(0, bad);
      await first.write(0, batch(NAMED, [upsert(1, 1n, 'a')]));
      await first.pause();
      await at.table.release();

      const again = await at.reopened().beginGeneration('one', { schema: NAMED });
      again.quarantine(0, bad);
      await again.write(0, batch(NAMED, [upsert(1, 1n, 'a'), upsert(1, 2n, 'b')]));
      const result = await again.finish({ place: '' });

      expect(result).toEqual({ rows: 1, quarantined: 1, truncated: 0 });
    });
  });

  describe('names', () => {
    it('of tables and columns may be anything', async () => {
      const names = [
        'id',
        'a"b',
        'a`b',
        "a'b; --",
        'a b',
        'select',
        'A',
        'a',
        'ctid',
        '_landfall_ts',
        'ü'.repeat(80),
        'x\\',
      ];
      const schema = schemaOf(Object.fromEntries(names.map((name) => [name, STRING])));
      const table = `x"; DROP TABLE \`y\`; -- ${'long '.repeat(20)}`;
      const at = new TableUnderTest(target, {}, table);

      await at.generation(schema, [upsert(1, ...names)]);
      await at.changes(schema, [upsert(2, ...names.map((name) => (name === 'id' ? name : `${name}!`)))]);

      expect(await at.rows('id', 'a"b', 'a`b', "a'b; --", 'select')).toEqual([
        ['id', 'a"b!', 'a`b!', "a'b; --!", 'select!'],
      ]);
      await at.table.drop();
    });

    it('must not be empty, nor those of our own tables', async () => {
      const at = new TableUnderTest(target);

      await expect(at.generation(schemaOf({ id: LONG, '': STRING }), [])).rejects.toThrow(InvalidNameError);
      expect(() => target.table({ namespace: 'Landfall', name: 'tables' })).toThrow(InvalidNameError);
      expect(() => target.table({ namespace: 'tests', name: 'a\0b' })).toThrow(InvalidNameError);
    });
  });

  it('touches no table that is not its own', async () => {
    const at = new TableUnderTest(target);
    const { session, dialect } = target.database;
    for (const sql of dialect.createNamespace('tests')) await session.execute(sql);
    await session.execute(`CREATE TABLE ${at.quoted} (mine int)`);
    await session.execute(`INSERT INTO ${at.quoted} VALUES (1)`);

    await expect(at.table.beginGeneration('one', { schema: NAMED })).rejects.toThrow(TableAlreadyExistsError);
    expect(await at.rows('mine')).toEqual([['1']]);
  });

  it('loads a table in one process at a time', async () => {
    if (connection().startsWith('pglite:')) return;
    const at = new TableUnderTest(target);
    await at.table.beginGeneration('one', { schema: NAMED });
    await using other = await SqlTarget.open(connection());

    const table = other.table({ namespace: 'tests', name: at.name });

    await expect(table.beginGeneration('two', { schema: NAMED })).rejects.toThrow(TableBusyError);
    await at.table.release();
  });

  it('drops a table with all that was noted of it', async () => {
    const at = new TableUnderTest(target);
    await at.generation(NAMED, [upsert(1, 1n, 'a'), upsert(1, null, 'bad')]);

    await at.table.drop();

    expect(await at.table.state()).toBeUndefined();
    expect(await at.quarantine()).toEqual([]);
    expect(await target.database.dialect.exists(target.database.session, at.quoted)).toBe(false);
  });

  it('keeps bytes and texts of any characters', async () => {
    const schema = schemaOf({ id: LONG, b: BYTES, s: STRING });
    const at = new TableUnderTest(target);
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const text = `\t\r\n\\N \\. "quoted" 'single' \`back\` \u{1d11e} \u001a %s $1 ?`;

    await at.generation(schema, [upsert(1, 1n, bytes, text)]);

    const { session } = target.database;
    const hex = isMysql ? 'LOWER(HEX(b))' : "encode(b, 'hex')";
    const [row] = await session.query(`SELECT ${hex} AS b, s FROM ${at.quoted}`);
    expect(row).toEqual({ b: Buffer.from(bytes).toString('hex'), s: text });
  });
}
