import type { RowValue, TableSchema, WriteColumn } from '../../clients/maxcompute/index.ts';
import { setMember } from '../../core/json.ts';
import type { ColumnType, Value } from '../../records/column-type.ts';
import type { Row, Schema } from '../../records/schema.ts';
import { typeText } from '../../records/type-text.ts';

/** A value in a form that its column takes; undefined if it cannot hold it. */
type Convert = (value: Exclude<Value, null>) => RowValue | undefined;

/** How rows of one schema become rows of the table. */
export interface RowPlan {
  /** By column of the table. @returns a text that says why, if a value does not fit */
  row(values: Row): Record<string, RowValue> | string;
}

/** What of the rows does not fit the table, a line each. */
export interface Mismatch {
  readonly differences: readonly string[];
}

/**
 * Names are compared without regard to case. A column of the table that the rows lack is null, if it may be; one of the rows
 * that the table lacks is a difference, since its values would be lost.
 */
export function planRows({ columns }: Schema, table: TableSchema): RowPlan | Mismatch {
  const differences: string[] = [];
  const given = new Map(columns.map((column, at) => [column.name.toLowerCase(), { ...column, at }]));
  const steps: { readonly column: WriteColumn; readonly at: number; readonly convert: Convert }[] = [];
  for (const column of [...table.dataColumns, ...table.systemColumns]) {
    const source = given.get(column.name.toLowerCase());
    given.delete(column.name.toLowerCase());
    if (!source) {
      if (!column.nullable) differences.push(`${column.name} ${column.type} is not in the rows, and must not be null`);
      continue;
    }
    const convert = converterOf(source.type, column);
    if (convert) steps.push({ column, at: source.at, convert });
    else differences.push(`${column.name} is ${column.type} in the table and ${typeText(source.type)} in the rows`);
  }
  for (const { name, type } of given.values())
    differences.push(`${name} ${typeText(type)} is in the rows and not in the table`);
  if (differences.length > 0) return { differences };
  return {
    row(values) {
      const row: Record<string, RowValue> = {};
      for (const { column, at, convert } of steps) {
        const value = values[at]!;
        const converted = value === null ? null : convert(value);
        if (converted === undefined) return `${column.name}: the value does not fit ${column.type}`;
        setMember(row, column.name, converted);
      }
      return row;
    },
  };
}

const WHOLE: ReadonlySet<string> = new Set(['tinyint', 'smallint', 'int']);
const TEXTS: ReadonlySet<string> = new Set(['string', 'char', 'varchar', 'json']);
const TIMES: ReadonlySet<string> = new Set(['datetime', 'timestamp', 'timestamp_ntz']);
/** Of one field, as the service has it unless a project says otherwise. */
const FIELD_MAX_BYTES = 8 * 1024 * 1024;

const asIs: Convert = (value) => value as RowValue;

/** @returns undefined if values of the type cannot be in such a column */
function converterOf(type: ColumnType, { typeName, type: declared, parts }: WriteColumn): Convert | undefined {
  switch (type.kind) {
    case 'boolean':
      return typeName === 'boolean' ? asIs : undefined;
    case 'int':
    case 'long':
      if (typeName === 'bigint') return asIs;
      // Whether it is in the range of a smaller one, who makes the batch checks.
      if (WHOLE.has(typeName) || typeName === 'double' || typeName === 'float') return safeNumber;
      return typeName === 'decimal' ? (value) => String(value) : undefined;
    case 'float':
    case 'double':
      return typeName === 'double' || (typeName === 'float' && type.kind === 'float') ? asIs : undefined;
    case 'decimal':
      return typeName === 'decimal' ? asIs : undefined;
    case 'string':
    case 'enum':
    case 'json':
      return TEXTS.has(typeName) ? textOf(declared) : undefined;
    case 'time':
      return typeName === 'string' ? asIs : undefined;
    case 'bytes':
      return typeName === 'binary'
        ? (value) => ((value as Uint8Array).byteLength <= FIELD_MAX_BYTES ? (value as Uint8Array) : undefined)
        : undefined;
    case 'date':
      return typeName === 'date' ? asIs : undefined;
    case 'timestamp':
      return TIMES.has(typeName) ? asIs : undefined;
    case 'list': {
      const item = typeName === 'array' ? nullable(converterOf(type.item, parts[0]!)) : undefined;
      return item && ((value) => all((value as readonly Value[]).map(item)));
    }
    case 'map': {
      const [key, inner] =
        typeName === 'map' ? [converterOf(type.key, parts[0]!), converterOf(type.value, parts[1]!)] : [];
      return key && inner && mapOf(nullable(key)!, nullable(inner)!);
    }
    case 'struct':
      return typeName === 'struct' ? structOf(type, parts) : undefined;
    default:
      return undefined;
  }
}

const safeNumber: Convert = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : undefined);

function textOf(declared: string): Convert {
  const most = Number(/\((\d+)\)/.exec(declared)?.[1] ?? Number.POSITIVE_INFINITY);
  return (value) => {
    const text = value as string;
    // A code point is one or two units: only a text in between has to be counted.
    if (text.length > most && (text.length > 2 * most || [...text].length > most)) return undefined;
    return text.length * 3 <= FIELD_MAX_BYTES || Buffer.byteLength(text) <= FIELD_MAX_BYTES ? text : undefined;
  };
}

type ConvertAny = (value: Value) => RowValue | undefined;
const nullable = (convert: Convert | undefined): ConvertAny | undefined =>
  convert && ((value) => (value === null ? null : convert(value)));

function all(values: readonly (RowValue | undefined)[]): readonly RowValue[] | undefined {
  return values.includes(undefined) ? undefined : (values as readonly RowValue[]);
}

function mapOf(key: ConvertAny, inner: ConvertAny): Convert {
  return (value) => {
    const entries = [...(value as ReadonlyMap<Value, Value>)].map(([one, other]) => [key(one), inner(other)] as const);
    if (entries.some(([one, other]) => one === undefined || one === null || other === undefined)) return undefined;
    return new Map(entries as [RowValue, RowValue][]);
  };
}

/** Members must be the same, by name. */
function structOf(type: ColumnType & { kind: 'struct' }, parts: readonly WriteColumn[]): Convert | undefined {
  const fields = new Map(type.fields.map((field) => [field.name.toLowerCase(), field]));
  if (fields.size !== parts.length) return undefined;
  const members: { readonly from: string; readonly to: string; readonly convert: ConvertAny }[] = [];
  for (const part of parts) {
    const field = fields.get(part.name.toLowerCase());
    const convert = field && nullable(converterOf(field.type, part));
    if (!convert) return undefined;
    members.push({ from: field.name, to: part.name, convert });
  }
  return (value) => {
    const given = value as Readonly<Record<string, Value>>;
    const made: Record<string, RowValue> = {};
    for (const { from, to, convert } of members) {
      const member = convert(given[from] ?? null);
      if (member === undefined) return undefined;
      setMember(made, to, member);
    }
    return made;
  };
}
