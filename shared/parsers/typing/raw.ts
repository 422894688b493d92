import type { ExactObject } from '../../core/lossless-json.ts';
import type { Schema } from '../../records/schema.ts';
import type { RawMode } from './converter.ts';

/** What a reader of a format makes of the input: records whose values are not typed yet, in order, bad ones in their place. */
export type RawBatch = CellBatch | ObjectBatch;

interface Batch {
  /** Number of the first one, from 0. */
  readonly firstRecord: number;
  /** Of a record's first byte in the decompressed input; undefined where the format does not tell. */
  offsetOf?(index: number): number | undefined;
  /** A record as it was written. */
  rawOf?(index: number): string | undefined;
  /** Roughly how much memory the batch takes. */
  readonly bytes: number;
}

export interface CellBatch extends Batch {
  /** One name per cell, unique. The same array as long as they are the same. */
  readonly fields: readonly string[];
  readonly mode: RawMode;
  /** What the cells are already, where the format tells: of the same length as `fields`. */
  readonly schema?: Schema;
  readonly records: readonly (readonly unknown[] | BadRaw)[];
}

export interface ObjectBatch extends Batch {
  readonly fields?: undefined;
  readonly records: readonly (ExactObject | BadRaw)[];
}

/** A record that the reader could not take apart. */
export class BadRaw {
  readonly reason: string;
  readonly raw: string;

  constructor(reason: string, raw: string) {
    this.reason = reason;
    this.raw = raw;
  }
}
