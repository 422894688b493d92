import { schemaOfDapTable } from '../records/json-schema.ts';
import type { ParserOptions } from './formats.ts';
import type { CommonOptions } from './options.ts';

/**
 * The options for files of a table of the Data Access Platform. Records have the columns `meta.ts`, `meta.action`, the key and
 * the values by their plain names; those of a deletion are null. A value that does not fit goes to `_rescued` unless the
 * options say otherwise: rows are not refused for what the schema promised.
 *
 * @param document the table's schema, as the service gives it
 */
export function dapParserOptions(
  format: 'jsonl' | 'csv' | 'tsv',
  document: unknown,
  options: CommonOptions = {},
): ParserOptions {
  const common = { schema: schemaOfDapTable(document), onMismatch: 'rescue', ...options } as const;
  if (format === 'jsonl') return { format: 'ndjson', dialect: 'dap', ...common };
  return { format, dialect: format === 'tsv' ? 'dap-tsv' : 'dap-csv', ...common };
}
