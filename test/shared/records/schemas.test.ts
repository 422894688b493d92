import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../shared/records/column-type.ts';
import { changeText, isCompatible, schemaChanges } from '../../../shared/records/diff.ts';
import { ColumnInference } from '../../../shared/records/infer.ts';
import { schemaOfDapTable, schemaOfJsonSchema } from '../../../shared/records/json-schema.ts';
import { type Schema, schemaFromJson, schemaToJson } from '../../../shared/records/schema.ts';
import { typeFromJson, typeText, typeToJson } from '../../../shared/records/type-text.ts';
import { mergeSchemas, widen } from '../../../shared/records/widen.ts';
import { columnType } from '../../support/record-arbitraries.ts';

const type = (json: unknown): ColumnType => typeFromJson(json, 'type');
const schema = (...columns: readonly (readonly [string, unknown, boolean?])[]): Schema =>
  schemaFromJson(columns.map(([name, of, nullable = true]) => ({ name, type: of, nullable })));

describe('types as text', () => {
  it.each([
    'boolean',
    'int',
    'int16',
    'long',
    'float',
    'double',
    'decimal(10,2)',
    'string',
    'string(255)',
    'string:uuid',
    'string(36):uuid',
    'bytes',
    'date',
    'time',
    'time(ns)',
    'timestamp',
    'timestamp(ms)',
    'local-timestamp',
    'local-timestamp(ns)',
    'json',
  ])('%s', (text) => {
    expect(typeText(type(text))).toBe(text);
  });

  it('come back, nested ones too', () => {
    fc.assert(
      fc.property(columnType, (one) => {
        expect(type(JSON.parse(JSON.stringify(typeToJson(one))))).toEqual(one);
      }),
    );
  });

  it.each([
    ['INTEGER', 'int'],
    ['bigint', 'long'],
    ['text', 'string'],
    ['decimal(5)', 'decimal(5,0)'],
    [' Decimal( 5 , 1 ) ', 'decimal(5,1)'],
  ])('%s is taken for %s', (given, means) => {
    expect(typeText(type(given))).toBe(means);
  });

  it.each([
    ['integr'],
    ['int(3)'],
    ['decimal'],
    ['decimal(39,2)'],
    ['decimal(2,3)'],
    ['timestamp(s)'],
    ['string(0)'],
    [3],
    [null],
    [{ lst: 'int' }],
    [{ enum: [1] }],
    [
      {
        struct: [
          { name: 'a', type: 'int' },
          { name: 'a', type: 'int' },
        ],
      },
    ],
  ])('%j is refused', (given) => {
    expect(() => type(given)).toThrow(/type/);
  });

  it('of a schema come back with key and descriptions', () => {
    const given = {
      columns: [{ name: 'id', type: 'long', nullable: false, description: 'Number.' }],
      key: ['id'],
      description: 'Orders.',
    };

    expect(schemaToJson(schemaFromJson(given))).toEqual(given);
    expect(() => schemaFromJson({ ...given, key: ['x'] })).toThrow('schema.key');
  });
});

describe('widening', () => {
  it.each<[unknown, unknown, unknown]>([
    ['int', 'long', 'long'],
    ['int', 'double', 'double'],
    ['long', 'double', 'double'],
    ['int16', 'float', 'float'],
    ['int', 'float', 'double'],
    ['double', 'string', 'string'],
    ['date', 'timestamp', 'timestamp'],
    ['date', 'local-timestamp(ns)', 'local-timestamp(ns)'],
    ['timestamp', 'string', 'string'],
    ['date', 'int', 'string'],
    ['boolean', 'int', 'string'],
    ['timestamp', 'local-timestamp', 'string'],
    ['timestamp(ms)', 'timestamp(ns)', 'timestamp(ns)'],
    ['decimal(5,2)', 'decimal(4,3)', 'decimal(6,3)'],
    ['int', 'decimal(5,2)', 'decimal(12,2)'],
    ['decimal(5,2)', 'double', 'string'],
    ['string(5)', 'string(9)', 'string(9)'],
    ['string(5)', 'string', 'string'],
    ['string:uuid', 'string', 'string'],
    [{ enum: ['a'] }, { enum: ['b'] }, { enum: ['a', 'b'] }],
    [{ enum: ['a'] }, 'string', 'string'],
    [{ list: 'int' }, { list: 'long' }, { list: 'long' }],
    [{ list: 'int' }, 'int', 'json'],
    [
      { struct: [{ name: 'a', type: 'int', nullable: false }] },
      { struct: [{ name: 'b', type: 'int', nullable: false }] },
      {
        struct: [
          { name: 'a', type: 'int', nullable: true },
          { name: 'b', type: 'int', nullable: true },
        ],
      },
    ],
    [{ map: 'int' }, { map: 'double' }, { map: 'double' }],
    ['json', 'string', 'json'],
  ])('%j and %j is %j', (a, b, both) => {
    expect(typeToJson(widen(type(a), type(b)))).toEqual(both);
    if (!JSON.stringify(a).includes('struct') && !JSON.stringify(a).includes('enum'))
      expect(typeToJson(widen(type(b), type(a)))).toEqual(both);
  });

  it('of schemas adds columns behind, nullable', () => {
    const merged = mergeSchemas(
      schema(['id', 'int', false], ['a', 'date']),
      schema(['id', 'long', false], ['b', 'string', false]),
    );

    expect(schemaToJson(merged).columns).toEqual([
      { name: 'id', type: 'long', nullable: false },
      { name: 'a', type: 'date', nullable: true },
      { name: 'b', type: 'string', nullable: true },
    ]);
  });
});

describe('inference from text', () => {
  it.each<[string[], string]>([
    [['1', '-2'], 'int'],
    [['1', '3000000000'], 'long'],
    [['1', '1.5'], 'double'],
    [['1', '1.5', 'x'], 'string'],
    [['-.5', '1e3'], 'double'],
    [['007'], 'string'],
    [['+1'], 'string'],
    [['-0'], 'double'],
    [['9007199254740993', '1.5'], 'string'],
    [['12345678901234567890'], 'string'],
    [['true', 'False'], 'boolean'],
    [['2024-02-29', '2023-01-01'], 'date'],
    [['2024-02-29', '2024-02-29T08:00:00Z'], 'timestamp'],
    [['2024-02-29', '2024-02-29 08:00:00'], 'local-timestamp'],
    [['2024-02-29', 'soon'], 'string'],
    [['2024-02-29T08:00:00.1234567Z'], 'timestamp(ns)'],
    [['08:30:00'], 'time'],
    [['nan', '1.5'], 'double'],
    [['nan', '1'], 'double'],
    [['inf'], 'string'],
    [['2023-02-29'], 'string'],
    [['1-2'], 'string'],
    [[], 'string'],
  ])('%j is %s', (cells, expected) => {
    const inference = new ColumnInference();
    for (const cell of cells) inference.addText(cell);

    expect(typeText(inference.result().type)).toBe(expected);
  });

  it('lets null take any type', () => {
    const inference = new ColumnInference();
    for (const cell of [null, '1', null]) inference.addText(cell);

    expect(inference.result()).toEqual({ type: type('int'), nullable: true });
  });
});

describe('inference from values', () => {
  it.each<[unknown[], unknown]>([
    [[1, 2 ** 40], 'long'],
    [[1.5, 1], 'double'],
    [[2n ** 62n], 'long'],
    [[2n ** 62n, 1.5], 'string'],
    [['2024-02-29'], 'date'],
    [['1'], 'string'],
    [[[1], [null, 2.5], []], { list: 'double' }],
    [
      [{ a: 1 }, { b: 'x' }],
      {
        struct: [
          { name: 'a', type: 'int', nullable: true },
          { name: 'b', type: 'string', nullable: true },
        ],
      },
    ],
    [[{}, { a: 1 }], 'json'],
    [[1, [1]], 'json'],
    [[null], 'string'],
  ] as [unknown[], unknown][])('case %#', (values, expected) => {
    const inference = new ColumnInference();
    for (const value of values) inference.addValue(value as never);

    expect(typeToJson(inference.result().type)).toEqual(expected);
  });
});

describe('schemas of JSON Schema', () => {
  it.each<[object, unknown]>([
    [{ type: 'integer', format: 'int16' }, 'int16'],
    [{ type: 'integer', format: 'int32' }, 'int'],
    [{ type: 'integer', format: 'int64' }, 'long'],
    [{ type: 'integer' }, 'long'],
    [{ type: 'integer', minimum: 0, maximum: 100 }, 'int16'],
    [{ type: 'integer', minimum: 0, maximum: 100_000 }, 'int'],
    [{ type: 'integer', enum: [1, 2] }, 'int16'],
    [{ type: 'number' }, 'double'],
    [{ type: 'number', format: 'float32' }, 'float'],
    [{ type: 'number', exclusiveMinimum: -1e8, exclusiveMaximum: 1e8, multipleOf: 0.01 }, 'decimal(10,2)'],
    [{ type: 'boolean' }, 'boolean'],
    [{ type: 'string' }, 'string'],
    [{ type: 'string', maxLength: 255 }, 'string(255)'],
    [{ type: 'string', const: 'abc' }, 'string(3)'],
    [{ type: 'string', format: 'date-time' }, 'timestamp'],
    [{ type: 'string', format: 'date' }, 'date'],
    [{ type: 'string', format: 'time' }, 'time'],
    [{ type: 'string', format: 'uuid' }, 'string:uuid'],
    [{ type: 'string', format: 'ipv4' }, 'string:ipv4'],
    [{ type: 'string', format: 'hostname' }, 'string'],
    [{ type: 'string', enum: ['a', 'b'] }, { enum: ['a', 'b'] }],
    [{ oneOf: [{ type: 'string', enum: ['a'] }, { type: 'string' }] }, { enum: ['a'], open: true }],
    [
      {
        oneOf: [
          { type: 'string', format: 'ipv4' },
          { type: 'string', format: 'ipv6' },
        ],
      },
      'string:ip',
    ],
    [{ type: 'array', items: { type: 'string' } }, { list: 'string' }],
    [{ type: 'object' }, 'json'],
    [{ type: 'object', additionalProperties: { type: 'integer', format: 'int32' } }, { map: 'int' }],
    [{ $ref: '#/definitions/s' }, { struct: [{ name: 'a', type: 'boolean', nullable: true }] }],
    [{ $ref: '#/definitions/none' }, 'json'],
    [{ type: ['string', 'null'] }, 'string'],
    [{ type: ['string', 'integer'] }, 'json'],
    [{ anyOf: [{ type: 'integer', format: 'int32' }, { type: 'null' }] }, 'int'],
    [{}, 'json'],
  ])('%j is %j', (property, expected) => {
    const document = {
      properties: { x: property },
      definitions: { s: { type: 'object', properties: { a: { type: 'boolean' } } } },
    };

    expect(typeToJson(schemaOfJsonSchema(document).columns[0]!.type)).toEqual(expected);
  });

  it('ends where a definition holds itself', () => {
    const document = {
      properties: { x: { $ref: '#/definitions/s' } },
      definitions: { s: { type: 'object', properties: { s: { $ref: '#/definitions/s' } } } },
    };

    expect(schemaOfJsonSchema(document).columns).toHaveLength(1);
  });

  it('of a DAP table has meta, key and value by their plain names', () => {
    const table = {
      title: 'Courses.',
      properties: {
        meta: { properties: { ts: {} } },
        key: { properties: { id: { type: 'integer', format: 'int64', title: 'Identifier.' } } },
        value: { properties: { name: { type: 'string', description: 'Shown.' } }, required: ['name'] },
      },
    };

    expect(schemaToJson(schemaOfDapTable({ schema: table, version: 1 }))).toEqual({
      columns: [
        { name: 'meta.ts', type: 'timestamp', nullable: true },
        { name: 'meta.action', type: { enum: ['U', 'D'] }, nullable: true },
        { name: 'id', type: 'long', nullable: false, description: 'Identifier.' },
        { name: 'name', type: 'string', nullable: true, description: 'Shown.' },
      ],
      key: ['id'],
      description: 'Courses.',
    });
    expect(
      schemaOfDapTable(table, { nullability: 'declared', meta: false }).columns.map(({ nullable }) => nullable),
    ).toEqual([false, false]);
  });
});

describe('differences of schemas', () => {
  it('are told column by column, and which of them what was there fits', () => {
    const from = schema(['id', 'int', false], ['gone', 'string'], ['at', 'timestamp'], ['b', 'string', false]);
    const to = schema(['at', 'date'], ['id', 'long', false], ['b', 'string'], ['c', 'int'], ['d', 'int', false]);

    const changes = schemaChanges(from, to);

    expect(changes.map((change) => [changeText(change), isCompatible(change)])).toEqual([
      ['"id": int → long', true],
      ['removed "gone" string', false],
      ['"at": timestamp → date', false],
      ['"b": may be null now', true],
      ['added "c" int', true],
      ['added "d" int not null', false],
    ]);
    expect(schemaChanges(from, from)).toEqual([]);
  });
});
