import type { ErrorFacts } from '../core/errors.ts';
import type { EpochMs } from '../core/units.ts';
import type { Progress } from './progress.ts';
import {
  REFUSALS_MAX,
  type Refusal,
  type RefusedPartition,
  type SinkRecord,
  type SinkStore,
  type UploadedVersion,
} from './store.ts';

type Path = readonly string[];

/** What a sink has refused, while a transition goes on. */
export class Refusals {
  readonly #store: SinkStore;
  readonly #progress: Progress;
  readonly #isRedrive: boolean;

  constructor(store: SinkStore, progress: Progress, isRedrive: boolean) {
    this.#store = store;
    this.#progress = progress;
    this.#isRedrive = isRedrive;
  }

  /** In an order that stays while the transition goes on. */
  all(): AsyncIterable<RefusedPartition> {
    const { pipeline, sink } = this.#progress.record;
    return this.#store.refused(pipeline, sink);
  }

  /** @returns undefined if the partition was not refused, or has been uploaded since */
  async of(path: Path): Promise<RefusedPartition | undefined> {
    const { pipeline, sink, refused } = this.#progress.record;
    const refusal = refused === 0 ? undefined : await this.#store.refusal(pipeline, sink, path);
    return refusal?.settled ? undefined : refusal;
  }

  async add(
    path: Path,
    { error, was, run, at }: { error: ErrorFacts; was: UploadedVersion | undefined; run: number; at: EpochMs },
  ): Promise<void> {
    await this.#progress.refuses();
    const { pipeline, sink } = this.#progress.record;
    const kept = was ? { was: versionOf(was) } : {};
    await this.#store.refuse(pipeline, sink, { path, error, run, refusedAt: at, ...kept });
  }

  /** It is in, or there no more. */
  async settle(path: Path): Promise<void> {
    const { pipeline, sink } = this.#progress.record;
    if (this.#isRedrive) await this.#store.settle(pipeline, sink, path);
    else await this.#store.forgetRefusal(pipeline, sink, path);
  }

  /** What is left when the transition is over. */
  async counted(): Promise<Pick<SinkRecord, 'refused' | 'refusals'>> {
    const refusals: Refusal[] = [];
    let refused = 0;
    if (this.#progress.record.refused === 0) return { refused, refusals };
    for await (const { path, error, settled } of this.all()) {
      if (settled) continue;
      refused += 1;
      if (refusals.length < REFUSALS_MAX) refusals.push({ path, error });
    }
    return { refused, refusals };
  }

  /** Only when a redrive is over: as long as it goes on, it counts on their places. */
  async forgetSettled(): Promise<void> {
    if (!this.#isRedrive) return;
    const { pipeline, sink } = this.#progress.record;
    for await (const { path, settled } of this.all())
      if (settled) await this.#store.forgetRefusal(pipeline, sink, path);
  }
}

const versionOf = ({ fingerprint, sha256, bytes, run, at }: UploadedVersion): UploadedVersion => ({
  fingerprint,
  sha256,
  bytes,
  run,
  at,
});
