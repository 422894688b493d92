import { randomBytes } from 'node:crypto';
import { badRequest, conflict } from '../errors.ts';
import type { CreateTable, NewColumn } from '../sql/statements.ts';
import { numbered, type PartitionRecord, type SegmentRecord, type TableRecord } from './definition.ts';
import { isSamePartition } from './partition-spec.ts';

/** A table as `CREATE TABLE` makes it: empty, at version 1. */
export function newTable(created: CreateTable, nowMs: number): TableRecord {
  const { columns, partitionColumns, primaryKey } = created;
  const names = [...columns, ...partitionColumns].map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw badRequest(`ODPS-0130071: column ${twice} is defined twice`, 'ODPS-0130071');
  for (const key of [...primaryKey, ...(created.clusteredBy?.columns ?? [])]) {
    if (!columns.some(({ name }) => name === key))
      throw badRequest(`ODPS-0130071: ${key} is no column`, 'ODPS-0130071');
  }
  const data = numbered(columns, 1);
  const partition = numbered(partitionColumns, data.nextId);
  return {
    name: created.name.at(-1)!,
    tableId: randomBytes(16).toString('hex'),
    comment: created.comment,
    columns: data.columns.map((column) => (primaryKey.includes(column.name) ? { ...column, nullable: false } : column)),
    partitionColumns: partition.columns,
    primaryKey,
    ...(created.clusteredBy && { clusteredBy: created.clusteredBy }),
    properties: created.properties,
    ...(created.lifecycleDays !== undefined && { lifecycleDays: created.lifecycleDays }),
    nextColumnId: partition.nextId,
    schemaVersion: 1,
    version: 1,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    definedAtMs: nowMs,
    partitions: partition.columns.length > 0 ? [] : [emptyPartition([], nowMs)],
  };
}

const emptyPartition = (values: readonly string[], nowMs: number): PartitionRecord => ({
  values,
  createdAtMs: nowMs,
  modifiedAtMs: nowMs,
  segments: [],
});

/** @throws {ServiceError} if a column is there already */
export function withColumns(record: TableRecord, added: readonly NewColumn[], nowMs: number): TableRecord {
  const { columns, nextId } = numbered(added, record.nextColumnId);
  for (const { name } of added) {
    if ([...record.columns, ...record.partitionColumns].some((column) => column.name === name)) {
      throw badRequest(`ODPS-0130071: column ${name} is there already`, 'ODPS-0130071');
    }
  }
  return {
    ...record,
    columns: [...record.columns, ...columns],
    nextColumnId: nextId,
    schemaVersion: record.schemaVersion + 1,
    definedAtMs: nowMs,
  };
}

export function withPartition(
  record: TableRecord,
  values: readonly string[],
  { ifNotExists, nowMs }: { readonly ifNotExists: boolean; readonly nowMs: number },
): TableRecord {
  if (record.partitions.some((one) => isSamePartition(one.values, values))) {
    if (ifNotExists) return record;
    throw conflict(`partition ${values.join('/')} is there already`, 'PartitionAlreadyExists');
  }
  const partitions = [...record.partitions, emptyPartition(values, nowMs)].sort(byValues);
  return { ...record, partitions, definedAtMs: nowMs };
}

export function withoutPartition(record: TableRecord, values: readonly string[], nowMs: number): TableRecord {
  const partitions = record.partitions.filter((one) => !isSamePartition(one.values, values));
  return { ...record, partitions, version: record.version + 1, modifiedAtMs: nowMs, definedAtMs: nowMs };
}

export function withoutRows(record: TableRecord, nowMs: number): TableRecord {
  const partitions = record.partitions.map((one) => ({ ...one, segments: [], modifiedAtMs: nowMs }));
  return { ...record, partitions, version: record.version + 1, modifiedAtMs: nowMs };
}

/** Rows that were uploaded for one partition. */
export interface UploadedSegment {
  readonly partition: readonly string[];
  readonly id: string;
  readonly rows: number;
  readonly bytes: number;
  readonly columnIds: readonly number[];
  readonly bucket?: number;
}

/** All of a session's rows at once. `overwritten` loses what it had before, also where nothing new comes. */
export function withRows(
  record: TableRecord,
  uploaded: readonly UploadedSegment[],
  { overwritten, nowMs }: { readonly overwritten: readonly (readonly string[])[]; readonly nowMs: number },
): TableRecord {
  if (uploaded.length === 0 && overwritten.length === 0) return record;
  const version = record.version + 1;
  const changed = [...uploaded.map(({ partition }) => partition), ...overwritten];
  const missing = changed.filter(
    (values, index) =>
      !record.partitions.some((one) => isSamePartition(one.values, values)) &&
      changed.findIndex((other) => isSamePartition(other, values)) === index,
  );
  const all = [...record.partitions, ...missing.map((values) => emptyPartition(values, nowMs))].sort(byValues);
  const partitions = all.map((one): PartitionRecord => {
    if (!changed.some((values) => isSamePartition(values, one.values))) return one;
    const kept = overwritten.some((values) => isSamePartition(values, one.values)) ? [] : one.segments;
    const added = uploaded.filter(({ partition }) => isSamePartition(partition, one.values));
    const segments = added.map(
      ({ partition: _, ...segment }): SegmentRecord => ({ ...segment, version, committedAtMs: nowMs }),
    );
    return { ...one, segments: [...kept, ...segments], modifiedAtMs: nowMs };
  });
  return { ...record, partitions, version, modifiedAtMs: nowMs };
}

const byValues = (a: PartitionRecord, b: PartitionRecord): number => {
  for (const [level, value] of a.values.entries()) {
    const other = b.values[level] ?? '';
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
};
