import type { DumpTask, SavedDumpTask } from './dump/task.ts';
import { Partition, type SavedPartition } from './partition.ts';
import { refusal } from './refusal.ts';
import { PartitionLog } from './storage/partition-log.ts';

export type StreamType = 'COMMON' | 'ADVANCED';

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** What a stream is created with. */
export interface StreamSettings {
  readonly name: string;
  readonly type: StreamType;
  readonly dataType: 'BLOB' | 'JSON' | 'CSV';
  readonly retentionHours: number;
  readonly isAutoScaleEnabled: boolean;
  readonly autoScaleMin: number;
  readonly autoScaleMax: number;
  readonly dataSchema?: string;
  readonly csvDelimiter?: string;
  readonly compressionFormat?: 'snappy' | 'gzip' | 'zip';
  readonly sysTags: readonly Tag[];
}

/** One change of the partition count, done or refused. */
export interface Scaling {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly isAuto: boolean;
}

export interface Checkpoint {
  readonly sequenceNumber: string;
  readonly metadata: string;
}

export interface SavedStream {
  readonly id: string;
  readonly settings: StreamSettings;
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly runningFromMs: number;
  readonly isFrozen: boolean;
  /** Sequence number of the first record of every partition. */
  readonly firstSequenceNumber: string;
  readonly tags: readonly Tag[];
  readonly scalings: readonly Scaling[];
  readonly partitions: readonly SavedPartition[];
  /** By app, then by partition number. */
  readonly checkpoints: Readonly<Record<string, Readonly<Record<string, Checkpoint>>>>;
  readonly tasks: readonly SavedDumpTask[];
}

export interface StreamFiles {
  /** Of this stream alone. */
  readonly folder: string;
  readonly segmentBytes: number;
}

const HOUR_MS = 3_600_000;

export class Stream {
  readonly id: string;
  readonly settings: StreamSettings;
  readonly createdAtMs: number;
  readonly runningFromMs: number;
  readonly firstSequenceNumber: bigint;
  readonly partitions: Partition[];
  readonly tasks: DumpTask[];
  readonly checkpoints = new Map<string, Map<number, Checkpoint>>();
  readonly scalings: Scaling[];
  modifiedAtMs: number;
  isFrozen: boolean;
  tags: Tag[];
  /** Where the next record without a key goes. */
  turn = 0;
  readonly #files: StreamFiles;

  constructor(saved: SavedStream, tasks: DumpTask[], files: StreamFiles) {
    this.id = saved.id;
    this.settings = saved.settings;
    this.createdAtMs = saved.createdAtMs;
    this.modifiedAtMs = saved.modifiedAtMs;
    this.runningFromMs = saved.runningFromMs;
    this.firstSequenceNumber = BigInt(saved.firstSequenceNumber);
    this.isFrozen = saved.isFrozen;
    this.tags = [...saved.tags];
    this.scalings = [...saved.scalings];
    this.tasks = tasks;
    for (const [app, partitions] of Object.entries(saved.checkpoints)) {
      const entries = Object.entries(partitions).map(([number, checkpoint]) => [Number(number), checkpoint] as const);
      this.checkpoints.set(app, new Map(entries));
    }
    this.#files = files;
    this.partitions = saved.partitions.map((partition) => this.#open(partition));
  }

  get name(): string {
    return this.settings.name;
  }

  get retentionMs(): number {
    return this.settings.retentionHours * HOUR_MS;
  }

  statusAt(nowMs: number): 'CREATING' | 'RUNNING' | 'FROZEN' {
    if (nowMs < this.runningFromMs) return 'CREATING';
    return this.isFrozen ? 'FROZEN' : 'RUNNING';
  }

  /** Those that records are routed to, in the order of their ids. */
  active(nowMs: number): Partition[] {
    return this.partitions.filter((partition) => partition.statusAt(nowMs) === 'ACTIVE');
  }

  readable(nowMs: number): Partition[] {
    return this.partitions.filter((partition) => ['ACTIVE', 'DELETED'].includes(partition.statusAt(nowMs)));
  }

  /** What counts against the quota, and what a scaling starts from. */
  get count(): number {
    return this.partitions.filter(({ deletedAtMs }) => deletedAtMs === undefined).length;
  }

  /** @throws {RefusedError} DIS.4302 or DIS.4319 */
  partition(number: number, nowMs: number, projectId: string): Partition {
    const partition = this.partitions[number];
    const about = [this.name, projectId, `shardId-${String(number).padStart(10, '0')}`];
    if (!partition) throw refusal('DIS.4302', ...about);
    if (partition.statusAt(nowMs) === 'EXPIRED') throw refusal('DIS.4319', ...about);
    return partition;
  }

  /** Partitions are numbered without holes, and none is ever taken off the list. */
  addPartition(activeFromMs: number): void {
    this.partitions.push(this.#open({ number: this.partitions.length, activeFromMs }));
  }

  close(): void {
    for (const partition of this.partitions) partition.log.close();
  }

  toJSON(): SavedStream {
    const { id, settings, createdAtMs, modifiedAtMs, runningFromMs, isFrozen, tags, scalings } = this;
    return {
      ...{ id, settings, createdAtMs, modifiedAtMs, runningFromMs, isFrozen, tags, scalings },
      firstSequenceNumber: String(this.firstSequenceNumber),
      partitions: this.partitions.map((partition) => partition.toJSON()),
      checkpoints: Object.fromEntries(
        [...this.checkpoints].map(([app, partitions]) => [app, Object.fromEntries(partitions)]),
      ),
      tasks: this.tasks.map((task) => task.toJSON()),
    };
  }

  #open(saved: SavedPartition): Partition {
    const log = new PartitionLog(`${this.#files.folder}/${saved.number}`, this.#files.segmentBytes);
    return new Partition(saved, log, this.retentionMs, this.firstSequenceNumber);
  }
}
