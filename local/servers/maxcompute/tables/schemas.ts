import type { JsonObject } from '../../../../shared/core/json.ts';
import { type Column, idsOf, type TableRecord } from './definition.ts';
import { formatType, PLAIN_CODES, type SqlType } from './types.ts';

const readColumn = ({ name, type, comment, nullable, id }: Column): JsonObject => ({
  Name: name,
  Type: formatType(type),
  Comment: comment,
  Nullable: nullable,
  ColumnId: id,
});

/** `DataSchema` of read sessions. */
export const readSchema = (columns: readonly Column[], partitionColumns: readonly Column[]): JsonObject => ({
  DataColumns: columns.map(readColumn),
  PartitionColumns: partitionColumns.map(readColumn),
});

/** Codes that are not those of plain types. */
const CODES = { decimal: 5, char: 9, varchar: 10, array: 17, map: 18, struct: 19, vector: 17 } as const;

interface Place {
  readonly name: string;
  readonly id: number;
  readonly nullable: boolean;
  readonly isDistributionKey?: boolean;
}

function columnType(type: SqlType, { name, id, nullable, isDistributionKey = false }: Place): JsonObject {
  const code =
    type.kind in CODES ? CODES[type.kind as keyof typeof CODES] : PLAIN_CODES[type.kind as keyof typeof PLAIN_CODES];
  const isDecimal = type.kind === 'decimal';
  return {
    MemberName: name,
    ColumnId: id,
    Type: code,
    Nullable: nullable,
    Precision: isDecimal ? (type.precision ?? 38) : 0,
    Scale: isDecimal ? (type.scale ?? 18) : 0,
    SpecifiedLength: type.kind === 'char' || type.kind === 'varchar' ? type.length : 0,
    IsDistributionKey: isDistributionKey,
    HasDefaultValue: false,
    DefaultValue: '',
    SubTypes: childrenOf(type, id),
  };
}

function childrenOf(type: SqlType, id: number): JsonObject[] {
  let next = id + 1;
  const child = (name: string, inner: SqlType, nullable = true) => {
    const made = columnType(inner, { name, id: next, nullable });
    next += idsOf(inner);
    return made;
  };
  switch (type.kind) {
    case 'array':
    case 'vector':
      return [child('', type.element)];
    case 'map':
      return [child('', type.key, false), child('', type.value)];
    case 'struct':
      return type.members.map((member) => child(member.name, member.type));
    default:
      return [];
  }
}

/** `TableSchema` of write sessions and of instance results. */
export function writeSchema(
  columns: readonly Column[],
  table?: Pick<TableRecord, 'primaryKey' | 'clusteredBy' | 'nextColumnId'>,
): JsonObject {
  const keys = table?.clusteredBy?.columns ?? table?.primaryKey ?? [];
  const described = (column: Column): JsonObject => ({
    columnType: columnType(column.type, { ...column, isDistributionKey: keys.includes(column.name) }),
    comment: column.comment,
    label: '',
    extendedLabels: [],
  });
  return { DataColumns: columns.map(described), SystemColumns: [] };
}
