import type { SqlType } from './types.ts';

export interface Column {
  readonly name: string;
  readonly type: SqlType;
  readonly comment: string;
  readonly nullable: boolean;
  /** Given by the server, from 1 on; nested columns have ids of their own after it. Never used twice in a table. */
  readonly id: number;
}

/** Rows written together, in one file. */
export interface SegmentRecord {
  readonly id: string;
  readonly rows: number;
  readonly bytes: number;
  /** Columns of the table when it was written; the others are null in it. */
  readonly columnIds: readonly number[];
  readonly bucket?: number;
  /** Version of the table that brought it. */
  readonly version: number;
  readonly committedAtMs: number;
}

export interface PartitionRecord {
  /** One value a partition column; none for the one partition of a table that has no partition columns. */
  readonly values: readonly string[];
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly segments: readonly SegmentRecord[];
}

/** A table as it stands, replaced as a whole by every change. */
export interface TableRecord {
  readonly name: string;
  readonly tableId: string;
  readonly comment: string;
  readonly columns: readonly Column[];
  readonly partitionColumns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly clusteredBy?: { readonly columns: readonly string[]; readonly buckets: number };
  readonly properties: Readonly<Record<string, string>>;
  readonly lifecycleDays?: number;
  readonly nextColumnId: number;
  readonly schemaVersion: number;
  /** Raised by every change of its rows. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly definedAtMs: number;
  readonly partitions: readonly PartitionRecord[];
}

/** Whether it keeps versions, which incremental reads need; its row ranges are then the only splits. */
export const isTransactional = ({ properties, primaryKey }: TableRecord): boolean =>
  properties.transactional?.toLowerCase() === 'true' || primaryKey.length > 0;

export const allRows = ({ partitions }: TableRecord): number =>
  partitions.reduce((sum, { segments }) => sum + segments.reduce((rows, segment) => rows + segment.rows, 0), 0);

export const allBytes = ({ partitions }: TableRecord): number =>
  partitions.reduce((sum, { segments }) => sum + segments.reduce((bytes, segment) => bytes + segment.bytes, 0), 0);

/** Ids that a column takes up: its own, and one for each type nested in it. */
export function idsOf(type: SqlType): number {
  switch (type.kind) {
    case 'array':
    case 'vector':
      return 1 + idsOf(type.element);
    case 'map':
      return 1 + idsOf(type.key) + idsOf(type.value);
    case 'struct':
      return 1 + type.members.reduce((sum, member) => sum + idsOf(member.type), 0);
    default:
      return 1;
  }
}

/** Columns with ids from `nextId` on. */
export function numbered(
  columns: readonly Omit<Column, 'id'>[],
  nextId: number,
): { readonly columns: readonly Column[]; readonly nextId: number } {
  let next = nextId;
  const given = columns.map((column) => {
    const id = next;
    next += idsOf(column.type);
    return { ...column, id };
  });
  return { columns: given, nextId: next };
}
