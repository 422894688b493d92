import type { RecordBatch, Schema } from '../records/schema.ts';

/** Bytes in, records out, in batches: what is not asked for is not read, and the input is never held whole. */
export interface Parser {
  /** `csv`, `ndjson`, … */
  readonly format: string;
  /**
   * Parses one partition. Its batches may be read once.
   *
   * @param chunks as stored: compressed or not, of any size
   * @throws {ParseError} while the batches are read
   */
  parse(chunks: AsyncIterable<Uint8Array>, run: ParseRun): ParsedRecords;
}

/** What surrounds the parsing of one partition. */
export interface ParseRun {
  /** Names the input in messages, such as the partition's path. */
  readonly label: string;
  readonly signal?: AbortSignal;
  /**
   * An existing local folder for what must be read at random (parquet, excel, zip); what is written there is removed again.
   * Formats that need it refuse to work without.
   */
  readonly temporaryFolder?: string;
  /** Takes what `badRecords: 'quarantine'` sets aside; it is awaited. */
  quarantine?(record: BadRecord): void | Promise<void>;
}

export interface ParsedRecords extends AsyncIterable<RecordBatch> {
  /** Counts on while the batches are read; complete when they are over. */
  readonly stats: ParseStats;
}

export interface ParseStats {
  /** Good rows that came out. */
  readonly rows: number;
  /** Bad records that were dropped or set aside. */
  readonly badRecords: number;
  /** Records that a rule with `onInvalid: 'skip'` dropped. */
  readonly skippedRecords: number;
  /** Values that went to `_rescued`, or were replaced by a rule's default. */
  readonly rescuedValues: number;
  readonly replacedValues: number;
  readonly inputBytes: number;
  /** After decompression. */
  readonly expandedBytes: number;
  readonly warnings: readonly ParseWarning[];
  /** As of the last batch. */
  readonly schema: Schema | undefined;
}

export interface ParseWarning {
  /** From 0, bad ones counted; undefined for the input as a whole. */
  readonly record?: number;
  readonly column?: string;
  readonly reason: string;
}

/** A record that could not be taken. */
export interface BadRecord {
  /** From 0, in the order of the input, bad ones counted. */
  readonly record: number;
  /** Of its first byte in the decompressed input, where the format tells. */
  readonly offset?: number;
  /** Names the column and what it should be; does not quote the value. */
  readonly reason: string;
  readonly column?: string;
  /** The record as text, cut after 64 KiB. */
  readonly raw: string;
}

export const RAW_MAX_CHARS = 64 * 1024;
/** Values that fit no column, as JSON text by name. */
export const RESCUED = '_rescued';
