import { type ConnectorService, ContextError } from '../../shared/connectors/service.ts';
import { RetryableError } from '../../shared/core/errors.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { days, hours } from '../../shared/core/units.ts';
import { giveUp, resetPipeline } from '../../shared/operations/control.ts';
import { definePipeline, type Pipeline } from '../../shared/pipelines/define.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import type { Key } from '../../shared/tables/table.ts';
import { type FaultKind, Faults } from './faults.ts';
import { Functions, PIPELINE, SKEW_MS } from './functions.ts';
import { SimulatedObjects } from './objects.ts';
import { Oracle } from './oracle.ts';
import { SimulatedQueues } from './queues.ts';
import { Random } from './random.ts';
import { type Shape, shapeOf } from './shape.ts';
import { pathOf, SimulatedSource, simulatedConnector, TOKEN } from './source.ts';
import { SimulatedTables, told, type Written } from './tables.ts';
import { type Task, Violation, World } from './world.ts';

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

const REDACTOR = new Redactor();
REDACTOR.add(TOKEN);
const GRACE_HOURS = 24;
/** How much more likely a run is cancelled just then than at any other moment. */
const CANCEL_WHEN_SENT = 25;
const LIMITS = { stepsMax: 60_000, faultyStepsMax: 2500 };
const SWEEPS_MAX = 80;
const CALM_STEP_MS = 2;

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
  readonly #functions: Functions;
  #deployed = 0;
  /** How often a manifest was replaced before all became quiet. */
  #swapsBefore = 0;
  /** The step at which what has just changed in the source is as it was again. */
  #revertsAt = Number.POSITIVE_INFINITY;
  #reverts: string | undefined;
  /** Functions that froze for longer than the grace: what they leave then nobody can know of. */
  #tooLate = false;
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
      isBusy: () => this.#functions.isActive(),
      calm: () => this.#calm(),
      sweeping: (calmSweeps) => {
        if (calmSweeps > SWEEPS_MAX) throw new Violation('6: a run does not end, however often it is swept');
      },
    });
  }

  async run(): Promise<HistoryResult> {
    const { say } = this.#world;
    say.call(this.#world, () => `history ${told(this.#shape)}`);
    try {
      for (let refresh = 0; refresh < this.#shape.refreshes; refresh++) {
        this.#functions.start('schedule', this.#forces());
        await this.#drive();
        await this.#operate();
        if (this.#random.chance(this.#shape.changes)) this.#mutate();
        if (this.#random.chance(0.5)) this.#source.broken.clear();
        if (this.#random.chance(0.3)) this.#functions.passTime(this.#random.int(0, 40) * 3_600_000);
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
    if (isSent && this.#functions.isActive() && this.#faults.strikes('cancel', CANCEL_WHEN_SENT * factor))
      this.#cancel();
  }

  // The world at work

  /** Until no function runs, no message waits and no run is active. */
  async #drive(): Promise<void> {
    const wasOn = this.#faults.on;
    const { stepMs } = this.#world;
    this.#source.busy = true;
    await this.#functions.untilRest();
    this.#faults.on = wasOn;
    this.#world.stepMs = stepMs;
    this.#source.busy = false;
  }

  /** What is large must be able to end: nothing fails any more, and services answer fast enough for the shortest of functions. */
  #calm(): void {
    this.#faults.on = false;
    this.#world.stepMs = CALM_STEP_MS;
  }

  #disturb(): void {
    if (this.#world.steps >= this.#revertsAt && this.#faults.on) this.#revert(this.#reverts);
    const what = this.#faults.between();
    if (what === undefined) return;
    if (what === 'source changes') {
      this.#mutate();
      if (this.#random.chance(0.4)) this.#revertsAt = this.#world.steps + this.#random.int(1, 80);
    } else if (what === 'clock jump')
      this.#functions.passTime(this.#random.int(1, 40) * this.#random.pick([60_000, 60_000, 1_800_000]));
    else if (what === 'deploy') this.#deploy();
    else if (!this.#functions.isActive()) return;
    else if (what === 'cancel') this.#cancel();
    else if (what === 'start again') this.#functions.start('event', this.#forces());
    else this.#functions.sweep();
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

  // Functions

  #deps(task: Task): RefreshDeps {
    return {
      ...this.#functions.deps(task),
      pipelines: {
        names: async () => [PIPELINE],
        get: async () => this.#pipelines[this.#deployed]!,
      },
      connectors: this.#connectors(task),
      secrets: { get: async () => '' },
      tasksOf: async () => {
        throw new Error('no pipeline of these histories lists a job');
      },
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

  #cancel(): void {
    const task = this.#functions.task('cancel');
    const run = this.#functions.active()?.active;
    if (run !== undefined) this.#functions.cancel(task, run);
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
    if (what === undefined || this.#functions.isActive()) return;
    const task = this.#functions.task(what);
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
    if (this.#functions.isActive()) throw new Violation('6: a run does not end');
    const last = [...this.#oracle.began.values()].at(-1)?.step ?? -1;
    for (const step of this.#functions.owed) if (last < step) throw new Violation('6: a trigger was lost');

    await this.#quietRefresh();
    const { versions } = this.#pipelines[this.#deployed]!;
    this.#oracle.checkExact(versions);
    if (this.#shape.forces > 0) await this.#forced();
    if (this.#shape.rereads) await this.#unchanged(versions);
    this.#functions.sweep();
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
    this.#functions.start('schedule', { confirmRemoval: true, ...request });
    await this.#drive();
    if (this.#functions.isActive()) throw new Violation('6: a quiet run does not end');
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
    const leak = this.#oracle.checkReachable(this.#functions.active()!.root!, onRemove === 'keep');
    // What `upsert` keeps is not listed any more, so its manifest stays behind, and with it what that names.
    if (!this.#tooLate && strategy !== 'upsert') this.#leak = leak;
  }

  /** Shortly before the grace of a manifest is over: its readers may still need it. */
  async #sweepBeforeGrace(): Promise<void> {
    for (const swappedAt of this.#oracle.swaps.slice(0, this.#swapsBefore).slice(-3)) {
      const byMs = swappedAt + hours(GRACE_HOURS) - SKEW_MS - 1000 - this.#world.now;
      if (byMs <= 0) continue;
      this.#functions.passTime(byMs);
      this.#functions.sweep();
      await this.#drive();
    }
  }

  async #sweepAfterGrace(): Promise<void> {
    this.#functions.passTime(hours(GRACE_HOURS) + 2 * SKEW_MS);
    const lists = () => this.#objects.keys(`${PIPELINE}/garbage/`).join();
    // A sweep may run out of time.
    for (let before: string | undefined; before !== lists() && lists() !== ''; ) {
      before = lists();
      this.#functions.sweep();
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
