import { InvalidRequestError, RowCountMismatchError, SplitIndexOutOfRangeError } from '../client-errors.ts';
import { SplitMode } from '../enums.ts';
import type { ReadApi, ReadOptions, WaitOptions } from '../read-api.ts';
import type { RowStream } from './row-stream.ts';
import type { CreateReadSessionRequest, CreateReadSessionResponse, ReadStreamRequest } from './wire.ts';

export type OpenReadSessionOptions = WaitOptions;

/** A part of a session that is read with one request. Plain data, so that another process may read it. */
export type Split = IndexSplit | RowRangeSplit;

export interface IndexSplit {
  readonly index: number;
  /** In `Bucket` mode. */
  readonly bucketId?: number | undefined;
}

export interface RowRangeSplit {
  readonly index: number;
  readonly rowOffset: number;
  /** Absent where the service does not count its rows: then there is one split, of all of them. */
  readonly rowCount?: number | undefined;
}

/** How a split is read: columns, sizes of batches, compression. */
export type SplitReadOptions = ReadOptions &
  Omit<ReadStreamRequest, 'sessionId' | 'splitIndex' | 'rowOffset' | 'rowCount'>;

/** A read session that is ready, and its splits. */
export class ReadSession {
  readonly #api: ReadApi;
  readonly #request: CreateReadSessionRequest;
  #info: CreateReadSessionResponse;
  readonly id: string;

  constructor(api: ReadApi, id: string, info: CreateReadSessionResponse, request: CreateReadSessionRequest) {
    this.#api = api;
    this.id = id;
    this.#info = info;
    this.#request = request;
  }

  /** As the service last described it. */
  get info(): CreateReadSessionResponse {
    return this.#info;
  }

  /** Rows in all, where the service counts them; undefined if not, or if a filter makes its count mean nothing. */
  get recordCount(): number | undefined {
    const { recordCount, splitMode } = this.#info;
    if (this.#request.filterPredicate || recordCount === null || recordCount < 0) return undefined;
    const isCounted = splitMode === SplitMode.ROW_OFFSET || this.#api.isInstance || recordCount > 0;
    return isCounted ? recordCount : undefined;
  }

  /** Worth keeping together with the id. */
  get routeToken(): string | undefined {
    return this.#api.routeTokenOf(this.id);
  }

  /** How many {@link splits} there are. */
  get splitsCount(): number {
    if (!this.#isByRows) return this.#info.splitsCount ?? 0;
    return this.#rows === undefined ? 1 : Math.ceil(this.#rows / this.#rowsPerSplit);
  }

  *splits(): Generator<Split> {
    for (let index = 0; index < this.splitsCount; index++) yield this.split(index);
  }

  /** @throws {SplitIndexOutOfRangeError} */
  split(index: number): Split {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.splitsCount) {
      throw new SplitIndexOutOfRangeError(`session ${this.id} has splits 0 to ${this.splitsCount - 1}, got ${index}`);
    }
    if (!this.#isByRows) {
      const bucketId = this.#info.splitBucketId?.[index];
      return { index, ...(bucketId !== undefined && { bucketId }) };
    }
    if (this.#rows === undefined) return { index, rowOffset: 0 };
    const rowOffset = index * this.#rowsPerSplit;
    return { index, rowOffset, rowCount: Math.min(this.#rowsPerSplit, this.#rows - rowOffset) };
  }

  /** The rows of a split. Those of a range are counted at the end. @throws {SplitIndexOutOfRangeError} */
  read(split: Split, options: SplitReadOptions = {}): RowStream {
    const { signal, routeToken, expectedRows, resume, ...request } = options;
    const isRange = 'rowOffset' in split;
    if (!isRange) this.split(split.index);
    const ours = isRange && !this.#request.filterPredicate ? split.rowCount : undefined;
    const where = isRange ? { rowOffset: split.rowOffset, rowCount: split.rowCount } : { splitIndex: split.index };
    return this.#api.readRowsStream(
      { ...request, ...where, sessionId: this.id },
      { signal, routeToken, resume, expectedRows: expectedRows ?? ours ?? this.#rowsOfOnlySplit(split) },
    );
  }

  /** Asks how it stands, and makes it live longer. */
  async refresh(options: WaitOptions = {}): Promise<CreateReadSessionResponse> {
    this.#info = await this.#api.getReadSession(this.id, { ...options, refresh: true });
    return this.#info;
  }

  /** Whether less than a third of its life is left, so that it is time to {@link refresh}. */
  isExpiring(createdAt: Date, now: Date): boolean {
    const { expirationTime } = this.#info;
    if (!expirationTime) return false;
    const lifeMs = expirationTime.getTime() - createdAt.getTime();
    return expirationTime.getTime() - now.getTime() < lifeMs / 3;
  }

  /** @param rows of all splits together @throws {RowCountMismatchError} they are not as many as the session counts */
  checkTotal(rows: number): void {
    if (this.recordCount === undefined || this.recordCount === rows) return;
    throw new RowCountMismatchError(`session ${this.id} counts ${this.recordCount} rows, its splits had ${rows}`);
  }

  #rowsOfOnlySplit({ index }: Split): number | undefined {
    return index === 0 && this.splitsCount === 1 && !this.#isByRows ? this.recordCount : undefined;
  }

  /** An instance has no splits but ranges, too. */
  get #isByRows(): boolean {
    return this.#api.isInstance || (this.#info.splitMode ?? this.#requestedMode) === SplitMode.ROW_OFFSET;
  }

  get #requestedMode(): SplitMode {
    return this.#request.splitOptions?.splitMode ?? SplitMode.SIZE;
  }

  /** Undefined where the service does not count. */
  get #rows(): number | undefined {
    const { recordCount } = this.#info;
    return recordCount === null || recordCount < 0 ? undefined : recordCount;
  }

  get #rowsPerSplit(): number {
    const { splitNumber } = this.#request.splitOptions ?? {};
    if (this.#requestedMode === SplitMode.ROW_OFFSET && splitNumber !== undefined) return splitNumber;
    if (this.#api.isInstance) return Math.max(1, this.#rows ?? 0);
    throw new InvalidRequestError(`session ${this.id} is read by row ranges: splitOptions.splitNumber says how long`);
  }
}
