import { type Split, SplitMode } from '../../clients/maxcompute/index.ts';
import { isObject, type JsonObject } from '../../core/json.ts';
import { InvalidListingError, type Listed, type ListRun, type Metadata } from '../connector.ts';
import type { CheckedMaxComputeOptions } from './options.ts';

/** What a read session came to: the outputs of its task. Counts are null where the service does not tell. */
export type ReadSessionOutputs = JsonObject & {
  readonly sessionId: string;
  /** How it was cut, which need not be as it was asked for. */
  readonly splitMode: string;
  readonly splitsCount: number | null;
  readonly recordCount: number | null;
  readonly bucketIds: number[];
  readonly estimatedBytes: number | null;
  /** Of the table as it is read, in digits. */
  readonly latestVersion: string | null;
  /** ISO 8601. */
  readonly expiresAt: string | null;
};

/** What a leaf's metadata tells of its split. */
export interface SplitLeaf {
  readonly sessionId: string;
  readonly table: string;
  readonly split: Split;
  /** Rows that must come; absent where nobody can know. */
  readonly rows?: number;
}

/** Where nothing is known of its size: a guess that keeps many splits from being read in one go. */
const GUESSED_ROW_BYTES = 64;

/** The splits of a session that is ready. */
export async function* listSplits(
  options: Pick<CheckedMaxComputeOptions, 'split' | 'filter'>,
  { table, position }: Metadata,
  run: ListRun,
): AsyncGenerator<Listed> {
  const outputs = outputsOf(run.job?.outputs);
  const { sessionId } = outputs;
  const splits = splitsOf(outputs, options);
  const counted = countOf(outputs, options);
  if (counted !== undefined) run.expectRows(counted);
  for (const split of splits) {
    const rows = rowsOf(split, splits.length, outputs, options);
    yield {
      name: `split-${String(split.index).padStart(6, '0')}.arrows`,
      // The session is of one state of the table: another one is another fingerprint.
      fingerprint: `${sessionId}/${split.index}`,
      isPrefix: false,
      table: String(table),
      sessionId,
      split: split as unknown as JsonObject,
      ...(rows === undefined ? {} : { rows }),
      size: sizeOf(split, splits.length, outputs),
    };
  }
  if (isObject(position)) run.position({ ...position, version: outputs.latestVersion });
}

function splitsOf(
  { splitMode, splitsCount, recordCount, bucketIds }: ReadSessionOutputs,
  { split }: Pick<CheckedMaxComputeOptions, 'split'>,
): Split[] {
  if (splitMode !== SplitMode.ROW_OFFSET) {
    return Array.from({ length: splitsCount ?? 0 }, (_, index) => {
      const bucketId = bucketIds[index];
      return { index, ...(bucketId === undefined ? {} : { bucketId }) };
    });
  }
  // Uncounted, as under a filter: one split, of all rows.
  if (recordCount === null || recordCount < 0) return [{ index: 0, rowOffset: 0 }];
  if (!('rows' in split))
    throw new InvalidListingError('the service cut the session by rows, and the option "split" does not say how many');
  const { rows } = split;
  return Array.from({ length: Math.ceil(recordCount / rows) }, (_, index) => {
    const rowOffset = index * rows;
    return { index, rowOffset, rowCount: Math.min(rows, recordCount - rowOffset) };
  });
}

/**
 * The rows of all splits together, where the service tells. Whether it counts them before or after a filter is not published: with
 * one, nobody can know.
 */
function countOf(
  { recordCount }: ReadSessionOutputs,
  { filter }: Pick<CheckedMaxComputeOptions, 'filter'>,
): number | undefined {
  return filter === undefined && recordCount !== null && recordCount > 0 ? recordCount : undefined;
}

function rowsOf(
  split: Split,
  count: number,
  outputs: ReadSessionOutputs,
  options: Pick<CheckedMaxComputeOptions, 'filter'>,
): number | undefined {
  const counted = countOf(outputs, options);
  if ('rowOffset' in split) return counted === undefined ? undefined : split.rowCount;
  return count === 1 ? counted : undefined;
}

function sizeOf(split: Split, count: number, { estimatedBytes, recordCount }: ReadSessionOutputs): number {
  const share = 'rowOffset' in split && split.rowCount && recordCount ? split.rowCount / recordCount : 1 / count;
  return Math.round((estimatedBytes ?? (recordCount ?? 0) * GUESSED_ROW_BYTES) * share);
}

/** @throws {InvalidListingError} what the job left is not what a session leaves */
function outputsOf(outputs: JsonObject | undefined): ReadSessionOutputs {
  const { sessionId, splitMode, splitsCount, recordCount, bucketIds } = outputs ?? {};
  const isCount = (value: unknown) => value === null || Number.isSafeInteger(value);
  if (
    typeof sessionId !== 'string' ||
    typeof splitMode !== 'string' ||
    !isCount(splitsCount) ||
    !isCount(recordCount) ||
    !Array.isArray(bucketIds)
  )
    throw new InvalidListingError('the outputs of a maxcompute.read lack its session or its splits');
  return outputs as ReadSessionOutputs;
}
