import { describe, expect, it } from 'vitest';
import { buildColumn, type Value } from '../../../../local/servers/maxcompute/arrow/build.ts';
import { storedForm } from '../../../../local/servers/maxcompute/arrow/types.ts';
import { matching } from '../../../../local/servers/maxcompute/sql/evaluate.ts';
import { parsePredicate } from '../../../../local/servers/maxcompute/sql/predicate.ts';
import { parseStatement } from '../../../../local/servers/maxcompute/sql/statements.ts';
import { parseType } from '../../../../local/servers/maxcompute/tables/types.ts';

const text = (value: string | null): Value => (value === null ? null : Buffer.from(value));
const nanos = (seconds: bigint, rest = 0): Value => ({ seconds, nanos: rest });

const column = (name: string, declared: string, values: readonly Value[]) => {
  const type = parseType(declared);
  return { name, type, values: buildColumn(type, values, storedForm(128)) };
};

const columns = [
  column('n', 'bigint', [1n, 2n, null, 9007199254740993n]),
  column('i', 'int', [-1n, 0n, 1n, null]),
  column('f', 'double', [0.5, null, -2, 1e300]),
  column('s', 'string', ['a', "it's", null, '杭'].map(text)),
  column('b', 'boolean', [true, false, null, true]),
  column('m', 'decimal(10,2)', ['1.50', '-0.01', null, '99999999.99'].map(text)),
  column('d', 'date', [0n, -1n, null, 20412n]),
  column('dt', 'datetime', [0n, 1763625600123n, null, -1n]),
  column('ts', 'timestamp', [nanos(0n), nanos(1763625600n, 123456789), null, nanos(-1n)]),
  { name: 'pt', type: parseType('string'), values: 'x' },
];

describe('filters', () => {
  it.each([
    ['n = 1', [0]],
    ['n <> 1', [1, 3]],
    ['n != 2', [0, 3]],
    ['n > 9007199254740992', [3]],
    ['1 < n', [1, 3]],
    ['n >= 1.5', [1, 3]],
    ['i < 1', [0, 1]],
    ['i <= -1', [0]],
    ['f > 0.4', [0, 3]],
    ["s = 'a'", [0]],
    ['s = "a"', [0]],
    ["s = 'it''s'", [1]],
    ["s = 'it\\'s'", [1]],
    ["`s` = '杭'", [3]],
    ['b = true', [0, 3]],
    ['b != TRUE', [1]],
    ['m = 1.5', [0]],
    ['m < 0', [1]],
    ["d = '1970-01-01'", [0]],
    ["d >= DATE '2025-11-20'", [3]],
    ["dt > '2025-11-20 08:00:00'", [1]],
    ["ts = TIMESTAMP '2025-11-20 08:00:00.123456789'", [1]],
    ["pt = 'x' AND n = 2", [1]],
    ["pt = 'y'", []],
    ['n IS NULL', [2]],
    ['n is not null', [0, 1, 3]],
    ['n IN (1, 3)', [0]],
    ["s NOT IN ('a', 'b')", [1, 3]],
    ['n NOT IN (1, NULL)', []],
    ['n = NULL', []],
    ['NOT n = 1', [1, 3]],
    ['NOT (n = 1 OR n IS NULL)', [1, 3]],
    ['n = 1 OR n = 2 AND i = 0', [0, 1]],
    ['(n = 1 OR n = 2) AND i = 0', [1]],
    ['n IS NULL OR i IS NULL', [2, 3]],
  ])('%s', (predicate, rows) => {
    const runs = matching(parsePredicate(predicate), columns, 4);

    expect(runs.flatMap(([start, end]) => Array.from({ length: end - start }, (_, at) => start + at))).toEqual(rows);
  });

  it.each(['', 'n', 'n =', 'upper(s) = 1', 'n = 1 n', 'n BETWEEN 1 AND 2', "s LIKE 'a%'", 'n = i', '(n = 1', "n = 'x"])(
    '%s is not understood',
    (predicate) => {
      expect(() => parsePredicate(predicate)).toThrow(
        expect.objectContaining({ code: 'InvalidArgument', status: 400 }),
      );
    },
  );

  it.each([
    ['unknown = 1', 'unknown, which is no column'],
    ["n = 'x'", 'compares n (bigint) with x'],
    ["d = 'x'", 'compares d (date) with x'],
  ])('%s is refused', (predicate, says) => {
    expect(() => matching(parsePredicate(predicate), columns, 4)).toThrow(says);
  });
});

describe('statements', () => {
  it('CREATE TABLE with all that may be in it', () => {
    const sql = `set odps.sql.type.system.odps2=true;
      CREATE TABLE IF NOT EXISTS proj.sch.\`T\` (
        id BIGINT NOT NULL COMMENT 'the (id)', m MAP<STRING, ARRAY<DECIMAL(10, 2)>>, s STRUCT<a: INT, \`b\`: CHAR(3)>, PRIMARY KEY (id)
      ) COMMENT 'it''s' PARTITIONED BY (pt STRING, hh INT) CLUSTERED BY (id) SORTED BY (id ASC) INTO 4 BUCKETS
      TBLPROPERTIES ('transactional' = 'true', "k"="v") LIFECYCLE 7;`;

    expect(parseStatement(sql)).toMatchObject({
      kind: 'create table',
      name: ['proj', 'sch', 't'],
      ifNotExists: true,
      columns: [
        { name: 'id', type: { kind: 'bigint' }, nullable: false, comment: 'the (id)' },
        {
          name: 'm',
          type: { kind: 'map', value: { kind: 'array', element: { kind: 'decimal', precision: 10, scale: 2 } } },
        },
        {
          name: 's',
          type: { kind: 'struct', members: [{ name: 'a' }, { name: 'b', type: { kind: 'char', length: 3 } }] },
        },
      ],
      partitionColumns: [{ name: 'pt' }, { name: 'hh' }],
      primaryKey: ['id'],
      clusteredBy: { columns: ['id'], buckets: 4 },
      comment: "it's",
      properties: { transactional: 'true', k: 'v' },
      lifecycleDays: 7,
    });
  });

  it.each([
    ['DROP TABLE IF EXISTS t', { kind: 'drop table', ifExists: true, name: ['t'] }],
    ['TRUNCATE TABLE p.t;', { kind: 'truncate table', name: ['p', 't'] }],
    ['ALTER TABLE t ADD COLUMNS (a INT, b STRING)', { kind: 'add columns' }],
    ["ALTER TABLE t SET TBLPROPERTIES ('a'='b')", { kind: 'set properties', properties: { a: 'b' } }],
    [
      "ALTER TABLE t ADD IF NOT EXISTS PARTITION (pt='1', hh=2) PARTITION (pt='2', hh=3)",
      {
        kind: 'add partition',
        ifNotExists: true,
        levels: [
          { pt: '1', hh: '2' },
          { pt: '2', hh: '3' },
        ],
      },
    ],
    ["ALTER TABLE t DROP PARTITION (pt='1')", { kind: 'drop partition', ifExists: false, levels: [{ pt: '1' }] }],
    [
      'SELECT a, `b` FROM t WHERE a = 1 LIMIT 10;',
      { kind: 'select', columns: ['a', 'b'], limit: 10, where: { op: 'compare' } },
    ],
    ['-- a comment\nselect * from t', { kind: 'select', columns: undefined, limit: undefined }],
    ['SET a=b;', { kind: 'nothing' }],
  ])('%s', (sql, statement) => {
    expect(parseStatement(sql)).toMatchObject(statement);
  });

  it.each(['INSERT INTO t VALUES (1)', 'CREATE TABLE t (a STRANGE)', 'SELECT FROM t', 'DROP TABLE', 'DROP TABLE a b'])(
    '%s is refused',
    (sql) => {
      expect(() => parseStatement(sql)).toThrow(expect.objectContaining({ status: 400 }));
    },
  );
});
