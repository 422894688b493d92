import { describe, expect, it } from 'vitest';
import { loadArrow } from '../../../../shared/clients/maxcompute/arrow/library.ts';
import { arrowTypeOf } from '../../../../shared/clients/maxcompute/arrow/types.ts';
import {
  arrowSchemaOf,
  blobColumnIds,
  columnIds,
  InvalidRequestError,
  schemaDifferences,
} from '../../../../shared/clients/maxcompute/index.ts';
import { parseDeclaredType } from '../../../../shared/clients/maxcompute/tables/declared-type.ts';
import { failure } from '../../../support/client-calls.ts';
import { fixture, World } from './harness.ts';

interface SchemaCase {
  readonly name: string;
  readonly table_schema: unknown;
  readonly column_ids: Record<string, number>;
  readonly blob_column_ids: Record<string, number>;
}

describe('write schemas', () => {
  const { cases } = fixture<{ cases: SchemaCase[] }>('write_schema');

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const world = new World(() => ({ json: { TableSchema: one.table_schema } }));

    const schema = await world.table.getWriteSchema('ws-1');

    expect(Object.fromEntries(columnIds(schema))).toEqual(one.column_ids);
    expect(Object.fromEntries(blobColumnIds(schema))).toEqual(one.blob_column_ids);
  });

  it('an unknown type counts as text, and one with the wrong number of parts is an error', async () => {
    const schemaOf = (columnType: object) =>
      new World(() => ({ json: { TableSchema: { DataColumns: [{ columnType }] } } })).table.getWriteSchema('ws-1');

    expect((await schemaOf({ MemberName: 'c', Type: 99 })).dataColumns[0]).toMatchObject({ type: 'string' });
    expect(await failure(schemaOf({ MemberName: 'c', Type: 17 }))).toMatchObject({ name: 'UnparsableReplyError' });
  });
});

describe('declared types', () => {
  const { cases } = fixture<{ cases: { odps_type: string; arrow_type?: string }[] }>('type_mapping');
  /** Types that the vendor's Python client has no word for, and bare decimals, which other clients send narrower. */
  const ours: Record<string, string | undefined> = { decimal: 'decimal128(38, 18)', json: 'string', blob: 'binary' };

  it.each(cases.map(({ odps_type, arrow_type }) => [odps_type, ours[odps_type] ?? arrow_type] as const))(
    '%s is %s',
    async (declared, expected) => {
      const arrow = await loadArrow();

      if (expected === undefined) expect(() => arrowTypeOf(arrow, declared)).toThrow(InvalidRequestError);
      else expect(pyarrowName(arrowTypeOf(arrow, declared))).toBe(expected);
    },
  );

  it.each(['', 'array<', 'array<int', 'map<int>', 'struct<a>', 'decimal(10', 'int>', 'list<int>', 'struct<>'])(
    '%o is no type',
    (text) => {
      expect(() => parseDeclaredType(text)).toThrow(InvalidRequestError);
    },
  );

  it('members may be quoted, commented and spaced', () => {
    const { parts } = parseDeclaredType("struct< `a:b` : int NOT NULL comment 'x', c:array< string > >");

    expect(parts.map(({ name }) => name)).toEqual(['a:b', 'c']);
  });
});

describe('the schema of rows beside that of the table', () => {
  const bigint = { MemberName: 'id', ColumnId: 1, Type: 0 };
  const text = { MemberName: 'name', ColumnId: 2, Type: 4 };
  const table = async (...types: object[]) => {
    const json = { TableSchema: { DataColumns: types.map((columnType) => ({ columnType })) } };
    return new World(() => ({ json })).table.getWriteSchema('ws-1');
  };

  it('fits as it was made, in any order, with wide strings and other units of time', async () => {
    const arrow = await loadArrow();
    const schema = await table(bigint, text, { MemberName: 'at', Type: 13 });
    const made = await arrowSchemaOf(schema);
    const other = new arrow.Schema([
      new arrow.Field('at', new arrow.TimestampMillisecond()),
      new arrow.Field('name', new arrow.LargeUtf8()),
      new arrow.Field('id', new arrow.Int64()),
    ]);

    expect(await schemaDifferences(made, schema)).toEqual([]);
    expect(await schemaDifferences(other, schema)).toEqual([]);
  });

  it('differs readably', async () => {
    const arrow = await loadArrow();
    const schema = await table(bigint, text);
    const other = new arrow.Schema([
      new arrow.Field('id', new arrow.Int32()),
      new arrow.Field('extra', new arrow.Bool()),
    ]);

    expect(await schemaDifferences(other, schema)).toEqual([
      'id is Int32, which is not bigint',
      'name (string) is missing',
      'extra is no column of the table',
    ]);
  });
});

/** As pyarrow writes a type. */
function pyarrowName(type: unknown): string {
  const {
    children = [],
    typeId,
    ...rest
  } = type as {
    readonly children?: { readonly name: string; readonly type: never }[];
    readonly typeId: number;
    readonly precision: number;
    readonly scale: number;
    readonly bitWidth: number;
  };
  const text = String(type);
  const simple: Record<string, string> = {
    ...{ Int64: 'int64', Int32: 'int32', Int16: 'int16', Int8: 'int8', Float64: 'double', Float32: 'float' },
    ...{ Bool: 'bool', Utf8: 'string', Binary: 'binary', 'Date32<DAY>': 'date32[day]' },
    ...{ 'Timestamp<MILLISECOND>': 'timestamp[ms]', 'Timestamp<NANOSECOND>': 'timestamp[ns]' },
  };
  if (simple[text]) return simple[text];
  const { precision, scale, bitWidth } = type as typeof rest;
  if (text.startsWith('Decimal')) return `decimal${bitWidth}(${precision}, ${scale})`;
  const named = children.map((child) => `${child.name}: ${pyarrowName(child.type)}`);
  if (text.startsWith('List')) return `list<item: ${pyarrowName(children[0]!.type)}>`;
  if (text.startsWith('Struct')) return `struct<${named.join(', ')}>`;
  if (text.startsWith('Map')) {
    const entry = children[0]!.type as { readonly children: { readonly type: never }[] };
    return `map<${entry.children.map((child) => pyarrowName(child.type)).join(', ')}>`;
  }
  return `${text} ${typeId}`;
}
