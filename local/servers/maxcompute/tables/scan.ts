import type { Schema } from 'apache-arrow';
import type { Codec } from '../arrow/codecs.ts';
import { convert } from '../arrow/convert.ts';
import { BatchEncoder, END_OF_STREAM } from '../arrow/encode.ts';
import { gather, type Run, runsLength } from '../arrow/gather.ts';
import { type ArrowForm, arrowSchema, arrowType, storedForm } from '../arrow/types.ts';
import { matching } from '../sql/evaluate.ts';
import type { Predicate } from '../sql/predicate.ts';
import type { Table } from './catalog.ts';
import type { Column, SegmentRecord, TableRecord } from './definition.ts';
import { columnOf, filterColumns } from './scan-columns.ts';
import { cut, type SegmentFile, type StoredBatch } from './segment.ts';

/** A segment among the rows of a scan, of which `start` is its first. */
export interface ScanPart {
  readonly partition: readonly string[];
  readonly segment: SegmentRecord;
  readonly start: number;
}

/** Rows of a table as they were when a session was opened, numbered from 0 to `rows`. */
export interface Scan {
  readonly table: Table;
  readonly record: TableRecord;
  readonly parts: readonly ScanPart[];
  readonly rows: number;
  /** What goes out, in this order, data and partition columns alike. */
  readonly columns: readonly Column[];
  readonly filter?: Predicate;
}

export interface ScanOptions {
  readonly form: ArrowForm;
  /** For buffers inside the batches. */
  readonly codec?: Codec;
  readonly maxBatchRows: number;
  /** 0: no limit. */
  readonly maxBatchBytes: number;
  /** Rows left out at the beginning, counted among those that match. */
  readonly skip: number;
  /** Rows that go out at most. */
  readonly limit: number;
}

export type Range = readonly [start: number, end: number];

const CHUNK_BYTES = 1 << 20;

export const partsOf = (segments: readonly Omit<ScanPart, 'start'>[]): { parts: ScanPart[]; rows: number } => {
  let rows = 0;
  const parts = segments.map((part) => {
    const start = rows;
    rows += part.segment.rows;
    return { ...part, start };
  });
  return { parts, rows };
};

export const scanSchema = ({ columns }: Pick<Scan, 'columns'>, form: ArrowForm): Schema => arrowSchema(columns, form);

/** The rows of the ranges as an Arrow stream, in memory for a batch or a mebibyte at a time. */
export async function* readScan(
  scan: Scan,
  ranges: readonly Range[],
  options: ScanOptions,
): AsyncGenerator<Uint8Array> {
  const encoder = new BatchEncoder(scanSchema(scan, options.form), options.codec);
  yield encoder.schemaMessage();
  const reading = new Reading(scan, options, encoder);
  for (const range of ranges) yield* reading.range(range);
  yield END_OF_STREAM;
}

/** How many rows match, of all. */
export async function countMatches(scan: Scan): Promise<number> {
  if (!scan.filter) return scan.rows;
  let count = 0;
  for (const part of scan.parts) {
    const reader = await scan.table.reader(part.segment);
    const file = await reader.reading();
    try {
      for (const stored of reader.batches) count += runsLength(await matches(scan, part, file, stored));
    } finally {
      await file.close();
    }
  }
  return count;
}

async function matches(scan: Scan, part: ScanPart, file: SegmentFile, stored: StoredBatch): Promise<Run[]> {
  const { columns } = await file.batch(stored);
  return matching(scan.filter!, filterColumns(scan, part, columns, stored.rows), stored.rows);
}

class Reading {
  readonly #scan: Scan;
  readonly #options: ScanOptions;
  readonly #encoder: BatchEncoder;
  readonly #stored: ArrowForm;
  #skip: number;
  #left: number;

  constructor(scan: Scan, options: ScanOptions, encoder: BatchEncoder) {
    this.#scan = scan;
    this.#options = options;
    this.#encoder = encoder;
    this.#stored = storedForm(options.form.bareDecimalBits);
    this.#skip = options.skip;
    this.#left = options.limit;
  }

  async *range([start, end]: Range): AsyncGenerator<Uint8Array> {
    for (const part of this.#scan.parts) {
      if (part.start + part.segment.rows <= start || part.start >= end || this.#left <= 0) continue;
      const reader = await this.#scan.table.reader(part.segment);
      const file = await reader.reading();
      try {
        yield* this.#part(part, reader.batches, file, [start - part.start, end - part.start]);
      } finally {
        await file.close();
      }
    }
  }

  /** Batches that are wanted whole go out as they are stored, many at once; the others are taken apart. */
  async *#part(
    part: ScanPart,
    batches: readonly StoredBatch[],
    file: SegmentFile,
    [start, end]: Range,
  ): AsyncGenerator<Uint8Array> {
    const isAsStored = this.#isAsStored(part);
    let whole: [start: number, end: number] = [0, 0];
    let first = 0;
    for (const stored of batches) {
      const from = Math.max(start - first, 0);
      const until = Math.min(end - first, stored.rows);
      first += stored.rows;
      if (from >= until) continue;
      const isWhole = from === 0 && until === stored.rows && this.#skip === 0 && this.#left >= stored.rows;
      if (isAsStored && isWhole && this.#fits(stored)) {
        if (whole[1] - whole[0] >= CHUNK_BYTES || whole[1] !== stored.start) {
          if (whole[1] > whole[0]) yield await file.bytes(...whole);
          whole = [stored.start, stored.end];
        } else whole[1] = stored.end;
        this.#left -= stored.rows;
        continue;
      }
      if (whole[1] > whole[0]) yield await file.bytes(...whole);
      whole = [0, 0];
      yield* this.#batch(part, file, stored, [from, until]);
      if (this.#left <= 0) break;
    }
    if (whole[1] > whole[0]) yield await file.bytes(...whole);
  }

  #isAsStored({ segment }: ScanPart): boolean {
    const { columns, filter } = this.#scan;
    const { form, codec } = this.#options;
    const wanted = columns.map(({ id }) => id);
    return (
      !filter &&
      !codec &&
      wanted.length === segment.columnIds.length &&
      wanted.every((id, index) => id === segment.columnIds[index]) &&
      form.timestamp === this.#stored.timestamp &&
      form.datetime === this.#stored.datetime &&
      !form.largeStrings
    );
  }

  #fits({ start, end, rows }: StoredBatch): boolean {
    const { maxBatchRows, maxBatchBytes } = this.#options;
    return rows <= maxBatchRows && (maxBatchBytes === 0 || end - start <= maxBatchBytes);
  }

  async *#batch(part: ScanPart, file: SegmentFile, stored: StoredBatch, within: Run): AsyncGenerator<Uint8Array> {
    const { columns: raw } = await file.batch(stored);
    const { filter } = this.#scan;
    let runs: Run[] = [within];
    if (filter) {
      const found = matching(filter, filterColumns(this.#scan, part, raw, stored.rows), stored.rows);
      runs = clipped(found, within);
    }
    const wanted = this.#taken(runs);
    const perBatch = this.#rowsPerBatch(stored);
    const columns = this.#scan.columns.map((column) =>
      columnOf(column, part, raw, this.#scan, stored.rows, this.#stored),
    );
    for (const piece of cut(wanted, perBatch)) {
      const rows = runsLength(piece);
      const converted = columns.map((data, index) => {
        const { name, type } = this.#scan.columns[index]!;
        return convert(gather(data, piece), arrowType(type, this.#options.form), name);
      });
      yield this.#encoder.batch(converted, rows);
    }
  }

  /** Of these, without what is skipped and what is over the limit. */
  #taken(runs: readonly Run[]): Run[] {
    const taken: Run[] = [];
    for (const [start, end] of runs) {
      const skipped = Math.min(this.#skip, end - start);
      this.#skip -= skipped;
      const from = start + skipped;
      const until = Math.min(end, from + this.#left);
      if (until <= from) continue;
      this.#left -= until - from;
      taken.push([from, until]);
    }
    return taken;
  }

  #rowsPerBatch({ start, end, rows }: StoredBatch): number {
    const { maxBatchRows, maxBatchBytes } = this.#options;
    if (maxBatchBytes === 0) return maxBatchRows;
    return Math.max(1, Math.min(maxBatchRows, Math.floor((maxBatchBytes * rows) / (end - start))));
  }
}

function clipped(runs: readonly Run[], [start, end]: Run): Run[] {
  return runs
    .map(([from, until]): Run => [Math.max(from, start), Math.min(until, end)])
    .filter(([from, until]) => from < until);
}
