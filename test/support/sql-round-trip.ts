import fc from 'fast-check';
import { expect } from 'vitest';
import { canonicalJson } from '../../shared/core/json.ts';
import { type ColumnType, LONG, type Value } from '../../shared/records/column-type.ts';
import type { Column, Row, Schema } from '../../shared/records/schema.ts';
import { canonicalDate, canonicalTime, parseTimestamp } from '../../shared/records/temporal.ts';
import { valueToJson } from '../../shared/records/value-json.ts';
import { columnNames } from '../../shared/sinks/sql/names.ts';
import type { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { table } from './record-arbitraries.ts';
import { TableUnderTest } from './sql-table.ts';

const NUMBER = 'row number';

/** Random schemas and records: each record comes back as it was, or is in the quarantine. */
export async function checkRoundTrip(target: SqlTarget, numRuns: number): Promise<void> {
  let [loaded, setAside] = [0, 0];
  await fc.assert(
    fc.asyncProperty(table, async ({ schema, rows }) => {
      const at = new TableUnderTest(target);
      const numbered: Schema = {
        columns: [{ name: NUMBER, type: LONG, nullable: false }, ...schema.columns],
        key: [NUMBER],
      };
      const given = rows.map((row, index): Row => [BigInt(index), ...row]);

      const result = await at.generation(numbered, given);
      const found = await readBack(at, numbered.columns);
      const aside = new Set((await at.quarantine()).map(({ record }) => record));
      await at.table.drop();

      loaded += result.rows;
      setAside += result.quarantined;
      expect(result.rows).toBe(found.size);
      expect(result.rows + result.quarantined).toBe(rows.length);
      for (const [index, row] of given.entries()) {
        const back = found.get(String(index));
        expect(back === undefined).toBe(aside.has(String(index)));
        if (back) expect(back).toEqual(row.map((value, column) => comparable(value, numbered.columns[column]!.type)));
      }
    }),
    { numRuns },
  );
  // Much of what the arbitraries make is for any database.
  expect(loaded).toBeGreaterThan(setAside / 10);
}

async function readBack(at: TableUnderTest, columns: readonly Column[]): Promise<Map<string, unknown[]>> {
  const { session, dialect } = at.target.database;
  const isMysql = dialect.name === 'mysql';
  const names = columnNames(
    columns.map(({ name }) => name),
    dialect.limits,
  );
  const list = columns.map(({ type }, index) => {
    const name = dialect.quote(names[index]!);
    const sql = type.kind === 'bytes' ? (isMysql ? `HEX(${name})` : `encode(${name}, 'hex')`) : name;
    return `${isMysql ? sql : `(${sql})::text`} AS c${index}`;
  });
  const rows = await session.query(`SELECT ${list.join(', ')} FROM ${at.quoted}`);
  return new Map(
    rows.map((row) => [row.c0!, columns.map(({ type }, index) => comparableText(row[`c${index}`] ?? null, type))]),
  );
}

/** What two equal values have in common, whichever way they were written. */
function comparable(value: Value, type: ColumnType): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case 'boolean':
    case 'float':
    case 'double':
      return Object.is(value, -0) ? 0 : value;
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('hex');
    case 'json':
    case 'list':
    case 'map':
    case 'struct':
      return jsonForm(valueToJson(value, type));
    default:
      return String(value);
  }
}

function comparableText(text: string | null, type: ColumnType): unknown {
  if (text === null) return null;
  switch (type.kind) {
    case 'boolean':
      return text === 'true' || text === '1';
    case 'float':
    case 'double': {
      const number = type.kind === 'float' ? Math.fround(Number(text)) : Number(text);
      return Object.is(number, -0) ? 0 : number;
    }
    case 'bytes':
      return text.toLowerCase();
    case 'date':
      return canonicalDate(isoYear(text));
    case 'time':
      return canonicalTime(text);
    case 'timestamp':
      return parseTimestamp(type.zoned ? `${isoYear(text).replace(/\+00$/, '')}Z` : isoYear(text))?.text;
    case 'json':
    case 'list':
    case 'map':
    case 'struct':
      return jsonForm(text);
    default:
      return text;
  }
}

/** PostgreSQL writes years before Christ behind, and those of five digits without a sign. */
function isoYear(text: string): string {
  const match = /^(\d+)(-.*?)( BC)?$/.exec(text)!;
  const year = match[3] ? 1 - Number(match[1]) : Number(match[1]);
  if (year >= 0 && year <= 9999) return `${String(year).padStart(4, '0')}${match[2]}`;
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}${match[2]}`;
}

/** A database may order members anew, and write numbers otherwise. */
const jsonForm = (text: string): string =>
  canonicalJson(JSON.parse(text, (_name, value: unknown) => (Object.is(value, -0) ? 0 : value)));
