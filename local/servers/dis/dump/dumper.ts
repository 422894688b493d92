import type { Objects } from '../../../../shared/landing/objects.ts';
import type { State } from '../state.ts';
import type { Stream } from '../stream.ts';
import type { Buckets } from './buckets.ts';
import { deliver } from './deliver.ts';
import type { Delivery, DumpTask } from './task.ts';

const MB = 1024 * 1024;

/** Carries out the deliveries that are due, one task after the other. */
export class Dumper {
  readonly #state: State;
  readonly #buckets: Buckets;
  readonly #nowMs: () => number;
  #running: Promise<void> = Promise.resolve();

  constructor(state: State, buckets: Buckets, nowMs: () => number) {
    this.#state = state;
    this.#buckets = buckets;
    this.#nowMs = nowMs;
  }

  /** Does what is due by now; resolves when it is done. */
  run(): Promise<void> {
    this.#running = this.#running.catch(() => {}).then(() => this.#deliverAll());
    return this.#running;
  }

  /** When nothing is being delivered. */
  idle(): Promise<void> {
    return this.#running.catch(() => {});
  }

  async #deliverAll(): Promise<void> {
    for (const stream of [...this.#state.streams.values()]) {
      for (const task of [...stream.tasks]) if (this.#isDue(stream, task)) await this.#deliver(stream, task);
    }
  }

  #isDue(stream: Stream, task: DumpTask): boolean {
    const nowMs = this.#nowMs();
    if (task.state !== 'RUNNING' && task.state !== 'ABNORMAL') return false;
    if (nowMs < task.readyAtMs) return false;
    if (nowMs >= task.dueMs || task.state === 'ABNORMAL') return true;
    const waiting = [...stream.readable(nowMs)].reduce(
      (sum, { number, log }) => sum + log.dataBytesFrom(task.partitions.get(number)?.next ?? 0),
      0,
    );
    return waiting >= (task.obs.deliver_size_interval ?? Infinity) * MB;
  }

  async #deliver(stream: Stream, task: DumpTask): Promise<void> {
    const nowMs = this.#nowMs();
    const isThere = () => this.#state.streams.get(stream.name) === stream && stream.tasks.includes(task);
    // Decided and saved before anything is written: who is killed meanwhile writes the same files again, not others.
    task.delivery ??= planDelivery(stream, task, nowMs);
    task.dueMs = nowMs + task.obs.deliver_time_interval * 1000;
    this.#state.save();
    const { delivery } = task;
    try {
      if (delivery.ranges.length > 0) {
        const objects: Objects = await this.#buckets.open(task.obs.obs_bucket_path);
        const discarded = await deliver(stream, task.id, task.obs, delivery, objects);
        for (const [number, count] of discarded) task.partitions.get(number)!.discarded += count;
        for (const { partition, to } of delivery.ranges) {
          Object.assign(task.partitions.get(partition)!, { next: to, lastTransferMs: delivery.atMs });
        }
        task.lastTransferMs = delivery.atMs;
      }
      task.delivery = undefined;
      task.failingSinceMs = undefined;
      if (task.state === 'ABNORMAL') task.state = 'RUNNING';
    } catch {
      // The bucket refuses or is away; a stream that was deleted meanwhile has no files to read any more.
      task.failingSinceMs ??= nowMs;
      const isGivenUp = nowMs - task.failingSinceMs >= task.obs.retry_duration * 1000;
      if (task.state !== 'PAUSED') task.state = isGivenUp ? 'ERROR' : 'ABNORMAL';
    }
    if (isThere()) this.#state.save();
  }
}

function planDelivery(stream: Stream, task: DumpTask, nowMs: number): Delivery {
  const ranges = [];
  for (const partition of stream.readable(nowMs)) {
    const { number } = partition;
    // One that a scaling has made since is read from its beginning.
    if (!task.partitions.has(number)) task.partitions.set(number, { next: 0, lastTransferMs: 0, discarded: 0 });
    const from = Math.max(task.partitions.get(number)!.next, partition.oldest(nowMs));
    if (from < partition.next) ranges.push({ partition: number, from, to: partition.next });
  }
  return { atMs: nowMs, ranges };
}
