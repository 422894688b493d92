import { FORMATS, type Format, MODES, type Mode } from '../../clients/dap/index.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { checkOptions } from '../../core/options.ts';
import type { Source, SourceRecords } from '../connector.ts';
import type { DapEndpoint, DapEnvironment } from './access.ts';
import { dapConnector, SCHEMA_NAME } from './listing.ts';
import { DapQueryConnector } from './query-connector.ts';

export interface DapOptions extends DapEndpoint {
  /** `canvas`, `canvas_logs`, `catalog`, `new_quizzes`, … */
  readonly namespace: string;
  /** `all` (default): whatever the namespace has at each refresh; or the names of some. */
  readonly tables?: 'all' | readonly string[];
  /** Of the landed files: `jsonl` (default), `csv`, `tsv` or `parquet`. */
  readonly format?: Format;
  /** How nested fields appear in tabular files. Default: as the service does by itself. */
  readonly mode?: Mode;
  /** Queries that may be started in a minute, over all workers; the service publishes 5 (default). 1 to 10,000. */
  readonly startsPerMinute?: number;
  /** How long a query may take, in hours: 1 to 24 (default), after which its results are gone anyway. */
  readonly timeoutHours?: number;
}

const SPEC = {
  namespace: { kind: 'string', required: true, min: 1, max: 200 },
  tables: { kind: ['string', 'array'], default: 'all' },
  format: { kind: 'string', oneOf: FORMATS, default: 'jsonl' },
  mode: { kind: 'string', oneOf: MODES },
  startsPerMinute: { kind: 'integer', min: 1, max: 10_000, default: 5 },
  timeoutHours: { kind: 'integer', min: 1, max: 24, default: 24 },
  baseUrl: { kind: 'string', min: 1 },
  apiPathPrefix: { kind: 'string', min: 1 },
  refusePrivateAddresses: { kind: 'boolean' },
} as const;

export type CheckedDapOptions = DapOptions &
  Required<Pick<DapOptions, 'tables' | 'format' | 'startsPerMinute' | 'timeoutHours'>>;

/**
 * Canvas Data 2 and its sisters: the tables of a namespace, each a snapshot and then what changed, query by query. What lands
 * are the service's own files, gzip as they come, with the table's schema beside them whenever it is another one.
 *
 * The pipeline's credential is `{"clientId": "…", "clientSecret": "…"}`.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong
 */
export function dap(options: DapOptions, environment: DapEnvironment = {}): Source {
  const checked = checkOptions<DapOptions, typeof SPEC>('dap', options, SPEC) as CheckedDapOptions;
  const { namespace, format, mode } = checked;
  // Where the service is, how fast it is asked and which tables are wanted do not change what a file of it holds.
  const identity: JsonObject = {
    version: 1,
    namespace,
    format,
    ...(mode === undefined ? {} : { mode: mode as JsonValue }),
  };
  return {
    type: 'dap',
    connector: dapConnector(checked, environment),
    identity,
    asyncConnectors: [new DapQueryConnector(environment)],
    records: (path) => dapRecords(format, path),
  };
}

/** Below a table are its queries, below a query its files and, where it is another one, the schema. */
function dapRecords(format: Format, [table, query, file]: readonly string[]): SourceRecords {
  const change = file === SCHEMA_NAME ? 'none' : query?.startsWith('snapshot-') ? 'snapshot' : 'changes';
  return { change, ...(table === undefined ? {} : { table }), parser: parserOf(format) };
}

function parserOf(format: Format): NonNullable<SourceRecords['parser']> {
  if (format === 'parquet') return { format };
  if (format === 'jsonl') return { format: 'ndjson', dialect: 'dap', onMismatch: 'rescue' };
  return { format, dialect: format === 'tsv' ? 'dap-tsv' : 'dap-csv', onMismatch: 'rescue' };
}
