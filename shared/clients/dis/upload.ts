import type { Api, CallOptions } from './api.ts';
import type { UploadBody, UploadTarget } from './body.ts';
import { BATCH_MAX_BYTES, BATCH_MAX_RECORDS, checkChoice, checkWhole } from './limits.ts';
import { type Group, GroupOrder, laneOf } from './order.ts';
import { checkRecord, type DataEncoding, isBase64, type RecordResult, type UploadRecord } from './records.ts';
import { type Batch, newBody, settleBatch } from './upload-batch.ts';

export interface UploadOptions extends CallOptions {
  /** Of a stream that another account shared. */
  readonly streamId?: string | undefined;
  /** What data given as text is, unless the record says so itself. Default `text`. */
  readonly encoding?: DataEncoding | undefined;
  /**
   * Keeps the order of records of one partition id or key: they never race each other, and a record that fails for the
   * moment is sent again together with those behind it, which may then be stored twice. Default false: failed records
   * alone are sent again.
   */
  readonly ordered?: boolean | undefined;
  /** How many partitions are ACTIVE: with it, `ordered` counts keys of one partition as one, by the service's hash. */
  readonly partitionCount?: number | undefined;
  /** Requests at a time. Default 4. */
  readonly concurrency?: number | undefined;
  /** Of the stream: a request may have 1 MiB of data (COMMON, the default) or 5 MiB (ADVANCED). */
  readonly streamType?: 'COMMON' | 'ADVANCED' | undefined;
  /** Default 500. */
  readonly maxBatchRecords?: number | undefined;
  /** Of data, below what the type allows. */
  readonly maxBatchBytes?: number | undefined;
}

/** What became of the records of one batch: all of them are stored, or have failed for good. */
export interface UploadedBatch {
  /** Of these records among all, ascending. Not without gaps if the order is kept. */
  readonly indices: readonly number[];
  /** Of each, in the order of `indices`. */
  readonly results: readonly RecordResult[];
  readonly failedRecordCount: number;
  /** All records before this one have been told of, in this batch or an earlier one. */
  readonly settledBefore: number;
}

/** Cuts records into batches near the limits, and keeps several under way. */
export class Uploader {
  readonly #api: Api;
  readonly #target: UploadTarget;
  readonly #encoding: DataEncoding | undefined;
  readonly #order: GroupOrder | undefined;
  readonly #concurrency: number;
  /** With an order to keep, some wait for others: a key that comes often must not hold up the rest. */
  readonly #mostSent: number;
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  /** Batches that are being filled. All in one lane unless the order is kept. */
  readonly #filling = new Map<number, Batch>();
  /** The last batch of each lane that was sent. */
  readonly #tails = new Map<number, Promise<void>>();
  readonly #running = new Map<Batch, Promise<void>>();
  /** Sent, and not told of yet. */
  readonly #outstanding = new Set<Batch>();
  readonly #settled: { readonly batch: Batch; readonly results: RecordResult[] }[] = [];
  /** To be filled again. */
  readonly #spare: UploadBody[] = [];
  #isSpread = false;
  #anyLane = 0;
  #nextIndex = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @throws {OutOfLimitsError} an option out of its limits */
  constructor(api: Api, target: UploadTarget, options: UploadOptions) {
    const { concurrency = 4, partitionCount, maxBatchRecords = BATCH_MAX_RECORDS, streamType = 'COMMON' } = options;
    const mostBytes = BATCH_MAX_BYTES[checkChoice('streamType', streamType, ['COMMON', 'ADVANCED'])];
    const { maxBatchBytes = mostBytes } = options;
    this.#api = api;
    this.#target = target;
    this.#encoding = options.encoding;
    this.#concurrency = checkWhole('concurrency', concurrency, 1);
    this.#maxRecords = checkWhole('maxBatchRecords', maxBatchRecords, 1);
    this.#maxBytes = checkWhole('maxBatchBytes', maxBatchBytes, 1, mostBytes);
    if (partitionCount !== undefined) checkWhole('partitionCount', partitionCount, 1);
    this.#order = options.ordered ? new GroupOrder(partitionCount) : undefined;
    this.#mostSent = this.#order ? this.#concurrency * 2 : this.#concurrency;
  }

  async *batches(
    source: Iterable<UploadRecord> | AsyncIterable<UploadRecord>,
    caller: AbortSignal,
  ): AsyncGenerator<UploadedBatch> {
    const stop = new AbortController();
    const signal = AbortSignal.any([caller, stop.signal]);
    try {
      yield* this.#take(source, signal);
      if (!this.#failure) for (const lane of [...this.#filling.keys()]) this.#send(lane, signal);
      yield* this.#drain(1);
      if (this.#failure) throw this.#failure.error;
    } finally {
      stop.abort(new Error('the upload was left'));
      await Promise.all(this.#running.values());
    }
  }

  /** A source, or a record, that fails ends the upload once those under way are told of. */
  async *#take(
    source: Iterable<UploadRecord> | AsyncIterable<UploadRecord>,
    signal: AbortSignal,
  ): AsyncGenerator<UploadedBatch> {
    try {
      // A source that is at hand is not waited for, record by record.
      if (Symbol.asyncIterator in source) {
        for await (const record of source) {
          if (this.#add(record, signal)) yield* this.#drain(this.#mostSent);
          if (this.#failure) return;
        }
      } else {
        for (const record of source) {
          if (this.#add(record, signal)) yield* this.#drain(this.#mostSent);
          if (this.#failure) return;
        }
      }
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /** @returns whether a batch was sent */
  #add(record: UploadRecord, signal: AbortSignal): boolean {
    const sizeBytes = checkRecord(record, this.#nextIndex, this.#encoding);
    const group = this.#order?.groupOf(record);
    let lane = this.#laneOf(group);
    const before = this.#filling.get(lane);
    const isFull = before !== undefined && before.sizeBytes + sizeBytes > this.#maxBytes;
    if (isFull) {
      this.#send(lane, signal);
      lane = this.#laneOf(group);
    }
    const batch = this.#batchOf(lane);
    batch.body.add(record, isBase64(record, this.#encoding), sizeBytes);
    batch.indices.push(this.#nextIndex);
    if (this.#order) batch.groups.push(group);
    batch.sizeBytes += sizeBytes;
    this.#nextIndex += 1;
    if (batch.indices.length < this.#maxRecords) return isFull;
    this.#send(lane, signal);
    return true;
  }

  /** The first batch holds whatever comes, so that few records travel in one request. */
  #laneOf(group: Group): number {
    if (!this.#isSpread) return 0;
    // What has no order to keep goes along with whatever is being filled.
    return group === undefined ? this.#anyLane : laneOf(group, this.#concurrency);
  }

  #batchOf(lane: number): Batch {
    let batch = this.#filling.get(lane);
    if (!batch) {
      const body = this.#spare.pop() ?? newBody(this.#api, this.#target);
      batch = { body, indices: [], groups: [], sizeBytes: 0 };
      this.#filling.set(lane, batch);
    }
    return batch;
  }

  /** With an order to keep, behind the batch that its lane sent before. */
  #send(lane: number, signal: AbortSignal): void {
    const batch = this.#filling.get(lane)!;
    this.#filling.delete(lane);
    const settling = this.#settle(batch, this.#tails.get(lane), signal);
    this.#running.set(batch, settling);
    this.#outstanding.add(batch);
    if (!this.#order) return;
    this.#tails.set(lane, settling);
    if (!this.#isSpread) for (let other = 0; other < this.#concurrency; other += 1) this.#tails.set(other, settling);
    this.#isSpread = true;
    this.#anyLane = (lane + 1) % this.#concurrency;
  }

  async #settle(batch: Batch, before: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    await before;
    try {
      if (this.#failure) return;
      const results = await settleBatch(this.#api, batch, this.#order, signal);
      this.#settled.push({ batch, results });
      batch.body.reset();
      this.#spare.push(batch.body);
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#running.delete(batch);
    }
  }

  /** Waits until fewer than `limit` batches are under way, and tells of those that are settled. */
  async *#drain(limit: number): AsyncGenerator<UploadedBatch> {
    for (;;) {
      for (let done = this.#settled.shift(); done; done = this.#settled.shift()) yield this.#told(done);
      if (this.#running.size < limit) return;
      await Promise.race(this.#running.values());
    }
  }

  #told({ batch, results }: { batch: Batch; results: RecordResult[] }): UploadedBatch {
    this.#outstanding.delete(batch);
    const firsts = [...this.#outstanding, ...this.#filling.values()].map(({ indices }) => indices[0]!);
    return {
      indices: batch.indices,
      results,
      failedRecordCount: results.reduce((sum, { errorCode }) => sum + (errorCode === undefined ? 0 : 1), 0),
      settledBefore: Math.min(this.#nextIndex, ...firsts),
    };
  }
}
