import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { type DapSession, Instant } from '../../shared/clients/dap/index.ts';

/** As text: ids do not fit into a number. */
export const keyOf = (row: string): string => /"key":(\{[^}]*\})/.exec(row)![1]!;
const writtenAt = (row: string): string => /"meta":\{"ts":"([^"]*)"/.exec(row)![1]!;

/** The records by key, once every change is applied in order. */
export function appliedRecords(rows: readonly string[]): Map<string, string> {
  const records = new Map<string, string>();
  for (const row of rows) {
    if (row.includes('"action":"D"')) records.delete(keyOf(row));
    else records.set(keyOf(row), row.replace(',"action":"U"', ''));
  }
  return records;
}

/** No version of a record is there twice, and none is later than the watermark. */
export function expectEachVersionOnce(table: string, rows: readonly string[], watermark: string): void {
  const versions = rows.map((row) => `${keyOf(row)} ${writtenAt(row)}`);
  expect(new Set(versions).size, `versions of records of ${table}`).toBe(versions.length);
  for (const row of rows)
    expect(Instant.from(writtenAt(row)).compare(Instant.from(watermark)), table).toBeLessThanOrEqual(0);
}

/** By table: what a new snapshot brings now, by key. The files go into a folder. */
export async function freshRecords(session: DapSession, folder: string): Promise<Map<string, Map<string, string>>> {
  const tables = await session.getTables('canvas');
  const fresh = await Promise.all(
    tables.map(async (table) => {
      const { downloadedFiles } = await session.downloadTableData('canvas', table, { format: 'jsonl' }, folder);
      const texts = await Promise.all(downloadedFiles.map(async (path) => gunzipSync(await readFile(path)).toString()));
      const rows = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
      return [table, new Map(rows.map((row) => [keyOf(row), row]))] as const;
    }),
  );
  return new Map(fresh);
}
