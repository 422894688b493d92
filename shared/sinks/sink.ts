import type { Clock } from '../core/clock.ts';
import { IngestError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import type { EpochMs } from '../core/units.ts';
import type { BadRecord } from '../parsers/parser.ts';
import type { RecordBatch, Row, Schema } from '../records/schema.ts';

/**
 * What a sink promises if an upload is cut off anywhere and goes on: each row is there once; a row is written over itself, so
 * that repeats are harmless; or a row may be there more than once.
 */
export type Guarantee = 'exactly-once' | 'idempotent by key' | 'at-least-once';

/** A place that follows a pipeline's published manifests: a database, a stream, another bucket. */
export interface StreamSink {
  /** `sql`, `s3`, `dis`, `maxcompute`, … */
  readonly type: string;
  /** Tells a pipeline's sinks apart, and finds again what each has applied: 1 to 63 of `a-z0-9-`. Default: the type. */
  readonly name: string;
  readonly guarantee: Guarantee;
  /** Partitions uploaded at a time, 1 to 64. Those of one feed always come one after the other. Default 4. */
  readonly parallel?: number;
  /** One partition that cannot be uploaded keeps all of a transition back. Default false: the others go on. */
  readonly atomic?: boolean;
  /** Each transition brings all that the manifest shows, not only what changed: what it brings takes the place of what was there. */
  readonly whole?: boolean;
  /** Where the sink's credential is kept, if it is not the pipeline's own business. */
  readonly credentials?: { readonly secret: string };
  open(context: SinkContext): Promise<SinkSession>;
}

export interface SinkContext {
  readonly pipeline: string;
  readonly sink: string;
  /** The value of the sink's secret; empty without one. Never stored or logged. */
  readonly credential: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** A local folder for what must be spooled; it exists. */
  readonly temporaryFolder: string;
  /** What a session of this transition kept before it was cut off; undefined in the first. */
  readonly kept: JsonValue | undefined;
  /**
   * Keeps something durable, such as the id of a write session, before the session depends on it: at most 16 KiB of JSON.
   *
   * @throws {SinkTakenOverError} another invocation has the sink now
   */
  keep(kept: JsonValue): Promise<void>;
  /** Whether a change of this transition, by its `order`, is in. What is kept from now on is kept together with that. */
  isDone(order: number): boolean;
}

/** Brings a sink from one manifest to another. Calls come in this order: begin, the changes, commit; then close. */
export interface SinkSession {
  begin?(transition: Transition): Promise<void>;
  /** A feed begins anew: what comes now, up to `finishGeneration`, takes the place of all that is there of it. */
  beginGeneration?(feed: Generation): Promise<void>;
  /**
   * Uploads one partition that is new or changed, from its committed row on.
   *
   * @throws {PartitionRefusedError} this partition can never be uploaded; others can
   */
  upload(partition: UploadPartition): Promise<void>;
  finishGeneration?(feed: Generation): Promise<void>;
  /** A partition is shown no more: removed from its source, or part of a generation that was replaced. */
  remove?(partition: RemovedPartition): Promise<void>;
  /** All changes are in. Repeated after a crash, it must have the effect of one. */
  commit?(): Promise<void>;
  /** The transition will not be finished as it is: gives up what `begin` opened. Best effort. */
  abort?(): Promise<void>;
  close(): Promise<void>;
}

export interface Transition {
  /** Run of the manifest that the sink has applied; absent for the first. */
  readonly fromRun?: number;
  readonly toRun: number;
  /** The same whenever this transition goes on, and never met again. */
  readonly id: string;
}

export interface Generation {
  /** Of the feed. */
  readonly path: readonly string[];
  readonly id: string;
  /** Of its rows. */
  readonly table: string;
  read: ReadPartition;
}

/** Another partition of the manifest that is being applied, such as the schema beside the rows; undefined if there is none. */
export type ReadPartition = (path: readonly string[]) => Promise<Uint8Array | undefined>;

export interface SinkPartition {
  readonly path: readonly string[];
  /** Of what landed. */
  readonly fingerprint: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The run that landed it, and when. */
  readonly run: number;
  readonly landedAt: EpochMs;
  /** In a feed: the path of the feed, and its generation if the listing named one. */
  readonly feed?: readonly string[];
  readonly generation?: string;
}

export interface RemovedPartition extends SinkPartition {
  readonly records: PartitionRecords;
  /** A newer generation took its place. */
  readonly isReplaced: boolean;
}

export interface UploadPartition extends SinkPartition {
  /** Its number among the changes of the transition: the same whenever that goes on, and rising within a feed. */
  readonly order: number;
  /** The version that was uploaded before; absent for a new one. */
  readonly replaces?: SinkPartition;
  /** How its source describes its rows: table, kind of change. */
  readonly records: PartitionRecords;
  /** Rows below this were committed by an invocation before. */
  readonly committedRow: number;
  /** The landed bytes, without the pipeline's own compression. */
  bytes(): AsyncIterable<Uint8Array>;
  /**
   * The rows from one on, parsed as the pipeline or its source says.
   *
   * @throws {ParseError} while they are read
   */
  rows(options?: RowsWanted): AsyncIterable<RecordBatch>;
  read: ReadPartition;
  /**
   * All rows below are in the sink. Kept before it returns where a repeat would do harm, else now and then.
   *
   * @throws {SinkTakenOverError} another invocation has the sink now
   */
  committed(row: number): Promise<void>;
  /** Sets rows aside that the sink will never take; counted, and kept for people with the reason. */
  reject(rows: readonly RejectedRow[], schema: Schema): Promise<void>;
  /** Fires when the time of this invocation is up; what was committed stays. */
  readonly signal: AbortSignal;
}

export interface RowsWanted {
  /** Default 0. */
  readonly fromRow?: number;
  /** The columns, where the sink knows them better than the pipeline does. */
  readonly schema?: Schema;
  /** Takes records that cannot be parsed; without it they fail the partition unless the pipeline's parser says otherwise. */
  quarantine?(bad: BadRecord): void | Promise<void>;
}

/** How a landed partition is read as rows. */
export interface PartitionRecords {
  /** Rows of equal tables belong together. Default: the first name of the path without its extension. */
  readonly table: string;
  /**
   * `snapshot`: all rows of a new generation; `changes`: upserts and deletes to apply; `rows`: the partition's own rows;
   * `none`: it holds no rows, but a schema or the like.
   */
  readonly change: 'snapshot' | 'changes' | 'rows' | 'none';
}

export interface RejectedRow {
  /** From 0 within its partition. */
  readonly row: number;
  readonly reason: string;
  readonly values: Row;
}

/** This partition can never be uploaded; it is told of by name, and the others go on. */
export class PartitionRefusedError extends IngestError {
  override readonly name = 'PartitionRefusedError';
  readonly code: string;
  readonly retryable = false;
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(message, options);
    this.code = options.code ?? 'PartitionRefused';
  }
}

/** What was uploaded in this transition is gone, and nothing of it can be seen: it begins anew. */
export class SinkStartOverError extends IngestError {
  override readonly name = 'SinkStartOverError';
  readonly code = 'SinkStartOver';
  readonly retryable = true;
}

/**
 * Whether the transition is in the sink is not known, and cannot be found out from here. All that was kept stays as it is, so that
 * nothing is uploaded twice; people have to look.
 */
export class SinkUndecidedError extends IngestError {
  override readonly name = 'SinkUndecidedError';
  readonly code = 'SinkUndecided';
  readonly retryable = false;
}

/** Another invocation brings the sink on; whoever gets this stops at once. */
export class SinkTakenOverError extends IngestError {
  override readonly name = 'SinkTakenOverError';
  readonly code = 'SinkTakenOver';
  readonly retryable = false;
  constructor(pipeline: string, sink: string) {
    super(`another invocation brings the sink ${sink} of ${pipeline} on`);
  }
}
