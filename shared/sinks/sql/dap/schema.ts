import { type ColumnType, JSON_TEXT } from '../../../records/column-type.ts';
import { schemaOfDapTable } from '../../../records/json-schema.ts';
import type { Schema } from '../../../records/schema.ts';
import type { MappingName } from '../own-tables.ts';

/**
 * The records of a table as they are read for a database. Nested values stay the text they are; in our mapping, which keeps
 * enums and limited texts as text, values that the schema does not know yet are taken as well.
 *
 * @param document the table's JSON Schema
 */
export function replicaSchema(document: unknown, mapping: MappingName): Schema {
  const schema = schemaOfDapTable(document);
  const columns = schema.columns.map((column) =>
    column.name.startsWith('meta.') ? column : { ...column, type: replicaType(column.type, mapping) },
  );
  return { ...schema, columns };
}

function replicaType(type: ColumnType, mapping: MappingName): ColumnType {
  switch (type.kind) {
    case 'struct':
    case 'map':
      return JSON_TEXT;
    case 'list':
      return mapping === 'landfall' || isNested(type.item) ? JSON_TEXT : type;
    case 'enum':
      return mapping === 'landfall' ? { ...type, open: true } : type;
    case 'string': {
      const { maxLength: _limit, ...free } = type;
      return mapping === 'landfall' ? free : type;
    }
    default:
      return type;
  }
}

const isNested = ({ kind }: ColumnType) => kind === 'list' || kind === 'struct' || kind === 'map' || kind === 'json';

/** The schema as the vendor's client keeps it: without `meta`, on one line. */
export function schemaDescription(document: unknown): string {
  const copy = structuredClone(document) as { properties?: Record<string, unknown> };
  delete copy.properties?.meta;
  return JSON.stringify(copy);
}
