import type { ColumnType, Value } from '../records/column-type.ts';
import type { Schema } from '../records/schema.ts';
import { valueToJson } from '../records/value-json.ts';
import type { FormatSettings } from './options.ts';
import { textFile } from './text-encoder.ts';
import type { FileEncoder } from './writer.ts';

/**
 * RFC 4180 with LF. Null is a field of nothing, an empty text is `""`; lists, maps and structs are JSON, bytes base64. In a
 * table of one column a null is written `NULL`: its line would be blank, which is no record.
 */
export function csvFile({ columns }: Schema, { delimiter, header, compression }: FormatSettings): FileEncoder {
  const needsQuotes = new RegExp(`[${RegExp.escape(delimiter)}"\\r\\n]|^$|^\\s|\\s$`);
  const quoted = (text: string) =>
    needsQuotes.test(text) || text === ONLY_NULL ? `"${text.replaceAll('"', '""')}"` : text;
  const head = header ? `${columns.map(({ name }) => quoted(name)).join(delimiter)}\n` : '';
  return textFile(
    head,
    (row) => {
      let line = '';
      for (let at = 0; at < columns.length; at++) {
        const value = row[at]!;
        if (at > 0) line += delimiter;
        if (value !== null) line += quoted(cellText(value, columns[at]!.type));
        else if (columns.length === 1) line += ONLY_NULL;
      }
      return `${line}\n`;
    },
    compression as 'none' | 'gzip' | 'zstd',
  );
}

const ONLY_NULL = 'NULL';

/** The text of a value in a cell. */
export function cellText(value: Exclude<Value, null>, type: ColumnType): string {
  switch (type.kind) {
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'list':
    case 'map':
    case 'struct':
      return valueToJson(value, type);
    case 'float':
    case 'double':
      return Object.is(value, -0) ? '-0' : String(value);
    default:
      return String(value);
  }
}
