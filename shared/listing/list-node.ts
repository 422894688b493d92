import {
  type Claim,
  CURSOR_MAX_BYTES,
  DEPTH_MAX,
  type FeedProgress,
  type FinishedJob,
  InvalidListingError,
  type ListRun,
  type Metadata,
} from '../connectors/connector.ts';
import { parseListed } from '../connectors/metadata.ts';
import type { OpenSource } from '../connectors/service.ts';
import { type Deadline, DeadlineError } from '../core/deadline.ts';
import { IngestError, InvalidInputError, isRetryable, retryAfterMs } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { FeedListing, Listing, lineageId } from './listing.ts';

export interface ListNodeOptions {
  readonly pipeline: string;
  readonly run: number;
  readonly path: readonly string[];
  readonly metadata: JsonObject | null;
  readonly lineage: readonly string[];
  readonly strict: boolean;
  readonly resumeFrom?: JsonValue;
  /** Of a job. */
  readonly job?: FinishedJob;
  /** Of a feed. */
  readonly feed?: FeedProgress;
  readonly deadline: Deadline;
  /** With less than this left, a listing stops at its next checkpoint. */
  readonly stopWithinMs: number;
  /** Called now and then as children come in. */
  readonly onProgress?: () => Promise<void>;
  readonly log: Logger;
  readonly metric: (name: string, value: number) => void;
  readonly warn: (message: string) => Promise<void>;
  readonly claim?: (note: JsonObject) => Promise<Claim>;
}

const PROGRESS_EVERY = 1024;

/** How a call of `listObjects` ended in order. */
export type ListingEnd = { readonly complete: true } | { readonly complete: false; readonly cursor: JsonValue };

/**
 * Calls the connector for one node and takes what it yields.
 *
 * @returns complete, or the cursor of the checkpoint at which it was stopped because time ran out
 * @throws {ListingFailedError} the connector threw, or yielded what is no node; nothing of this listing counts
 */
export async function listNode(
  source: OpenSource,
  into: Listing | FeedListing,
  options: ListNodeOptions,
): Promise<ListingEnd> {
  const {
    pipeline,
    run,
    path,
    metadata,
    strict,
    deadline,
    stopWithinMs,
    log,
    metric,
    warn,
    claim,
    resumeFrom,
    job,
    feed,
  } = options;
  let stopAt: { readonly cursor: JsonValue } | undefined;
  let taken = 0;
  const listRun: ListRun = {
    pipeline,
    run,
    path,
    log,
    metric,
    signal: deadline.signal,
    remainingMs: () => deadline.remainingMs(),
    warn,
    ...(claim ? { claim } : {}),
    ...(resumeFrom === undefined ? {} : { resumeFrom }),
    ...(job ? { job } : {}),
    ...(feed ? { feed } : {}),
    position: (position) => {
      checkCursor(position);
      if (into instanceof Listing) into.told = position;
    },
    expectRows: (rows) => {
      if (!Number.isSafeInteger(rows) || rows < 0)
        throw new InvalidInputError(`the rows to expect must be a whole number from 0 on, got ${rows}`);
      if (into instanceof Listing) into.expectedRows = rows;
    },
    checkpoint: async (cursor) => {
      if (stopAt) return;
      checkCursor(cursor);
      if (into instanceof FeedListing && into.checkpoint(cursor)) await into.flush();
      if (deadline.remainingMs() < stopWithinMs) stopAt = { cursor };
    },
  };
  try {
    for await (const yielded of source.connector.listObjects(source.context, metadata as Metadata | null, listRun)) {
      if (deadline.signal.aborted) throw new ListingTooLongError(path);
      // What comes after the checkpoint is asked for again from its cursor.
      if (stopAt) return { complete: false, cursor: stopAt.cursor };
      const listed = parseListed(yielded, path, { strict });
      if (into instanceof FeedListing && listed.kind !== 'leaf' && listed.kind !== 'job')
        throw new NodeInFeedError(path, listed.name);
      if (listed.kind !== 'leaf') checkDescent(listed.metadata as JsonObject, options);
      if (++taken % PROGRESS_EVERY === 0) await options.onProgress?.();
      if (into.add(listed)) await into.flush();
    }
    return { complete: true };
  } catch (error) {
    if (deadline.signal.aborted && !(error instanceof ListingTooLongError)) {
      throw new ListingFailedError(
        path,
        new ListingTooLongError(path, { cause: error instanceof DeadlineError ? undefined : error }),
      );
    }
    throw new ListingFailedError(path, error);
  }
}

/** What decides a listing is its node's metadata: a node below itself with the same metadata would never end. */
function checkDescent(metadata: JsonObject, { path, lineage }: ListNodeOptions): void {
  if (lineage.length >= DEPTH_MAX) throw new PrefixTooDeepError(path);
  if (lineage.includes(lineageId(metadata))) throw new PrefixCycleError(path, String(metadata.name));
}

export function checkCursor(cursor: JsonValue): void {
  const text = JSON.stringify(cursor);
  const size = text === undefined ? undefined : Buffer.byteLength(text);
  if (size === undefined || size > CURSOR_MAX_BYTES) {
    throw new InvalidInputError(
      `a checkpoint's cursor must be JSON of at most ${CURSOR_MAX_BYTES} bytes, got ${size ?? typeof cursor}`,
    );
  }
}

const shown = (path: readonly string[]) => (path.length === 0 ? 'the root' : JSON.stringify(path.join('/')));

/** A listing that did not end in order. The node stays as it was; the cause says why. */
export class ListingFailedError extends IngestError {
  override readonly name = 'ListingFailedError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(path: readonly string[], cause: unknown) {
    super(`listing ${shown(path)} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.code = cause instanceof IngestError ? cause.code : 'ListingFailed';
    this.retryable = isRetryable(cause);
    const wait = retryAfterMs(cause);
    if (wait !== undefined) this.retryAfterMs = wait;
  }
}

/** A node lists itself, directly or further down. */
export class PrefixCycleError extends IngestError {
  override readonly name = 'PrefixCycleError';
  readonly code = 'PrefixCycle';
  readonly retryable = false;
  constructor(path: readonly string[], child: string) {
    super(
      `${shown(path)} lists ${JSON.stringify(child)} with the metadata of a node above it: it would be listed for ever`,
    );
  }
}

/** A feed shows its partitions in order up to the first gap; what is below a folder or another feed has no place in that. */
export class NodeInFeedError extends InvalidListingError {
  override readonly name = 'NodeInFeedError';
  constructor(path: readonly string[], child: string) {
    super(
      `${shown(path)} is a feed and yields the node ${JSON.stringify(child)}; a feed may only yield leaves and jobs`,
    );
  }
}

export class PrefixTooDeepError extends IngestError {
  override readonly name = 'PrefixTooDeepError';
  readonly code = 'PrefixTooDeep';
  readonly retryable = false;
  constructor(path: readonly string[]) {
    super(`${shown(path)} has nodes deeper than ${DEPTH_MAX} levels`);
  }
}

export class ListingTooLongError extends IngestError {
  override readonly name = 'ListingTooLongError';
  readonly code = 'ListingTooLong';
  readonly retryable = false;
  constructor(path: readonly string[], options?: ErrorOptions) {
    super(
      `listing ${shown(path)} took longer than a function lives, and its connector calls no run.checkpoint(cursor); ` +
        'let it checkpoint, or list the source as several folders',
      options,
    );
  }
}
