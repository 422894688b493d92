import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { camelCase } from './fields.ts';

/** Flyte's simple types, by their numbers. What is not one of ours is any JSON. */
const SIMPLE_TYPES = [
  'NONE',
  'INTEGER',
  'FLOAT',
  'STRING',
  'BOOLEAN',
  'DATETIME',
  'DURATION',
  'BINARY',
  'ERROR',
  'STRUCT',
];
const OURS = new Set(['INTEGER', 'FLOAT', 'STRING', 'BOOLEAN', 'DATETIME', 'DURATION']);

/**
 * The names and types of an interface's inputs or outputs. Flyte has them in `variables`, as a map or a list, each with a
 * literal type and a description; a value that is ours is left alone.
 */
export function plainVariables(declared: JsonObject): JsonObject {
  const { variables, ...others } = declared;
  if (typeof variables !== 'object' || variables === null || Object.keys(others).length > 0) return declared;
  const entries = Array.isArray(variables)
    ? variables.flatMap((one): [string, JsonValue][] =>
        isObject(one) && typeof one.key === 'string' ? [[one.key, (one as JsonObject).value ?? {}]] : [],
      )
    : Object.entries(variables);
  return Object.fromEntries(entries.map(([name, variable]) => [name, typeOfVariable(variable)]));
}

function typeOfVariable(variable: JsonValue): JsonValue {
  if (!isObject(variable)) return variable;
  const { type } = variable as JsonObject;
  return isObject(type) ? taskTypeOf(type as JsonObject) : (variable as JsonObject);
}

/** Of a literal type such as `{"simple": "INTEGER"}` or `{"collectionType": …}`. */
function taskTypeOf(literalType: JsonObject): string {
  for (const [name, value] of Object.entries(literalType)) {
    switch (camelCase(name)) {
      case 'simple': {
        const simple = typeof value === 'number' ? SIMPLE_TYPES[value] : value;
        return typeof simple === 'string' && OURS.has(simple) ? simple.toLowerCase() : 'json';
      }
      case 'collectionType':
        return `list<${isObject(value) ? taskTypeOf(value as JsonObject) : 'json'}>`;
      case 'mapValueType':
        return `map<${isObject(value) ? taskTypeOf(value as JsonObject) : 'json'}>`;
      case 'blob':
        return 'blob';
      case 'structuredDatasetType':
      case 'schema':
        return 'dataset';
      case 'enumType':
        return 'string';
    }
  }
  return 'json';
}
