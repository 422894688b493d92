import type { Schema } from '../records/schema.ts';
import { valueToJson } from '../records/value-json.ts';
import type { FormatSettings } from './options.ts';
import { textFile } from './text-encoder.ts';
import type { FileEncoder } from './writer.ts';

/** A JSON object a line; see `valueToJson` for how values are written. */
export function ndjsonFile({ columns }: Schema, { omitNulls, compression }: FormatSettings): FileEncoder {
  const names = columns.map(({ name }) => `${JSON.stringify(name)}:`);
  return textFile(
    '',
    (row) => {
      let line = '';
      for (let at = 0; at < columns.length; at++) {
        const value = row[at]!;
        if (omitNulls && value === null) continue;
        line += (line === '' ? '' : ',') + names[at]! + valueToJson(value, columns[at]!.type);
      }
      return `{${line}}\n`;
    },
    compression as 'none' | 'gzip' | 'zstd',
  );
}
