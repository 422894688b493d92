import type { Row } from '../../records/schema.ts';
import type { LoadOffset, QuarantinedRow } from './own-tables.ts';
import type { RowWriter } from './rows.ts';

/** Rows that wait to be committed together, with the place behind them. */
export class RowBuffer {
  /** As text of a bulk load. */
  readonly lines: string[] = [];
  /** What each line came from, should the database refuse it. */
  readonly origins: Origin[] = [];
  readonly quarantined: QuarantinedRow[] = [];
  offset: LoadOffset;
  chars = 0;

  constructor(offset: LoadOffset) {
    this.offset = offset;
  }

  get isEmpty(): boolean {
    return this.lines.length === 0 && this.quarantined.length === 0;
  }

  add(line: string, origin: Origin): void {
    this.lines.push(line);
    this.origins.push(origin);
    this.chars += line.length;
  }
}

export interface Origin extends LoadOffset {
  readonly row: Row;
  readonly writer: RowWriter;
}

/** The database refused a row, and does not say which column. */
export function refusedByDatabase({ part, rows, row, writer }: Origin, sqlState: string): QuarantinedRow {
  return { part, rows, stage: 'load', reason: `the database refused it (${sqlState})`, raw: writer.raw(row) };
}
