import { InvalidInputError } from '../core/errors.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import type { ColumnType, Field, Value } from './column-type.ts';
import { fieldsFromJson, fieldToJson } from './type-text.ts';

/** A column is a field of the record itself. */
export type Column = Field;

/** The columns of records, in order. Names are unique, and compared as they are. */
export interface Schema {
  readonly columns: readonly Column[];
  /** Names of the columns that identify a record, if it is known. */
  readonly key?: readonly string[];
  readonly description?: string;
}

/** One value per column of the batch's schema, in its order. */
export type Row = readonly Value[];

/**
 * Some records of a partition, in order. The schema may grow from one batch to the next (columns are added behind the others,
 * types widen); a batch fits its own.
 */
export interface RecordBatch {
  readonly schema: Schema;
  readonly rows: readonly Row[];
  /** How many rows of this partition came before, in other batches. What the parser dropped is not counted. */
  readonly firstRow: number;
}

export const column = (name: string, type: ColumnType, nullable = true): Column => ({ name, type, nullable });

/** Index by name. */
export function columnIndex(schema: Schema): ReadonlyMap<string, number> {
  return new Map(schema.columns.map(({ name }, index) => [name, index]));
}

export function schemaToJson({ columns, key, description }: Schema): JsonObject {
  return {
    columns: columns.map(fieldToJson),
    ...(key && { key: [...key] }),
    ...(description !== undefined && { description }),
  };
}

/**
 * @param json as {@link schemaToJson} makes it, or the list of its columns alone
 * @throws {InvalidInputError} naming the place
 */
export function schemaFromJson(json: unknown, at = 'schema'): Schema {
  if (Array.isArray(json)) return { columns: fieldsFromJson(json, at) };
  if (!isObject(json) || !Array.isArray(json.columns)) throw new InvalidInputError(`${at} must be a list of columns`);
  const columns = fieldsFromJson(json.columns, `${at}.columns`);
  const { key, description } = json;
  const names = new Set(columns.map(({ name }) => name));
  if (key !== undefined && !(Array.isArray(key) && key.every((name) => names.has(name as string))))
    throw new InvalidInputError(`${at}.key must be a list of names of columns`);
  return {
    columns,
    ...(key !== undefined && { key: key as string[] }),
    ...(typeof description === 'string' && { description }),
  };
}
