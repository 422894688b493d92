import type { Row } from '../generator.ts';
import { formatInstant } from '../instants.ts';
import type { TableDefinition } from '../tables/definition.ts';
import type { Value } from '../tables/value.ts';
import { jsonText, nonFinite } from './json.ts';
import { flatColumns, type Mode } from './layout.ts';
import type { TextEncoding } from './text.ts';

const NULL = '\\N';

/** Tab-separated values as PostgreSQL's COPY reads them. A deletion has NULL in every value column. */
export function tsv(
  definition: TableDefinition,
  schemaVersion: number,
  mode: Mode,
  isIncremental: boolean,
): TextEncoding {
  const columns = flatColumns(definition, schemaVersion, mode);
  const names = ['meta.ts', ...(isIncremental ? ['meta.action'] : []), `key.${definition.keyName}`];
  const nothing = `\t${NULL}`.repeat(columns.length);

  const encode = ({ key, writtenAt, values }: Row): string => {
    let line = formatInstant(writtenAt);
    if (isIncremental) line += values === null ? '\tD' : '\tU';
    line += `\t${cell(key)}`;
    if (values === null) return `${line}${nothing}\n`;
    for (const { read } of columns) line += `\t${cell(read(values))}`;
    return `${line}\n`;
  };

  return { header: `${[...names, ...columns.map(({ name }) => name)].join('\t')}\n`, encode };
}

function cell(value: Value): string {
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return nonFinite(value);
  if (value === null || typeof value !== 'object') return value === null ? NULL : String(value);
  // Escaped for JSON first, then for the cell.
  const text = jsonText(value);
  return text === undefined ? NULL : escaped(text);
}

const SPECIAL = /[\\\b\f\n\r\t\v\0]/;
const ALL_SPECIAL = /[\\\b\f\n\r\t\v\0]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\0': '\\0',
};

const escaped = (text: string): string =>
  SPECIAL.test(text) ? text.replace(ALL_SPECIAL, (char) => ESCAPES[char]!) : text;
