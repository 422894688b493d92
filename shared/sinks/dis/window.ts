import {
  type DisClient,
  type FailedRecord,
  type RecordResult,
  TooLargeError,
  type UploadOptions,
} from '../../clients/dis/index.ts';
import type { UploadPartition } from '../sink.ts';
import { reasonOf } from './outcome.ts';
import type { Candidate } from './records.ts';

export interface WindowTarget {
  readonly client: DisClient;
  readonly stream: string;
  readonly options: UploadOptions;
  readonly now: () => Date;
}

/**
 * Some records of one landed partition, in order. They travel in several requests at a time; how far all have come is noted after
 * each answer, so that what may come twice is never more than these.
 */
export class Window {
  readonly #target: WindowTarget;
  readonly #partition: UploadPartition;
  readonly #candidates: readonly Candidate[];
  /** Per candidate: stored, or set aside. */
  readonly #settled: boolean[];
  #done = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(candidates: readonly Candidate[], partition: UploadPartition, target: WindowTarget) {
    this.#target = target;
    this.#partition = partition;
    this.#candidates = candidates;
    this.#settled = candidates.map(() => false);
  }

  /** @throws {RecordsHeldBackError} what comes behind the committed row may go later */
  async upload(): Promise<void> {
    const places = [...this.#candidates.keys()];
    await this.#reject(places.flatMap((place) => reasonAt(place, this.#candidates[place]!.reason)));
    await this.#send(places.filter((place) => !this.#settled[place]));
    await this.#commit();
    if (this.#failure) throw this.#failure.error;
  }

  /** What the service finds too long is cut in two. */
  async #send(places: readonly number[]): Promise<void> {
    if (places.length === 0 || this.#failure) return;
    const { client, stream, options } = this.#target;
    const records = places.map((place) => this.#candidates[place]!.record!);
    try {
      for await (const { indices, results } of client.uploadBatches(stream, records, {
        ...options,
        signal: this.#partition.signal,
      })) {
        await this.#reject(indices.flatMap((index, at) => reasonAt(places[index]!, this.#reasonOf(results[at]!))));
        for (const [at, index] of indices.entries())
          if (results[at]!.errorCode === undefined) this.#settled[places[index]!] = true;
        await this.#commit();
      }
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      const left = places.filter((place) => !this.#settled[place]);
      if (left.length === 1) return this.#reject(reasonAt(left[0]!, error.message));
      const middle = Math.ceil(left.length / 2);
      await this.#send(left.slice(0, middle));
      await this.#send(left.slice(middle));
    }
  }

  /** Why a record can never go; undefined if it is stored, or may go later. */
  #reasonOf(result: RecordResult): string | undefined {
    if (result.errorCode === undefined) return undefined;
    try {
      return reasonOf(result as FailedRecord, this.#target.stream, this.#target.now());
    } catch (error) {
      // The first one says most: what follows it may only have been held back.
      this.#failure ??= { error };
      return undefined;
    }
  }

  /** Those of one schema together. */
  async #reject(reasons: readonly Reason[]): Promise<void> {
    const bySchema = Map.groupBy(reasons, ({ place }) => this.#candidates[place]!.schema);
    for (const [schema, group] of bySchema) {
      const rows = group.map(({ place, reason }) => {
        const { row, values } = this.#candidates[place]!;
        return { row, reason, values };
      });
      await this.#partition.reject(rows, schema);
      for (const { place } of group) this.#settled[place] = true;
    }
  }

  async #commit(): Promise<void> {
    const before = this.#done;
    while (this.#settled[this.#done]) this.#done += 1;
    if (this.#done > before) await this.#partition.committed(this.#candidates[this.#done - 1]!.row + 1);
  }
}

interface Reason {
  readonly place: number;
  readonly reason: string;
}

const reasonAt = (place: number, reason: string | undefined): Reason[] =>
  reason === undefined ? [] : [{ place, reason }];
