import { type ConnectorService, ContextError } from '../../../shared/connectors/service.ts';
import { RetryableError } from '../../../shared/core/errors.ts';
import type { Logger } from '../../../shared/core/logger.ts';
import { hours } from '../../../shared/core/units.ts';
import { settleSink, sinkNamed } from '../../../shared/operations/sinks.ts';
import type { PipelineOptions } from '../../../shared/pipelines/define.ts';
import type { RefreshDeps } from '../../../shared/refresh/deps.ts';
import { Faults } from '../faults.ts';
import type { HistoryOptions, HistoryResult } from '../history.ts';
import { SimulatedObjects } from '../objects.ts';
import { SimulatedQueues } from '../queues.ts';
import { Random } from '../random.ts';
import { SimulatedTables, told } from '../tables.ts';
import { type Task, Violation, World } from '../world.ts';
import { kindOf, secretOf } from './all.ts';
import './loaded.ts';
import { type FunctionShape, Functions, PIPELINE, SKEW_MS } from '../functions.ts';
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

const LIMITS = { stepsMax: 40_000, faultyStepsMax: 2000 };
const SWEEPS_MAX = 200;
const OPERATOR_AFTER_SWEEPS = 20;
/** So many quiet refreshes may be needed: one that fails what is left over, one that begins anew, one that brings it up to date. */
const QUIET_MAX = 6;

interface Shape extends FunctionShape {
  readonly refreshes: number;
  readonly childrenPerShard: number;
  readonly groupPartitions: number;
  readonly feedShard: number;
  readonly segmentBytes: number;
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
  readonly #functions: Functions;

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
    const platform = {
      world: this.#world,
      random: this.#random,
      faults: this.#faults,
      tables: this.#tables,
      queues: this.#queues,
      objects: this.#objects,
      redactor: REDACTOR,
    };
    this.#functions = new Functions(platform, this.#shape, LIMITS, {
      deps: (task) => this.#deps(task),
      disturb: () => this.#disturb(),
      isBusy: () => this.#isBusy(),
      calm: () => this.#trouble(false),
      sweeping: (calmSweeps) => this.#sweeping(calmSweeps),
    });
  }

  async run(): Promise<HistoryResult> {
    this.#world.say(() => `history of ${this.#options.kind} ${told(this.#shape)}`);
    try {
      for (let refresh = 0; refresh < this.#shape.refreshes; refresh++) {
        this.#functions.start('schedule', this.#forces());
        await this.#drive();
        if (this.#random.chance(this.#shape.changes)) this.#change();
        if (this.#random.chance(0.3)) this.#functions.passTime(this.#random.int(0, 40) * 3_600_000);
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
    const wasOn = this.#faults.on;
    await this.#functions.untilRest();
    this.#trouble(wasOn);
  }

  #trouble(on: boolean): void {
    this.#faults.on = on;
    this.#troubles.on = on;
  }

  #disturb(): void {
    const what = this.#faults.between();
    if (what === undefined) return;
    if (what === 'source changes') this.#change();
    else if (what === 'clock jump')
      this.#functions.passTime(this.#random.int(1, 40) * this.#random.pick([60_000, 60_000, 1_800_000]));
    else if (what === 'deploy' || !this.#functions.isActive()) return;
    else if (what === 'cancel') this.#cancel();
    else if (what === 'start again') this.#functions.start('event', this.#forces());
    else this.#functions.sweep();
  }

  #change(): void {
    const what = this.#kind.change();
    this.#world.say(() => `the service: ${what}`);
  }

  /** A run is active, a sink lags behind, or a job is not over: what is lost of those the sweep finds. */
  #isBusy(): boolean {
    return (
      this.#functions.isActive() || this.#sinks.isBehind(this.#oracle.published?.run) || this.#oracle.hasOpenJobs()
    );
  }

  // Functions

  #deps(task: Task): RefreshDeps {
    const common = this.#functions.deps(task);
    const caller: Caller = { task, log: common.log };
    const pipeline = { ...this.#kind.pipeline(caller), sinks: this.#sinks.of(caller) };
    return {
      ...common,
      pipelines: { names: async () => [PIPELINE], get: async () => pipeline },
      connectors: this.#connectors(task, common.log),
      secrets: { get: async (name) => this.#sinks.secretOf(name) },
      tasksOf: async () => this.#kind.tasks!(caller),
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

  #forces(): { force?: 'all' } {
    return this.#random.chance(this.#shape.forces) ? { force: 'all' } : {};
  }

  #cancel(): void {
    const run = this.#functions.active()?.active;
    if (run !== undefined) this.#functions.cancel(this.#functions.task('cancel'), run);
  }

  #sweeping(calmSweeps: number): void {
    if (calmSweeps > 0 && calmSweeps % OPERATOR_AFTER_SWEEPS === 0) this.#settle();
    if (calmSweeps > SWEEPS_MAX) throw new Violation(`6: ${this.#unrest()}, however often it is swept`);
  }

  /** An operator looks at what a sink says it cannot know. */
  #settle(): void {
    const undecided = this.#sinks.undecided();
    if (!undecided) return;
    const task = this.#functions.task('settle');
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
    if (this.#functions.isActive()) return 'a run does not end';
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
    for (const step of this.#functions.owed) if (last < step) throw new Violation('6: a trigger was lost');
    await this.#catchUp();
    if (this.#shape.rereads && !this.#kind.mayStayFailed?.()) await this.#unchanged();
    if (this.#shape.collects) await this.#collect();
    // Lines of the list of jobs that nobody stands behind go with the next sweep.
    this.#functions.passTime(600_000);
    this.#functions.sweep();
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
      this.#functions.passTime(hours(25));
    }
    throw new Violation(`2: after ${QUIET_MAX} quiet refreshes ${lacks}`);
  }

  async #quietRefresh(): Promise<string | undefined> {
    this.#world.say(() => 'a quiet refresh');
    this.#functions.start('schedule', { confirmRemoval: true });
    await this.#drive();
    if (this.#functions.isActive()) throw new Violation('6: a quiet run does not end');
    return this.#oracle.stateOf(this.#oracle.lastRun());
  }

  /** Where nothing has changed a further refresh lands nothing, and sinks get nothing. */
  async #unchanged(): Promise<void> {
    // What this one still tidies up is no change of what is shown; nor is what was too young to be told from a later change. One
    // that fails may have come upon a change that what is shown did not tell: an empty table that was loaded anew.
    this.#functions.passTime(60_000);
    await this.#catchUp();
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
      this.#functions.passTime(hours(24) + 2 * SKEW_MS);
      this.#functions.sweep();
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
