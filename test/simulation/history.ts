import { BucketStore } from '../../shared/buckets/store.ts';
import { type ConnectorService, ContextError } from '../../shared/connectors/service.ts';
import { RetryableError } from '../../shared/core/errors.ts';
import type { Logger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { days, hours } from '../../shared/core/units.ts';
import { JobStore } from '../../shared/jobs/store.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { giveUp, resetPipeline } from '../../shared/operations/control.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { definePipeline, type Pipeline } from '../../shared/pipelines/define.ts';
import { settleBatch } from '../../shared/queue/batch.ts';
import {
  parseFinishRefresh,
  parseListObjects,
  parsePollJob,
  parseReadBytes,
  parseStreamUpload,
} from '../../shared/queue/messages.ts';
import type { QueueName } from '../../shared/queue/queue.ts';
import type { Delivery, RefreshDeps } from '../../shared/refresh/deps.ts';
import { endRun } from '../../shared/refresh/failure.ts';
import { RunStore } from '../../shared/runs/store.ts';
import { finishRefresh } from '../../shared/steps/finish-refresh.ts';
import { listObjects } from '../../shared/steps/list-objects.ts';
import { pollJob } from '../../shared/steps/poll-job.ts';
import { readBytes } from '../../shared/steps/read-bytes.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { streamUpload } from '../../shared/steps/stream-upload.ts';
import { sweep } from '../../shared/steps/sweep.ts';
import type { Key } from '../../shared/tables/table.ts';
import { SinkStore } from '../../shared/uploads/store.ts';
import { type FaultKind, Faults } from './faults.ts';
import { SimulatedObjects } from './objects.ts';
import { Oracle } from './oracle.ts';
import { SimulatedQueues } from './queues.ts';
import { Random } from './random.ts';
import { pathOf, SimulatedSource, type SourceShape, simulatedConnector, TOKEN } from './source.ts';
import { SimulatedTables, told, type Written } from './tables.ts';
import { Task, turns, Violation, World } from './world.ts';

export interface HistoryOptions {
  readonly seed: number;
  /** Kinds of faults that are left out. */
  readonly without?: readonly FaultKind[];
  /** No fault after so many. */
  readonly faults?: number;
  readonly refreshes?: number;
  readonly partitions?: number;
  readonly tell?: (text: string) => void;
}

export interface HistoryResult {
  readonly violation?: string;
  readonly stack?: string;
  /** What is left for good although nothing refers to it: bytes that are paid for, and no promise to a reader. */
  readonly leak?: string;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly states: Readonly<Record<string, number>>;
  readonly steps: number;
}

const PIPELINE = 'p';
const ACTIVE = { pk: PIPELINE, sk: 'ACTIVE' };
const REDACTOR = new Redactor();
REDACTOR.add(TOKEN);
const SKEW_MS = 300_000;
const GRACE_HOURS = 24;
const SWEEP_EVERY_MS = 300_000;
/** How much more likely a run is cancelled just then than at any other moment. */
const CANCEL_WHEN_SENT = 25;
/** A stream may take so many ticks until it ends. */
const LOST_TURNS_MAX = 100;
const STEPS_MAX = 60_000;
/** After so many calls of one refresh nothing more goes wrong in it: else some would never come to an end. */
const FAULTY_STEPS_MAX = 2500;
const CALM_STEP_MS = 2;

const STEPS: Readonly<Record<QueueName, (body: unknown, delivery: Delivery, deps: RefreshDeps) => Promise<void>>> = {
  'list-objects': (body, delivery, deps) => listObjects(parseListObjects(body), delivery, deps),
  'poll-job': (body, delivery, deps) => pollJob(parsePollJob(body), delivery, deps),
  'stream-upload': (body, delivery, deps) => streamUpload(parseStreamUpload(body), delivery, deps),
  'read-bytes': (body, delivery, deps) => readBytes(parseReadBytes(body), delivery, deps),
  'finish-refresh': (body, _delivery, deps) => finishRefresh(parseFinishRefresh(body), deps),
};

interface Shape extends SourceShape {
  readonly refreshes: number;
  readonly concurrency: number;
  readonly batch: number;
  readonly timeoutMs: number;
  readonly childrenPerShard: number;
  readonly groupPartitions: number;
  readonly uneven: boolean;
  readonly eager: number;
  /** How likely the source changes between two refreshes. */
  readonly changes: number;
  /** How likely a trigger forces something; how likely somebody resets the pipeline, or gives up what failed, after a run. */
  readonly forces: number;
  readonly operated: number;
  readonly checks: boolean;
  /** Looks at the end whether a refresh of an unchanged source reads nothing. */
  readonly rereads: boolean;
  /** Looks at the end whether what nothing refers to is gone after the grace, and nothing else. */
  readonly collects: boolean;
  readonly options: Partial<Pipeline>;
}

/** One history: a pipeline, its source, some refreshes with faults; then quiet ones, which must set everything right. */
export class History {
  readonly #shape: Shape;
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #source: SimulatedSource;
  readonly #tables: SimulatedTables;
  readonly #queues: SimulatedQueues;
  readonly #objects: SimulatedObjects;
  readonly #oracle: Oracle;
  readonly #pipelines: readonly Pipeline[];
  #deployed = 0;
  #ids = 0;
  #names = 0;
  #nextSweepAt: number;
  /** How often a manifest was replaced before all became quiet. */
  #swapsBefore = 0;
  #sweeps = 0;
  /** The step at which what has just changed in the source is as it was again. */
  #revertsAt = Number.POSITIVE_INFINITY;
  #reverts: string | undefined;
  /** Functions that froze for longer than the grace: what they leave then nobody can know of. */
  #tooLate = false;
  readonly #owed: number[] = [];
  #leak: string | undefined;

  constructor(options: HistoryOptions) {
    const random = new Random(options.seed);
    this.#shape = shapeOf(random.fork(), options);
    this.#faults = new Faults(random.fork(), {
      ...(options.without ? { without: options.without } : {}),
      ...(options.faults === undefined ? {} : { limit: options.faults }),
    });
    const sourceRandom = random.fork();
    this.#random = random.fork();
    this.#world = new World(random.fork(), this.#faults, options.tell);
    this.#world.stepMs = random.pick([2, 10, 40, 400]);
    this.#world.onWake = (sleptMs) => {
      if (sleptMs > hours(GRACE_HOURS) / 2) this.#tooLate = true;
    };
    this.#world.onFreeze = (before) => {
      // Whoever is out of date when he wakes is the more so if what he saw has been taken back.
      const path = before?.key && before.what.startsWith('partitions') ? this.#pathOf(before.key) : undefined;
      if (this.#random.chance(path === undefined ? 0.1 : 0.5)) this.#revert(path);
    };
    this.#source = new SimulatedSource(sourceRandom, this.#shape);
    const now = () => this.#world.now;
    this.#oracle = new Oracle({
      pipeline: PIPELINE,
      graceMs: hours(GRACE_HOURS),
      skewMs: SKEW_MS,
      upsert: this.#shape.options.strategy === 'upsert',
      retainMs: days(this.#shape.options.retainDays ?? Number.POSITIVE_INFINITY),
      compression: this.#shape.options.land?.compression ?? 'none',
      now,
      step: () => this.#world.steps,
      source: this.#source,
    });
    const parts = random.fork();
    const { checks } = this.#shape;
    this.#tables = new SimulatedTables(parts.fork(), (write) => this.#wrote(write), { checks });
    this.#queues = new SimulatedQueues(parts.fork(), this.#faults, now);
    this.#objects = new SimulatedObjects(parts.fork(), this.#oracle, { checks });
    this.#oracle.tables = this.#tables;
    this.#oracle.objects = this.#objects;
    const connector = simulatedConnector({
      source: this.#source,
      world: this.#world,
      random: parts.fork(),
      faults: this.#faults,
      acknowledged: (node) => this.#oracle.acknowledged(node),
      flickered: (path) => {
        this.#world.say(() => `the source: ${path} flickers`);
        this.#revertsAt = this.#world.steps + this.#random.int(1, 60);
        this.#reverts = path;
      },
    });
    const pipeline = { ...DEFAULTS, ...this.#shape.options, source: { type: 'simulated', connector, identity: {} } };
    this.#pipelines = ['code-1', 'code-2'].map((versions) => ({ ...pipeline, versions }));
    this.#nextSweepAt = this.#world.now + SWEEP_EVERY_MS;
  }

  async run(): Promise<HistoryResult> {
    const { say } = this.#world;
    say.call(this.#world, () => `history ${told(this.#shape)}`);
    try {
      for (let refresh = 0; refresh < this.#shape.refreshes; refresh++) {
        this.#start('schedule', this.#forces());
        await this.#drive();
        await this.#operate();
        if (this.#random.chance(this.#shape.changes)) this.#mutate();
        if (this.#random.chance(0.5)) this.#source.broken.clear();
        if (this.#random.chance(0.3)) this.#passTime(this.#random.int(0, 40) * 3_600_000);
      }
      await this.#quietEnd();
    } catch (error) {
      const violation = error instanceof Violation ? error : undefined;
      return this.#result(
        violation?.message ?? `the simulation broke: ${(error as Error).stack}`,
        (error as Error).stack,
      );
    }
    return this.#result();
  }

  #result(violation?: string, stack?: string): HistoryResult {
    if (violation) this.#world.say(() => `VIOLATION ${violation}`);
    return {
      ...(violation === undefined ? {} : { violation }),
      ...(stack === undefined ? {} : { stack }),
      ...(this.#leak === undefined ? {} : { leak: this.#leak }),
      faults: this.#faults.counts,
      states: this.#oracle.states,
      steps: this.#world.steps,
    };
  }

  #wrote(write: Written): void {
    this.#oracle.wrote(write);
    // A moment that matters: all below a node is planned and on its way, and nothing of it is complete.
    const isSent = write.table === 'nodes' && write.after?.state === 'SENT' && write.before?.state !== 'SENT';
    // The more so where a feed has begun anew: what it showed is to stay until then.
    const factor = isSent && (write.after?.feed as { generations?: unknown[] } | undefined)?.generations?.[1] ? 4 : 1;
    if (isSent && this.#isActive() && this.#faults.strikes('cancel', CANCEL_WHEN_SENT * factor)) this.#cancel();
  }

  // The world at work

  /** Until no function runs, no message waits and no run is active. */
  async #drive(): Promise<void> {
    const world = this.#world;
    const until = world.steps + STEPS_MAX;
    const calmFrom = world.steps + FAULTY_STEPS_MAX;
    const wasOn = this.#faults.on;
    const { stepMs } = world;
    let lostTurns = 0;
    this.#source.busy = true;
    this.#sweeps = 0;
    await turns(() => {
      if (world.violation) throw world.violation;
      if (world.steps > calmFrom) this.#calm();
      if (world.steps > until) throw new Violation('6: a run does not end, and its functions do not rest');
      // Streams go on from tick to tick.
      lostTurns = world.lost ? lostTurns + 1 : 0;
      if (lostTurns > LOST_TURNS_MAX) throw new Violation('a function waits for what never comes');
      return this.#turn();
    });
    if (world.violation) throw world.violation;
    this.#faults.on = wasOn;
    world.stepMs = stepMs;
    this.#source.busy = false;
  }

  /** What is large must be able to end: nothing fails any more, and services answer fast enough for the shortest of functions. */
  #calm(): void {
    this.#faults.on = false;
    this.#world.stepMs = CALM_STEP_MS;
  }

  /** One thing happens. @returns false once there is nothing left to happen */
  #turn(): boolean {
    const world = this.#world;
    for (;;) {
      world.wake();
      this.#disturb();
      if (world.now >= this.#nextSweepAt && this.#isActive()) {
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
        if (world.step()) return true;
        if (world.violation) return true;
        continue;
      }
      if (world.running > 0) return true;
      if (!this.#idle()) return false;
    }
  }

  /** Nothing to do: time passes until there is. */
  #idle(): boolean {
    const world = this.#world;
    const active = this.#isActive();
    const next = Math.min(
      this.#queues.nextVisible(),
      active ? this.#nextSweepAt : Number.POSITIVE_INFINITY,
      // A frozen function may sleep on into the next refresh.
      active ? world.nextWake() : Number.POSITIVE_INFINITY,
    );
    if (next === Number.POSITIVE_INFINITY) {
      // What is frozen until others have done so much, who do nothing more.
      if (!active || world.stalled.length === 0) return false;
      world.wake(true);
      return true;
    }
    world.now = Math.max(world.now + 1, next);
    return true;
  }

  #disturb(): void {
    if (this.#world.steps >= this.#revertsAt && this.#faults.on) this.#revert(this.#reverts);
    const what = this.#faults.between();
    if (what === undefined) return;
    if (what === 'source changes') {
      this.#mutate();
      if (this.#random.chance(0.4)) this.#revertsAt = this.#world.steps + this.#random.int(1, 80);
    } else if (what === 'clock jump')
      this.#passTime(this.#random.int(1, 40) * this.#random.pick([60_000, 60_000, 1_800_000]));
    else if (what === 'deploy') this.#deploy();
    else if (!this.#isActive()) return;
    else if (what === 'cancel') this.#cancel();
    else if (what === 'start again') this.#start('event', this.#forces());
    else this.#startSweep();
  }

  #deploy(): void {
    this.#deployed = 1 - this.#deployed;
    this.#world.say(() => `version ${this.#deployed + 1} of the code is deployed`);
  }

  #mutate(): void {
    const what = this.#source.mutate();
    this.#world.say(() => `the source: ${what}`);
  }

  #revert(path?: string): void {
    this.#revertsAt = Number.POSITIVE_INFINITY;
    this.#reverts = undefined;
    const what = this.#source.revert(path);
    this.#world.say(() => `the source: ${what}`);
  }

  #passTime(byMs: number): void {
    this.#world.now += byMs;
    this.#world.say(() => `${Math.round(byMs / 60_000)} minutes pass`);
    // The lifecycle rule of the bucket.
    if (byMs > hours(48)) for (const key of this.#objects.keys('staging/')) this.#objects.remove(key);
  }

  #active(): { active?: number; root?: string } | undefined {
    return this.#tables.get('runs', ACTIVE) as { active?: number; root?: string } | undefined;
  }

  #isActive(): boolean {
    return this.#active()?.active !== undefined;
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
    const newId = () => `id${String(++this.#ids).padStart(6, '0')}`;
    return {
      clock: task.clock,
      random: this.#random.next,
      newId,
      log: this.#logger(task.name),
      redactor: REDACTOR,
      pipelines: {
        names: async () => [PIPELINE],
        get: async () => this.#pipelines[this.#deployed]!,
      },
      connectors: this.#connectors(task),
      nodes: new NodeStore(tables.nodes),
      partitions: new PartitionStore(tables.partitions),
      runs: new RunStore(tables.runs, newId),
      jobs: new JobStore(tables.jobs),
      buckets: new BucketStore(tables.buckets, this.#random.next),
      sinks: new SinkStore(tables.runs),
      secrets: { get: async () => '' },
      tasksOf: async () => {
        throw new Error('no pipeline of these histories lists a job');
      },
      queues: this.#queues.for(task),
      objects: this.#objects.for(task),
      spoolFolder: '/nowhere',
      sizes: {
        childrenPerShard: this.#shape.childrenPerShard,
        feedShard: this.#shape.childrenPerShard,
        groupPartitions: this.#shape.groupPartitions,
        segmentBytes: 8,
      },
    };
  }

  #connectors(task: Task): ConnectorService {
    return {
      open: async (pipeline) => {
        await task.call(
          () => 'open the source',
          () => {
            if (!this.#faults.strikes('context fails')) return;
            const cause = this.#random.chance(0.7)
              ? new RetryableError('no session to be had')
              : new Error(`wrong credential ${TOKEN}`);
            throw new ContextError(PIPELINE, cause);
          },
        );
        return { connector: pipeline.source.connector, context: { task } };
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
      // Such an error is never on purpose.
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

  /** As an event source hands a batch to a function, and deletes what the function has not named as failed. */
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

  #start(trigger: 'schedule' | 'event', request: { confirmRemoval?: boolean; force?: 'all' | string[] } = {}): void {
    const task = this.#task('start-refresh');
    const step = this.#world.steps;
    this.#world.start(
      task,
      () => startRefresh({ pipeline: PIPELINE, trigger, ...request }, this.#deps(task)),
      (error) => {
        if (error === undefined) this.#owed.push(step);
        else this.#world.say(() => `${task.name} failed: ${String(error)}`);
      },
    );
  }

  #cancel(): void {
    const task = this.#task('cancel');
    const run = this.#active()?.active;
    if (run === undefined) return;
    this.#world.start(
      task,
      () => endRun(PIPELINE, run, { state: 'CANCELLED' }, this.#deps(task)),
      () => {},
    );
  }

  /** Now and then a trigger asks for what is unchanged to be read again. */
  #forces(): { force?: 'all' | string[] } {
    const { forces } = this.#shape;
    if (!this.#random.chance(forces)) return {};
    const paths = [...this.#source.leaves().keys(), ...this.#source.feeds().keys()];
    return { force: paths.length === 0 || this.#random.chance(0.4) ? 'all' : [this.#random.pick(paths)] };
  }

  /** What an operator does between two runs, if anything. */
  async #operate(): Promise<void> {
    const what = this.#random.chance(this.#shape.operated)
      ? this.#random.pick(['reset', 'give up'] as const)
      : undefined;
    if (what === undefined || this.#isActive()) return;
    const task = this.#task(what);
    const failed = this.#failedInFeeds();
    this.#world.start(
      task,
      () => (what === 'reset' ? resetPipeline(PIPELINE, this.#deps(task)) : giveUp(PIPELINE, failed, this.#deps(task))),
      (error) => this.#world.say(() => `${task.name} ${error === undefined ? 'is done' : `failed: ${String(error)}`}`),
    );
    await this.#drive();
  }

  /** Paths of what failed in feeds, or of some of it. */
  #failedInFeeds(): string[] {
    const paths: string[] = [];
    for (const item of this.#tables.everything('partitions')) {
      if (item.number !== undefined && item.failed && this.#random.chance(0.7)) paths.push(this.#pathOf(item)!);
    }
    return paths;
  }

  /** The path of a partition in the source. */
  #pathOf(key: Key): string | undefined {
    const item = this.#tables.get('partitions', key);
    const node = this.#tables.get('nodes', { pk: key.pk.split('#').slice(0, 2).join('#'), sk: 'node' });
    return item && pathOf([...((node?.path ?? []) as string[]), item.name as string]);
  }

  #startSweep(): void {
    this.#nextSweepAt = this.#world.now + SWEEP_EVERY_MS;
    if (!this.#faults.on) this.#sweeps += 1;
    if (this.#sweeps > 80) throw new Violation('6: a run does not end, however often it is swept');
    const task = this.#task('sweep');
    this.#world.start(
      task,
      () => sweep({ pipeline: PIPELINE }, task.deadline, this.#deps(task)),
      () => {},
    );
  }

  // The end

  async #quietEnd(): Promise<void> {
    const world = this.#world;
    world.say(() => 'no more faults');
    this.#swapsBefore = this.#oracle.swaps.length;
    this.#faults.on = false;
    this.#source.broken.clear();
    world.stepMs = CALM_STEP_MS;
    world.wake(true);
    await this.#drive();
    if (this.#isActive()) throw new Violation('6: a run does not end');
    const last = [...this.#oracle.began.values()].at(-1)?.step ?? -1;
    for (const step of this.#owed) if (last < step) throw new Violation('6: a trigger was lost');

    await this.#quietRefresh();
    const { versions } = this.#pipelines[this.#deployed]!;
    this.#oracle.checkExact(versions);
    if (this.#shape.forces > 0) await this.#forced();
    if (this.#shape.rereads) await this.#unchanged(versions);
    this.#startSweep();
    await this.#drive();
    this.#checkRuns();
    this.#checkQueues();
    if (this.#shape.collects) await this.#collect();
    this.#checkSecrets();
  }

  /** A forced refresh reads everything anew. */
  async #forced(): Promise<void> {
    await this.#quietRefresh({ force: 'all' });
    const run = [...this.#oracle.began.keys()].at(-1)!;
    this.#oracle.checkExact(this.#pipelines[this.#deployed]!.versions);
    this.#oracle.checkForced(run);
  }

  /** A further refresh of an unchanged source reads nothing. */
  async #unchanged(versions: string): Promise<void> {
    // A generation of a feed that was replaced is dropped by the next plan.
    if (this.#shape.feeds > 0) await this.#quietRefresh();
    this.#source.read.clear();
    const writes = { ...this.#oracle.writes };
    const sent = { ...this.#queues.sent };
    await this.#quietRefresh();
    this.#oracle.checkExact(versions);
    // Without a fingerprint nobody can tell that it is unchanged.
    const unnamed = [...this.#source.leaves()].filter(([, { fingerprint }]) => fingerprint === '');
    for (const [path] of unnamed) this.#source.read.delete(path);
    if (this.#source.read.size > 0) throw new Violation('9: a refresh of an unchanged source reads');
    if (unnamed.length > 0) return;
    if (this.#queues.sent['read-bytes'] > sent['read-bytes'])
      throw new Violation('9: a refresh of an unchanged source sends somebody to read');
    if ((this.#oracle.writes.partitions ?? 0) > (writes.partitions ?? 0))
      throw new Violation('9: a refresh of an unchanged source writes partitions');
  }

  async #quietRefresh(request: { force?: 'all' } = {}): Promise<void> {
    this.#world.say(() => 'a quiet refresh');
    this.#start('schedule', { confirmRemoval: true, ...request });
    await this.#drive();
    if (this.#isActive()) throw new Violation('6: a quiet run does not end');
    const run = [...this.#oracle.began.keys()].at(-1)!;
    const state = this.#record(run)?.state;
    if (state !== 'SUCCEEDED') throw new Violation(`2: a quiet run ended ${state}: ${told(this.#record(run))}`);
    if (this.#oracle.published?.run !== run) throw new Violation(`4: a quiet run published nothing`);
  }

  #record(run: number): { state?: string; endedAt?: number } | undefined {
    return this.#tables.get('runs', { pk: PIPELINE, sk: `run#${String(run).padStart(8, '0')}` }) as never;
  }

  #checkRuns(): void {
    for (const run of this.#oracle.began.keys()) {
      const record = this.#record(run);
      if (record?.endedAt === undefined) throw new Violation(`6: run ${run} has no end: ${told(record ?? null)}`);
      if (!['SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED'].includes(record.state ?? ''))
        throw new Violation(`6: run ${run} ended as ${record.state}`);
    }
  }

  #checkQueues(): void {
    if (this.#queues.size > 0) throw new Violation('6: a message is left on a queue');
  }

  async #collect(): Promise<void> {
    const { versions } = this.#pipelines[this.#deployed]!;
    await this.#sweepBeforeGrace();
    for (let rounds = 0; rounds < 3; rounds++) {
      await this.#sweepAfterGrace();
      if (this.#objects.keys(`${PIPELINE}/garbage/`).length === 0) break;
      // What a node above still showed is looked at again after the next run.
      await this.#quietRefresh();
      this.#oracle.checkExact(versions);
    }
    const { onRemove, strategy } = this.#shape.options;
    const leak = this.#oracle.checkReachable(this.#active()!.root!, onRemove === 'keep');
    // What `upsert` keeps is not listed any more, so its manifest stays behind, and with it what that names.
    if (!this.#tooLate && strategy !== 'upsert') this.#leak = leak;
  }

  /** Shortly before the grace of a manifest is over: its readers may still need it. */
  async #sweepBeforeGrace(): Promise<void> {
    for (const swappedAt of this.#oracle.swaps.slice(0, this.#swapsBefore).slice(-3)) {
      const byMs = swappedAt + hours(GRACE_HOURS) - SKEW_MS - 1000 - this.#world.now;
      if (byMs <= 0) continue;
      this.#passTime(byMs);
      this.#startSweep();
      await this.#drive();
    }
  }

  async #sweepAfterGrace(): Promise<void> {
    this.#passTime(hours(GRACE_HOURS) + 2 * SKEW_MS);
    const lists = () => this.#objects.keys(`${PIPELINE}/garbage/`).join();
    // A sweep may run out of time.
    for (let before: string | undefined; before !== lists() && lists() !== ''; ) {
      before = lists();
      this.#startSweep();
      await this.#drive();
    }
  }

  #checkSecrets(): void {
    const everything: Iterable<unknown>[] = [this.#queues.bodies()];
    for (const table of ['nodes', 'partitions', 'runs'] as const) everything.push(this.#tables.everything(table));
    if (everything.some((values) => [...values].some(tells))) throw new Violation('8: a token is stored');
  }
}

/** Is the source's token in it anywhere? */
function tells(value: unknown): boolean {
  if (typeof value === 'string') return value.length >= TOKEN.length && value.includes(TOKEN);
  if (typeof value !== 'object' || value === null) return false;
  return [...(value instanceof Set ? value : Object.values(value))].some(tells);
}

/** Checked once, since that takes as long as a small history. */
const DEFAULTS: Pipeline = definePipeline({
  name: PIPELINE,
  removeGraceHours: GRACE_HOURS,
  source: {
    type: 'simulated',
    connector: { context: () => ({}), listObjects: nothing, readBytes: nothing },
    identity: {},
  },
});
async function* nothing(): AsyncGenerator<never> {}

function shapeOf(random: Random, options: HistoryOptions): Shape {
  const large = random.chance(0.005);
  const partitions = large ? random.int(20, 200) : random.pick([1, 1, 1, 2, 2, 3, 4, 8]);
  const trusted = random.chance(0.15);
  const lenient = random.chance(0.1);
  const shape: Shape = {
    refreshes: random.pick([1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]),
    partitions,
    depth: random.pick([1, 1, 2, 2, 3, 4]),
    checkpoints: random.chance(0.3),
    shuffled: random.chance(0.3),
    longReads: random.chance(0.3),
    sameContent: random.chance(0.3),
    latencyMs: random.pick([1000, 60_000, 400_000]),
    feeds: random.pick([0, 0, 0, 0, 1, 2]),
    concurrency: random.pick([1, 2, 4, 8, 50]),
    batch: random.pick([1, 3, 10]),
    timeoutMs: random.pick([60_000, 900_000]),
    childrenPerShard: random.pick([1, 2, 4, 1000]),
    groupPartitions: random.pick([1, 2, 100]),
    uneven: random.chance(0.5),
    eager: random.pick([0.05, 0.3, 0.7]),
    changes: random.pick([0.9, 0.9, 0.3]),
    checks: random.chance(0.05),
    forces: random.chance(0.1) ? 0.3 : 0,
    operated: random.chance(0.15) ? 0.5 : 0,
    trusted,
    lenient,
    rereads: random.chance(0.3),
    collects: random.chance(0.4),
    options: {
      failurePolicy: random.pick(['partition', 'partition', 'connector', { count: 2 }, { percent: 30 }]),
      retries: random.pick([0, 1, 3]),
      deleteGuard: random.pick(['off', 'warn', 'hold']),
      onRemove: random.pick(['delete', 'delete', 'keep', 'tombstone']),
      strategy: random.pick(['mirror', 'mirror', 'mirror', 'upsert']),
      sameContent: random.pick(['keep', 'rewrite']),
      emptyInput: random.pick(['ok', 'skip']),
      ...(random.chance(0.1) ? { manifests: ['csv', 'symlink'] as const } : {}),
      ...(random.chance(0.1) ? { retainDays: 1 } : {}),
      ...(trusted ? { trustPrefixFingerprint: true } : {}),
      ...(lenient ? { fingerprints: 'lenient' as const } : {}),
      land: {
        format: 'raw',
        compression: random.pick(['none', 'none', 'none', 'none', 'none', 'none', 'none', 'gzip', 'zstd']),
        ...(random.chance(0.1) ? { key: 'dt={date}/{path}' } : {}),
      },
    },
  };
  return {
    ...shape,
    ...(options.refreshes === undefined ? {} : { refreshes: Math.min(shape.refreshes, options.refreshes) }),
    ...(options.partitions === undefined ? {} : { partitions: Math.min(shape.partitions, options.partitions) }),
  };
}
