import { checkOutgoing, checkReceive, VISIBILITY_MAX_SECONDS } from '../../shared/queue/outgoing.ts';
import {
  MAX_RECEIVE_COUNT,
  type OutgoingMessage,
  QUEUE_NAMES,
  type QueueCounts,
  type QueueName,
  type Queues,
  QueueUnavailableError,
  type ReceivedMessage,
  type ReceiveOptions,
} from '../../shared/queue/queue.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import type { Task } from './world.ts';

interface Message {
  readonly id: string;
  readonly body: string;
  visibleAt: number;
  receiveCount: number;
  /** Of the last delivery; others are out of date. */
  receipt: string | undefined;
}

const SEND_BATCH = 10;

/** Queues that deliver at least once and in no order, and now and then lose a message, which they should not. */
export class SimulatedQueues {
  readonly #queues = new Map<QueueName, Message[]>(QUEUE_NAMES.map((name) => [name, []]));
  readonly dead = new Map<QueueName, Message[]>(QUEUE_NAMES.map((name) => [name, []]));
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #clock: () => number;
  #ids = 0;
  readonly sent: Record<QueueName, number> = {
    'list-objects': 0,
    'poll-job': 0,
    'stream-upload': 0,
    'read-bytes': 0,
    'finish-refresh': 0,
  };

  constructor(random: Random, faults: Faults, clock: () => number) {
    this.#random = random;
    this.#faults = faults;
    this.#clock = clock;
  }

  /** The queues as one function sees them. */
  for(task: Task): Queues {
    return new QueuesView(this, task);
  }

  // Without a turn of the scheduler: for the platform, which polls the queues.

  send(queue: QueueName, { body, delaySeconds = 0 }: OutgoingMessage): void {
    this.sent[queue] += 1;
    if (this.#faults.strikes('lose')) return;
    const late = this.#faults.strikes('delay') ? this.#random.int(1, 1_200_000) : 0;
    const id = `m${++this.#ids}`;
    const visibleAt = this.#clock() + delaySeconds * 1000 + late;
    this.#of(queue).push({ id, body, visibleAt, receiveCount: 0, receipt: undefined });
  }

  /** Up to `max` messages, any of those that are visible. */
  receive(queue: QueueName, max: number, visibilityTimeoutSeconds: number): ReceivedMessage[] {
    const now = this.#clock();
    this.#bury(queue, now);
    const visible = this.#of(queue).filter((message) => message.visibleAt <= now);
    const received: ReceivedMessage[] = [];
    while (received.length < max && visible.length > 0) {
      const [message] = visible.splice(Math.floor(this.#random.next() * visible.length), 1) as [Message];
      message.receiveCount += 1;
      message.receipt = `${message.id}/${message.receiveCount}`;
      const again = this.#faults.strikes('duplicate') ? this.#random.int(0, 60_000) : Number.POSITIVE_INFINITY;
      message.visibleAt = now + Math.min(visibilityTimeoutSeconds * 1000, again);
      const { id, receipt, body, receiveCount } = message;
      received.push({ messageId: id, receiptHandle: receipt, body, receiveCount });
    }
    return received;
  }

  #bury(queue: QueueName, now: number): void {
    const messages = this.#of(queue);
    for (let at = messages.length - 1; at >= 0; at--) {
      const message = messages[at]!;
      if (message.visibleAt > now || message.receiveCount < MAX_RECEIVE_COUNT) continue;
      messages.splice(at, 1);
      this.dead.get(queue)!.push(message);
    }
  }

  delete(queue: QueueName, receipts: readonly string[]): void {
    const messages = this.#of(queue);
    for (const receipt of receipts) {
      // A message may have been delivered anew since; a receipt that is out of date may delete it or not.
      const at = messages.findIndex((message) => message.receipt === receipt);
      if (at >= 0 && !this.#faults.strikes('keep')) messages.splice(at, 1);
    }
  }

  retryAfter(queue: QueueName, receipt: string, delaySeconds: number): void {
    const message = this.#of(queue).find((one) => one.receipt === receipt);
    if (message) message.visibleAt = this.#clock() + Math.min(delaySeconds, VISIBILITY_MAX_SECONDS) * 1000;
  }

  counts(queue: QueueName): QueueCounts {
    const now = this.#clock();
    this.#bury(queue, now);
    const messages = this.#of(queue);
    const hidden = messages.filter(({ visibleAt }) => visibleAt > now);
    const delayed = hidden.filter(({ receiveCount }) => receiveCount === 0).length;
    return {
      visible: messages.length - hidden.length,
      inFlight: hidden.length - delayed,
      delayed,
      dead: this.dead.get(queue)!.length,
    };
  }

  redrive(queue: QueueName): number {
    const dead = this.dead.get(queue)!.splice(0);
    for (const { body } of dead) this.send(queue, { body });
    return dead.length;
  }

  /** Queues that have a message to give. */
  waiting(): QueueName[] {
    const now = this.#clock();
    const waiting: QueueName[] = [];
    for (const [queue, messages] of this.#queues) {
      for (const { visibleAt } of messages) {
        if (visibleAt > now) continue;
        waiting.push(queue);
        break;
      }
    }
    return waiting;
  }

  /** When the next message becomes visible, or infinity. */
  nextVisible(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const messages of this.#queues.values())
      for (const { visibleAt } of messages) least = Math.min(least, visibleAt);
    return least;
  }

  *bodies(): Generator<string> {
    for (const messages of [...this.#queues.values(), ...this.dead.values()])
      for (const { body } of messages) yield body;
  }

  get size(): number {
    return [...this.#queues.values()].reduce((sum, messages) => sum + messages.length, 0);
  }

  #of(queue: QueueName): Message[] {
    return this.#queues.get(queue)!;
  }
}

class QueuesView implements Queues {
  readonly #all: SimulatedQueues;
  readonly #task: Task;

  constructor(all: SimulatedQueues, task: Task) {
    this.#all = all;
    this.#task = task;
  }

  async send(queue: QueueName, messages: readonly OutgoingMessage[]): Promise<void> {
    checkOutgoing(queue, messages);
    for (let at = 0; at < messages.length; at += SEND_BATCH) {
      const some = messages.slice(at, at + SEND_BATCH);
      await this.#task.call(
        () => `send to ${queue}: ${some.map(({ body }) => body).join(' ')}`,
        () => {
          for (const message of some) this.#all.send(queue, message);
        },
        unavailable,
        { what: queue, writes: true },
      );
    }
  }

  /** Functions do not poll, so this waits in real time, and only where a test of the port asks for it. */
  async receive(queue: QueueName, options: ReceiveOptions): Promise<ReceivedMessage[]> {
    checkReceive(options);
    const { max, visibilityTimeoutSeconds, waitSeconds = 0, signal } = options;
    const until = performance.now() + waitSeconds * 1000;
    for (;;) {
      if (signal?.aborted) return [];
      const messages = await this.#task.call(
        () => `receive from ${queue}`,
        () => this.#all.receive(queue, max, visibilityTimeoutSeconds),
        unavailable,
      );
      if (messages.length > 0 || performance.now() >= until) return messages;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async delete(queue: QueueName, receipts: readonly string[]): Promise<void> {
    return this.#task.call(
      () => `delete ${receipts.length} of ${queue}`,
      () => this.#all.delete(queue, receipts),
      unavailable,
    );
  }

  async retryAfter(queue: QueueName, receipt: string, delaySeconds: number): Promise<void> {
    return this.#task.call(
      () => `put a message of ${queue} off by ${delaySeconds} s`,
      () => this.#all.retryAfter(queue, receipt, delaySeconds),
      unavailable,
    );
  }

  async counts(queue: QueueName): Promise<QueueCounts> {
    return this.#task.call(
      () => `count ${queue}`,
      () => this.#all.counts(queue),
      unavailable,
    );
  }

  async redrive(queue: QueueName): Promise<number> {
    return this.#task.call(
      () => `redrive ${queue}`,
      () => this.#all.redrive(queue),
      unavailable,
    );
  }
}

const unavailable = () => new QueueUnavailableError('the queue did not answer');
