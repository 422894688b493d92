import type { RecordBatch as ArrowBatch, Schema as ArrowSchema } from 'apache-arrow';
import {
  arrowSchemaOf,
  batchOfRows,
  InvalidRequestError,
  type RowValue,
  type TableSchema,
} from '../../clients/maxcompute/index.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import type { RecordBatch, Schema } from '../../records/schema.ts';
import { PartitionRefusedError, type RejectedRow, type UploadPartition } from '../sink.ts';
import { planRows, type RowPlan } from './columns.ts';
import type { OpenLane } from './streams.ts';

/** Rows of one record batch: what some services take at a time. */
const BATCH_ROWS = 4096;

/** Rows of a landed partition, as the table takes them, from the first that is not there yet. */
export class RowUpload {
  readonly #partition: UploadPartition;
  readonly #lane: OpenLane;
  readonly #table: TableSchema;
  /** Where in the partition the stream is after each of the batches that are on their way. */
  readonly #places: { readonly offset: number; readonly endRow: number }[] = [];
  /** Rows that the service will have of the stream when all that was made is there. */
  #offset: number;
  #endRow = 0;
  #noting: Promise<void> = Promise.resolve();

  /** @throws {PartitionRefusedError} the service does not say what the table's columns are */
  constructor(lane: OpenLane, partition: UploadPartition) {
    this.#partition = partition;
    this.#lane = lane;
    if (!lane.stream.schema) throw new PartitionRefusedError('the service does not tell the columns of the table');
    this.#table = lane.stream.schema;
    this.#offset = lane.stream.rowOffset;
  }

  async run(first: RecordBatch, rest: AsyncIterator<RecordBatch>): Promise<void> {
    await this.#lane.stream.writeBatches(this.#batches(first, rest), {
      signal: this.#partition.signal,
      onWritten: (offset) => this.#written(offset),
    });
    await this.#noting;
    await this.#partition.committed(this.#endRow);
  }

  #written(offset: number): void {
    let endRow: number | undefined;
    while (this.#places[0] && this.#places[0].offset <= offset) endRow = this.#places.shift()!.endRow;
    if (endRow === undefined) return;
    this.#noting = this.#partition.committed(endRow);
    // Its failure is thrown by whoever waits for it; until then it must not count as unhandled.
    this.#noting.catch(() => {});
  }

  async *#batches(first: RecordBatch, rest: AsyncIterator<RecordBatch>): AsyncGenerator<ArrowBatch> {
    const arrow = await arrowSchemaOf(this.#table);
    let there = this.#lane.rowsThere;
    let schema: Schema | undefined;
    let plan: RowPlan | undefined;
    for (let batch: RecordBatch | undefined = first; batch; batch = await nextOf(rest)) {
      if (batch.schema !== schema) {
        schema = batch.schema;
        plan = this.#planOf(schema);
      }
      for (let from = 0; from < batch.rows.length; from += BATCH_ROWS) {
        await this.#noting;
        this.#partition.signal.throwIfAborted();
        const fitting = await this.#fitting(batch, from, plan!, arrow);
        this.#endRow = batch.firstRow + Math.min(from + BATCH_ROWS, batch.rows.length);
        // Which rows fit is the same each time: those that are there are the first of them.
        const skipped = Math.min(there, fitting.rows.length);
        there -= skipped;
        if (skipped === fitting.rows.length) continue;
        this.#offset += fitting.rows.length - skipped;
        this.#places.push({ offset: this.#offset, endRow: this.#endRow });
        yield skipped === 0 && fitting.batch ? fitting.batch : batchOfRows(arrow, fitting.rows.slice(skipped));
      }
    }
  }

  #planOf(schema: Schema): RowPlan {
    const plan = planRows(schema, this.#table);
    if (!('differences' in plan)) return plan;
    const { path } = this.#partition;
    throw new PartitionRefusedError(
      `the rows of ${pathText(path)} do not fit the table:\n${plan.differences.map((line) => `- ${line}`).join('\n')}`,
      { code: 'SchemaMismatch' },
    );
  }

  /** Sets aside what the table cannot hold. */
  async #fitting(
    { rows, firstRow, schema }: RecordBatch,
    from: number,
    plan: RowPlan,
    arrow: ArrowSchema,
  ): Promise<{ readonly rows: Record<string, RowValue>[]; readonly batch?: ArrowBatch }> {
    const rejected: RejectedRow[] = [];
    const candidates: Candidate[] = [];
    for (let at = from; at < Math.min(from + BATCH_ROWS, rows.length); at++) {
      const made = plan.row(rows[at]!);
      if (typeof made === 'string') rejected.push({ row: firstRow + at, reason: made, values: rows[at]! });
      else candidates.push({ at, row: made });
    }
    const { good, bad, batch } = await sorted(arrow, candidates);
    for (const { at, reason } of bad) rejected.push({ row: firstRow + at, reason, values: rows[at]! });
    // Those before were set aside by an invocation before.
    const fresh = rejected.filter(({ row }) => row >= this.#partition.committedRow).sort((a, b) => a.row - b.row);
    if (fresh.length > 0) await this.#partition.reject(fresh, schema);
    return { rows: good.map(({ row }) => row), ...(batch ? { batch } : {}) };
  }
}

interface Candidate {
  /** Within its batch. */
  readonly at: number;
  readonly row: Record<string, RowValue>;
}

interface Sorted {
  readonly good: readonly Candidate[];
  readonly bad: readonly { readonly at: number; readonly reason: string }[];
  /** Of all, if all are good. */
  readonly batch?: ArrowBatch;
}

/** A batch is made of all rows or none: where it cannot be made, each half is tried. */
async function sorted(arrow: ArrowSchema, rows: readonly Candidate[]): Promise<Sorted> {
  try {
    const batch = await batchOfRows(
      arrow,
      rows.map(({ row }) => row),
    );
    return { good: rows, bad: [], batch };
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    const [only] = rows;
    // Of a single row its number says nothing.
    if (rows.length === 1) return { good: [], bad: [{ at: only!.at, reason: error.message.replace(', row 0', '') }] };
    const middle = rows.length >> 1;
    const [before, after] = [await sorted(arrow, rows.slice(0, middle)), await sorted(arrow, rows.slice(middle))];
    return { good: [...before.good, ...after.good], bad: [...before.bad, ...after.bad] };
  }
}

async function nextOf(batches: AsyncIterator<RecordBatch>): Promise<RecordBatch | undefined> {
  const next = await batches.next();
  return next.done ? undefined : next.value;
}
