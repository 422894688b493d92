import type { Api, CallOptions } from './api.ts';
import type { CursorStart } from './cursor.ts';
import { ExpiredCursorError, ExpiredPositionError, OutOfRangeError, StalledReadError } from './errors.ts';
import { CURSOR_RENEWAL_MS, checkWhole } from './limits.ts';
import type { DisRecord, DownloadedData } from './records.ts';

export interface ReadOptions extends CallOptions {
  /** Default: the oldest record that is kept. */
  readonly from?: CursorStart | undefined;
  /** Ends before the record of this number. Without it reading goes on, waiting for new records. */
  readonly until?: bigint | undefined;
  /** Ends at the first answer without records, unless `until` says that more must come. Default false. */
  readonly stopAtEnd?: boolean | undefined;
  /** Of one answer, at least 1. Raised by itself where a record is larger. Default 262,144. */
  readonly maxFetchBytes?: number | undefined;
  /** Between looks at a partition without new records, milliseconds. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** What happens when the position is no longer readable: an error, or the oldest or newest record. Default `fail`. */
  readonly onLost?: 'fail' | 'earliest' | 'latest' | undefined;
  /** Told once the first record after a loss is there, or the end: numbers `from` up to, not with, `to` are lost. */
  readonly lost?: ((range: LostRange) => void) | undefined;
  /** Of a stream that another account shared. */
  readonly streamId?: string | undefined;
}

export interface LostRange {
  /** Undefined if reading had not begun and did not begin at a number. */
  readonly from: bigint | undefined;
  /** Undefined if nothing came after. */
  readonly to: bigint | undefined;
}

/** The calls that reading is made of. */
export interface ReadCalls {
  readonly cursor: (start: CursorStart, signal: AbortSignal) => Promise<string>;
  readonly download: (
    cursor: string,
    maxFetchBytes: number | undefined,
    signal: AbortSignal,
  ) => Promise<DownloadedData>;
}

/**
 * Reads one partition in order, asking for the next answer while the one before is used, and no further ahead. Cursors
 * are renewed before they are too old; each record is yielded once.
 */
export class PartitionReader {
  readonly #api: Api;
  readonly #calls: ReadCalls;
  readonly #options: ReadOptions;
  readonly #what: string;
  #cursor = '';
  #cursorAtMs = 0;
  /** Of the last record that was read. */
  #last: bigint | undefined;
  #maxFetchBytes: number;
  #lostFrom: { readonly number: bigint | undefined } | undefined;

  constructor(api: Api, what: string, calls: ReadCalls, options: ReadOptions) {
    const { maxFetchBytes, pollMs } = options;
    if (maxFetchBytes !== undefined) checkWhole('maxFetchBytes', maxFetchBytes, 1);
    if (pollMs !== undefined) checkWhole('pollMs', pollMs, 0);
    this.#api = api;
    this.#what = what;
    this.#calls = calls;
    this.#options = options;
    this.#maxFetchBytes = maxFetchBytes ?? DEFAULT_FETCH_BYTES;
  }

  /** The records of one answer after the other; never an empty list. */
  async *pages(caller: AbortSignal): AsyncGenerator<readonly DisRecord[]> {
    const stop = new AbortController();
    const signal = AbortSignal.any([caller, stop.signal]);
    let ahead = this.#next(signal);
    try {
      for (;;) {
        const page = await ahead;
        if (page === undefined) return;
        ahead = this.#next(signal);
        // Awaited only when the consumer is done with this page, if ever.
        ahead.catch(() => {});
        yield page;
      }
    } finally {
      stop.abort(new Error('the reading was left'));
    }
  }

  /** The next records; undefined at the end. */
  async #next(signal: AbortSignal): Promise<readonly DisRecord[] | undefined> {
    const { until, stopAtEnd, pollMs = 1000 } = this.#options;
    for (let isEmptyAgain = false; ; isEmptyAgain = true) {
      if (until !== undefined && this.#position() !== undefined && this.#position()! >= until) return undefined;
      const fresh = await this.#fetch(signal);
      if (fresh.length > 0) {
        this.#tellLost(fresh[0]!.sequenceNumber);
        this.#last = fresh.at(-1)!.sequenceNumber;
        const wanted = until === undefined ? fresh : fresh.filter(({ sequenceNumber }) => sequenceNumber < until);
        return wanted.length > 0 ? wanted : undefined;
      }
      // The next record may be larger than what was asked for: an answer is empty then, too.
      if (this.#maxFetchBytes < LARGEST_RECORD_BYTES) {
        this.#maxFetchBytes = LARGEST_RECORD_BYTES;
        continue;
      }
      if (until !== undefined) {
        if (isEmptyAgain) throw new StalledReadError(`${this.#what}: no record although those up to ${until} are due`);
        continue;
      }
      if (stopAtEnd) {
        this.#tellLost(undefined);
        return undefined;
      }
      await this.#api.pause(pollMs, signal);
    }
  }

  /** The number that comes next, where it is known. */
  #position(): bigint | undefined {
    if (this.#last !== undefined) return this.#last + 1n;
    const { cursorType = 'AT_SEQUENCE_NUMBER', startingSequenceNumber } = this.#start();
    if (startingSequenceNumber === undefined) return undefined;
    const number = BigInt(startingSequenceNumber);
    if (cursorType === 'AFTER_SEQUENCE_NUMBER') return number + 1n;
    return cursorType === 'AT_SEQUENCE_NUMBER' ? number : undefined;
  }

  #start(): CursorStart {
    return this.#options.from ?? { cursorType: 'TRIM_HORIZON' };
  }

  /** Where reading goes on: behind the last record, or where it was to begin. */
  #resumption(): CursorStart {
    if (this.#last === undefined) return this.#start();
    return { cursorType: 'AFTER_SEQUENCE_NUMBER', startingSequenceNumber: this.#last };
  }

  async #fetch(signal: AbortSignal): Promise<readonly DisRecord[]> {
    let tries = 0;
    for (;;) {
      try {
        if (this.#cursor === '' || this.#nowMs() - this.#cursorAtMs >= CURSOR_RENEWAL_MS) {
          await this.#renew(this.#resumption(), signal);
        }
        const askedAtMs = this.#nowMs();
        const data = await this.#calls.download(this.#cursor, this.#maxFetchBytes, signal);
        this.#cursor = data.nextPartitionCursor;
        this.#cursorAtMs = askedAtMs;
        // A cursor is not used up by reading, so an answer may come twice.
        const last = this.#last;
        if (last === undefined || !(data.records[0] && data.records[0].sequenceNumber <= last)) return data.records;
        return data.records.filter(({ sequenceNumber }) => sequenceNumber > last);
      } catch (error) {
        tries += 1;
        if (tries > RENEWAL_TRIES) throw error;
        if (error instanceof ExpiredCursorError) this.#cursor = '';
        else if (error instanceof ExpiredPositionError || error instanceof OutOfRangeError)
          await this.#lose(error, signal);
        else throw error;
      }
    }
  }

  async #lose(error: unknown, signal: AbortSignal): Promise<void> {
    const { onLost = 'fail' } = this.#options;
    if (onLost === 'fail') throw error;
    this.#lostFrom ??= { number: this.#position() };
    await this.#renew({ cursorType: onLost === 'earliest' ? 'TRIM_HORIZON' : 'LATEST' }, signal);
  }

  async #renew(start: CursorStart, signal: AbortSignal): Promise<void> {
    const askedAtMs = this.#nowMs();
    this.#cursor = await this.#calls.cursor(start, signal);
    this.#cursorAtMs = askedAtMs;
  }

  #tellLost(to: bigint | undefined): void {
    if (!this.#lostFrom) return;
    const { number: from } = this.#lostFrom;
    this.#lostFrom = undefined;
    if (from === undefined || to === undefined || from < to) this.#options.lost?.({ from, to });
  }

  #nowMs(): number {
    return this.#api.settings.clock().getTime();
  }
}

/** Many partitions at a time stay small in memory, and a request is still worth its way. */
const DEFAULT_FETCH_BYTES = 256 * 1024;
/** The largest there is is 1 MiB; base64, key and frame come on top, whatever the service counts. */
const LARGEST_RECORD_BYTES = 2 * 1024 * 1024;
/** A cursor that was just fetched does not expire; a service that says so keeps saying it. */
const RENEWAL_TRIES = 3;
