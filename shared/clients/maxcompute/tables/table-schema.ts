import { UnparsableReplyError } from '../client-errors.ts';
import type { JsonReader } from '../json.ts';

/** By the service's numbers. */
const TYPE_NAMES = [
  ...['bigint', 'double', 'boolean', 'datetime', 'string', 'decimal', 'tinyint', 'smallint', 'int', 'char', 'varchar'],
  ...['binary', 'date', 'timestamp', 'float', 'interval_year_month', 'interval_day_time', 'array', 'map', 'struct'],
  ...['json', 'timestamp_ntz', 'blob', 'variant'],
] as const;
export type TypeName = (typeof TYPE_NAMES)[number];

/** A column of a table that is written to, or a part of one. */
export interface WriteColumn {
  /** Empty where the service names no part. */
  readonly name: string;
  /** Assigned by the service; what blob uploads call `columnIndex`. */
  readonly columnId: number;
  readonly typeName: TypeName;
  /** As it is declared: `map<string,decimal(10,2)>`. */
  readonly type: string;
  readonly nullable: boolean;
  readonly isDistributionKey: boolean;
  readonly hasDefaultValue: boolean;
  readonly defaultValue: string | null;
  /** Of an array its element, of a map key and value, of a struct its members. */
  readonly parts: readonly WriteColumn[];
}

/** The schema that rows are written by. */
export interface TableSchema {
  readonly dataColumns: readonly WriteColumn[];
  /** Such as `__operation` (tinyint: 85 upserts, 68 deletes) of tables with a primary key. */
  readonly systemColumns: readonly WriteColumn[];
}

/** @throws {UnparsableReplyError} a type with too few or too many parts */
export function parseTableSchema(reader: JsonReader): TableSchema {
  const columnsOf = (name: string) =>
    (reader.objects(name) ?? []).map((column) => parseColumn(column.object('columnType') ?? column));
  return { dataColumns: columnsOf('DataColumns'), systemColumns: columnsOf('SystemColumns') };
}

function parseColumn(reader: JsonReader): WriteColumn {
  const code = reader.integer('Type') ?? TYPE_NAMES.indexOf('string');
  // A type that is newer than this client is most likely told as text.
  const typeName = TYPE_NAMES[code] ?? 'string';
  const parts = (reader.objects('SubTypes') ?? []).map(parseColumn);
  const name = reader.text('MemberName') ?? '';
  const arity = ARITY[typeName];
  if (arity !== undefined && parts.length !== arity) {
    throw new UnparsableReplyError(`column ${JSON.stringify(name)}: ${typeName} must have ${arity} parts`);
  }
  return {
    name,
    columnId: reader.integer('ColumnId') ?? 0,
    typeName,
    type: typeText(typeName, parts, reader),
    nullable: reader.boolean('Nullable') ?? true,
    isDistributionKey: reader.boolean('IsDistributionKey') ?? false,
    hasDefaultValue: reader.boolean('HasDefaultValue') ?? false,
    defaultValue: reader.text('DefaultValue'),
    parts,
  };
}

const ARITY: Readonly<Partial<Record<TypeName, number>>> = { array: 1, map: 2 };

function typeText(typeName: TypeName, parts: readonly WriteColumn[], reader: JsonReader): string {
  switch (typeName) {
    case 'decimal': {
      const precision = reader.integer('Precision');
      return precision ? `decimal(${precision},${reader.integer('Scale') ?? 0})` : 'decimal';
    }
    case 'char':
    case 'varchar': {
      const length = reader.integer('SpecifiedLength');
      return length ? `${typeName}(${length})` : typeName;
    }
    case 'array':
    case 'map':
      return `${typeName}<${parts.map(({ type }) => type).join(',')}>`;
    case 'struct':
      return `struct<${parts.map(({ name, type }) => `${name}:${type}`).join(',')}>`;
    default:
      return typeName;
  }
}

/** Names of parts where the service gives none. */
const PART_NAMES: Readonly<Partial<Record<TypeName, readonly string[]>>> = {
  array: ['element'],
  map: ['key', 'value'],
};

/** The ids of all columns and their parts, by path: `c2`, `c3.element.f2`. */
export function columnIds(schema: TableSchema): Map<string, number> {
  return idsOf(schema, () => true);
}

/** The ids of blob columns, at any depth: what an upload takes as `columnIndex`. */
export function blobColumnIds(schema: TableSchema): Map<string, number> {
  return idsOf(schema, ({ typeName }) => typeName === 'blob');
}

function idsOf(schema: TableSchema, wanted: (column: WriteColumn) => boolean): Map<string, number> {
  const found = new Map<string, number>();
  const visit = (column: WriteColumn, path: string) => {
    if (wanted(column)) found.set(path, column.columnId);
    column.parts.forEach((part, index) => {
      visit(part, `${path}.${part.name || (PART_NAMES[column.typeName]?.[index] ?? String(index))}`);
    });
  };
  for (const column of [...schema.dataColumns, ...schema.systemColumns]) visit(column, column.name);
  return found;
}
