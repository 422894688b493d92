import { DapClientError, InvalidQueryError } from './errors.ts';
import { Instant, type InstantLike } from './instant.ts';

/** The format of the data: PostgreSQL COPY text, RFC 4180, one JSON object a line, or Parquet as Spark writes it. */
export type Format = 'tsv' | 'csv' | 'jsonl' | 'parquet';
export const FORMATS: readonly Format[] = ['tsv', 'csv', 'jsonl', 'parquet'];

/** How nested fields of a fixed shape appear in tabular data: as a column for each member, or as one of JSON. */
export type Mode = 'expanded' | 'condensed';
export const MODES: readonly Mode[] = ['expanded', 'condensed'];

export interface TableQuery {
  readonly format: Format;
  /** Absent: what the service takes by default. */
  readonly mode?: Mode | undefined;
}

/** The present state of a table. */
export interface SnapshotQuery extends TableQuery {
  readonly since?: undefined;
  readonly until?: undefined;
}

/** The latest version of each record that changed, deletions included. */
export interface IncrementalQuery extends TableQuery {
  /** The `at` of a snapshot or the `until` of an incremental query before, in the service's own words. */
  readonly since: InstantLike;
  /** Leave it out, unless a long backlog is to be split. Not before `since`. */
  readonly until?: InstantLike | undefined;
}

export const isIncremental = (query: SnapshotQuery | IncrementalQuery): query is IncrementalQuery =>
  query.since !== undefined && query.since !== null;

/** The body of a start request, members in a fixed order and none that is unset. */
export interface QueryBody {
  readonly format: Format;
  readonly mode?: Mode;
  readonly since?: string;
  readonly until?: string;
}

/** @throws {InvalidQueryError} what the service could only refuse */
export function queryBody(query: SnapshotQuery | IncrementalQuery): QueryBody {
  for (const member of Object.keys(query)) {
    if (!MEMBERS.has(member)) throw new InvalidQueryError(`a query has no member ${JSON.stringify(member)}`);
  }
  const { format, mode, since, until } = query;
  if (!FORMATS.includes(format)) throw new InvalidQueryError(`format must be one of ${FORMATS}, got ${shown(format)}`);
  if (mode !== undefined && !MODES.includes(mode)) {
    throw new InvalidQueryError(`mode must be one of ${MODES}, got ${shown(mode)}`);
  }
  const [from, to] = [instant('since', since), instant('until', until)];
  if (to && !from) throw new InvalidQueryError('until needs since');
  if (from && to && to.compare(from) < 0) throw new InvalidQueryError(`until (${to}) is before since (${from})`);
  return {
    format,
    ...(mode !== undefined && { mode }),
    ...(from && { since: from.toUtcText() }),
    ...(to && { until: to.toUtcText() }),
  };
}

const MEMBERS: ReadonlySet<string> = new Set(['format', 'mode', 'since', 'until']);

function instant(name: string, value: InstantLike | undefined): Instant | undefined {
  if (value === undefined || value === null) return undefined;
  try {
    return Instant.from(value);
  } catch (error) {
    if (!(error instanceof DapClientError)) throw error;
    throw new InvalidQueryError(`${name}: ${error.message}`, { cause: error });
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
