import type { ObsDestination } from './descriptor.ts';

export type TaskState = 'RUNNING' | 'PAUSED' | 'ABNORMAL' | 'ERROR';

/** How far a task is in one partition. */
export interface TaskPartition {
  /** Number of the first record not delivered yet. */
  next: number;
  lastTransferMs: number;
  /** Records left out because nothing could be made of them. */
  discarded: number;
}

/** A delivery that was decided and may have been written already: it is written again, to the same keys, until it is done. */
export interface Delivery {
  readonly atMs: number;
  /** By partition: records from number `from` up to `to`, excluded. */
  readonly ranges: readonly { readonly partition: number; readonly from: number; readonly to: number }[];
}

export interface SavedDumpTask {
  readonly id: string;
  readonly name: string;
  readonly obs: ObsDestination;
  readonly createdAtMs: number;
  readonly readyAtMs: number;
  readonly state: TaskState;
  readonly dueMs: number;
  readonly lastTransferMs: number;
  readonly failingSinceMs?: number;
  readonly delivery?: Delivery;
  readonly partitions: Readonly<Record<string, TaskPartition>>;
}

export class DumpTask {
  readonly id: string;
  readonly name: string;
  readonly obs: ObsDestination;
  readonly createdAtMs: number;
  readonly partitions: Map<number, TaskPartition>;
  readyAtMs: number;
  state: TaskState;
  /** When the next delivery begins. */
  dueMs: number;
  lastTransferMs: number;
  failingSinceMs: number | undefined;
  delivery: Delivery | undefined;

  constructor(saved: SavedDumpTask) {
    this.id = saved.id;
    this.name = saved.name;
    this.obs = saved.obs;
    this.createdAtMs = saved.createdAtMs;
    this.readyAtMs = saved.readyAtMs;
    this.state = saved.state;
    this.dueMs = saved.dueMs;
    this.lastTransferMs = saved.lastTransferMs;
    this.failingSinceMs = saved.failingSinceMs;
    this.delivery = saved.delivery;
    const entries = Object.entries(saved.partitions).map(([number, one]) => [Number(number), { ...one }] as const);
    this.partitions = new Map(entries);
  }

  stateAt(nowMs: number): TaskState | 'STARTING' {
    return this.state === 'RUNNING' && nowMs < this.readyAtMs ? 'STARTING' : this.state;
  }

  /** Goes on where it stopped. Starting a task that runs does nothing. */
  start(nowMs: number, delayMs: number): void {
    if (this.state !== 'PAUSED' && this.state !== 'ERROR') return;
    this.state = 'RUNNING';
    this.failingSinceMs = undefined;
    this.readyAtMs = nowMs + delayMs;
    this.dueMs = this.readyAtMs + this.obs.deliver_time_interval * 1000;
  }

  pause(): void {
    if (this.state === 'RUNNING' || this.state === 'ABNORMAL') this.state = 'PAUSED';
  }

  toJSON(): SavedDumpTask {
    const { id, name, obs, createdAtMs, readyAtMs, state, dueMs, lastTransferMs, failingSinceMs, delivery } = this;
    return {
      ...{ id, name, obs, createdAtMs, readyAtMs, state, dueMs, lastTransferMs },
      ...(failingSinceMs === undefined ? {} : { failingSinceMs }),
      ...(delivery === undefined ? {} : { delivery }),
      partitions: Object.fromEntries(this.partitions),
    };
  }
}
