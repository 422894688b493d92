import { checkStreamName } from '../../clients/dis/limits.ts';
import type { DisEndpoint, DisEnvironment } from '../../connectors/dis/access.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { type Checked, checkOptions } from '../../core/options.ts';
import type { SecretReference } from '../../pipelines/define.ts';
import type { StreamSink } from '../sink.ts';

export interface DisStreamOptions extends DisEndpoint {
  /** It must be there: a sink makes none. */
  readonly stream: string;
  /** What the service is asked with: as of the source `dis`. */
  readonly credentials: SecretReference;
  /** What becomes a record: each row (default), each line that is not empty, or all of a landed partition. The last two need no parser. */
  readonly records?: 'rows' | 'lines' | 'objects';
  /** The data of a row's record: the row as a JSON object (default) or a line of CSV, or what one column holds, text or bytes. */
  readonly data?: 'json' | 'csv' | { readonly column: string };
  /**
   * Column, or columns, whose values make the partition key. A row in which all of them are null has none. Default: the path of the
   * landed partition, so that what it holds stays in order; false: no key, the service spreads the records.
   */
  readonly partitionKey?: string | readonly string[] | false;
  /**
   * True (default): a record that is not taken holds back what follows it on its partition of the stream. False: it alone is
   * sent again, and others overtake it.
   */
  readonly ordered?: boolean;
  /** Records between two notes of how far it is, which is what may come twice; 1 to 100,000, default 2,000. */
  readonly batchRecords?: number;
  /** How records travel; `protobuf` is smaller, but in no reference of the service. Default `json`. */
  readonly recordFormat?: 'json' | 'protobuf';
  /** Landed partitions uploaded at a time, 1 to 64. Default 4; 1 if keys occur in several of them and their order counts. */
  readonly parallel?: number;
  /** Default `dis`. */
  readonly name?: string;
}

const SPEC = {
  stream: { kind: 'string', required: true },
  credentials: { kind: 'object', required: true, fields: { secret: { kind: 'string', required: true, min: 1 } } },
  records: { kind: 'string', oneOf: ['rows', 'lines', 'objects'], default: 'rows' },
  data: { kind: ['string', 'object'], default: 'json' },
  partitionKey: { kind: ['string', 'array', 'boolean'] },
  ordered: { kind: 'boolean', default: true },
  batchRecords: { kind: 'integer', min: 1, max: 100_000, default: 2000 },
  recordFormat: { kind: 'string', oneOf: ['json', 'protobuf'], default: 'json' },
  parallel: { kind: 'integer', min: 1, max: 64, default: 4 },
  name: { kind: 'string', default: 'dis' },
  endpoint: { kind: 'string', min: 1 },
  region: { kind: 'string', min: 1 },
  projectId: { kind: 'string', min: 1 },
} as const;

export type CheckedDisStream = Omit<Checked<DisStreamOptions, typeof SPEC>, 'partitionKey'> & {
  /** Columns; undefined for the path, empty for none. */
  readonly keyColumns: readonly string[] | undefined;
};

/**
 * A stream of the Data Ingestion Service that gets what is published, record by record. At least once: what was on its way when an
 * upload was cut off comes again. A changed partition comes again as a whole; of one that is removed nothing can be taken back.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong; {@link InvalidNameError} a name the service could only
 *   refuse
 */
export function disStream(options: DisStreamOptions, environment: DisEnvironment = {}): StreamSink {
  const { partitionKey, ...given } = checkOptions<DisStreamOptions, typeof SPEC>('disStream', options, SPEC);
  checkStreamName(given.stream);
  const checked: CheckedDisStream = { ...given, keyColumns: keyColumns(partitionKey) };
  const complaint = complaintAbout(checked);
  if (complaint) throw new InvalidInputError(`disStream: ${complaint}`);
  const { name, parallel, credentials } = checked;
  return {
    type: 'dis',
    name,
    guarantee: 'at-least-once',
    parallel,
    credentials,
    open: async (context) => (await import('./session.ts')).openSession(checked, context, environment),
  };
}

function keyColumns(key: DisStreamOptions['partitionKey']): readonly string[] | undefined {
  if (key === undefined) return undefined;
  const columns = key === false ? [] : typeof key === 'string' ? [key] : key;
  if (Array.isArray(columns) && columns.every((name) => typeof name === 'string' && name !== '')) return columns;
  throw new InvalidInputError('disStream: "partitionKey" must be a column, a list of columns, or false');
}

function complaintAbout({ records, data, keyColumns: columns = [] }: CheckedDisStream): string | undefined {
  if (typeof data === 'string' && data !== 'json' && data !== 'csv')
    return `"data" must be "json", "csv" or { column: "…" }, got ${JSON.stringify(data)}`;
  if (isObject(data) && !(typeof data.column === 'string' && Object.keys(data).length === 1))
    return '"data" must be "json", "csv" or { column: "…" }';
  if (records === 'rows') return undefined;
  if (data !== 'json') return '"data" is for records that are rows';
  return columns.length > 0 ? '"partitionKey" names columns, which only rows have' : undefined;
}
