import type { FlatTable } from './flat-table.ts';

/** Fields by their place in the tables of Schema.fbs. */
const SCHEMA_FIELDS = 1;
const SCHEMA_METADATA = 2;
const SCHEMA_FEATURES = 3;
const FIELD_NAME = 0;
const FIELD_TYPE_KIND = 2;
const FIELD_TYPE = 3;
const FIELD_DICTIONARY = 4;
const FIELD_CHILDREN = 5;
const FIELD_METADATA = 6;
const TYPE_TIMESTAMP = 10;
const TYPE_LIST = 12;
const TYPE_STRUCT = 13;
const TYPE_UNION = 14;
const TYPE_FIXED_SIZE_LIST = 16;
const TYPE_MAP = 17;
const TYPE_LARGE_LIST = 21;
const UNION_IDS = 1;
const TIMESTAMP_ZONE = 1;
const DICTIONARY_INDEX = 1;

const WITH_ONE_CHILD: ReadonlySet<number> = new Set([TYPE_LIST, TYPE_FIXED_SIZE_LIST, TYPE_MAP, TYPE_LARGE_LIST]);

/** Fields of all levels; a few bytes may name the same ones over and over. */
const FIELDS_MAX = 100_000;
const DEPTH_MAX = 100;

/**
 * Goes through a schema as the library will, who trusts every length and goes down to any depth.
 *
 * @throws {RangeError} something lies beyond the message, or there are too many fields, or too deep ones
 */
export function checkSchemaTable(schema: FlatTable | undefined): void {
  if (!schema) throw new RangeError('header');
  schema.checkPairs(SCHEMA_METADATA);
  schema.vector(SCHEMA_FEATURES, 8);
  let count = 0;
  const check = (fields: readonly FlatTable[], depth: number) => {
    if (depth > DEPTH_MAX) throw new RangeError('depth');
    for (const field of fields) {
      count += 1;
      if (count > FIELDS_MAX) throw new RangeError('fields');
      field.vector(FIELD_NAME, 1);
      field.checkPairs(FIELD_METADATA);
      const type = field.table(FIELD_TYPE);
      const kind = field.uint8(FIELD_TYPE_KIND);
      if (kind === TYPE_TIMESTAMP) type?.vector(TIMESTAMP_ZONE, 1);
      if (kind === TYPE_UNION) type?.vector(UNION_IDS, 4);
      field.table(FIELD_DICTIONARY)?.table(DICTIONARY_INDEX);
      const children = field.tables(FIELD_CHILDREN);
      if (WITH_ONE_CHILD.has(kind) && children.length !== 1) throw new RangeError('children');
      if (kind === TYPE_MAP && !isEntry(children[0]!)) throw new RangeError('entries');
      check(children, depth + 1);
    }
  };
  check(schema.tables(SCHEMA_FIELDS), 0);
}

/** A struct of key and value. */
const isEntry = (field: FlatTable): boolean =>
  field.uint8(FIELD_TYPE_KIND) === TYPE_STRUCT && field.tables(FIELD_CHILDREN).length === 2;
