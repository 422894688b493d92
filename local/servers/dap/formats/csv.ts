import type { Row } from '../generator.ts';
import { formatInstant } from '../instants.ts';
import type { TableDefinition } from '../tables/definition.ts';
import type { Value } from '../tables/value.ts';
import { jsonText, nonFinite } from './json.ts';
import { flatColumns, type Mode } from './layout.ts';
import type { TextEncoding } from './text.ts';

/**
 * RFC 4180, with NULL as the bare word and a missing value, such as every value of a deletion, as nothing at all. A condensed
 * object without any value is nothing at all too.
 */
export function csv(
  definition: TableDefinition,
  schemaVersion: number,
  mode: Mode,
  isIncremental: boolean,
): TextEncoding {
  const columns = flatColumns(definition, schemaVersion, mode);
  const names = ['meta.ts', ...(isIncremental ? ['meta.action'] : []), `key.${definition.keyName}`];
  const nothing = ','.repeat(columns.length);

  const encode = ({ key, writtenAt, values }: Row): string => {
    let line = formatInstant(writtenAt);
    if (isIncremental) line += values === null ? ',D' : ',U';
    line += `,${cell(key)}`;
    if (values === null) return `${line}${nothing}\n`;
    for (const { read } of columns) line += `,${cell(read(values))}`;
    return `${line}\n`;
  };

  return { header: `${[...names, ...columns.map(({ name }) => name)].join(',')}\n`, encode };
}

function cell(value: Value): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return nonFinite(value);
  if (value === null || typeof value !== 'object') return value === null ? 'NULL' : String(value);
  const text = jsonText(value);
  return text === undefined ? '' : quoted(text);
}

/** An empty string too, which without quotes would be a missing value; the words are those that would read as another value. */
const NEEDS_QUOTES = /[",\n\r\t\f\v\b]|^$|^(?:NULL|true|false)$/;

const quoted = (text: string): string => (NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
