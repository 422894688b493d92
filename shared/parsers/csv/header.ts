import { ColumnMismatchError } from '../errors.ts';
import { firstTwice } from '../first-twice.ts';
import type { CsvSettings } from './options.ts';
import type { Cell } from './scanner.ts';

const DAP_FIELD = /^(?:meta\.(?:ts|action)|(?:key|value)\.(.+))$/;

/**
 * The names of the columns.
 *
 * @param lines the header's records; none if the input has no header
 * @param width how many cells a record has, where no name tells
 * @throws {ColumnMismatchError} a name twice, or one that the dialect does not know
 */
export function headerNames(
  lines: readonly (readonly Cell[])[],
  width: number,
  settings: CsvSettings,
  label: string,
): readonly string[] {
  const { columnNames, headersToColumns = {}, dialect } = settings;
  const renamed = new Map(Object.entries(headersToColumns));
  const count = columnNames?.length ?? (lines.length > 0 ? Math.max(...lines.map(({ length }) => length)) : width);
  const names = Array.from({ length: count }, (_, index) => {
    const joined = lines.map((line) => line[index]?.trim() ?? '').filter((part) => part !== '');
    const given = columnNames?.[index] ?? joined.join(' ');
    const name = given === '' ? `column${index + 1}` : given;
    return dialect.startsWith('dap-') ? dapName(name, label) : (renamed.get(name) ?? name);
  });
  const twice = firstTwice(names);
  if (twice !== undefined)
    throw new ColumnMismatchError(`${label}: two columns are called ${JSON.stringify(twice.slice(0, 100))}`);
  return names;
}

/** `key.id` is `id`; `meta.ts` and `meta.action` stay as they are. */
function dapName(name: string, label: string): string {
  const match = DAP_FIELD.exec(name);
  if (!match) throw new ColumnMismatchError(`${label}: ${JSON.stringify(name.slice(0, 100))} is no column of DAP`);
  return match[1] ?? name;
}
