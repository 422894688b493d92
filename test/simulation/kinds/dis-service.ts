import type { Api } from '../../../shared/clients/dis/api.ts';
import type { CursorStart } from '../../../shared/clients/dis/cursor.ts';
import {
  AlreadyExistsError,
  type AppConsumption,
  ConnectionFailedError,
  type DisClient,
  type DisRecord,
  ExpiredCursorError,
  ExpiredPositionError,
  GoneError,
  InvalidCursorError,
  NotFoundError,
  OutOfRangeError,
  type Partition as ShownPartition,
  type Stream,
  ThrottledError,
} from '../../../shared/clients/dis/index.ts';
import { longPartitionId } from '../../../shared/clients/dis/partition.ts';
import { PartitionReader } from '../../../shared/clients/dis/reader.ts';
import { partitionNumber } from '../../../shared/connectors/dis/position.ts';
import type { Task } from '../world.ts';
import type { Caller, KindParts } from './kind.ts';
import { Service } from './service.ts';

const CURSOR_LIFE_MS = 300_000;
/** Of one answer. */
const PAGE_RECORDS = 3;

export interface Partition {
  readonly streamId: string;
  readonly number: number;
  status: 'ACTIVE' | 'DELETED' | 'EXPIRED';
  /** Of the oldest record that can be read, and of the one that will be written next. */
  oldest: number;
  next: number;
}

export interface CommittedCheckpoint {
  readonly partition: Partition;
  readonly sequenceNumber: number;
}

const facts = (code: string, status = 400) => ({
  label: 'GET records',
  status,
  serviceCode: code,
  serviceMessage: 'simulated',
  headers: {},
});

export const dataOf = (streamId: string, partition: number, sequenceNumber: number) =>
  `${streamId}/${partition}/${sequenceNumber}`;

/** A Data Ingestion Service: a stream whose partitions grow, age out, are split and expire, and which may be made anew. */
export class DisService extends Service {
  streamId = 'stream1';
  /** All there ever were. */
  readonly partitions: Partition[] = [];
  readonly #apps = new Set<string>();
  /** By partition number, of the stream as it is now. */
  readonly #checkpoints = new Map<number, { sequenceNumber: bigint; metadata: string }>();
  onCheckpoint: (checkpoint: CommittedCheckpoint) => void = () => {};

  constructor(parts: KindParts) {
    super(parts, {
      lost: () => new ConnectionFailedError('the connection broke', { retryable: true }),
      busy: () => new ThrottledError(facts('DIS.4303')),
    });
    const count = parts.random.pick([1, 1, 1, 2]);
    for (let number = 0; number < count; number++) this.#addPartition();
    for (const partition of this.partitions) partition.next = parts.random.int(0, 4);
  }

  get hasBeenMadeAnew(): boolean {
    return this.partitions.some(({ streamId }) => streamId !== this.streamId);
  }

  /** Of the stream as it is now. */
  now(): Partition[] {
    return this.partitions.filter(({ streamId }) => streamId === this.streamId);
  }

  #addPartition(): void {
    const { streamId } = this;
    this.partitions.push({ streamId, number: this.now().length, status: 'ACTIVE', oldest: 0, next: 0 });
  }

  change(): string {
    const { random, troubles } = this.parts;
    if (troubles.strikes('stream made anew')) {
      this.streamId = this.newId('stream');
      this.#checkpoints.clear();
      this.#addPartition();
      return `the stream is made anew as ${this.streamId}`;
    }
    const active = this.now().filter(({ status }) => status === 'ACTIVE');
    if (this.now().length < 4 && troubles.strikes('stream scales')) {
      const parent = random.pick(active);
      parent.status = 'DELETED';
      this.#addPartition();
      this.#addPartition();
      return `partition ${parent.number} is split`;
    }
    const deleted = this.now().filter(({ status }) => status === 'DELETED');
    if (deleted.length > 0 && troubles.strikes('partition expires')) {
      const gone = random.pick(deleted);
      gone.status = 'EXPIRED';
      gone.oldest = gone.next;
      return `partition ${gone.number} expires`;
    }
    const partition = random.pick(this.now().filter(({ status }) => status !== 'EXPIRED'));
    if (troubles.strikes('records age out')) partition.oldest = random.int(partition.oldest, partition.next);
    for (const one of active) if (one === partition || random.chance(0.5)) one.next += random.int(0, 4);
    return `partition ${partition.number} holds ${partition.oldest} to ${partition.next}`;
  }

  client({ task }: Caller): DisClient {
    const client: Pick<
      DisClient,
      'getStream' | 'appConsumptions' | 'getCheckpoint' | 'createCheckpoint' | 'createApp' | 'readPages' | 'close'
    > = {
      getStream: () =>
        this.call(
          task,
          () => 'describes the stream',
          () => this.#stream(),
        ),
      appConsumptions: (_stream, app) => this.#consumptions(task, app),
      getCheckpoint: (_stream, app, partitionId) =>
        this.call(
          task,
          () => `checkpoint of ${partitionId}`,
          () => {
            if (!this.#apps.has(app)) throw new NotFoundError(facts('DIS.4329'));
            const number = partitionNumber(String(partitionId))!;
            return this.#checkpoints.get(number) ?? { sequenceNumber: -1n, metadata: '' };
          },
        ),
      createApp: ({ name = '' }) =>
        this.call(
          task,
          () => `creates the app ${name}`,
          () => {
            if (this.#apps.has(name)) throw new AlreadyExistsError(facts('DIS.4330'));
            this.#apps.add(name);
            return { name } as never;
          },
          true,
        ),
      createCheckpoint: ({ partitionId, sequenceNumber, metadata = '' }) =>
        this.call(
          task,
          () => `commits ${sequenceNumber} of ${partitionId}`,
          () => this.#commit(partitionNumber(String(partitionId))!, Number(sequenceNumber), metadata) as never,
          true,
        ),
      readPages: (_stream, partitionId, options = {}) => {
        const number = partitionNumber(String(partitionId))!;
        const calls = {
          cursor: (start: CursorStart) =>
            this.call(
              task,
              () => `cursor of ${number}`,
              () => this.#cursor(number, start),
            ),
          download: (cursor: string) =>
            this.call(
              task,
              () => `downloads ${cursor}`,
              () => this.#download(cursor),
            ),
        };
        const reader = new PartitionReader(this.#api(task), `partition ${number}`, calls, options);
        return reader.pages(options.signal ?? new AbortController().signal);
      },
      close: async () => {},
    };
    return client as DisClient;
  }

  #api(task: Task): Api {
    const pause = (ms: number) =>
      task.call(
        () => `waits ${ms} ms`,
        () => {},
      );
    return { settings: { clock: task.clock }, pause } as unknown as Api;
  }

  #stream(): Stream {
    const partitions = this.now().map(
      ({ number, status, oldest, next }): ShownPartition => ({
        partitionId: longPartitionId(number),
        status,
        ...(status === 'EXPIRED' ? {} : { oldestSequenceNumber: BigInt(oldest), nextSequenceNumber: BigInt(next) }),
      }),
    );
    return { name: 's', streamId: this.streamId, status: 'RUNNING', partitions };
  }

  async *#consumptions(task: Task, app: string): AsyncGenerator<AppConsumption> {
    yield* await this.call(
      task,
      () => `consumptions of ${app}`,
      () => {
        if (!this.#apps.has(app)) throw new NotFoundError(facts('DIS.4329'));
        return [...this.#checkpoints].map(([number, checkpoint]) => ({
          partitionId: longPartitionId(number),
          ...checkpoint,
        }));
      },
    );
  }

  #commit(number: number, sequenceNumber: number, metadata: string): void {
    const partition = this.#partition(number);
    if (sequenceNumber < partition.oldest - 1 || sequenceNumber >= partition.next)
      throw new OutOfRangeError(facts('DIS.4332'));
    this.#checkpoints.set(number, { sequenceNumber: BigInt(sequenceNumber), metadata });
    this.onCheckpoint({ partition, sequenceNumber });
  }

  #partition(number: number): Partition {
    const partition = this.now()[number];
    if (!partition) throw new NotFoundError(facts('DIS.4302'));
    if (partition.status === 'EXPIRED') throw new GoneError(facts('DIS.4350'));
    return partition;
  }

  #cursor(number: number, { cursorType = 'AT_SEQUENCE_NUMBER', startingSequenceNumber = 0 }: CursorStart): string {
    const { oldest, next } = this.#partition(number);
    const given = Number(startingSequenceNumber);
    const at = cursorType === 'TRIM_HORIZON' ? oldest : cursorType === 'AFTER_SEQUENCE_NUMBER' ? given + 1 : given;
    if (at < oldest || at > next) throw new OutOfRangeError(facts('DIS.4303'));
    return this.#cursorText(number, at);
  }

  #cursorText(number: number, at: number): string {
    const { world, troubles } = this.parts;
    const until = world.now + (troubles.strikes('cursor expires') ? 0 : CURSOR_LIFE_MS);
    return `${this.streamId} ${number} ${at} ${until}`;
  }

  #download(cursor: string): { readonly records: DisRecord[]; readonly nextPartitionCursor: string } {
    const [streamId, number, at, until] = cursor.split(' ') as [string, string, string, string];
    if (streamId !== this.streamId) throw new InvalidCursorError(facts('DIS.4311'));
    const partition = this.#partition(Number(number));
    if (this.parts.world.now > Number(until)) throw new ExpiredCursorError(facts('DIS.4311'));
    const from = Number(at);
    if (from < partition.oldest) throw new ExpiredPositionError(facts('DIS.4332'));
    const to = Math.min(partition.next, from + this.parts.random.int(1, PAGE_RECORDS));
    const records = Array.from({ length: Math.max(0, to - from) }, (_, index) => ({
      sequenceNumber: BigInt(from + index),
      data: Buffer.from(dataOf(streamId, partition.number, from + index)),
    }));
    return { records, nextPartitionCursor: this.#cursorText(partition.number, Math.max(from, to)) };
  }
}
