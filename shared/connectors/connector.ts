import { IngestError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import type { ParserOptions } from '../parsers/formats.ts';
import type { CommonOptions } from '../parsers/options.ts';
import type { AsyncConnector } from './async/async-connector.ts';

/**
 * A source, as three functions: build a session, list what is there, read the bytes of one partition.
 *
 * Listing and reading run in different processes, so a context is never shared, and what a read needs must be in the
 * partition's metadata. Every refresh lists everything that is expected to be there: what a complete listing does not
 * name is removed. (A feed is the exception: it yields only what is new.)
 */
export interface BytesConnector<C = unknown> extends ListingConnector<C> {
  readonly kind?: 'bytes';
  /** Yields the bytes of one leaf. Strings are UTF-8; nothing is put between chunks. */
  readBytes(context: C, metadata: Metadata, run: ReadRun): Chunks;
}

/** A source whose leaves are records: the same listing and state, but no parser. They land in the pipeline's format. */
export interface RecordsConnector<C = unknown> extends ListingConnector<C> {
  readonly kind: 'records';
  /** How they are typed. Default: as they look. */
  readonly typing?: RecordTyping;
  /** Yields the records of one leaf, in the order in which they land. */
  readRecords(context: C, metadata: Metadata, run: ReadRun): SourceRecordStream;
}

/** What the two kinds of connectors share. */
export interface ListingConnector<C> {
  /** Builds the session. The only way in which a credential reaches a connector. Once per process, then every 50 minutes. */
  context(credentials: string, run: ContextRun): C | Promise<C>;
  /** Yields the children of a node: `null` is the root, else the metadata the node was listed with, unchanged. */
  listObjects(context: C, metadata: Metadata | null, run: ListRun): Listing;
  /** Told after a node has landed and its manifest is stored. May be told again: it must be idempotent. */
  acknowledge?(context: C, node: Acknowledgement): Promise<void>;
  /** Best-effort, when the process ends or the context is replaced. */
  close?(context: C): void | Promise<void>;
}

/**
 * What a listing yields for a node: a JSON object of at most 16 KiB, carried verbatim to the read and to the nested listing.
 */
export interface Metadata {
  /** 1 to 1,024 bytes of UTF-8 without NUL, and not seen before in this listing. */
  readonly name: string;
  /** Identifies the version of the content. Compared for equality only, and only with this partition's last one. */
  readonly fingerprint: string;
  /** True for a node with children, which is listed and never read. */
  readonly isPrefix: boolean;
  /**
   * With `isPrefix`: a folder shows what a complete listing named; a feed yields what is new, in order; of a job an external
   * job is made, once per fingerprint, and when that has succeeded the node is listed and shown as a whole. Default folder.
   */
  readonly kind?: 'folder' | 'feed' | 'job';
  /** With `kind: 'job'`: what is to be done. */
  readonly job?: JsonObject & JobSpec;
  /** In a feed: the generation this leaf or job belongs to. A new one replaces the older ones once it has landed in full. */
  readonly generation?: string;
  /** ISO 8601; for people. */
  readonly lastModified?: string;
  /** Expected bytes; for planning. A read that declares a length itself is checked by its connector. */
  readonly size?: number;
  readonly [extra: string]: JsonValue | undefined;
}

/** An external job, as a listing names it. It holds no secrets: those come over its connection. */
export type JobSpec = {
  /** With `taskTypeVersion` (default 0) it names the connector: `aws.athena`, `dap.query`, … */
  readonly taskType: string;
  readonly taskTypeVersion?: number;
  /** The other members of a task template: `custom`, `sql`, `interface`, `metadata`, … */
  readonly template?: JsonObject;
  readonly inputs?: JsonObject;
  /** One of the pipeline's connections; default: its credential, as the secret `credential`. */
  readonly connection?: string;
};

/** Python's spellings are taken too (`is_prefix`, `last_modified`), so that a port keeps its dictionaries. */
export type Listed = Metadata | JsonObject;
export type Listing = AsyncIterable<Listed> | Iterable<Listed>;
export type Chunks = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/** A record by the names of its fields. `bigint`s are taken too. */
export type SourceRecord = Readonly<Record<string, JsonValue | bigint>>;
export type SourceRecordStream = AsyncIterable<SourceRecord> | Iterable<SourceRecord>;
/** As parsers take them: the schema, rules of columns, what becomes of records that do not fit. */
export type RecordTyping = Pick<
  CommonOptions,
  | 'schema'
  | 'columns'
  | 'onExtraField'
  | 'onMissingField'
  | 'onMismatch'
  | 'badRecords'
  | 'maxErrorCount'
  | 'maxErrorPercent'
  | 'sampleRecords'
  | 'bigNumbers'
>;

export interface ContextRun {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface RunInfo extends ContextRun {
  readonly pipeline: string;
  readonly run: number;
  /** The names from the root down to this node. */
  readonly path: readonly string[];
  /** Milliseconds this function still has; `Infinity` where nothing limits it. */
  remainingMs(): number;
  /** A number for the log, as a line of its own with its name. */
  metric(name: string, value: number): void;
  /** The cursor of the last checkpoint that was kept (for a feed: its position), or undefined. */
  readonly resumeFrom?: JsonValue;
  /**
   * Says where this call could go on: all that was yielded so far is before `cursor`, all that comes is after it. At most
   * 4 KiB of JSON. When the function's time runs out, what is yielded after a checkpoint is not taken any more, the call is
   * ended (its `finally` blocks run), and another invocation calls again with `resumeFrom`.
   */
  checkpoint(cursor: JsonValue): Promise<void>;
}

export interface ListRun extends RunInfo {
  /** Of a job: what it made. */
  readonly job?: FinishedJob;
  /** Of a feed: what has become of what it yielded before. */
  readonly feed?: FeedProgress;
  /** Of a job in a feed: the position up to which the feed is known once this job has landed. The last one told counts. */
  position(position: JsonValue): void;
  /**
   * Of a job: how many rows all its leaves have together, where each of them tells its own by `rows`. If other many have landed, the
   * job has failed, what stood before it stands on, and the next refresh does it anew.
   */
  expectRows(rows: number): void;
  /** Something people should know; kept with the run. */
  warn(message: string): Promise<void>;
  /**
   * Takes what the source says is for one pipeline alone ({@link Source.exclusive}), for all runs to come, and keeps `note`
   * with it: the first one counts. A pipeline that is no longer defined, or uses it no more, holds nothing. Absent where
   * nothing may be written.
   *
   * @throws {ExclusiveUseError} another pipeline has it
   */
  claim?(note: JsonObject): Promise<Claim>;
}

/** What {@link ListRun.claim} holds. */
export interface Claim {
  /** Drawn when it was first taken: tells apart two installations with a pipeline of one name. */
  readonly id: string;
  /** What was kept when it was first taken. */
  readonly note: JsonObject;
}

export interface FinishedJob {
  /** From 0, over all runs. */
  readonly attempt: number;
  readonly outputs: JsonObject;
  /** Where they are stored: `s3://…` or a path, for a while. */
  readonly location: string;
}

export interface FeedProgress {
  /** All up to here has landed: what a checkpoint, or a job's `position`, told. */
  readonly landedPosition?: JsonValue;
  /** What was yielded before and has not landed, in order; at most 1,000. It stays due, without being yielded again. */
  readonly outstanding: readonly Outstanding[];
}

export interface Outstanding {
  readonly name: string;
  readonly generation?: string;
  /** Why it failed when it was last tried. */
  readonly error?: { readonly code: string; readonly message: string };
}

export interface ReadRun extends RunInfo {
  /** 0 for the first try of this partition in this plan. */
  readonly attempt: number;
  /**
   * How many bytes (before compression) are already landed before `resumeFrom`; 0 without it.
   */
  readonly resumeAtByte: number;
  /** How many rows the partition holds, where the connector sees them; kept with what has landed. The last one told counts. */
  rows?(count: number): void;
  /** Facts people should know of what lands, kept with it; at most 4 KiB of JSON. The last ones told count. */
  facts?(facts: JsonObject): void;
  /** Something people should know; kept with the run. */
  warn?(message: string): Promise<void>;
}

export interface Acknowledgement {
  readonly path: readonly string[];
  /** The node's own metadata; null for the root. */
  readonly metadata: Metadata | null;
  /** Of a feed: the cursor up to which everything has landed without a gap. */
  readonly position?: JsonValue;
}

export const METADATA_MAX_BYTES = 16 * 1024;
export const NAME_MAX_BYTES = 1024;
export const CURSOR_MAX_BYTES = 4 * 1024;
export const DEPTH_MAX = 64;

/** A source of bytes. */
export interface Source extends SourceOf<BytesConnector> {}
/** A source of records. */
export interface RecordsSource extends SourceOf<RecordsConnector> {}

/** A source a pipeline can name: a connector with what identifies its code and configuration. */
export interface SourceOf<C> {
  /** `files`, `s3`, `http`, … */
  readonly type: string;
  readonly connector: C;
  /**
   * All that decides what a read yields: the options, and a version of the code. If it changes, everything is read
   * again. Canonical JSON is hashed, so key order does not matter.
   */
  readonly identity: JsonValue;
  /**
   * The code names no version, and `identity` is made of its text as it runs. A bundler changes that text, so where the
   * pipeline comes from a file, the text of this file takes its place.
   */
  readonly identityIsText?: boolean;
  /** Names what only one pipeline may use at a time, such as a consumer of a stream: see {@link ListRun.claim}. */
  readonly exclusive?: string;
  /** How its partitions are read as rows; default: as the pipeline says. */
  records?(path: readonly string[]): SourceRecords | undefined;
  /** The connectors for the external jobs it lists, where they are no built-in ones. */
  readonly asyncConnectors?: readonly AsyncConnector[];
}

/** What a source knows of the rows of one of its partitions. */
export interface SourceRecords {
  /** Rows of equal tables belong together. */
  readonly table?: string;
  /** `snapshot`: rows of a new generation; `changes`: upserts and deletes to apply; `none`; default `rows`, the partition's own. */
  readonly change?: 'snapshot' | 'changes' | 'rows' | 'none';
  readonly parser?: ParserOptions;
}

/** What a listing yielded is not a node: the message names the field, the limit and what was got. */
export class InvalidListingError extends IngestError {
  override readonly name: string = 'InvalidListingError';
  readonly code: string = 'InvalidListing';
  readonly retryable = false;
}

/** The body ended before the length its source declared. */
export class SourceTruncatedError extends IngestError {
  override readonly name = 'SourceTruncatedError';
  readonly code = 'SourceTruncated';
  readonly retryable = true;
}

/** The source changed between the listing and the read, or during the read. The next refresh lists the new version. */
export class SourceChangedError extends IngestError {
  override readonly name = 'SourceChangedError';
  readonly code = 'SourceChanged';
  readonly retryable = false;
}

/**
 * What an external job made is no longer to be had: its results expired, or its service forgot it. Thrown by a listing or a
 * read, it has the job done again: at once by a listing of which nothing has landed, else in the next run.
 */
export class JobGoneError extends IngestError {
  override readonly name = 'JobGoneError';
  readonly code: string = JOB_GONE;
  readonly retryable = false;
}

export const JOB_GONE = 'JobGone';

/** What only one pipeline may use, another one has. */
export class ExclusiveUseError extends IngestError {
  override readonly name = 'ExclusiveUseError';
  readonly code = 'ExclusiveUse';
  readonly retryable = false;
}

/** The source answered that it will not: not found, forbidden, bad request. */
export class SourceRefusedError extends IngestError {
  override readonly name = 'SourceRefusedError';
  readonly code = 'SourceRefused';
  readonly retryable = false;
}
