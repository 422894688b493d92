import { InvalidInputError } from '../../core/errors.ts';
import type { OptionSpec } from '../../core/options.ts';

/** How a delimited file is written. */
export interface CsvOptions {
  /**
   * `dap-tsv` and `dap-csv` are the files of the Data Access Platform: PostgreSQL's COPY text with `\N`, and RFC 4180 with a
   * bare `NULL`; both with a header of `meta.`, `key.` and `value.` names, which are taken off. They set the other options.
   */
  readonly dialect?: 'csv' | 'copy-text' | 'dap-tsv' | 'dap-csv';
  /** One character or more; `\t` is a tab. Default `,`, for `tsv` a tab. */
  readonly delimiter?: string;
  /** The first record names the columns. Default true. */
  readonly header?: boolean;
  /** Lines that the header takes; their cells are joined by a space. Default 1. */
  readonly headerLineCount?: number;
  /** Instead of the header's names; required to have names without a header, else they are `column1` and so on. */
  readonly columnNames?: readonly string[];
  /** New names for names of the header. */
  readonly headersToColumns?: Readonly<Record<string, string>>;
  readonly skipLinesBefore?: number;
  readonly skipLinesAfterHeader?: number;
  /** Lines that begin so are passed over. Default none. */
  readonly commentPrefix?: string;
  /** Empty: no quoting. Default `"`. */
  readonly quote?: string;
  /** Default none. */
  readonly escape?: string;
  /** A quote within quotes is written twice. Default true. */
  readonly doubleQuote?: boolean;
  /** Quoted fields may hold line ends. Default false: a record ends where its line ends. */
  readonly multiline?: boolean;
  /** Default `auto`: CR, LF or CRLF. */
  readonly lineEnding?: LineEnding;
  readonly ignoreLeadingSpace?: boolean;
  readonly ignoreTrailingSpace?: boolean;
  /** A record of another length than the header: bad, filled with null where cells are missing, or cut where there are more. */
  readonly raggedRows?: 'bad' | 'pad' | 'truncate';
  /** Default true: an empty cell is null, but in a column of strings it is an empty string. */
  readonly emptyAsNull?: boolean;
  /** Texts that mean null where they are not quoted, in any column. */
  readonly nullValues?: readonly string[];
  /** Of dates and timestamps in all columns without a format of their own. */
  readonly dateFormat?: string;
  readonly timestampFormat?: string;
}

export type LineEnding = 'auto' | 'lf' | 'cr' | 'crlf' | 'lfcr' | 'ff' | 'vt' | 'nel' | 'ls' | 'ps';

export const CSV_SPEC = {
  dialect: { kind: 'string', oneOf: ['csv', 'copy-text', 'dap-tsv', 'dap-csv'] },
  delimiter: { kind: 'string', min: 1, max: 16 },
  header: { kind: 'boolean', default: true },
  headerLineCount: { kind: 'integer', min: 1, max: 100, default: 1 },
  columnNames: { kind: 'array', of: 'string', min: 1 },
  headersToColumns: { kind: 'object', of: 'string' },
  skipLinesBefore: { kind: 'integer', min: 0, default: 0 },
  skipLinesAfterHeader: { kind: 'integer', min: 0, default: 0 },
  commentPrefix: { kind: 'string', min: 1, max: 1 },
  quote: { kind: 'string', max: 1, default: '"' },
  escape: { kind: 'string', min: 1, max: 1 },
  doubleQuote: { kind: 'boolean', default: true },
  multiline: { kind: 'boolean', default: false },
  lineEnding: {
    kind: 'string',
    oneOf: ['auto', 'lf', 'cr', 'crlf', 'lfcr', 'ff', 'vt', 'nel', 'ls', 'ps'],
    default: 'auto',
  },
  ignoreLeadingSpace: { kind: 'boolean', default: false },
  ignoreTrailingSpace: { kind: 'boolean', default: false },
  raggedRows: { kind: 'string', oneOf: ['bad', 'pad', 'truncate'], default: 'bad' },
  emptyAsNull: { kind: 'boolean', default: true },
  nullValues: { kind: 'array', of: 'string', default: [] },
  dateFormat: { kind: 'string', min: 1 },
  timestampFormat: { kind: 'string', min: 1 },
} as const satisfies Record<keyof CsvOptions, OptionSpec>;

export interface CsvSettings
  extends Required<
      Omit<
        CsvOptions,
        'columnNames' | 'headersToColumns' | 'commentPrefix' | 'escape' | 'dateFormat' | 'timestampFormat'
      >
    >,
    Pick<
      CsvOptions,
      'columnNames' | 'headersToColumns' | 'commentPrefix' | 'escape' | 'dateFormat' | 'timestampFormat'
    > {}

const DIALECTS: Readonly<Record<string, Partial<CsvOptions>>> = {
  'copy-text': { delimiter: '\t', quote: '', lineEnding: 'lf', emptyAsNull: false },
  'dap-tsv': { delimiter: '\t', quote: '', lineEnding: 'lf', emptyAsNull: true, header: true },
  // A field of nothing is null in every column; `""` is an empty string.
  'dap-csv': {
    delimiter: ',',
    quote: '"',
    multiline: true,
    nullValues: ['', 'NULL'],
    emptyAsNull: false,
    header: true,
  },
};

/** @param format `csv`, `xsv` or `tsv`. @throws {InvalidInputError} options that do not go together */
export function csvSettings(format: string, given: CsvOptions, checked: CsvOptions): CsvSettings {
  const label = `parser "${format}"`;
  const { dialect = 'csv' } = checked;
  const fixed = DIALECTS[dialect] ?? {};
  const clash = Object.keys(fixed).find(
    (name) => dialect !== 'copy-text' && name in given && given[name as keyof CsvOptions] !== undefined,
  );
  if (clash !== undefined) throw new InvalidInputError(`${label}: "${clash}" is fixed by the dialect "${dialect}"`);
  const delimiter = (given.delimiter ?? fixed.delimiter ?? (format === 'tsv' ? '\t' : ',')).replaceAll('\\t', '\t');
  const settings = { ...checked, ...fixed, ...definedOf(given), dialect, delimiter } as CsvSettings;
  const { quote, escape: escapeChar, commentPrefix } = settings;
  if (/[\r\n]/.test(delimiter + quote + (escapeChar ?? '')))
    throw new InvalidInputError(`${label}: "delimiter", "quote" and "escape" must not be line ends`);
  if (quote !== '' && delimiter.includes(quote))
    throw new InvalidInputError(`${label}: "delimiter" must not contain "quote"`);
  if (commentPrefix !== undefined && (commentPrefix === quote || delimiter.startsWith(commentPrefix)))
    throw new InvalidInputError(`${label}: "commentPrefix" must not be the quote or the delimiter`);
  return settings;
}

const definedOf = (options: CsvOptions): CsvOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
