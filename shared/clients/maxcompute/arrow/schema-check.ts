import type { DataType, Schema } from 'apache-arrow';
import { CorruptStreamError, SchemaMismatchError } from '../client-errors.ts';
import type { TableSchema } from '../tables/table-schema.ts';
import { type Arrow, loadArrow } from './library.ts';
import { type ArrowMessage, joined } from './messages.ts';
import { arrowTypeOf } from './types.ts';

/** The Arrow schema that rows for a table must have, system columns included. */
export async function arrowSchemaOf(table: TableSchema): Promise<Schema> {
  const arrow = await loadArrow();
  const columns = [...table.dataColumns, ...table.systemColumns];
  return new arrow.Schema(
    columns.map(({ name, type, nullable }) => new arrow.Field(name, arrowTypeOf(arrow, type), nullable)),
  );
}

/** What of a schema does not fit a table, a line each; empty if all fits. The order of columns is free. */
export async function schemaDifferences(schema: Schema, table: TableSchema): Promise<string[]> {
  const arrow = await loadArrow();
  const differences: string[] = [];
  const given = new Map(schema.fields.map((field) => [field.name, field]));
  if (given.size < schema.fields.length) differences.push('two columns have the same name');
  for (const { name, type } of [...table.dataColumns, ...table.systemColumns]) {
    const field = given.get(name);
    given.delete(name);
    if (!field) differences.push(`${name} (${type}) is missing`);
    else if (!fits(arrow, field.type, arrowTypeOf(arrow, type))) {
      differences.push(`${name} is ${field.type}, which is not ${type}`);
    }
  }
  for (const name of given.keys()) differences.push(`${name} is no column of the table`);
  return differences;
}

/** @throws {SchemaMismatchError} with all differences */
export async function checkSchema(message: ArrowMessage, table: TableSchema | null): Promise<void> {
  if (!table) return;
  const { MessageReader } = await loadArrow();
  let schema: Schema | null | undefined;
  try {
    schema = new MessageReader(joined(message.chunks, 0, message.bytes)).readSchema();
  } catch (cause) {
    throw new CorruptStreamError('the schema of the Arrow stream does not decode', { cause });
  }
  const differences = schema ? await schemaDifferences(schema, table) : ['the Arrow stream has no schema'];
  if (differences.length === 0) return;
  throw new SchemaMismatchError(`the rows do not fit the table: ${differences.join('; ')}`);
}

/** Wider strings, other units of time and dictionaries say the same; numbers must be as they are declared. */
function fits(arrow: Arrow, given: DataType, wanted: DataType): boolean {
  const { DataType } = arrow;
  if (DataType.isDictionary(given)) return fits(arrow, given.dictionary, wanted);
  if (DataType.isUtf8(wanted)) return DataType.isUtf8(given) || DataType.isLargeUtf8(given);
  if (DataType.isBinary(wanted)) return DataType.isBinary(given) || DataType.isLargeBinary(given);
  if (DataType.isTimestamp(wanted)) return DataType.isTimestamp(given) && !given.timezone;
  if (DataType.isDecimal(wanted)) {
    if (!DataType.isDecimal(given) || given.scale !== wanted.scale) return false;
    // Without precision and scale a decimal is (38,18) for some clients, (54,18) for others.
    return given.precision === wanted.precision || (wanted.precision === 38 && given.precision === 54);
  }
  if (DataType.isList(wanted)) {
    return DataType.isList(given) && fits(arrow, given.children[0]!.type, wanted.children[0]!.type);
  }
  if (DataType.isMap(wanted)) {
    if (!DataType.isMap(given)) return false;
    const [entry, other] = [given.children[0]!.type, wanted.children[0]!.type];
    return [0, 1].every((index) => fits(arrow, entry.children[index]!.type, other.children[index]!.type));
  }
  if (DataType.isStruct(wanted)) {
    if (!DataType.isStruct(given) || given.children.length !== wanted.children.length) return false;
    return wanted.children.every(({ name, type }, index) => {
      const child = given.children[index]!;
      return child.name === name && fits(arrow, child.type, type);
    });
  }
  return String(given) === String(wanted);
}
