import { isObject } from '../../../core/json.ts';
import type { ColumnType } from '../../../records/column-type.ts';
import type { Schema } from '../../../records/schema.ts';
import type { Dialect } from '../dialect.ts';
import { CompositeKeyError, SchemaMismatchError } from '../errors.ts';
import { columnNames, type TableName } from '../names.ts';
import { typeName } from '../postgres/dialect.ts';
import type { SqlColumn, Storage, TablePlan } from '../storage.ts';
import { dataColumns, type TableShape } from './landfall.ts';

/**
 * The mapping of the vendor's client in PostgreSQL: closed enums are types, open ones numbers of a lookup table, lists arrays,
 * timestamps have no zone, limits and defaults and what is required are the schema's.
 *
 * @param document the table's schema as the service answers it
 * @throws {CompositeKeyError} a key of several columns
 * @throws {SchemaMismatchError} another database than PostgreSQL
 */
export function referencePlan(
  schema: Schema,
  shape: TableShape,
  dialect: Dialect,
  table: TableName,
  document: unknown,
): TablePlan {
  if (dialect.name !== 'postgresql')
    throw new SchemaMismatchError('the reference mapping is for PostgreSQL; in MySQL use ours');
  if (shape.key.length !== 1)
    throw new CompositeKeyError(`${table.namespace}.${table.name} has a key of ${shape.key.length} columns, not one`);
  const declared = declaredColumns(document);
  const fields = dataColumns(schema);
  const names = columnNames(
    fields.map(({ name }) => name),
    dialect.limits,
  );
  const columns = fields.map(({ name, type, description }, index): SqlColumn => {
    const { property = {}, required = false } = declared.get(name) ?? {};
    const storage = storageOf(type, `${table.name}__${name}`, table.namespace, property);
    const fallback = literalOf(property.default, dialect);
    return {
      name: names[index]!,
      source: name,
      type,
      storage,
      nullable: !required && !shape.key.includes(name),
      ...(description !== undefined && { comment: description }),
      ...(fallback !== undefined && { fallback }),
    };
  });
  return {
    columns,
    key: columns.filter(({ source }) => shape.key.includes(source)).map(({ name }) => name),
    hasTs: false,
    hasPartition: false,
    ...(schema.description !== undefined && { comment: schema.description }),
  };
}

interface Declared {
  readonly property: Readonly<Record<string, unknown>>;
  readonly required: boolean;
}

function declaredColumns(document: unknown): ReadonlyMap<string, Declared> {
  const root = isObject(document) && isObject(document.schema) ? document.schema : document;
  const sections = isObject(root) && isObject(root.properties) ? root.properties : {};
  const found = new Map<string, Declared>();
  for (const section of [sections.key, sections.value]) {
    if (!isObject(section) || !isObject(section.properties)) continue;
    const required = new Set(Array.isArray(section.required) ? (section.required as unknown[]) : []);
    for (const [name, property] of Object.entries(section.properties))
      found.set(name, { property: isObject(property) ? property : {}, required: required.has(name) });
  }
  return found;
}

function storageOf(
  type: ColumnType,
  qualifiedName: string,
  namespace: string,
  property: Readonly<Record<string, unknown>>,
): Storage {
  switch (type.kind) {
    case 'boolean':
    case 'double':
    case 'date':
    case 'time':
      return { kind: type.kind };
    case 'float':
      return { kind: 'real' };
    case 'int':
      return { kind: 'integer', bits: type.bits };
    case 'long':
      return { kind: 'integer', bits: 64 };
    case 'decimal':
      return { kind: 'numeric', precision: type.precision, scale: type.scale };
    case 'bytes':
      return { kind: 'bytes' };
    case 'timestamp':
      return { kind: 'timestamp', zoned: false };
    case 'enum':
      // A list of one is kept as one that may grow.
      return type.open || type.values.length < 2
        ? { kind: 'lookup', table: qualifiedName }
        : { kind: 'enum', values: type.values, typeName: typeName(namespace, qualifiedName) };
    case 'string':
      if (type.format === 'uuid') return { kind: 'uuid' };
      if (type.format === 'ipv4') return { kind: 'address', family: 4 };
      if (type.format === 'ipv6') return { kind: 'address', family: 6 };
      if (type.format === 'ip') return { kind: 'address', family: 'any' };
      return {
        kind: 'text',
        ...(type.maxLength !== undefined && { maxLength: type.maxLength }),
        ...(typeof property.const === 'string' && { fixed: true }),
      };
    case 'list':
      return isScalar(type.item)
        ? { kind: 'array', item: storageOf(type.item, qualifiedName, namespace, {}) }
        : { kind: 'json' };
    default:
      return { kind: 'json' };
  }
}

const isScalar = ({ kind }: ColumnType) =>
  kind !== 'list' && kind !== 'struct' && kind !== 'map' && kind !== 'json' && kind !== 'enum';

function literalOf(value: unknown, dialect: Dialect): string | undefined {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? dialect.literal(value) : undefined;
}
