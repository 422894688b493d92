import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import type { Row } from '../../local/servers/dap/generator.ts';
import { formatInstant } from '../../local/servers/dap/instants.ts';
import type { Column } from '../../local/servers/dap/tables/column.ts';
import type { TableDefinition } from '../../local/servers/dap/tables/definition.ts';
import type { Value } from '../../local/servers/dap/tables/value.ts';

/**
 * A record as a flat map from column to text, which every format can be brought to: `value.settings.a` for nested fields,
 * JSON text for arrays, null for what is NULL or missing. Integers keep all their digits.
 */
export type Cells = Record<string, string | null>;

/** What the generator says. */
export function cellsOfRow(
  definition: TableDefinition,
  schemaVersion: number,
  row: Row,
  isIncremental: boolean,
): Cells {
  const cells: Cells = { 'meta.ts': formatInstant(row.writtenAt), [`key.${definition.keyName}`]: textOf(row.key) };
  if (isIncremental) cells['meta.action'] = row.values === null ? 'D' : 'U';
  for (const [index, [name, column]] of Object.entries(definition.columns).entries()) {
    if (column.since <= schemaVersion)
      flatten(`value.${name}`, column, row.values?.[index] ?? null, schemaVersion, cells);
  }
  return cells;
}

function flatten(name: string, column: Column, value: Value, schemaVersion: number, into: Cells): void {
  if (!column.members) {
    into[name] = textOf(value);
    return;
  }
  for (const [member, inner] of Object.entries(column.members)) {
    if (inner.since > schemaVersion) continue;
    flatten(`${name}.${member}`, inner, (value as Record<string, Value> | null)?.[member] ?? null, schemaVersion, into);
  }
}

const textOf = (value: Value): string | null =>
  value === null ? null : Array.isArray(value) ? listText(value) : String(value);

const listText = (items: readonly unknown[]): string =>
  `[${items.map((item) => (typeof item === 'string' ? JSON.stringify(item) : String(item))).join(',')}]`;

/** What a file says. `columns` are those that JSON Lines may leave out. */
export async function cellsOfFile(format: string, file: Buffer, columns: readonly string[]): Promise<Cells[]> {
  if (format === 'parquet') return cellsOfParquet(file);
  const text = gunzipSync(file).toString('utf8');
  if (format === 'jsonl') return lines(text).map((line) => cellsOfJson(line, columns));
  const [header = [], ...rows] =
    format === 'csv' ? parseCsv(text) : lines(text).map((line) => line.split('\t').map(tsvCell));
  return rows.map((cells) => {
    if (cells.length !== header.length) throw new Error(`${cells.length} cells under ${header.length} names`);
    return Object.fromEntries(header.map((name, index) => [String(name), cells[index]!]));
  });
}

function lines(text: string): string[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  return text.split('\n').slice(0, -1);
}

function cellsOfJson(line: string, columns: readonly string[]): Cells {
  const cells: Cells = Object.fromEntries(columns.map((name) => [name, null]));
  const visit = (name: string, value: unknown): void => {
    if (Array.isArray(value)) cells[name] = listText(value);
    else if (typeof value !== 'object' || value === null) cells[name] = String(value);
    else for (const [member, inner] of Object.entries(value)) visit(name === '' ? member : `${name}.${member}`, inner);
  };
  visit('', parseLossless(line));
  return cells;
}

/** Numbers become bigint where they are integers: 64 bits do not fit into a double. */
function parseLossless(text: string): unknown {
  const reviver = (_key: string, value: unknown, context: { readonly source?: string }) =>
    typeof value === 'number' && /^-?\d+$/.test(context.source ?? '') ? BigInt(context.source!) : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

const TSV_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '0': '\0',
};

const tsvCell = (cell: string): string | null =>
  cell === '\\N' ? null : cell.replace(/\\(.)/g, (_all, letter: string) => TSV_ESCAPES[letter]!);

/** A reader of its own, character by character, so that it shares no mistake with the writer. */
function parseCsv(text: string): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let at = 0;
  while (at < text.length) {
    let cell: string | null = '';
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (text[at] === '"') at++;
        cell += text[at];
      }
      at++;
    } else {
      while (text[at] !== ',' && text[at] !== '\n') cell += text[at++];
      if (cell === '' || cell === 'NULL') cell = null;
    }
    row.push(cell);
    if (text[at] === '\n') {
      rows.push(row);
      row = [];
    }
    at++;
  }
  return rows;
}

async function cellsOfParquet(file: Buffer): Promise<Cells[]> {
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer;
  const parsers = {
    timestampFromMicroseconds: (micros: bigint) => formatInstant(Number(micros)),
    dateFromDays: (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10),
  };
  const rows = await parquetReadObjects({ file: buffer, parsers } as Parameters<typeof parquetReadObjects>[0]);
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value === null || value === undefined ? null : String(value)]),
    ),
  );
}
