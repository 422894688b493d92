import { LONG, STRING, TIMESTAMP, type Value } from '../records/column-type.ts';
import { column, type Row, type Schema } from '../records/schema.ts';

/** Where records come from. */
export interface Lineage {
  /** The partition's path. */
  readonly partition: string;
  readonly fingerprint: string;
  /** Of the run that landed it, such as `canvas/17`. */
  readonly runId: string;
  /** A canonical timestamp in UTC. */
  readonly ingestedAt: string;
}

const COLUMNS = [
  column('_partition', STRING, false),
  column('_fingerprint', STRING, false),
  column('_run_id', STRING, false),
  column('_record_no', LONG, false),
  column('_ingested_at', TIMESTAMP, false),
];

export const LINEAGE_COLUMNS: ReadonlySet<string> = new Set(COLUMNS.map(({ name }) => name));

/** The columns of the records, and behind them those of their lineage; one of the same name gives way. */
export function withLineage(schema: Schema): Schema {
  const ours = new Set(COLUMNS.map(({ name }) => name));
  return { ...schema, columns: [...schema.columns.filter(({ name }) => !ours.has(name)), ...COLUMNS] };
}

/** @param firstRow number of the first row in its partition */
export function lineageRows(
  rows: readonly Row[],
  schema: Schema,
  { partition, fingerprint, runId, ingestedAt }: Lineage,
  firstRow: number,
): Row[] {
  const ours = new Set(COLUMNS.map(({ name }) => name));
  const kept = schema.columns.flatMap(({ name }, at) => (ours.has(name) ? [] : [at]));
  const isWhole = kept.length === schema.columns.length;
  return rows.map((row, index) => {
    const values: Value[] = isWhole ? row.slice() : kept.map((at) => row[at]!);
    values.push(partition, fingerprint, runId, BigInt(firstRow + index), ingestedAt);
    return values;
  });
}
