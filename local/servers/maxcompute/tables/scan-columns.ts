import type { Data } from 'apache-arrow';
import { constant } from '../arrow/constant.ts';
import { nulls } from '../arrow/gather.ts';
import { type ArrowForm, arrowType, storedForm } from '../arrow/types.ts';
import { matching } from '../sql/evaluate.ts';
import type { Column } from './definition.ts';
import type { Scan, ScanPart } from './scan.ts';

/** A column of the rows of a batch as it is stored: a partition's value, or nulls where it is younger than the rows. */
export function columnOf(
  column: Column,
  part: ScanPart,
  raw: readonly Data[],
  { record }: Scan,
  rows: number,
  form: ArrowForm,
): Data {
  const level = record.partitionColumns.findIndex(({ id }) => id === column.id);
  if (level !== -1) return constant(column.type, part.partition[level]!, rows, form);
  const index = part.segment.columnIds.indexOf(column.id);
  return index === -1 ? nulls(arrowType(column.type, form), rows) : raw[index]!;
}

/** What a condition may ask about. */
export const filterColumns = (scan: Scan, part: ScanPart, raw: readonly Data[], rows: number) => {
  const form = storedForm(128);
  const { columns, partitionColumns } = scan.record;
  return [
    ...columns.map((column) => {
      // Of columns younger than the rows, no more than that they are null is asked.
      const values = columnOf(column, part, raw, scan, rows, form);
      return { name: column.name, type: column.type, values };
    }),
    ...partitionColumns.map(({ name, type }, level) => ({ name, type, values: part.partition[level]! })),
  ];
};

/** A filter that names no column, or compares with no value of its type, shall fail here, not in the middle of a read. */
export function checkFilter({ filter, record }: Scan): void {
  if (!filter) return;
  const columns = [...record.columns, ...record.partitionColumns].map(({ name, type }) => ({
    name,
    type,
    values: nulls(arrowType(type, storedForm(128)), 0),
  }));
  matching(filter, columns, 0);
}
