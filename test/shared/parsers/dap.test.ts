import { describe, expect, it } from 'vitest';
import { csv } from '../../../local/servers/dap/formats/csv.ts';
import { jsonLines } from '../../../local/servers/dap/formats/jsonl.ts';
import { tsv } from '../../../local/servers/dap/formats/tsv.ts';
import { Generator, type Row } from '../../../local/servers/dap/generator.ts';
import { parseInstant } from '../../../local/servers/dap/instants.ts';
import { DEFAULT_TABLES } from '../../../local/servers/dap/tables/catalog.ts';
import type { TableDefinition } from '../../../local/servers/dap/tables/definition.ts';
import { latestSchemaVersion, tableSchema } from '../../../local/servers/dap/tables/schema.ts';
import { dapParserOptions } from '../../../shared/parsers/dap.ts';
import { parseAll } from '../../support/parsing.ts';

const ROWS = 150;

function rowsOf(definition: TableDefinition): Row[] {
  const generator = new Generator(definition, {
    seed: 7,
    rowsOf: () => ROWS,
    idBaseOf: () => 2n ** 53n,
    firstCommitAt: parseInstant('2026-01-06T08:00:00Z')!,
    refreshEvery: 4 * 3600 * 1_000_000,
    isSilent: () => false,
  });
  const version = latestSchemaVersion(definition);
  const rows = Array.from(
    { length: ROWS },
    (_, index) =>
      generator.row(
        index,
        12,
        () => version,
        () => true,
      )!,
  );
  return [...rows, { ...rows[0]!, values: null }];
}

describe('tables of the local DAP server', () => {
  it.each(DEFAULT_TABLES.map((definition) => [definition.name, definition] as const))(
    '%s has the same records in every format and mode, none lost, none bad',
    async (_name, definition) => {
      const version = latestSchemaVersion(definition);
      const document = { schema: tableSchema(definition, version), version };
      const rows = rowsOf(definition);
      const parsed = async (
        format: 'jsonl' | 'csv' | 'tsv',
        { header, encode }: { header: string; encode(row: Row): string },
      ) => {
        const text = header + rows.map((row) => encode(row)).join('');
        const {
          names,
          rows: records,
          stats,
        } = await parseAll(dapParserOptions(format, document), text, { chunkSize: 10_000 });
        expect(stats).toMatchObject({ rows: rows.length, badRecords: 0, rescuedValues: 0 });
        return { names, records };
      };

      const lines = await parsed('jsonl', jsonLines(definition, version, true));

      expect(lines.names.slice(0, 3)).toEqual(['meta.ts', 'meta.action', definition.keyName]);
      expect(lines.names.slice(3)).toEqual(Object.keys(definition.columns));
      expect(lines.records.at(-1)?.slice(1)).toEqual([
        'D',
        lines.records[0]![2],
        ...Object.keys(definition.columns).map(() => null),
      ]);
      for (const mode of ['condensed', 'expanded'] as const) {
        expect(await parsed('tsv', tsv(definition, version, mode, true))).toEqual(lines);
        expect(await parsed('csv', csv(definition, version, mode, true))).toEqual(lines);
      }
    },
  );
});

const TABLE = {
  properties: {
    key: { properties: { id: { type: 'integer', format: 'int64' } } },
    value: {
      properties: { name: { type: 'string' }, at: { type: 'string', format: 'date-time' }, x: { type: 'number' } },
    },
  },
};

describe('peculiar records of DAP', () => {
  it('in CSV tell NULL, nothing, "NULL" and "" apart', async () => {
    const input =
      'meta.ts,key.id,value.name\n2026-01-06T08:00:00Z,1,NULL\n2026-01-06T08:00:00Z,2,\n2026-01-06T08:00:00Z,3,"NULL"\n2026-01-06T08:00:00Z,4,""\n';

    const { rows, names } = await parseAll(dapParserOptions('csv', TABLE), input);

    expect(rows.map((row) => row[names.indexOf('name')])).toEqual([null, null, 'NULL', '']);
  });

  it('keep timestamps far away, numbers that are not finite and truncation markers as they are', async () => {
    const input =
      'meta.ts\tkey.id\tvalue.name\tvalue.at\tvalue.x\n' +
      '2026-01-06T08:00:00Z\t9223372036854775807\t__cd2_oversized_truncated__\t+012345-01-01T00:00:00Z\t-inf\n' +
      '2026-01-06T08:00:00Z\t2\t\t-0044-03-15T12:00:00Z\tnan\n';

    const { rows } = await parseAll(dapParserOptions('tsv', TABLE), input);

    expect(rows.map((row) => row.slice(2))).toEqual([
      [9223372036854775807n, '__cd2_oversized_truncated__', '+012345-01-01T00:00:00Z', -Infinity],
      [2n, '', '-000044-03-15T12:00:00Z', Number.NaN],
    ]);
  });

  it('go to _rescued where a value is none of its type, and are bad without a key', async () => {
    const input =
      '{"key":{"id":1},"value":{"at":"yesterday"},"meta":{"ts":"2026-01-06T08:00:00Z"}}\n{"value":{}}\n{"key":{"id":null}}\n';

    const { rows, names, quarantined } = await parseAll(
      dapParserOptions('jsonl', TABLE, { badRecords: 'quarantine' }),
      input,
    );

    expect(rows[0]![names.indexOf('_rescued')]).toBe('{"at":"yesterday"}');
    expect(quarantined).toMatchObject([{ reason: 'it has no key' }, { reason: '"id" may not be null' }]);
  });

  it('of a table with a column that the schema does not name refuse it, or take it in', async () => {
    const input = 'meta.ts\tkey.id\tvalue.new\n2026-01-06T08:00:00Z\t1\tx\n';

    expect((await parseAll(dapParserOptions('tsv', TABLE), input)).names).toContain('new');
    await expect(parseAll(dapParserOptions('tsv', TABLE), input.replace('value.new', 'new'))).rejects.toMatchObject({
      code: 'ColumnMismatch',
    });
  });
});
