import { createReadStream, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newParser, type ParserOptions } from '../../../shared/parsers/formats.ts';
import type { ColumnType, Value } from '../../../shared/records/column-type.ts';
import type { Column, Row, Schema } from '../../../shared/records/schema.ts';
import { valueToJson } from '../../../shared/records/value-json.ts';

/** DuckDB reads each file of the package on its own, with the types that our parser has inferred, and must get our values. */
const FOLDER = join(import.meta.dirname, '../../../node_modules/vega-datasets/data');
const FILES = readdirSync(FOLDER).filter((name) => /\.(?:csv|tsv|json|parquet)$/.test(name));

let duck: DuckDBConnection;
let temporaryFolder: string;

beforeAll(async () => {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  duck = await (await DuckDBInstance.create(':memory:')).connect();
  await duck.run("SET TimeZone = 'UTC'");
  temporaryFolder = await mkdtemp(join(tmpdir(), 'landfall-vega-'));
});

afterAll(async () => {
  duck.closeSync();
  await rm(temporaryFolder, { recursive: true });
});

async function parsed(name: string, options?: Partial<ParserOptions>): Promise<{ schema: Schema; rows: Row[] }> {
  const format = name.split('.').at(-1)!;
  const parser = await newParser({ format, ...options } as ParserOptions);
  const records = parser.parse(createReadStream(join(FOLDER, name)), { label: name, temporaryFolder });
  const rows: Row[] = [];
  for await (const batch of records) rows.push(...batch.rows);
  return { schema: records.stats.schema!, rows };
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

function duckType(type: ColumnType): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'int':
      return 'INTEGER';
    case 'long':
      return 'BIGINT';
    case 'double':
      return 'DOUBLE';
    case 'date':
      return 'DATE';
    case 'time':
      return 'TIME';
    case 'timestamp':
      return type.zoned ? 'TIMESTAMPTZ' : 'TIMESTAMP';
    case 'string':
      return 'VARCHAR';
    default:
      return 'JSON';
  }
}

/** The columns as text, by DuckDB. */
async function duckRows(source: string, columns: readonly Column[]): Promise<(string | null)[][]> {
  const list = columns.map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`).join(', ');
  const reader = await duck.runAndReadAll(`SELECT ${list} FROM ${source}`);
  return reader.getRows() as (string | null)[][];
}

/** Both sides in one spelling: numbers as JavaScript has them, times as ISO 8601, nested values as JSON of sorted members. */
function ours(value: Value, type: ColumnType): unknown {
  if (value === null) return null;
  if (type.kind === 'list' || type.kind === 'struct' || type.kind === 'json')
    return plain(JSON.parse(valueToJson(value, type)));
  return String(value);
}

function theirs(text: string | null, type: ColumnType): unknown {
  if (text === null) return null;
  switch (type.kind) {
    case 'double':
      return String(Number(text));
    case 'timestamp':
      return text.replace(' ', 'T').replace(/\+00$/, 'Z');
    case 'list':
    case 'struct':
    case 'json':
      return plain(JSON.parse(text));
    default:
      return text;
  }
}

/** Without members that are null: a struct has them where the record had none. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, plain(inner)]));
}

function expectSame(
  rows: readonly Row[],
  duckText: readonly (readonly (string | null)[])[],
  columns: readonly Column[],
): void {
  expect(rows.length).toBe(duckText.length);
  for (let at = 0; at < rows.length; at++) {
    for (let index = 0; index < columns.length; index++) {
      const { name, type } = columns[index]!;
      const [own, other] = [ours(rows[at]![index]!, type), theirs(duckText[at]![index]!, type)];
      // Not by `expect`, which is too slow for millions of values.
      if (own === other || (typeof own === 'object' && own !== null && JSON.stringify(own) === JSON.stringify(other)))
        continue;
      expect({ row: at, name, value: own }).toEqual({ row: at, name, value: other });
    }
  }
}

const struct = (columns: readonly Column[], typeOf: (type: ColumnType) => string) =>
  `{${columns.map(({ name, type }) => `${quoted(name)}: ${quoted(typeOf(type))}`).join(', ')}}`;

describe('files of vega-datasets, as DuckDB reads them', () => {
  it.each(FILES.filter((name) => /\.[ct]sv$/.test(name)))('%s has the same values', async (name) => {
    const { schema, rows } = await parsed(name);
    const { columns } = schema;
    const delimiter = name.endsWith('.tsv') ? '\t' : ',';
    const csv = (typeOf: (type: ColumnType) => string, nulls: string) =>
      `read_csv(${quoted(join(FOLDER, name))}, auto_detect = false, header = true, delim = ${quoted(delimiter)}, quote = '"', ` +
      `escape = '"', nullstr = ${nulls}, columns = ${struct(columns, typeOf)})`;

    // Text as it is; an empty cell is an empty text in a column of strings, and null in others.
    const texts = await duckRows(
      csv(() => 'VARCHAR', "'\\N'"),
      columns,
    );
    const typed = await duckRows(csv(duckType, "''"), columns);

    const expected = typed.map((row, at) =>
      row.map((cell, index) => (columns[index]!.type.kind === 'string' ? texts[at]![index]! : cell)),
    );
    expectSame(rows, expected, columns);
  });

  it.each(FILES.filter((name) => name.endsWith('.json')))('%s has the same values', async (name) => {
    const { schema, rows } = await parsed(name);
    const { columns } = schema;
    const json = `read_json(${quoted(join(FOLDER, name))}, maximum_object_size = 100000000, format = 'auto', columns = ${struct(columns, duckType)})`;

    const expected = await duckRows(json, columns);

    expectSame(rows, expected, columns);
  });

  it('flights-3m.parquet has the same values in every 97th row, and the same sums over all', async () => {
    const every = 97;
    const path = join(FOLDER, 'flights-3m.parquet');
    const records = (await newParser({ format: 'parquet' })).parse(createReadStream(path), {
      label: path,
      temporaryFolder,
    });
    const sampled: Row[] = [];
    let columns: readonly Column[] = [];
    let sums: number[] = [];
    for await (const { schema, rows, firstRow } of records) {
      columns = schema.columns;
      if (sums.length === 0) sums = columns.map(() => 0);
      for (let at = 0; at < rows.length; at++) {
        const row = rows[at]!;
        if ((firstRow + at) % every === 0) sampled.push(row);
        for (let index = 0; index < row.length; index++) sums[index]! += weightOf(row[index]!);
      }
    }

    const file = `read_parquet(${quoted(path)}, file_row_number = true)`;
    const sample = `(SELECT * FROM ${file} WHERE file_row_number % ${every} = 0 ORDER BY file_row_number)`;
    const weights = columns.map(({ name, type }) =>
      type.kind === 'long' ? `sum(${identifier(name)})` : `sum(length(${identifier(name)}::VARCHAR))`,
    );
    const all = await duck.runAndReadAll(
      `SELECT ${weights.map((weight) => `${weight}::DOUBLE`).join(', ')} FROM ${file}`,
    );

    expect(records.stats.rows).toBe(3_000_000);
    expectSame(sampled, await duckRows(sample, columns), columns);
    expect(sums).toEqual(all.getRows()[0]);
  }, 60_000);
});

const weightOf = (value: Value): number =>
  typeof value === 'bigint' ? Number(value) : typeof value === 'string' ? value.length : 0;
