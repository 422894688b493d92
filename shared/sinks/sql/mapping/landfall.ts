import { DAP_ACTION, DAP_TS } from '../../../records/json-schema.ts';
import type { Schema } from '../../../records/schema.ts';
import type { Dialect } from '../dialect.ts';
import { SchemaMismatchError } from '../errors.ts';
import { columnNames } from '../names.ts';
import type { SqlColumn, TablePlan } from '../storage.ts';

/** What a table is, besides its columns. */
export interface TableShape {
  /** Names of the records' fields that identify a row; empty: none do. */
  readonly key: readonly string[];
  /** Whether records carry the time at which they were written at the source. */
  readonly hasTs: boolean;
  readonly hasPartition: boolean;
}

/** The columns of records that become columns of a table. */
export const dataColumns = ({ columns }: Schema) =>
  columns.filter(({ name }) => name !== DAP_TS && name !== DAP_ACTION);

/**
 * Our mapping: every column but the key may be null, enums are text, what is nested is JSON, a timestamp is an instant.
 *
 * @throws {SchemaMismatchError} no such key, or no columns at all
 */
export function landfallPlan(schema: Schema, shape: TableShape, dialect: Dialect): TablePlan {
  const fields = dataColumns(schema);
  const missing = shape.key.find((name) => !fields.some((field) => field.name === name));
  if (missing !== undefined) throw new SchemaMismatchError(`the key ${JSON.stringify(missing)} is no column`);
  if (fields.length === 0) throw new SchemaMismatchError('the schema has no columns');
  const names = columnNames(
    fields.map(({ name }) => name),
    dialect.limits,
  );
  const columns = fields.map(({ name, type, description }, index): SqlColumn => {
    const isKey = shape.key.includes(name);
    return {
      name: names[index]!,
      source: name,
      type,
      storage: dialect.storageOf(type, isKey ? shape.key.length : 0),
      nullable: !isKey,
      ...(description !== undefined && { comment: description }),
    };
  });
  const key = shape.key.map((source) => columns.find((column) => column.source === source)!);
  const json = key.find(({ storage }) => storage.kind === 'json');
  if (json) throw new SchemaMismatchError(`the key ${JSON.stringify(json.source)} is nested, and so no key`);
  return {
    columns,
    key: key.map(({ name }) => name),
    hasTs: shape.hasTs,
    hasPartition: shape.hasPartition,
    ...(schema.description !== undefined && { comment: schema.description }),
  };
}
