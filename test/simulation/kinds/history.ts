import { BucketStore } from '../../../shared/buckets/store.ts';
import { type ConnectorService, ContextError } from '../../../shared/connectors/service.ts';
import { RetryableError } from '../../../shared/core/errors.ts';
import type { Logger } from '../../../shared/core/logger.ts';
import { hours } from '../../../shared/core/units.ts';
import { JobStore } from '../../../shared/jobs/store.ts';
import { NodeStore } from '../../../shared/nodes/store.ts';
import { settleSink, sinkNamed } from '../../../shared/operations/sinks.ts';
import { PartitionStore } from '../../../shared/partitions/store.ts';
import type { PipelineOptions } from '../../../shared/pipelines/define.ts';
import { settleBatch } from '../../../shared/queue/batch.ts';
import {
  parseFinishRefresh,
  parseListObjects,
  parsePollJob,
  parseReadBytes,
  parseStreamUpload,
} from '../../../shared/queue/messages.ts';
import type { QueueName } from '../../../shared/queue/queue.ts';
import type { Delivery, RefreshDeps } from '../../../shared/refresh/deps.ts';
import { endRun } from '../../../shared/refresh/failure.ts';
import { RunStore } from '../../../shared/runs/store.ts';
import { finishRefresh } from '../../../shared/steps/finish-refresh.ts';
import { listObjects } from '../../../shared/steps/list-objects.ts';
import { pollJob } from '../../../shared/steps/poll-job.ts';
import { readBytes } from '../../../shared/steps/read-bytes.ts';
import { startRefresh } from '../../../shared/steps/start-refresh.ts';
import { streamUpload } from '../../../shared/steps/stream-upload.ts';
import { sweep } from '../../../shared/steps/sweep.ts';
import { SinkStore } from '../../../shared/uploads/store.ts';
import { Faults } from '../faults.ts';
import type { HistoryOptions, HistoryResult } from '../history.ts';
import { SimulatedObjects } from '../objects.ts';
import { SimulatedQueues } from '../queues.ts';
import { Random } from '../random.ts';
import { SimulatedTables, told } from '../tables.ts';
import { Task, turns, Violation, World } from '../world.ts';
import { kindOf, secretOf } from './all.ts';
import './loaded.ts';
import type { Caller, Kind, KindName, KindParts } from './kind.ts';
import { KindOracle } from './oracle.ts';
import { REDACTOR } from './redactor.ts';
import { SinkSet } from './sinks.ts';
import { Troubles } from './trouble.ts';

export interface KindHistoryOptions extends Omit<HistoryOptions, 'without'> {
  readonly kind: KindName;
  /** Kinds of faults, and of trouble that a service makes, that are left out. */
  readonly without?: readonly string[];
}

const PIPELINE = 'p';
const ACTIVE = { pk: PIPELINE, sk: 'ACTIVE' };
const SKEW_MS = 300_000;
const SWEEP_EVERY_MS = 300_000;
const LOST_TURNS_MAX = 200;
const STEPS_MAX = 40_000;
/** After so many calls of one refresh nothing more goes wrong in it: else some would never come to an end. */
const FAULTY_STEPS_MAX = 2000;
const SWEEPS_MAX = 200;
const OPERATOR_AFTER_SWEEPS = 20;
/** So many quiet refreshes may be needed: one that fails what is left over, one that begins anew, one that brings it up to date. */
const QUIET_MAX = 6;

const STEPS: Readonly<Record<QueueName, (body: unknown, delivery: Delivery, deps: RefreshDeps) => Promise<void>>> = {
  'list-objects': (body, delivery, deps) => listObjects(parseListObjects(body), delivery, deps),
  'poll-job': (body, delivery, deps) => pollJob(parsePollJob(body), delivery, deps),
  'stream-upload': (body, delivery, deps) => streamUpload(parseStreamUpload(body), delivery, deps),
  'read-bytes': (body, delivery, deps) => readBytes(parseReadBytes(body), delivery, deps),
  'finish-refresh': (body, _delivery, deps) => finishRefresh(parseFinishRefresh(body), deps),
};

interface Shape {
  readonly refreshes: number;
  readonly concurrency: number;
  readonly batch: number;
  readonly timeoutMs: number;
  readonly childrenPerShard: number;
  readonly groupPartitions: number;
  readonly feedShard: number;
  readonly segmentBytes: number;
  readonly uneven: boolean;
  readonly eager: number;
  readonly changes: number;
  readonly forces: number;
  readonly collects: boolean;
  /** Looks at the end whether a refresh of an unchanged source does nothing. */
  readonly rereads: boolean;
  readonly options: Partial<PipelineOptions>;
}

/** One history of a pipeline of one kind: some refreshes with faults, and then quiet ones, which must set everything right. */
export class KindHistory {
  readonly #options: KindHistoryOptions;
  readonly #shape: Shape;
  readonly #world: World;
  readonly #faults: Faults;
  readonly #troubles: Troubles;
  readonly #random: Random;
  readonly #tables: SimulatedTables;
  readonly #queues: SimulatedQueues;
  readonly #objects: SimulatedObjects;
  readonly #oracle: KindOracle;
  readonly #kind: Kind;
  readonly #sinks: SinkSet;
  #ids = 0;
  #names = 0;
  #nextSweepAt: number;
  #sweeps = 0;
  readonly #owed: number[] = [];

  constructor(options: KindHistoryOptions) {
    this.#options = options;
    const random = new Random(options.seed);
    this.#shape = shapeOf(random.fork(), options);
    const without = { without: (options.without ?? []) as never[] };
    this.#faults = new Faults(random.fork(), {
      ...without,
      ...(options.faults === undefined ? {} : { limit: options.faults }),
    });
    this.#troubles = new Troubles(random.fork(), options.without);
    const parts = random.fork();
    this.#random = random.fork();
    this.#world = new World(random.fork(), this.#faults, options.tell);
    this.#world.stepMs = random.pick([2, 10, 40, 400]);
    const now = () => this.#world.now;
    this.#tables = new SimulatedTables(parts.fork(), (write) => this.#oracle.wrote(write), { checks: false });
    this.#queues = new SimulatedQueues(parts.fork(), this.#faults, now);
    this.#oracle = new KindOracle({
      pipeline: PIPELINE,
      graceMs: hours(24),
      skewMs: SKEW_MS,
      now,
      step: () => this.#world.steps,
    });
    this.#objects = new SimulatedObjects(parts.fork(), this.#oracle, { checks: false });
    const kindParts: KindParts = {
      world: this.#world,
      random: parts.fork(),
      faults: this.#faults,
      troubles: this.#troubles,
      seen: (what) => this.#oracle.seen(what),
    };
    this.#kind = kindOf(options.kind, kindParts, this.#shape.options);
    this.#sinks = new SinkSet({ ...kindParts, random: parts.fork() }, options.kind);
    this.#oracle.connect(this.#tables, this.#objects, this.#kind, this.#sinks);
    this.#nextSweepAt = this.#world.now + SWEEP_EVERY_MS;
  }

  async run(): Promise<HistoryResult> {
    this.#world.say(() => `history of ${this.#options.kind} ${told(this.#shape)}`);
    try {
      for (let refresh = 0; refresh < this.#shape.refreshes; refresh++) {
        this.#start('schedule', this.#forces());
        await this.#drive();
        if (this.#random.chance(this.#shape.changes)) this.#change();
        if (this.#random.chance(0.3)) this.#passTime(this.#random.int(0, 40) * 3_600_000);
      }
      await this.#quietEnd();
    } catch (error) {
      const violation = error instanceof Violation ? error.message : `the simulation broke: ${(error as Error).stack}`;
      this.#world.say(() => `VIOLATION ${violation}`);
      return this.#result({ violation, stack: (error as Error).stack ?? '' });
    }
    return this.#result();
  }

  #result(broken: { violation?: string; stack?: string } = {}): HistoryResult {
    const faults = { ...this.#faults.counts, ...this.#troubles.counts };
    return { ...broken, faults, states: this.#oracle.states, steps: this.#world.steps };
  }

  // The world at work

  async #drive(): Promise<void> {
    const world = this.#world;
    const until = world.steps + STEPS_MAX;
    const calmFrom = world.steps + FAULTY_STEPS_MAX;
    const wasOn = this.#faults.on;
    let lostTurns = 0;
    this.#sweeps = 0;
    await turns(() => {
      if (world.violation) throw world.violation;
      if (world.steps > calmFrom) this.#trouble(false);
      if (world.steps > until) throw new Violation('6: a run does not end, and its functions do not rest');
      lostTurns = world.lost ? lostTurns + 1 : 0;
      if (lostTurns > LOST_TURNS_MAX) throw new Violation('a function waits for what never comes');
      return this.#turn();
    });
    if (world.violation) throw world.violation;
    this.#trouble(wasOn);
  }

  #trouble(on: boolean): void {
    this.#faults.on = on;
    this.#troubles.on = on;
  }

  #turn(): boolean {
    const world = this.#world;
    for (;;) {
      world.wake();
      this.#disturb();
      if (world.now >= this.#nextSweepAt && this.#isBusy()) {
        this.#startSweep();
        return true;
      }
      if (world.running < this.#shape.concurrency && (world.ready === 0 || this.#random.chance(this.#shape.eager))) {
        const waiting = this.#queues.waiting();
        if (waiting.length > 0) {
          this.#deliver(this.#random.pick(waiting));
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

  #idle(): boolean {
    const world = this.#world;
    const busy = this.#isBusy();
    const never = Number.POSITIVE_INFINITY;
    const next = Math.min(
      this.#queues.nextVisible(),
      busy ? this.#nextSweepAt : never,
      busy ? world.nextWake() : never,
    );
    if (next === never) {
      if (!busy || world.stalled.length === 0) return false;
      world.wake(true);
      return true;
    }
    world.now = Math.max(world.now + 1, next);
    return true;
  }

  #disturb(): void {
    const what = this.#faults.between();
    if (what === undefined) return;
    if (what === 'source changes') this.#change();
    else if (what === 'clock jump')
      this.#passTime(this.#random.int(1, 40) * this.#random.pick([60_000, 60_000, 1_800_000]));
    else if (what === 'deploy' || !this.#isActive()) return;
    else if (what === 'cancel') this.#cancel();
    else if (what === 'start again') this.#start('event', this.#forces());
    else this.#startSweep();
  }

  #change(): void {
    const what = this.#kind.change();
    this.#world.say(() => `the service: ${what}`);
  }

  #passTime(byMs: number): void {
    this.#world.now += byMs;
    this.#world.say(() => `${Math.round(byMs / 60_000)} minutes pass`);
    // The lifecycle rule of the bucket.
    if (byMs > hours(48)) for (const key of this.#objects.keys('staging/')) this.#objects.remove(key);
  }

  #active(): { active?: number } | undefined {
    return this.#tables.get('runs', ACTIVE) as { active?: number } | undefined;
  }

  #isActive(): boolean {
    return this.#active()?.active !== undefined;
  }

  /** A run is active, a sink lags behind, or a job is not over: what is lost of those the sweep finds. */
  #isBusy(): boolean {
    return this.#isActive() || this.#sinks.isBehind(this.#oracle.published?.run) || this.#oracle.hasOpenJobs();
  }

  // Functions

  #task(name: string): Task {
    const { uneven, timeoutMs } = this.#shape;
    const skewMs = this.#faults.strikes('skew') ? this.#random.int(-SKEW_MS / 2, SKEW_MS / 2) : 0;
    const pace = uneven ? this.#random.pick([1, 1, 0.3, 0.05]) : 1;
    return new Task(this.#world, `${name}#${++this.#names}`, { timeoutMs, skewMs, pace });
  }

  #deps(task: Task): RefreshDeps {
    const tables = this.#tables.for(task);
    const objects = this.#objects.for(task);
    const newId = () => `id${String(++this.#ids).padStart(6, '0')}`;
    const log = this.#logger(task.name);
    const caller: Caller = { task, log };
    const pipeline = { ...this.#kind.pipeline(caller), sinks: this.#sinks.of(caller) };
    return {
      clock: task.clock,
      random: this.#random.next,
      newId,
      log,
      redactor: REDACTOR,
      pipelines: { names: async () => [PIPELINE], get: async () => pipeline },
      connectors: this.#connectors(task, log),
      nodes: new NodeStore(tables.nodes),
      partitions: new PartitionStore(tables.partitions),
      runs: new RunStore(tables.runs, newId),
      jobs: new JobStore(tables.jobs),
      buckets: new BucketStore(tables.buckets, this.#random.next),
      sinks: new SinkStore(tables.runs),
      secrets: { get: async (name) => this.#sinks.secretOf(name) },
      tasksOf: async () => this.#kind.tasks!(caller),
      queues: this.#queues.for(task),
      objects,
      spoolFolder: '/nowhere',
      sizes: {
        childrenPerShard: this.#shape.childrenPerShard,
        feedShard: this.#shape.feedShard,
        groupPartitions: this.#shape.groupPartitions,
        segmentBytes: this.#shape.segmentBytes,
      },
    };
  }

  #connectors(task: Task, log: Logger): ConnectorService {
    return {
      open: async (pipeline) => {
        await task.call(
          () => 'open the source',
          () => {
            if (this.#faults.strikes('context fails'))
              throw new ContextError(PIPELINE, new RetryableError('no session to be had'));
          },
        );
        const { connector } = pipeline.source;
        const context = await connector.context(secretOf(this.#options.kind), { log, signal: task.deadline.signal });
        return { connector, context };
      },
      close: async () => {},
    };
  }

  #logger(name: string): Logger {
    const line = (level: string) => (message: string, facts?: object) =>
      this.#world.say(() => `      ${name} ${level}: ${message} ${told(facts ?? {})}`);
    const trouble = (level: string) => (message: string, facts?: object) => {
      line(level)(message, facts);
      const { error } = (facts ?? {}) as { error?: { name?: string; stack?: string } };
      if (/^(Type|Reference|Range|Syntax)Error$/.test(error?.name ?? ''))
        this.#world.violation ??= new Violation(`the core broke: ${error!.stack}`);
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

  #deliver(queue: QueueName): void {
    const { timeoutMs, batch } = this.#shape;
    const max = queue === 'list-objects' ? this.#random.int(1, batch) : 1;
    const messages = this.#queues.receive(queue, max, Math.ceil(timeoutMs / 1000) + 30);
    if (messages.length === 0) return;
    const task = this.#task(queue);
    this.#world.say(
      () => `${task.name} gets ${messages.map(({ body, receiveCount }) => `(${receiveCount}) ${body}`).join(' ')}`,
    );
    const deps = this.#deps(task);
    const records = messages.map(({ messageId, receiptHandle, body, receiveCount }) => ({
      messageId,
      receiptHandle,
      body,
      attributes: { ApproximateReceiveCount: String(receiveCount) },
    }));
    const inbox = { queue, queues: this.#queues.for(task), log: deps.log, redactor: deps.redactor };
    this.#world.start(
      task,
      async () => {
        const answer = await settleBatch(records, inbox, (body, message) =>
          STEPS[queue](body, { ...message, deadline: task.deadline }, deps),
        );
        const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        const done = messages.filter(({ messageId }) => !failed.has(messageId));
        this.#queues.delete(
          queue,
          done.map(({ receiptHandle }) => receiptHandle),
        );
      },
      (error) => {
        if (error !== undefined) this.#world.violation ??= new Violation(`settleBatch threw ${String(error)}`);
      },
    );
  }

  #start(trigger: 'schedule' | 'event', request: { confirmRemoval?: boolean; force?: 'all' } = {}): void {
    const task = this.#task('start-refresh');
    const step = this.#world.steps;
    this.#world.start(
      task,
      () => startRefresh({ pipeline: PIPELINE, trigger, ...request }, this.#deps(task)),
      (error) => {
        if (error === undefined) this.#owed.push(step);
      },
    );
  }

  #forces(): { force?: 'all' } {
    return this.#random.chance(this.#shape.forces) ? { force: 'all' } : {};
  }

  #cancel(): void {
    const run = this.#active()?.active;
    if (run === undefined) return;
    const task = this.#task('cancel');
    this.#world.start(
      task,
      () => endRun(PIPELINE, run, { state: 'CANCELLED' }, this.#deps(task)),
      () => {},
    );
  }

  #startSweep(): void {
    this.#nextSweepAt = this.#world.now + SWEEP_EVERY_MS;
    if (!this.#faults.on) this.#sweeps += 1;
    if (this.#sweeps > 0 && this.#sweeps % OPERATOR_AFTER_SWEEPS === 0) this.#settle();
    if (this.#sweeps > SWEEPS_MAX) throw new Violation(`6: ${this.#unrest()}, however often it is swept`);
    const task = this.#task('sweep');
    this.#world.start(
      task,
      () => sweep({ pipeline: PIPELINE }, task.deadline, this.#deps(task)),
      () => {},
    );
  }

  /** An operator looks at what a sink says it cannot know. */
  #settle(): void {
    const undecided = this.#sinks.undecided();
    if (!undecided) return;
    const task = this.#task('settle');
    const deps = this.#deps(task);
    const work = async () => {
      const pipeline = await deps.pipelines.get(PIPELINE);
      await settleSink(pipeline, sinkNamed(pipeline, undecided.name), undecided.isIn, deps);
    };
    this.#world.start(task, work, (error) => {
      if (error === undefined) this.#oracle.seen(`sink ${undecided.name} settled`);
    });
  }

  #unrest(): string {
    if (this.#isActive()) return 'a run does not end';
    if (this.#oracle.hasOpenJobs()) return 'a job is not over';
    return 'a sink does not come to what is published';
  }

  // The end

  async #quietEnd(): Promise<void> {
    const world = this.#world;
    world.say(() => 'no more faults');
    this.#trouble(false);
    this.#kind.calm();
    world.stepMs = 2;
    world.wake(true);
    await this.#drive();
    const last = this.#oracle.lastBegan();
    for (const step of this.#owed) if (last < step) throw new Violation('6: a trigger was lost');
    await this.#catchUp();
    if (this.#shape.rereads && !this.#kind.mayStayFailed?.()) await this.#unchanged();
    if (this.#shape.collects) await this.#collect();
    // Lines of the list of jobs that nobody stands behind go with the next sweep.
    this.#passTime(600_000);
    this.#startSweep();
    await this.#drive();
    this.#oracle.checkEnd(this.#queues);
    this.#kind.end();
    this.#sinks.checkEnd(this.#oracle.views);
  }

  async #catchUp(): Promise<void> {
    let lacks: string | undefined = '';
    for (let rounds = 0; rounds < QUIET_MAX; rounds++) {
      const state = await this.#quietRefresh();
      const isOver = state === 'SUCCEEDED' || (state === 'PARTIAL' && this.#kind.mayStayFailed?.());
      lacks = this.#kind.lacks(this.#oracle.published) ?? (isOver ? undefined : `the run ended ${state}`);
      if (lacks === undefined) return;
      // What the service forgets by itself.
      this.#passTime(hours(25));
    }
    throw new Violation(`2: after ${QUIET_MAX} quiet refreshes ${lacks}`);
  }

  async #quietRefresh(): Promise<string | undefined> {
    this.#world.say(() => 'a quiet refresh');
    this.#start('schedule', { confirmRemoval: true });
    await this.#drive();
    if (this.#isActive()) throw new Violation('6: a quiet run does not end');
    return this.#oracle.stateOf(this.#oracle.lastRun());
  }

  /** Where nothing has changed a further refresh lands nothing, and sinks get nothing. */
  async #unchanged(): Promise<void> {
    // What this one still tidies up is no change of what is shown; nor is what was too young to be told from a later change.
    this.#passTime(60_000);
    await this.#quietRefresh();
    const landings = this.#oracle.landings;
    const sent = this.#queues.sent['read-bytes'];
    const received = this.#sinks.received();
    const state = await this.#quietRefresh();
    if (state !== 'SUCCEEDED') throw new Violation(`2: a refresh of an unchanged source ended ${state}`);
    if (this.#oracle.landings > landings || this.#queues.sent['read-bytes'] > sent)
      throw new Violation('9: a refresh of an unchanged source reads');
    if (this.#sinks.received() > received) throw new Violation('9: a sink gets what it has');
    const lacks = this.#kind.lacks(this.#oracle.published);
    if (lacks !== undefined) throw new Violation(`4: a refresh of an unchanged source takes away: ${lacks}`);
  }

  /** After the grace garbage goes, and the sweep that carries that out deletes nothing that is needed: the oracle looks. */
  async #collect(): Promise<void> {
    for (let rounds = 0; rounds < 2; rounds++) {
      this.#passTime(hours(24) + 2 * SKEW_MS);
      this.#startSweep();
      await this.#drive();
    }
    this.#oracle.checkStanding();
  }
}

function shapeOf(random: Random, options: KindHistoryOptions): Shape {
  const refreshes = random.pick([1, 1, 1, 1, 2, 2, 3]);
  return {
    refreshes: options.refreshes === undefined ? refreshes : Math.min(refreshes, options.refreshes),
    concurrency: random.pick([1, 2, 4, 8, 50]),
    batch: random.pick([1, 3, 10]),
    timeoutMs: random.pick([60_000, 900_000]),
    childrenPerShard: random.pick([1, 2, 1000, 1000]),
    feedShard: random.pick([1, 2, 1000, 1000]),
    segmentBytes: random.pick([8, 64, 1_000_000, 1_000_000]),
    groupPartitions: random.pick([1, 2, 100]),
    uneven: random.chance(0.5),
    eager: random.pick([0.05, 0.3, 0.7]),
    changes: random.pick([0.9, 0.9, 0.3]),
    forces: random.chance(0.05) ? 0.3 : 0,
    collects: random.chance(0.1),
    rereads: random.chance(0.15),
    options: {
      retries: random.pick([0, 1, 3]),
      onRemove: random.pick(['delete', 'delete', 'keep', 'tombstone']),
      sameContent: random.pick(['keep', 'rewrite']),
      deleteGuard: random.pick(['off', 'warn']),
    },
  };
}
