import type { LoadOffset, QuarantinedRow } from './own-tables.ts';

/** Rows of one part that wait to be committed together, with the place behind them. */
export class RowBuffer {
  /** As text of a bulk load. The records they were made of are let go of: there may be many. */
  readonly lines: string[] = [];
  /** Which row of the part each line is. */
  readonly numbers: number[] = [];
  readonly quarantined: QuarantinedRow[] = [];
  offset: LoadOffset;
  chars = 0;

  constructor(offset: LoadOffset) {
    this.offset = offset;
  }

  get isEmpty(): boolean {
    return this.lines.length === 0 && this.quarantined.length === 0;
  }

  add(line: string, number: number): void {
    this.lines.push(line);
    this.numbers.push(number);
    this.chars += line.length;
  }
}

const RAW_MAX_CHARS = 64 * 1024;

/** The database refused a row, and does not say which column. */
export function refusedByDatabase(part: number, rows: number, line: string, sqlState: string): QuarantinedRow {
  const raw = line.trimEnd().slice(0, RAW_MAX_CHARS);
  return { part, rows, stage: 'load', reason: `the database refused it (${sqlState})`, raw };
}
