import type { ColumnType, Value } from './column-type.ts';

/**
 * A value as JSON text on one line, such that a reader of the type gets it back: a long as a number, a decimal as text (a
 * reader would round a number), bytes as base64, a number that is not finite as `"NaN"`, `"Infinity"`, `"-Infinity"`, json as
 * it is, a map of strings as an object and any other as a list of pairs.
 */
export function valueToJson(value: Value, type: ColumnType): string {
  if (value === null) return 'null';
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
      return String(value);
    case 'float':
    case 'double':
      if (Object.is(value, -0)) return '-0';
      return Number.isFinite(value) ? String(value) : `"${String(value)}"`;
    case 'decimal':
    case 'date':
    case 'time':
    case 'timestamp':
      return `"${String(value)}"`;
    case 'bytes':
      return `"${Buffer.from(value as Uint8Array).toString('base64')}"`;
    case 'json':
      // A line end in JSON text is white space: within its strings it is escaped.
      return (value as string).replaceAll(/[\r\n]+/g, ' ');
    case 'list':
      return `[${(value as readonly Value[]).map((item) => valueToJson(item, type.item)).join(',')}]`;
    case 'map': {
      const entries = [...(value as ReadonlyMap<Value, Value>)];
      if (type.key.kind === 'string')
        return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${valueToJson(item, type.value)}`).join(',')}}`;
      return `[${entries.map(([key, item]) => `[${valueToJson(key, type.key)},${valueToJson(item, type.value)}]`).join(',')}]`;
    }
    case 'struct': {
      const fields = value as Readonly<Record<string, Value>>;
      return `{${type.fields.map(({ name, type: inner }) => `${JSON.stringify(name)}:${valueToJson(fields[name] ?? null, inner)}`).join(',')}}`;
    }
    default:
      return JSON.stringify(value);
  }
}
