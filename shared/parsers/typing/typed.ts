import { stringifyLossless } from '../../core/lossless-json.ts';
import type { Row } from '../../records/schema.ts';
import type { RawBatch } from './raw.ts';

/** A record that is not taken: why, and whether it counts as bad. */
export interface Refused {
  readonly index: number;
  readonly reason: string;
  readonly column?: string;
  readonly isSkipped?: boolean;
}

/** What became of one record. */
export type Outcome = 0 | 1 | 2;
export const TAKEN = 0;
export const REFUSED = 1;
/** The columns have changed: the batch is typed anew. */
export const AGAIN = 2;

export interface Replaced {
  /** Index in `rows`, and in the raw batch. */
  readonly row: number;
  readonly index: number;
  readonly column: string;
  readonly isQuiet: boolean;
}

/** What one pass over a batch has made. */
export class Typed {
  readonly rows: Row[] = [];
  readonly refused: Refused[] = [];
  readonly replaced: Replaced[] = [];
  /** By index in `rows`: fields and their raw values. */
  readonly rescues = new Map<number, [string, unknown][]>();
  rescued = 0;

  /** The record that would have been the next row is refused. */
  forget(): void {
    this.rescues.delete(this.rows.length);
    while (this.replaced.at(-1)?.row === this.rows.length) this.replaced.pop();
  }

  rescue(row: number, field: string, value: unknown): void {
    const values = this.rescues.get(row);
    if (values) values.push([field, value]);
    else this.rescues.set(row, [[field, value]]);
  }
}

/** The record as text, where the reader has not kept it. */
export function rawText(raw: RawBatch, given: unknown): string {
  if (!raw.fields) return stringifyLossless(given);
  const cells = given as readonly unknown[];
  return stringifyLossless(Object.fromEntries(raw.fields.map((name, at) => [name, cells[at] ?? null])));
}

/** Names in a message, not more than a few. */
export function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 100)));
  return names.length > 5 ? `${shown.join(', ')} and ${names.length - 5} more` : shown.join(', ');
}
