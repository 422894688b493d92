import type { JsonObject, JsonValue } from '../../../../shared/core/json.ts';
import type { Column } from './column.ts';
import type { TableDefinition } from './definition.ts';

/** The highest version that a table's columns know of. */
export function latestSchemaVersion(definition: TableDefinition): number {
  let latest = 1;
  const visit = (column: Column): void => {
    latest = Math.max(latest, column.since, column.laterValues?.since ?? 1);
    for (const member of Object.values(column.members ?? {})) visit(member);
  };
  for (const column of Object.values(definition.columns)) visit(column);
  return latest;
}

/**
 * The JSON Schema of a table at a version, as the service words it: a closed object of `meta`, `key` and `value`, shared
 * objects in `definitions`. Nothing in it is beyond what the vendor's client can turn into a database table.
 */
export function tableSchema(definition: TableDefinition, version: number): JsonObject {
  const definitions: JsonObject = {};
  const value = closedObject(definition.columns, version, definitions);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    title: definition.title,
    properties: {
      meta: {
        type: 'object',
        properties: {
          ts: { type: 'string', format: 'date-time', title: 'Commit time of the record.' },
          action: { type: 'string', enum: ['U', 'D'], title: 'Upsert or delete; in incremental results only.' },
        },
        additionalProperties: false,
        required: ['ts'],
      },
      key: closedObject({ [definition.keyName]: definition.key }, version, definitions),
      value,
    },
    additionalProperties: false,
    required: ['key'],
    ...(Object.keys(definitions).length === 0 ? {} : { definitions }),
  };
}

function closedObject(columns: Readonly<Record<string, Column>>, version: number, definitions: JsonObject): JsonObject {
  const properties: JsonObject = {};
  const required: string[] = [];
  for (const [name, column] of Object.entries(columns)) {
    if (column.since > version) continue;
    properties[name] = columnSchema(column, version, definitions);
    if (column.isRequired) required.push(name);
  }
  return { type: 'object', properties, additionalProperties: false, required };
}

function columnSchema(column: Column, version: number, definitions: JsonObject): JsonValue {
  const { schema, members, definition, laterValues } = column;
  if (members) {
    const object = { ...closedObject(members, version, definitions), title: schema.title ?? '' };
    if (definition === undefined) return object;
    definitions[definition] = object;
    return { $ref: `#/definitions/${definition}` };
  }
  if (laterValues && version >= laterValues.since && Array.isArray(schema.enum)) {
    return { ...schema, enum: [...schema.enum, ...laterValues.values] };
  }
  return schema;
}
