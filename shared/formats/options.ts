import { InvalidInputError } from '../core/errors.ts';
import { checkOptions, type OptionSpec } from '../core/options.ts';
import { MIB } from '../core/units.ts';

/** How records are written. */
export interface FormatOptions {
  readonly format: 'ndjson' | 'csv' | 'parquet' | 'avro';
  /**
   * Around the file for ndjson and csv; inside it for parquet (where `snappy` is the default) and avro (gzip is its `deflate`),
   * so that others can read it. Default `none`.
   */
  readonly compression?: 'none' | 'gzip' | 'zstd' | 'snappy';
  /** A file that has so many bytes is closed, and another begun. Default 128 MiB. */
  readonly targetBytes?: number;
  /** Whether `_partition`, `_fingerprint`, `_run_id`, `_record_no`, `_ingested_at` are added. Default true. */
  readonly lineage?: boolean;
  /** Of csv. Default `,`. */
  readonly delimiter?: string;
  /** Of csv. Default true. */
  readonly header?: boolean;
  /** Of ndjson: members that are null are left out. Default false. */
  readonly omitNulls?: boolean;
  /** Of parquet: rows of a group, which is held in memory until it is full. Default 100,000, and at most about 64 MiB. */
  readonly rowGroupRows?: number;
}

const SPEC = {
  format: { kind: 'string', required: true, oneOf: ['ndjson', 'csv', 'parquet', 'avro'] },
  compression: { kind: 'string', oneOf: ['none', 'gzip', 'zstd', 'snappy'] },
  targetBytes: { kind: 'integer', min: 1, default: 128 * MIB },
  lineage: { kind: 'boolean', default: true },
  delimiter: { kind: 'string', min: 1, max: 1, default: ',' },
  header: { kind: 'boolean', default: true },
  omitNulls: { kind: 'boolean', default: false },
  rowGroupRows: { kind: 'integer', min: 1, max: 10_000_000, default: 100_000 },
} as const satisfies Record<keyof FormatOptions, OptionSpec>;

export type FormatSettings = Required<FormatOptions>;

const OWN: Readonly<Record<string, FormatOptions['format']>> = {
  delimiter: 'csv',
  header: 'csv',
  omitNulls: 'ndjson',
  rowGroupRows: 'parquet',
};

/** @throws {InvalidInputError} an option that is unknown, wrong, or of another format */
export function checkFormat(options: FormatOptions): FormatSettings {
  const label = `format "${options.format}"`;
  const checked = checkOptions<FormatOptions, typeof SPEC>(label, options, SPEC);
  const { format, delimiter } = checked;
  const foreign = Object.keys(OWN).find(
    (name) => OWN[name] !== format && options[name as keyof FormatOptions] !== undefined,
  );
  if (foreign !== undefined) throw new InvalidInputError(`${label}: "${foreign}" is an option of ${OWN[foreign]}`);
  const compression = checked.compression ?? (format === 'parquet' ? 'snappy' : 'none');
  if (compression === 'snappy' && format !== 'parquet')
    throw new InvalidInputError(`${label}: "compression" must be one of "none", "gzip", "zstd", got "snappy"`);
  if (/["\r\n]/.test(delimiter)) throw new InvalidInputError(`${label}: "delimiter" must not be a quote or a line end`);
  return { ...checked, compression };
}
