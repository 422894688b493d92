import { isObject } from '../core/json.ts';
import {
  BOOLEAN,
  BYTES,
  type ColumnType,
  DATE,
  DOUBLE,
  decimal,
  type Field,
  FLOAT,
  INT,
  INT_RANGE,
  JSON_TEXT,
  LONG,
  STRING,
  type StringFormat,
  TIME,
  TIMESTAMP,
} from './column-type.ts';
import type { Schema } from './schema.ts';
import { widen } from './widen.ts';

type Node = Readonly<Record<string, unknown>>;

/**
 * The columns of a JSON Schema of an object: integers by their format or bounds, a `number` of symmetric exclusive bounds and
 * `multipleOf` as a decimal, `oneOf` of an enum and a string as an open enum, `oneOf` of `ipv4` and `ipv6` as an address, a
 * closed object as a struct, an open one as json. What is not `required`, or may be null, is nullable. Unknown keywords are
 * ignored; a node that says too little is json.
 *
 * @param root where `$ref` looks; by default `schema` itself
 */
export function schemaOfJsonSchema(schema: unknown, root: unknown = schema): Schema {
  const node = resolved(schema, root);
  return { columns: fieldsOf(node, root, 0), ...(textOf(node) !== undefined && { description: textOf(node)! }) };
}

export interface DapSchemaOptions {
  /** `lenient`: values may be null whatever the schema says, as they are in practice and in deletions. Default. */
  readonly nullability?: 'lenient' | 'declared';
  /** Whether the columns `meta.ts` and `meta.action` come first. Default true. */
  readonly meta?: boolean;
}

/** When the record was written at the source; names with a dot meet no other. */
export const DAP_TS = 'meta.ts';
/** `U` or `D`; null, which is `U`, in a snapshot. */
export const DAP_ACTION = 'meta.action';

/**
 * The flattened record of a DAP table: `meta.ts`, `meta.action`, the key, the values, each by its plain name.
 *
 * @param document the table's schema, or the answer of the service with `schema` in it
 */
export function schemaOfDapTable(document: unknown, options: DapSchemaOptions = {}): Schema {
  const { nullability = 'lenient', meta = true } = options;
  const root = isObject(document) && isObject(document.schema) ? document.schema : document;
  const node = resolved(root, root);
  const properties = isObject(node.properties) ? node.properties : {};
  const key = fieldsOf(resolved(properties.key, root), root, 0).map((field) => ({ ...field, nullable: false }));
  const value = fieldsOf(resolved(properties.value, root), root, 0).map((field) =>
    nullability === 'lenient' ? lenient(field) : field,
  );
  const metaColumns: Field[] = [
    { name: DAP_TS, type: TIMESTAMP, nullable: nullability === 'lenient' },
    { name: DAP_ACTION, type: { kind: 'enum', values: ['U', 'D'], open: false }, nullable: true },
  ];
  return {
    columns: [...(meta ? metaColumns : []), ...key, ...value],
    key: key.map(({ name }) => name),
    ...(textOf(node) !== undefined && { description: textOf(node)! }),
  };
}

/** Null is allowed at every level. */
const lenient = (field: Field): Field => ({ ...field, type: lenientType(field.type), nullable: true });

function lenientType(type: ColumnType): ColumnType {
  if (type.kind === 'struct') return { kind: 'struct', fields: type.fields.map(lenient) };
  return type.kind === 'list' ? { kind: 'list', item: lenientType(type.item) } : type;
}

const DEPTH_MAX = 64;

function fieldsOf(node: Node, root: unknown, depth: number): Field[] {
  const required = new Set(Array.isArray(node.required) ? (node.required as unknown[]) : []);
  if (!isObject(node.properties)) return [];
  return Object.entries(node.properties).map(([name, property]) => {
    const { type, nullable } = typeOf(property, root, depth + 1);
    const description = textOf(isObject(property) ? property : {}) ?? textOf(resolved(property, root));
    return {
      name,
      type,
      nullable: nullable || !required.has(name),
      ...(description !== undefined && { description }),
    };
  });
}

interface Typed {
  readonly type: ColumnType;
  readonly nullable: boolean;
}

function typeOf(property: unknown, root: unknown, depth: number): Typed {
  // Also what refers to itself ends here.
  if (depth > DEPTH_MAX) return { type: JSON_TEXT, nullable: true };
  const node = resolved(property, root);
  const choices = node.oneOf ?? node.anyOf;
  if (Array.isArray(choices)) return typeOfChoices(choices, root, depth);
  const names = Array.isArray(node.type) ? (node.type as unknown[]) : [node.type];
  const others = names.filter((name) => name !== 'null');
  const nullable = others.length < names.length || node.const === null;
  const [name, second] = others;
  if (second !== undefined) return { type: JSON_TEXT, nullable };
  return { type: typeNamed(name, node, root, depth), nullable };
}

function typeNamed(name: unknown, node: Node, root: unknown, depth: number): ColumnType {
  switch (name) {
    case 'boolean':
      return BOOLEAN;
    case 'integer':
      return integerType(node);
    case 'number':
      return numberType(node);
    case 'string':
      return stringType(node);
    case 'array':
      return { kind: 'list', item: node.items === undefined ? JSON_TEXT : typeOf(node.items, root, depth + 1).type };
    case 'object':
      return objectType(node, root, depth);
  }
  // No type: an enum or constant may still tell.
  const values = Array.isArray(node.enum) ? (node.enum as unknown[]) : 'const' in node ? [node.const] : [];
  if (values.length > 0 && values.every((value) => typeof value === 'string')) return stringType(node);
  if (isObject(node.properties)) return objectType(node, root, depth);
  return JSON_TEXT;
}

function integerType(node: Node): ColumnType {
  if (node.format === 'int16') return { kind: 'int', bits: 16 };
  if (node.format === 'int32') return INT;
  if (node.format === 'int64') return LONG;
  const values = Array.isArray(node.enum) ? (node.enum as unknown[]).filter((one) => typeof one === 'number') : [];
  const min = values.length > 0 ? Math.min(...values) : node.minimum;
  const max = values.length > 0 ? Math.max(...values) : node.maximum;
  if (typeof min !== 'number' || typeof max !== 'number') return LONG;
  for (const bits of [16, 32] as const) {
    if (min >= INT_RANGE[bits].min && max <= INT_RANGE[bits].max) return { kind: 'int', bits };
  }
  return LONG;
}

function numberType(node: Node): ColumnType {
  if (node.format === 'float32') return FLOAT;
  const { multipleOf, exclusiveMinimum: low, exclusiveMaximum: high } = node;
  if (typeof multipleOf === 'number' && typeof high === 'number' && low === -high && high > 0) {
    const scale = Math.round(-Math.log10(multipleOf));
    const whole = Math.round(Math.log10(high));
    const isPower = Math.abs(10 ** -scale / multipleOf - 1) < 1e-9 && Math.abs(10 ** whole / high - 1) < 1e-9;
    if (isPower && scale >= 0 && whole >= 0 && whole + scale >= 1 && whole + scale <= 38)
      return decimal(whole + scale, scale);
  }
  return DOUBLE;
}

const STRING_FORMATS: Readonly<Record<string, StringFormat>> = {
  __proto__: null as never,
  uuid: 'uuid',
  ipv4: 'ipv4',
  ipv6: 'ipv6',
  duration: 'duration',
};

function stringType(node: Node): ColumnType {
  if (Array.isArray(node.enum) && node.enum.every((value) => typeof value === 'string'))
    return { kind: 'enum', values: node.enum as string[], open: false };
  if (node.format === 'date-time') return TIMESTAMP;
  if (node.format === 'date') return DATE;
  if (node.format === 'time') return TIME;
  if (node.contentEncoding === 'base64') return BYTES;
  const constant = typeof node.const === 'string' ? [...node.const].length : undefined;
  const maxLength = constant ?? node.maxLength;
  const format = typeof node.format === 'string' ? STRING_FORMATS[node.format] : undefined;
  if (typeof maxLength !== 'number' && !format) return STRING;
  return {
    kind: 'string',
    ...(typeof maxLength === 'number' && maxLength > 0 && { maxLength }),
    ...(format && { format }),
  };
}

function objectType(node: Node, root: unknown, depth: number): ColumnType {
  const fields = fieldsOf(node, root, depth);
  if (fields.length > 0) return { kind: 'struct', fields };
  if (isObject(node.additionalProperties) && Object.keys(node.additionalProperties).length > 0)
    return { kind: 'map', key: STRING, value: typeOf(node.additionalProperties, root, depth + 1).type };
  return JSON_TEXT;
}

function typeOfChoices(choices: readonly unknown[], root: unknown, depth: number): Typed {
  const typed = choices
    .filter((choice) => resolved(choice, root).type !== 'null')
    .map((one) => typeOf(one, root, depth));
  const nullable = typed.length < choices.length || typed.some((one) => one.nullable);
  const types = typed.map(({ type }) => type);
  const values = types.flatMap((type) => (type.kind === 'enum' ? type.values : []));
  if (values.length > 0 && types.every(({ kind }) => kind === 'enum' || kind === 'string'))
    return { type: { kind: 'enum', values, open: types.some(({ kind }) => kind === 'string') }, nullable };
  const isAddress = types.every((type) => type.kind === 'string' && /^ipv?[46]?$/.test(type.format ?? ''));
  if (types.length > 1 && isAddress) return { type: { kind: 'string', format: 'ip' }, nullable };
  const [first = JSON_TEXT, ...rest] = types;
  return { type: rest.reduce((all, one) => widen(all, one), first), nullable };
}

const REFERENCE = /^#(?:\/(.*))?$/;

/** Follows `$ref` within the document. @returns an empty node for what leads nowhere */
function resolved(given: unknown, root: unknown): Node {
  let node = given;
  for (let hops = 0; hops < DEPTH_MAX && isObject(node) && typeof node.$ref === 'string'; hops++) {
    const path = REFERENCE.exec(node.$ref)?.[1]?.split('/') ?? [];
    node = path.reduce<unknown>((at, part) => {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      return isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }, root);
  }
  return isObject(node) ? node : {};
}

function textOf({ title, description }: Node): string | undefined {
  const texts = [title, description].filter((text) => typeof text === 'string' && text !== '');
  return texts.length > 0 ? [...new Set(texts)].join('\n') : undefined;
}
