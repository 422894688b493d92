import { InvalidInputError } from '../core/errors.ts';
import { isObject, type JsonValue } from '../core/json.ts';
import { checkOptions, type OptionSpec } from '../core/options.ts';
import { MIB } from '../core/units.ts';
import { type Schema, schemaFromJson } from '../records/schema.ts';
import { firstTwice } from './first-twice.ts';
import { checkEncoding } from './input/encoding.ts';
import { type ColumnRule, checkRules } from './typing/rules.ts';

/** What every parser takes. */
export interface CommonOptions {
  /** A label of the WHATWG encoding standard, or `latin1` for ISO 8859-1 itself. Default `utf-8`. A byte order mark is removed. */
  readonly encoding?: string;
  /** Default `auto`: by the first bytes (gzip, zstd, zip, bzip2); `deflate` must be named. */
  readonly compression?: InputCompression;
  /** Of a zip: the member to read. Default the first file. */
  readonly member?: string;
  /** Columns with their types, in order; see `TypeJson`. Default: inferred from a sample. */
  readonly schema?: readonly JsonValue[] | Schema;
  readonly columns?: readonly ColumnRule[];
  /** A field that is in no column: becomes a column, is dropped, makes its record bad, or goes to `_rescued`. Default `keep`. */
  readonly onExtraField?: 'keep' | 'drop' | 'fail' | 'rescue';
  /** A column that a record has no field for: null, or the record is bad. Default `null`. */
  readonly onMissingField?: 'null' | 'fail';
  /**
   * A value that is none of its column's type: its record is bad, the value goes to `_rescued`, or the column's type is widened
   * from that batch on. Default `bad` with a schema, `rescue` for an inferred one. A column's rule comes first.
   */
  readonly onMismatch?: 'bad' | 'rescue' | 'widen';
  /** How many bad records are allowed. Default 0 for `fail`, any number for `skip` and `quarantine`. */
  readonly maxErrorCount?: number;
  /** Of all records, looked at when the input ends. */
  readonly maxErrorPercent?: number;
  /** Warnings that are kept; the others are only counted. Default 1000. */
  readonly maxWarnCount?: number;
  /** `fail`: more bad records than allowed fail the parse, those allowed are dropped. Default `fail`. */
  readonly badRecords?: 'fail' | 'skip' | 'quarantine';
  /** A larger record is bad. Default 16 MiB. */
  readonly maxRecordBytes?: number;
  readonly emptyInput?: 'ok' | 'skip' | 'fail';
  /** Decompressed. Default 64 GiB. */
  readonly maxExpandedBytes?: number;
  /** Decompressed to compressed, looked at beyond 64 MiB. Default 1000. */
  readonly maxExpansionRatio?: number;
  /** Records that types are inferred from, at most 64 MiB of them. Default 10,000. */
  readonly sampleRecords?: number;
  /** Integers beyond 64 bits, and longs beside doubles that a double would round, when types are inferred. Default `string`. */
  readonly bigNumbers?: 'string' | 'number';
}

export type InputCompression = 'auto' | 'none' | 'gzip' | 'zstd' | 'deflate' | 'bzip2' | 'zip';

export const COMMON_SPEC = {
  encoding: { kind: 'string', default: 'utf-8' },
  compression: {
    kind: 'string',
    oneOf: ['auto', 'none', 'gzip', 'zstd', 'deflate', 'bzip2', 'zip'],
    default: 'auto',
  },
  member: { kind: 'string', min: 1 },
  schema: { kind: ['array', 'object'] },
  columns: { kind: 'array', of: 'object', default: [] },
  onExtraField: { kind: 'string', oneOf: ['keep', 'drop', 'fail', 'rescue'], default: 'keep' },
  onMissingField: { kind: 'string', oneOf: ['null', 'fail'], default: 'null' },
  onMismatch: { kind: 'string', oneOf: ['bad', 'rescue', 'widen'] },
  maxErrorCount: { kind: 'integer', min: 0 },
  maxErrorPercent: { kind: 'number', min: 0, max: 100 },
  maxWarnCount: { kind: 'integer', min: 0, max: 100_000, default: 1000 },
  badRecords: { kind: 'string', oneOf: ['fail', 'skip', 'quarantine'], default: 'fail' },
  maxRecordBytes: { kind: 'integer', min: 1, max: 256 * MIB, default: 16 * MIB },
  emptyInput: { kind: 'string', oneOf: ['ok', 'skip', 'fail'], default: 'ok' },
  maxExpandedBytes: { kind: 'integer', min: 1, default: 64 * 1024 * MIB },
  maxExpansionRatio: { kind: 'number', min: 1, default: 1000 },
  sampleRecords: { kind: 'integer', min: 1, max: 1_000_000, default: 10_000 },
  bigNumbers: { kind: 'string', oneOf: ['string', 'number'], default: 'string' },
} as const satisfies Record<keyof CommonOptions, OptionSpec>;

type Defaulted =
  | 'encoding'
  | 'compression'
  | 'onExtraField'
  | 'onMissingField'
  | 'maxWarnCount'
  | 'badRecords'
  | 'maxRecordBytes'
  | 'emptyInput'
  | 'maxExpandedBytes'
  | 'maxExpansionRatio'
  | 'sampleRecords'
  | 'bigNumbers';

/** The common options as checked. */
export interface CommonSettings
  extends Required<Pick<CommonOptions, Defaulted>>,
    Pick<CommonOptions, 'member' | 'maxErrorCount' | 'maxErrorPercent'> {
  readonly schema: Schema | undefined;
  readonly columns: readonly ColumnRule[];
  readonly onMismatch: 'bad' | 'rescue' | 'widen';
}

/**
 * Checks a parser's options, its own and the common ones.
 *
 * @param own specs of the format's own options
 * @throws {InvalidInputError} naming the parser, and every option that is unknown or wrong
 */
export function checkParserOptions<T extends object>(
  format: string,
  options: T & CommonOptions,
  own: { readonly [K in keyof T]-?: OptionSpec },
): { readonly common: CommonSettings; readonly own: T } {
  const label = `parser "${format}"`;
  const specs = { ...COMMON_SPEC, ...own } as Record<string, OptionSpec>;
  const checked = checkOptions(label, options as Record<string, unknown>, specs) as Record<string, unknown>;
  const given = checked as unknown as CommonOptions & Required<Pick<CommonOptions, Defaulted>>;
  checkEncoding(label, given.encoding);
  const common: CommonSettings = {
    ...(Object.fromEntries(Object.keys(COMMON_SPEC).map((name) => [name, checked[name]])) as unknown as CommonSettings),
    schema: given.schema === undefined ? undefined : schemaOf(given.schema, `${label}: "schema"`),
    columns: checkRules(label, given.columns ?? []),
    onMismatch: given.onMismatch ?? (given.schema === undefined ? 'rescue' : 'bad'),
  };
  const names = common.schema?.columns.map(({ name }) => name) ?? [];
  const twice = firstTwice(names);
  if (twice !== undefined) throw new InvalidInputError(`${label}: "schema" has two columns ${JSON.stringify(twice)}`);
  return { common, own: Object.fromEntries(Object.keys(own).map((name) => [name, checked[name]])) as T };
}

/** A schema may be given as a value, whose types are objects with a `kind`, or as JSON. */
function schemaOf(given: readonly JsonValue[] | Schema, at: string): Schema {
  const columns: readonly unknown[] = 'columns' in given ? given.columns : given;
  const isValue = columns.every((column) => isObject(column) && isObject(column.type) && 'kind' in column.type);
  return isValue && 'columns' in given ? (given as Schema) : schemaFromJson(given, at);
}
