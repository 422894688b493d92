import { InvalidInputError } from '../core/errors.ts';
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
  const document = documentOf(root);
  const node = resolved(schema, document);
  return { columns: fieldsOf(node, document, 0), ...(textOf(node) !== undefined && { description: textOf(node)! }) };
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
 * @param given the table's schema, or the answer of the service with `schema` in it
 */
export function schemaOfDapTable(given: unknown, options: DapSchemaOptions = {}): Schema {
  const { nullability = 'lenient', meta = true } = options;
  const root = isObject(given) && isObject(given.schema) ? given.schema : given;
  const document = documentOf(root);
  const node = resolved(root, document);
  const properties = isObject(node.properties) ? node.properties : {};
  const key = fieldsOf(resolved(properties.key, document), document, 0).map((field) => ({ ...field, nullable: false }));
  const value = fieldsOf(resolved(properties.value, document), document, 0).map((field) =>
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
/** Properties, references followed: a few of them that lead back to each other would be looked at for ever. */
const PROPERTIES_MAX = 100_000;

/** Where references look, and how much of it has been looked at. */
interface Document {
  readonly root: unknown;
  properties: number;
}

const documentOf = (root: unknown): Document => ({ root, properties: 0 });

function fieldsOf(node: Node, document: Document, depth: number): Field[] {
  const required = new Set(Array.isArray(node.required) ? (node.required as unknown[]) : []);
  if (!isObject(node.properties)) return [];
  return Object.entries(node.properties).map(([name, property]) => {
    const { type, nullable } = typeOf(property, document, depth + 1);
    const description = textOf(isObject(property) ? property : {}) ?? textOf(resolved(property, document));
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

function typeOf(property: unknown, document: Document, depth: number): Typed {
  document.properties += 1;
  if (document.properties > PROPERTIES_MAX)
    throw new InvalidInputError(`the schema has more than ${PROPERTIES_MAX} properties, references followed`);
  // Also what refers to itself ends here.
  if (depth > DEPTH_MAX) return { type: JSON_TEXT, nullable: true };
  const node = resolved(property, document);
  const choices = node.oneOf ?? node.anyOf;
  if (Array.isArray(choices)) return typeOfChoices(choices, document, depth);
  const names = Array.isArray(node.type) ? (node.type as unknown[]) : [node.type];
  const others = names.filter((name) => name !== 'null');
  const nullable = others.length < names.length || node.const === null;
  const [name, second] = others;
  if (second !== undefined) return { type: JSON_TEXT, nullable };
  return { type: typeNamed(name, node, document, depth), nullable };
}

function typeNamed(name: unknown, node: Node, document: Document, depth: number): ColumnType {
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
      return {
        kind: 'list',
        item: node.items === undefined ? JSON_TEXT : typeOf(node.items, document, depth + 1).type,
      };
    case 'object':
      return objectType(node, document, depth);
  }
  // No type: an enum or constant may still tell.
  const values = Array.isArray(node.enum) ? (node.enum as unknown[]) : 'const' in node ? [node.const] : [];
  if (values.length > 0 && values.every((value) => typeof value === 'string')) return stringType(node);
  if (isObject(node.properties)) return objectType(node, document, depth);
  return JSON_TEXT;
}

function integerType(node: Node): ColumnType {
  if (node.format === 'int16') return { kind: 'int', bits: 16 };
  if (node.format === 'int32') return INT;
  if (node.format === 'int64') return LONG;
  const values = Array.isArray(node.enum) ? (node.enum as unknown[]).filter((one) => typeof one === 'number') : [];
  const min = values.length > 0 ? values.reduce((least, one) => Math.min(least, one)) : node.minimum;
  const max = values.length > 0 ? values.reduce((most, one) => Math.max(most, one)) : node.maximum;
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

function objectType(node: Node, document: Document, depth: number): ColumnType {
  const fields = fieldsOf(node, document, depth);
  if (fields.length > 0) return { kind: 'struct', fields };
  if (isObject(node.additionalProperties) && Object.keys(node.additionalProperties).length > 0)
    return { kind: 'map', key: STRING, value: typeOf(node.additionalProperties, document, depth + 1).type };
  return JSON_TEXT;
}

function typeOfChoices(choices: readonly unknown[], document: Document, depth: number): Typed {
  const typed = choices
    .filter((choice) => resolved(choice, document).type !== 'null')
    .map((one) => typeOf(one, document, depth + 1));
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
function resolved(given: unknown, { root }: Document): Node {
  let node = given;
  for (let hops = 0; hops < DEPTH_MAX && isObject(node) && typeof node.$ref === 'string'; hops++) {
    const path = REFERENCE.exec(node.$ref)?.[1]?.split('/') ?? [];
    node = path.reduce<unknown>((at, part) => {
      const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      return isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }, root);
  }
  return isObject(node) ? node : {};
}

/** A reference that is not encoded leads to what it says as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function textOf({ title, description }: Node): string | undefined {
  const texts = [title, description].filter((text) => typeof text === 'string' && text !== '');
  return texts.length > 0 ? [...new Set(texts)].join('\n') : undefined;
}
