import { fileURLToPath } from 'node:url';
import { InvalidInputError } from '../../core/errors.ts';
import { checkOptions, type OptionSpec } from '../../core/options.ts';
import { checkFormat, type FormatOptions } from '../../formats/options.ts';
import { checkKeyTemplate } from '../../landing/key-template.ts';
import type { SecretReference } from '../../pipelines/define.ts';

export interface S3SinkOptions extends Omit<FormatOptions, 'format'> {
  /** The bucket's name; or a `file:` URL of a folder, which is made when it is needed. */
  readonly bucket: string;
  /** What all keys begin with, as it is: `lake/canvas/`. Default none. */
  readonly prefix?: string;
  /** `raw` (default): the bytes as they landed. Else the rows, as files of that format, with the options of {@link FormatOptions}. */
  readonly format?: 'raw' | FormatOptions['format'];
  /**
   * Where a partition goes below the prefix. Fields are `path`, `name`, `table`, `run` and `date` (UTC) of its landing, `version`
   * (of its fingerprint). Without `{path}` something is added that tells partitions apart. Default `{path}`.
   */
  readonly key?: string;
  readonly region?: string;
  /** Of a service that speaks S3. */
  readonly endpoint?: string;
  /** `secret('landfall/lake')`: JSON of `accessKeyId` and `secretAccessKey`. Default: the function's role. */
  readonly credentials?: SecretReference;
  /** Partitions uploaded at a time, 1 to 64. Default 4. */
  readonly parallel?: number;
  /** Default `s3`. */
  readonly name?: string;
}

const SPEC = {
  bucket: { kind: 'string', required: true, min: 1, max: 2048 },
  prefix: { kind: 'string', max: 512, default: '' },
  format: { kind: 'string', oneOf: ['raw', 'ndjson', 'csv', 'parquet', 'avro'], default: 'raw' },
  key: { kind: 'string', min: 1, default: '{path}' },
  compression: { kind: 'string', oneOf: ['none', 'gzip', 'zstd', 'snappy'] },
  targetBytes: { kind: 'integer', min: 1 },
  lineage: { kind: 'boolean' },
  delimiter: { kind: 'string' },
  header: { kind: 'boolean' },
  omitNulls: { kind: 'boolean' },
  rowGroupRows: { kind: 'integer' },
  region: { kind: 'string', min: 1 },
  endpoint: { kind: 'string', min: 1 },
  credentials: { kind: 'object', fields: { secret: { kind: 'string', required: true, min: 1 } } },
  parallel: { kind: 'integer', min: 1, max: 64, default: 4 },
  name: { kind: 'string', default: 's3' },
} as const satisfies Record<keyof S3SinkOptions, OptionSpec>;

export interface S3SinkSettings {
  readonly place: { readonly folder: string } | { readonly bucket: string };
  readonly prefix: string;
  readonly key: string;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly credentials: SecretReference | undefined;
  readonly parallel: number;
  readonly name: string;
  /** Around a copy of the bytes. */
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** How rows are written; undefined for the bytes as they are. */
  readonly file: (FormatOptions & { readonly targetBytes: number }) | undefined;
}

const FIELDS = ['path', 'name', 'table', 'run', 'date', 'version'];

/** @throws {InvalidInputError} naming every option that is unknown or wrong */
export function s3SinkSettings(options: S3SinkOptions): S3SinkSettings {
  const checked = checkOptions<S3SinkOptions, typeof SPEC>('s3Sink', options, SPEC);
  const { bucket, prefix, key, format, compression, targetBytes, region, endpoint, credentials, parallel, name } =
    checked;
  const { lineage, delimiter, header, omitNulls, rowGroupRows } = checked;
  const given = { compression, targetBytes, lineage, delimiter, header, omitNulls, rowGroupRows };
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const complaints: string[] = [];
  const fields = `{${FIELDS.join('}, {')}}`;
  const unknown = [...key.matchAll(/\{([^}]*)\}/g)].find(([, field]) => !FIELDS.includes(field!));
  if (unknown || checkKeyTemplate(key).length > 0) {
    complaints.push(
      `"key" must be 1 to 500 letters, digits, ".", "_", "=", "-" and the fields ${fields}, in segments between "/", got ${JSON.stringify(key)}`,
    );
  }
  if (prefix !== '' && !/^(?:[A-Za-z0-9!_.*'()=-]+\/)+$/.test(prefix))
    complaints.push(
      `"prefix" must be letters, digits and !_.*'()=- in segments that end with "/", got ${JSON.stringify(prefix)}`,
    );
  if (format === 'raw') {
    const foreign = Object.keys(own).filter((one) => one !== 'compression');
    if (foreign.length > 0) complaints.push(`"${foreign.join('", "')}" need "format", such as "parquet"`);
    if (compression === 'snappy') complaints.push('"compression" must be "none", "gzip" or "zstd", got "snappy"');
  }
  if (complaints.length > 0) throw new InvalidInputError(`s3Sink: ${complaints.join('; ')}`);
  const file = format === 'raw' ? undefined : { format, ...own };
  const settings = file && checkFormat(file);
  return {
    place: placeOf(bucket),
    ...{ prefix, key, region, endpoint, credentials, parallel, name },
    compression: compression === 'gzip' || compression === 'zstd' ? compression : 'none',
    file: file && { ...file, targetBytes: settings!.targetBytes },
  };
}

function placeOf(bucket: string): S3SinkSettings['place'] {
  if (!bucket.startsWith('file:')) return { bucket };
  try {
    return { folder: fileURLToPath(bucket) };
  } catch (cause) {
    throw new InvalidInputError(`s3Sink: "bucket" must be a name or a file: URL, got ${JSON.stringify(bucket)}`, {
      cause,
    });
  }
}
