import type { RecordsSource, Source } from '../connectors/connector.ts';
import type { JsonValue } from '../core/json.ts';
import type { OptionSpec } from '../core/options.ts';
import { checkFormat, type FormatOptions } from '../formats/options.ts';
import { checkKeyTemplate } from '../landing/key-template.ts';
import type { ParserOptions } from '../parsers/formats.ts';

type OwnOption = 'compression' | 'lineage' | 'delimiter' | 'omitNulls' | 'rowGroupRows';

export interface LandOptions extends Pick<FormatOptions, OwnOption> {
  /**
   * `raw` (default): the bytes as they come. Else each partition is parsed as it is read, and lands as one file of that format,
   * with the options of {@link FormatOptions}. What a source of records yields lands as `ndjson` by default.
   */
  readonly format?: 'raw' | FormatOptions['format'];
  /**
   * Where objects go below `<pipeline>/data/`, such as `dt={date}/{path}`: fields are `date` (UTC, of the planning), `path`,
   * `name`, `run`, and those of the metadata. What tells versions apart is added behind it. Default: by hash.
   */
  readonly key?: string;
  /** How a partition is read as rows: before it lands, if it lands in a format; else by sinks. And by `landfall preview`. */
  readonly parser?: ParserOptions;
}

export interface LandSettings extends Pick<LandOptions, 'key' | 'parser'> {
  readonly format: 'raw' | FormatOptions['format'];
  /** Around the landed object as a whole; what is within a file of a format is its own. */
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** How records are written; absent for `raw`. */
  readonly file?: FileOptions;
}

type FileOptions = FormatOptions & Required<Pick<FormatOptions, 'lineage' | 'compression'>>;

export const LAND_SPEC = {
  format: { kind: 'string', oneOf: ['raw', 'ndjson', 'csv', 'parquet', 'avro'] },
  compression: { kind: 'string', oneOf: ['none', 'gzip', 'zstd', 'snappy'] },
  key: { kind: 'string', min: 1 },
  parser: { kind: 'object' },
  lineage: { kind: 'boolean' },
  delimiter: { kind: 'string' },
  omitNulls: { kind: 'boolean' },
  rowGroupRows: { kind: 'integer' },
} as const satisfies Record<keyof LandOptions, OptionSpec>;

interface Landing {
  readonly source: Source | RecordsSource;
  readonly land?: LandOptions;
  readonly longReads?: 'cursor' | 'fail';
}

/** How a pipeline lands. @param complaints what is wrong is added here */
export function landSettings({ source, land = {}, longReads }: Landing, complaints: string[]): LandSettings {
  const isOfRecords = source.connector.kind === 'records';
  const { format = isOfRecords ? 'ndjson' : 'raw', key, parser, compression, ...own } = land;
  if (key !== undefined) complaints.push(...checkKeyTemplate(key));
  if (isOfRecords && parser) complaints.push('"land.parser" is for bytes, and the source yields records');
  const common = { format, ...(key === undefined ? {} : { key }), ...(parser ? { parser } : {}) };
  const around = compression === 'gzip' || compression === 'zstd' ? compression : 'none';
  if (format === 'raw') {
    const foreign = Object.keys(own).map((name) => `"land.${name}"`);
    if (isOfRecords) complaints.push('"land.format" must not be "raw": the source yields records');
    if (foreign.length > 0) complaints.push(`${foreign.join(', ')} need "land.format", such as "parquet"`);
    if (compression === 'snappy') complaints.push('"land.compression" must be "none", "gzip" or "zstd", got "snappy"');
    return { ...common, compression: around };
  }
  const here = `with "land.format": "${format}"`;
  if (!isOfRecords && !parser && !source.records)
    complaints.push(`"land.parser" is required ${here}: it says how a partition is read`);
  if (longReads === 'cursor')
    complaints.push(`"longReads" must not be "cursor" ${here}: a partition lands as one file`);
  if (format !== 'ndjson' && parser?.onMismatch === 'widen')
    complaints.push(`"land.parser.onMismatch" must not be "widen" ${here}: its columns stay as they begin`);
  const file = fileOptions({ format, ...own, ...(compression ? { compression } : {}) }, complaints);
  const isText = format === 'ndjson' || format === 'csv';
  return { ...common, compression: isText ? around : 'none', ...(file ? { file } : {}) };
}

function fileOptions(given: FormatOptions, complaints: string[]): FileOptions | undefined {
  // One file a partition, however large.
  const options = { ...given, targetBytes: Number.MAX_SAFE_INTEGER };
  try {
    const { lineage, compression } = checkFormat(options);
    return { ...options, lineage, compression };
  } catch (error) {
    complaints.push(`"land": ${(error as Error).message}`);
    return undefined;
  }
}

/**
 * What of it decides which bytes land. Where they go is not among it.
 *
 * @param codeId stands for functions of the options, whose text a bundler changes
 */
export function landIdentity(
  { source, land }: { source: Landing['source']; land: LandSettings },
  codeId?: string,
): JsonValue {
  const { format, compression, file, parser } = land;
  if (!file) return { format, compression };
  const { connector } = source;
  const typing = connector.kind === 'records' ? connector.typing : undefined;
  return { format, file: { ...file }, parser: withoutCode(parser, codeId), typing: withoutCode(typing, codeId) };
}

function withoutCode(value: unknown, codeId: string | undefined): JsonValue {
  if (typeof value === 'function') return codeId ?? String(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map((item) => withoutCode(item, codeId));
  if (typeof value !== 'object' || value === null) return (value ?? null) as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutCode(inner, codeId)]));
}
