import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRecordWriter } from '../../../shared/formats/formats.ts';
import type { FormatOptions } from '../../../shared/formats/options.ts';
import { newParser, type ParserOptions } from '../../../shared/parsers/formats.ts';
import type { Row, Schema } from '../../../shared/records/schema.ts';
import { schemaToJson } from '../../../shared/records/schema.ts';
import { inChunks, memoryFiles } from '../../support/byte-sinks.ts';
import { table } from '../../support/record-arbitraries.ts';

let temporaryFolder: string;
beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'landfall-formats-'));
});
afterAll(() => rm(temporaryFolder, { recursive: true }));

async function written(options: FormatOptions, schema: Schema, rows: readonly Row[]): Promise<Buffer | undefined> {
  const { files, open } = memoryFiles();
  const writer = newRecordWriter({ lineage: false, ...options }, open);
  const middle = Math.ceil(rows.length / 2);
  await writer.write({ schema, rows: rows.slice(0, middle), firstRow: 0 });
  await writer.write({ schema, rows: rows.slice(middle), firstRow: middle });
  await writer.close();
  return files[0]?.bytes;
}

async function read(options: ParserOptions, bytes: Buffer, chunkSize: number) {
  const parsed = (await newParser(options)).parse(inChunks(bytes, chunkSize), { label: 'a file', temporaryFolder });
  const rows: Row[] = [];
  for await (const batch of parsed) rows.push(...batch.rows);
  return { rows, schema: parsed.stats.schema! };
}

const FORMATS: readonly { writes: FormatOptions; reads: ParserOptions }[] = [
  { writes: { format: 'ndjson' }, reads: { format: 'ndjson' } },
  { writes: { format: 'ndjson', compression: 'zstd', omitNulls: true }, reads: { format: 'ndjson' } },
  { writes: { format: 'csv' }, reads: { format: 'csv', multiline: true } },
  { writes: { format: 'csv', compression: 'gzip', delimiter: '\t' }, reads: { format: 'tsv', multiline: true } },
  { writes: { format: 'parquet' }, reads: { format: 'parquet' } },
  { writes: { format: 'parquet', compression: 'zstd', rowGroupRows: 3 }, reads: { format: 'parquet' } },
  { writes: { format: 'avro' }, reads: { format: 'avro' } },
  { writes: { format: 'avro', compression: 'gzip' }, reads: { format: 'avro' } },
  { writes: { format: 'avro', compression: 'zstd' }, reads: { format: 'avro' } },
];

describe('random records', () => {
  it.each(FORMATS)('come back from $writes', async ({ writes, reads }) => {
    // A cell of nothing is null also in a column of strings where the file tells it from "".
    const nulls = reads.format === 'csv' || reads.format === 'tsv';
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 300 }), async ({ schema, rows }, chunkSize) => {
        const bytes = await written(writes, schema, rows);
        if (!bytes) {
          expect(rows).toEqual([]);
          return;
        }
        const nullValues = schema.columns.length === 1 ? ['NULL'] : [''];
        const options = {
          ...reads,
          schema: schemaToJson(schema).columns,
          ...(nulls && { nullValues, emptyAsNull: false }),
        } as ParserOptions;

        const back = await read(options, bytes, chunkSize);

        expect(back.rows).toEqual(rows);
      }),
      { numRuns: 300 },
    );
  });

  it.each(FORMATS.filter(({ writes }) => writes.format === 'parquet'))(
    'come back from $writes with their types, without a schema',
    async ({ writes, reads }) => {
      await fc.assert(
        fc.asyncProperty(table, async ({ schema, rows }) => {
          const bytes = await written(writes, schema, rows);
          if (!bytes) return;

          const back = await read(reads, bytes, 1000);

          expect(back.rows).toEqual(rows);
          expect(back.schema.columns.map(({ name, nullable }) => ({ name, nullable }))).toEqual(
            schema.columns.map(({ name, nullable }) => ({ name, nullable })),
          );
        }),
        { numRuns: 30 },
      );
    },
  );
});
