import type { ColumnType, Value } from '../records/column-type.ts';
import type { Schema } from '../records/schema.ts';
import { valueToJson } from '../records/value-json.ts';
import type { FormatSettings } from './options.ts';
import { textFile } from './text-encoder.ts';
import type { FileEncoder } from './writer.ts';

/** A JSON object a line; see `valueToJson` for how values are written. */
export function ndjsonFile({ columns }: Schema, { omitNulls, compression }: FormatSettings): FileEncoder {
  const members = columns.map(({ name, type }) => {
    const first = `${JSON.stringify(name)}:`;
    return { first, next: `,${first}`, textOf: columnText(type) };
  });
  return textFile(
    '',
    (row) => {
      let line = '{';
      for (let at = 0; at < members.length; at++) {
        const value = row[at]!;
        if (omitNulls && value === null) continue;
        const { first, next, textOf } = members[at]!;
        line += (line.length === 1 ? first : next) + textOf(value);
      }
      return `${line}}\n`;
    },
    compression as 'none' | 'gzip' | 'zstd',
  );
}

/** Text that comes row after row, as that of a record's lineage does, is written as JSON once. */
function columnText(type: ColumnType): (value: Value) => string {
  let last: string | undefined;
  let text = '';
  return (value) => {
    if (typeof value !== 'string') return valueToJson(value, type);
    if (value !== last) {
      text = valueToJson(value, type);
      last = value;
    }
    return text;
  };
}
