import type { JsonObject } from '../../../../shared/core/json.ts';
import type { Column } from '../tables/column.ts';
import type { TableDefinition } from '../tables/definition.ts';
import type { Value } from '../tables/value.ts';

export type Format = 'jsonl' | 'csv' | 'tsv' | 'parquet';
export type Mode = 'expanded' | 'condensed';

/** A column of a tabular format: `value.settings.a` when expanded, `value.settings` when condensed. */
export interface FlatColumn {
  readonly name: string;
  /** JSON text is written for objects and arrays. */
  readonly schema: JsonObject;
  readonly read: (values: readonly Value[]) => Value;
}

/**
 * The value columns of a table, decided on its schema and not on its data. `meta` and `key` are not among them: all tabular
 * formats have those as `meta.ts`, `meta.action` (incremental results only) and `key.<name>`, first.
 */
export function flatColumns(definition: TableDefinition, schemaVersion: number, mode: Mode): FlatColumn[] {
  const flat: FlatColumn[] = [];
  for (const [index, [name, column]] of Object.entries(definition.columns).entries()) {
    spread(`value.${name}`, column, (values) => values[index] ?? null, schemaVersion, mode, flat);
  }
  return flat;
}

function spread(
  name: string,
  column: Column,
  read: (values: readonly Value[]) => Value,
  schemaVersion: number,
  mode: Mode,
  into: FlatColumn[],
): void {
  if (column.since > schemaVersion) return;
  if (!column.members || mode === 'condensed') {
    into.push({ name, schema: column.schema, read });
    return;
  }
  for (const [member, inner] of Object.entries(column.members)) {
    spread(`${name}.${member}`, inner, (values) => memberOf(read(values), member), schemaVersion, mode, into);
  }
}

function memberOf(value: Value, name: string): Value {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  return (value as { readonly [member: string]: Value })[name] ?? null;
}
