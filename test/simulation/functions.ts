import { BucketStore } from '../../shared/buckets/store.ts';
import type { Logger } from '../../shared/core/logger.ts';
import type { Redactor } from '../../shared/core/redaction.ts';
import { hours } from '../../shared/core/units.ts';
import { JobStore } from '../../shared/jobs/store.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { settleBatch } from '../../shared/queue/batch.ts';
import type { StartRefreshRequest } from '../../shared/queue/messages.ts';
import type { QueueName } from '../../shared/queue/queue.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { endRun } from '../../shared/refresh/failure.ts';
import { RunStore } from '../../shared/runs/store.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { sweep } from '../../shared/steps/sweep.ts';
import { SinkStore } from '../../shared/uploads/store.ts';
import { STEPS } from '../support/steps.ts';
import type { Faults } from './faults.ts';
import type { SimulatedObjects } from './objects.ts';
import type { SimulatedQueues } from './queues.ts';
import type { Random } from './random.ts';
import { type SimulatedTables, told } from './tables.ts';
import { Task, turns, Violation, type World } from './world.ts';

export const PIPELINE = 'p';
export const SKEW_MS = 300_000;
const ACTIVE = { pk: PIPELINE, sk: 'ACTIVE' };
const SWEEP_EVERY_MS = 300_000;
/** A stream may take so many ticks until it ends. */
const LOST_TURNS_MAX = 200;

/** What the functions of a history run on. */
export interface Platform {
  readonly world: World;
  readonly random: Random;
  readonly faults: Faults;
  readonly tables: SimulatedTables;
  readonly queues: SimulatedQueues;
  readonly objects: SimulatedObjects;
  readonly redactor: Redactor;
}

/** How they run. */
export interface FunctionShape {
  /** Functions at once. */
  readonly concurrency: number;
  /** Messages of one delivery at most. */
  readonly batch: number;
  readonly timeoutMs: number;
  /** Some functions are slow all along. */
  readonly uneven: boolean;
  /** How likely a message is delivered rather than that a function goes on. */
  readonly eager: number;
}

export interface FunctionLimits {
  /** Until all rests, in calls. */
  readonly stepsMax: number;
  /** After so many calls nothing more goes wrong: else some would never come to an end. */
  readonly faultyStepsMax: number;
}

/** What of this a history decides. */
export interface FunctionHooks {
  /** All that the functions of the pipeline are called with. */
  deps(task: Task): RefreshDeps;
  /** Between any two calls: what happens outside. */
  disturb(): void;
  /** Something is not over, of which perhaps only the sweep knows. */
  isBusy(): boolean;
  /** Nothing goes wrong any more. */
  calm(): void;
  /** Before each sweep: how many there were since all is calm. @throws {Violation} too many */
  sweeping(calmSweeps: number): void;
}

/** The functions of one pipeline, as a platform runs them: it delivers messages, sweeps now and then, and lets time pass. */
export class Functions {
  readonly #platform: Platform;
  readonly #shape: FunctionShape;
  readonly #limits: FunctionLimits;
  readonly #hooks: FunctionHooks;
  #ids = 0;
  #names = 0;
  #nextSweepAt: number;
  #calmSweeps = 0;
  /** When triggers were accepted, in steps: each of them is owed a run that begins later. */
  readonly owed: number[] = [];

  constructor(platform: Platform, shape: FunctionShape, limits: FunctionLimits, hooks: FunctionHooks) {
    this.#platform = platform;
    this.#shape = shape;
    this.#limits = limits;
    this.#hooks = hooks;
    this.#nextSweepAt = platform.world.now + SWEEP_EVERY_MS;
  }

  /** Until no function runs, no message waits and nothing is to be swept. @throws {Violation} */
  async untilRest(): Promise<void> {
    const { world } = this.#platform;
    const until = world.steps + this.#limits.stepsMax;
    const calmFrom = world.steps + this.#limits.faultyStepsMax;
    let lostTurns = 0;
    this.#calmSweeps = 0;
    await turns(() => {
      if (world.violation) throw world.violation;
      if (world.steps > calmFrom) this.#hooks.calm();
      if (world.steps > until) throw new Violation('6: a run does not end, and its functions do not rest');
      // Streams go on from tick to tick.
      lostTurns = world.lost ? lostTurns + 1 : 0;
      if (lostTurns > LOST_TURNS_MAX) throw new Violation('a function waits for what never comes');
      return this.#turn();
    });
    if (world.violation) throw world.violation;
  }

  /** One thing happens. @returns false once there is nothing left to happen */
  #turn(): boolean {
    const { world, random, queues } = this.#platform;
    for (;;) {
      world.wake();
      this.#hooks.disturb();
      if (world.now >= this.#nextSweepAt && this.#hooks.isBusy()) {
        this.sweep();
        return true;
      }
      if (world.running < this.#shape.concurrency && (world.ready === 0 || random.chance(this.#shape.eager))) {
        const waiting = queues.waiting();
        if (waiting.length > 0) {
          this.#deliver(random.pick(waiting));
          return true;
        }
      }
      if (world.ready > 0) {
        if (world.step() || world.violation) return true;
        continue;
      }
      if (world.running > 0) return true;
      if (!this.#idle()) return false;
    }
  }

  /** Nothing to do: time passes until there is. */
  #idle(): boolean {
    const { world, queues } = this.#platform;
    const busy = this.#hooks.isBusy();
    const never = Number.POSITIVE_INFINITY;
    // A frozen function may sleep on into the next refresh.
    const next = Math.min(queues.nextVisible(), busy ? this.#nextSweepAt : never, busy ? world.nextWake() : never);
    if (next === never) {
      // What is frozen until others have done so much, who do nothing more.
      if (!busy || world.stalled.length === 0) return false;
      world.wake(true);
      return true;
    }
    world.now = Math.max(world.now + 1, next);
    return true;
  }

  passTime(byMs: number): void {
    const { world, objects } = this.#platform;
    world.now += byMs;
    world.say(() => `${Math.round(byMs / 60_000)} minutes pass`);
    // The lifecycle rule of the bucket.
    if (byMs > hours(48)) for (const key of objects.keys('staging/')) objects.remove(key);
  }

  /** The pipeline's item of runs. */
  active(): { readonly active?: number; readonly root?: string } | undefined {
    return this.#platform.tables.get('runs', ACTIVE) as { active?: number; root?: string } | undefined;
  }

  isActive(): boolean {
    return this.active()?.active !== undefined;
  }

  /** One invocation of a function. */
  task(name: string): Task {
    const { world, random, faults } = this.#platform;
    const { uneven, timeoutMs } = this.#shape;
    const skewMs = faults.strikes('skew') ? random.int(-SKEW_MS / 2, SKEW_MS / 2) : 0;
    const pace = uneven ? random.pick([1, 1, 0.3, 0.05]) : 1;
    return new Task(world, `${name}#${++this.#names}`, { timeoutMs, skewMs, pace });
  }

  /** Of the functions' dependencies what is the same in all histories. */
  deps(task: Task) {
    const { random, tables, queues, objects, redactor } = this.#platform;
    const views = tables.for(task);
    const newId = () => `id${String(++this.#ids).padStart(6, '0')}`;
    return {
      clock: task.clock,
      random: random.next,
      newId,
      log: this.logger(task.name),
      redactor,
      nodes: new NodeStore(views.nodes),
      partitions: new PartitionStore(views.partitions),
      runs: new RunStore(views.runs, newId),
      jobs: new JobStore(views.jobs),
      buckets: new BucketStore(views.buckets, random.next),
      sinks: new SinkStore(views.runs),
      queues: queues.for(task),
      objects: objects.for(task),
      spoolFolder: '/nowhere',
    };
  }

  logger(name: string): Logger {
    const { world } = this.#platform;
    const line = (level: string) => (message: string, facts?: object) =>
      world.say(() => `      ${name} ${level}: ${message} ${told(facts ?? {})}`);
    const trouble = (level: string) => (message: string, facts?: object) => {
      line(level)(message, facts);
      const { error } = (facts ?? {}) as { error?: { name?: string; stack?: string } };
      // Such an error is never on purpose.
      if (/^(Type|Reference|Range|Syntax)Error$/.test(error?.name ?? ''))
        world.violation ??= new Violation(`the core broke: ${error!.stack}`);
    };
    const logger: Logger = {
      debug: line('debug'),
      info: line('info'),
      warn: trouble('warn'),
      error: trouble('error'),
      with: () => logger,
    };
    return logger;
  }

  /** As an event source hands a batch to a function, and deletes what the function has not named as failed. */
  #deliver(queue: QueueName): void {
    const { world, random, queues } = this.#platform;
    const { timeoutMs, batch } = this.#shape;
    const max = queue === 'list-objects' ? random.int(1, batch) : 1;
    const messages = queues.receive(queue, max, Math.ceil(timeoutMs / 1000) + 30);
    if (messages.length === 0) return;
    const task = this.task(queue);
    world.say(
      () => `${task.name} gets ${messages.map(({ body, receiveCount }) => `(${receiveCount}) ${body}`).join(' ')}`,
    );
    const deps = this.#hooks.deps(task);
    const records = messages.map(({ messageId, receiptHandle, body, receiveCount }) => ({
      messageId,
      receiptHandle,
      body,
      attributes: { ApproximateReceiveCount: String(receiveCount) },
    }));
    const inbox = { queue, queues: queues.for(task), log: deps.log, redactor: deps.redactor };
    world.start(
      task,
      async () => {
        const answer = await settleBatch(records, inbox, (body, message) =>
          STEPS[queue](body, { ...message, deadline: task.deadline }, deps),
        );
        const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        const done = messages.filter(({ messageId }) => !failed.has(messageId));
        queues.delete(
          queue,
          done.map(({ receiptHandle }) => receiptHandle),
        );
      },
      (error) => {
        if (error !== undefined) world.violation ??= new Violation(`settleBatch threw ${String(error)}`);
      },
    );
  }

  /** A trigger. */
  start(trigger: 'schedule' | 'event', request: Omit<StartRefreshRequest, 'pipeline' | 'trigger'> = {}): void {
    const { world } = this.#platform;
    const task = this.task('start-refresh');
    const step = world.steps;
    world.start(
      task,
      () => startRefresh({ pipeline: PIPELINE, trigger, ...request }, this.#hooks.deps(task)),
      (error) => {
        if (error === undefined) this.owed.push(step);
        else world.say(() => `${task.name} failed: ${String(error)}`);
      },
    );
  }

  /** Cancels a run by somebody's hand. */
  cancel(task: Task, run: number): void {
    this.#platform.world.start(
      task,
      () => endRun(PIPELINE, run, { state: 'CANCELLED' }, this.#hooks.deps(task)),
      () => {},
    );
  }

  sweep(): void {
    const { world, faults } = this.#platform;
    this.#nextSweepAt = world.now + SWEEP_EVERY_MS;
    if (!faults.on) this.#calmSweeps += 1;
    this.#hooks.sweeping(this.#calmSweeps);
    const task = this.task('sweep');
    world.start(
      task,
      () => sweep({ pipeline: PIPELINE }, task.deadline, this.#hooks.deps(task)),
      () => {},
    );
  }
}
