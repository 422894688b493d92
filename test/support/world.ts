import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { BucketStore } from '../../shared/buckets/store.ts';
import type { AsyncConnector } from '../../shared/connectors/async/async-connector.ts';
import type { RecordsSource, Source } from '../../shared/connectors/connector.ts';
import { type ConnectorService, connectorService } from '../../shared/connectors/service.ts';
import { type Deadline, DeadlineError, RESERVE_MS } from '../../shared/core/deadline.ts';
import { sha256Hex } from '../../shared/core/ids.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import type { Meter } from '../../shared/core/meter.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { minutes } from '../../shared/core/units.ts';
import { JobStore } from '../../shared/jobs/store.ts';
import { decompressed } from '../../shared/landing/decoder.ts';
import type { FlatManifest } from '../../shared/landing/flat-manifest.ts';
import { compressionOfKey, latestKey } from '../../shared/landing/keys.ts';
import { type LatestManifest, type LeafEntry, manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { meteredObjects } from '../../shared/landing/metered.ts';
import { StorageError } from '../../shared/landing/objects.ts';
import { type NodeRecord, NodeStore, type ShardKey } from '../../shared/nodes/store.ts';
import { pipelineTasks } from '../../shared/operations/tasks.ts';
import { type PartitionRecord, PartitionStore } from '../../shared/partitions/store.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../shared/pipelines/define.ts';
import { settleBatch } from '../../shared/queue/batch.ts';
import type { StartRefreshRequest } from '../../shared/queue/messages.ts';
import { meteredQueues } from '../../shared/queue/metered.ts';
import { type OutgoingMessage, QUEUE_NAMES, type QueueName, type ReceivedMessage } from '../../shared/queue/queue.ts';
import { sqliteQueues } from '../../shared/queue/sqlite.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { SIZES, type Sizes } from '../../shared/refresh/sizes.ts';
import { isFinal, type RunRecord, RunStore } from '../../shared/runs/store.ts';
import { SqliteDatabase } from '../../shared/sqlite/database.ts';
import { type StartRefreshAnswer, startRefresh } from '../../shared/steps/start-refresh.ts';
import { type SweptPipeline, sweep } from '../../shared/steps/sweep.ts';
import { meteredTables } from '../../shared/tables/metered.ts';
import { sqliteTables } from '../../shared/tables/sqlite.ts';
import { SinkStore } from '../../shared/uploads/store.ts';
import { leaksIn, secretsIn } from './canary.ts';
import { FakeClock } from './fake-clock.ts';
import { type FaultRule, isCommit, type PortCall, Process } from './faults.ts';
import { MemoryObjects } from './memory-objects.ts';
import { namesOf, type Path, pathOf, ScriptedSource } from './scripted-source.ts';
import { STEPS } from './steps.ts';

export const PIPELINE = 'p';
/** The functions' time, as deployed. */
const FUNCTION_MS = minutes(15);
const VISIBILITY_SECONDS = 930;
const SWEEP_EVERY_MS = minutes(5);
/** What every secret holds unless a test says otherwise. */
const CANARY = 'canary-0f3b7e/+secret?&';
/** More rounds of the sweep than any run may need. */
const ROUNDS_MAX = 30;

export interface WorldOptions extends Partial<Omit<PipelineOptions, 'name' | 'source'>> {
  /** How long a function lives. */
  readonly functionMs?: number;
  readonly seed?: number;
  /** How finely work is cut, where that is not as deployed. */
  readonly sizes?: Partial<Sizes>;
  /** The value of every secret. */
  readonly credential?: string;
  /** In place of the scripted one. */
  readonly from?: Source | RecordsSource;
  readonly time?: FakeClock;
}

/** What a published manifest says of one leaf, and the bytes it names. */
export interface Shown extends LeafEntry {
  readonly text: string;
}

/** A message about to be sent; a tamper rule says what becomes of it. */
export interface SentMessage extends OutgoingMessage {
  readonly queue: QueueName;
}
export type TamperRule = (message: SentMessage) => readonly SentMessage[];

/**
 * A source, a pipeline, and the real steps on real tables and queues, on one clock that only tests move. Messages are worked
 * on one at a time; ports fail, processes die and messages are lost where a test says so.
 */
export class World {
  readonly source = new ScriptedSource();
  readonly time: FakeClock;
  readonly objects = new MemoryObjects();
  readonly logLines: string[] = [];
  /** What each function was called with, in order. */
  readonly handled: string[] = [];
  readonly redactor = new Redactor();
  readonly runs: RunStore;
  readonly nodes: NodeStore;
  readonly partitions: PartitionStore;
  readonly queues: ReturnType<typeof sqliteQueues>;
  /** Broken promises that are seen at once; empty as long as all is well. */
  readonly violations: string[] = [];
  faults: FaultRule = () => undefined;
  tamper: TamperRule = (message) => [message];
  functionMs: number;
  sizes: Sizes;
  /** For the external jobs that the source lists. */
  asyncConnectors: readonly AsyncConnector[] = [];
  /** Also sweeps every five minutes while messages wait; else only when none is left. */
  sweepsMeanwhile = false;
  /** Counts every request of the functions, if given. */
  meter: Meter | undefined;
  pipeline!: Pipeline;
  readonly random: () => number;
  readonly tables: ReturnType<typeof sqliteTables>;
  readonly calls: PortCall[] = [];
  /** What of secrets was in it when it was closed. */
  leaked: readonly string[] | undefined;
  readonly #database = new SqliteDatabase(':memory:');
  readonly #spoolFolder = mkdtempSync(join(tmpdir(), 'landfall-world-'));
  readonly #credential: string;
  readonly #source: Source | RecordsSource | undefined;
  readonly #commits = new Set<string>();
  #connectors: ConnectorService | undefined;
  #working: Process | undefined;
  #ids = 0;
  #sweptAt: number;
  #newestPublished = 0;

  constructor({
    functionMs = FUNCTION_MS,
    seed = 1,
    credential = CANARY,
    sizes,
    from,
    time = new FakeClock(),
    ...options
  }: WorldOptions = {}) {
    this.#source = from;
    this.time = time;
    this.tables = sqliteTables(this.#database);
    this.queues = sqliteQueues(this.#database, { clock: this.time.clock, owner: 'world', isAlive: () => true });
    this.runs = new RunStore(this.tables.runs, this.#newId);
    this.nodes = new NodeStore(this.tables.nodes);
    this.partitions = new PartitionStore(this.tables.partitions);
    this.functionMs = functionMs;
    this.sizes = { ...SIZES, ...sizes };
    this.random = seeded(seed);
    this.#credential = credential;
    this.#sweptAt = this.time.nowMs;
    this.define(options);
  }

  /** Defines the pipeline anew, as an edit of its file would. */
  define(options: Partial<Omit<PipelineOptions, 'name' | 'source'>>): void {
    this.pipeline = definePipeline({ ...options, name: PIPELINE, source: this.#source ?? this.source.source() });
    this.#connectors = undefined;
  }

  readonly #newId = (): string => `id${String(++this.#ids).padStart(14, '0')}`;

  // What a process works with

  deps(process?: Process): RefreshDeps {
    const gate = process ?? this.process('test');
    const { meter } = this;
    const plain = {
      tables: gate.tables(this.tables),
      queues: gate.queues({ ...this.queues, send: (queue, messages) => this.#send(queue, messages) }),
      objects: gate.objects(this.objects),
    };
    const { tables, queues, objects } = meter
      ? {
          tables: meteredTables(plain.tables, meter),
          queues: meteredQueues({ ...this.queues, ...plain.queues }, meter),
          objects: meteredObjects(plain.objects, meter),
        }
      : plain;
    const common = {
      clock: this.time.clock,
      log: jsonLogger({
        clock: this.time.clock,
        redactor: this.redactor,
        level: 'debug',
        write: (line) => this.logLines.push(line),
      }),
      redactor: this.redactor,
    };
    const pipelines = catalogOf([{ file: 'p.ts', pipeline: this.pipeline }]);
    return {
      ...common,
      random: this.random,
      newId: this.#newId,
      pipelines,
      connectors: this.#connectorsOf(gate),
      nodes: new NodeStore(tables.nodes),
      partitions: new PartitionStore(tables.partitions),
      runs: new RunStore(tables.runs, this.#newId),
      jobs: new JobStore(tables.jobs),
      buckets: new BucketStore(tables.buckets, this.random),
      sinks: new SinkStore(tables.runs),
      secrets: { get: async () => this.#credential },
      tasksOf: pipelineTasks({
        ...common,
        pipelines,
        builtIn: this.asyncConnectors,
        secrets: { get: async () => this.#credential },
      }),
      queues,
      objects,
      spoolFolder: this.#spoolFolder,
      sizes: this.sizes,
    };
  }

  process(step: string): Process {
    return new Process(
      step,
      (call) => {
        this.calls.push(call);
        return this.faults(call);
      },
      this.#watch,
    );
  }

  /** Contexts are kept while processes live; a process that was killed takes them with it. */
  #connectorsOf(process: Process): ConnectorService {
    this.#connectors ??= connectorService({
      secrets: { get: async () => this.#credential },
      clock: this.time.clock,
      log: jsonLogger({ clock: this.time.clock, redactor: this.redactor, write: (line) => this.logLines.push(line) }),
      redactor: this.redactor,
    });
    const kept = this.#connectors;
    return {
      open: async (pipeline, signal) => {
        await process.alive();
        return kept.open(pipeline, signal);
      },
      close: () => kept.close(),
    };
  }

  async #send(queue: QueueName, messages: readonly OutgoingMessage[]): Promise<void> {
    for (const message of messages) {
      for (const { queue: to, ...sent } of this.tamper({ queue, ...message })) await this.queues.send(to, [sent]);
    }
  }

  /** Promises of the design that a single write can break. */
  readonly #watch = (call: PortCall, answer: unknown): void => {
    if (isCommit(call) && answer) {
      const { pk, sk } = call.args[0] as { pk: string; sk: string };
      const id = `${pk} ${sk} ${(answer as PartitionRecord).plan}`;
      if (this.#commits.has(id)) this.violations.push(`1: landed twice: ${id}`);
      this.#commits.add(id);
    }
    if (call.port === 'objects' && call.method === 'close' && String(call.args[0]).includes('/data/')) {
      const key = String(call.args[0]);
      if (this.objects.writes.get(key)! > 1) this.violations.push(`1: two writers of one key: ${key}`);
    }
    if (call.port === 'objects' && call.method === 'put' && call.args[0] === latestKey(PIPELINE) && answer) {
      const { run } = JSON.parse(Buffer.from(call.args[1] as Uint8Array).toString()) as LatestManifest;
      if (run < this.#newestPublished) this.violations.push(`4: latest.json went back to run ${run}`);
      this.#newestPublished = run;
    }
  };

  // Working

  start(request: Partial<StartRefreshRequest> = {}): Promise<StartRefreshAnswer> {
    return startRefresh({ pipeline: PIPELINE, trigger: 'manual', ...request }, this.deps());
  }

  /** Starts a run and works until it and all that it brought has ended. */
  async refresh(request: Partial<StartRefreshRequest> = {}): Promise<RunRecord> {
    this.source.forget();
    this.handled.length = 0;
    const { run } = await this.start(request);
    if (run === undefined) throw new Error('another run is going on');
    await this.work();
    // Its end may have been decided by a process that died before it could write it down.
    if (!isFinal((await this.runs.record(PIPELINE, run))?.state ?? 'LISTING')) await this.sweep();
    return this.record(run);
  }

  /** Works until no run is active: messages first, then what the sweep finds. */
  async work(): Promise<void> {
    for (let rounds = 0; rounds < ROUNDS_MAX; ) {
      if ((await this.runs.active(PIPELINE))?.active === undefined) return;
      if (await this.step()) continue;
      this.time.advance(SWEEP_EVERY_MS);
      await this.sweep();
      rounds += 1;
    }
    throw new Error('6: a run does not end');
  }

  /** Works on all messages there are, also late ones, and those that only time brings. */
  async drain(): Promise<void> {
    for (let steps = 0; await this.step(); steps++) if (steps > 10_000) throw new Error('messages do not end');
  }

  /** Handles one message; moves the clock to the next one if none is visible. @returns false if there is none at all */
  async step(): Promise<boolean> {
    if (this.sweepsMeanwhile && this.time.nowMs - this.#sweptAt >= SWEEP_EVERY_MS) await this.sweep();
    const taken = await this.receive();
    if (taken) {
      await this.invoke(taken.queue, [taken.message]);
      return true;
    }
    const next = this.#nextVisibleMs();
    if (next === undefined) return false;
    this.time.moveTo(this.sweepsMeanwhile ? Math.min(next, this.#sweptAt + SWEEP_EVERY_MS) : next);
    return true;
  }

  async receive(): Promise<{ queue: QueueName; message: ReceivedMessage } | undefined> {
    for (const queue of QUEUE_NAMES) {
      const [message] = await this.queues.receive(queue, { max: 1, visibilityTimeoutSeconds: VISIBILITY_SECONDS });
      if (message) return { queue, message };
    }
    return undefined;
  }

  /** Runs a function on a batch as Lambda would; if its process was killed, its messages stay in flight. */
  async invoke(
    queue: QueueName,
    messages: readonly ReceivedMessage[],
    process: Process = this.process(queue),
  ): Promise<'done' | 'again' | 'killed'> {
    const deps = this.deps(process);
    const { deadline, end } = this.deadline();
    this.handled.push(queue);
    this.#working = process;
    const records = messages.map((message) => ({
      ...message,
      attributes: { ApproximateReceiveCount: String(message.receiveCount) },
    }));
    const inbox = { queue, queues: process.queues(this.queues), log: deps.log, redactor: this.redactor };
    const answer = settleBatch(records, inbox, (body, message) => STEPS[queue](body, { ...message, deadline }, deps));
    // A function that outlives its time is cut off.
    const stay = this.time.alarm(this.time.nowMs + this.functionMs, () => process.kill());
    const settled = await Promise.race([answer, process.death]);
    end();
    stay();
    if (settled === 'killed') {
      this.#connectors = undefined;
      return 'killed';
    }
    const failed = new Set(settled.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const done = messages.filter(({ messageId }) => !failed.has(messageId));
    await this.queues.delete(
      queue,
      done.map(({ receiptHandle }) => receiptHandle),
    );
    return failed.size === 0 ? 'done' : 'again';
  }

  /** Ends the process that works just now, as running out of memory does. */
  killNow(): void {
    this.#working?.kill();
  }

  /** The store has no room from the call on that is going on just now. */
  diskFull(): never {
    throw new StorageError('no space left on device', { code: 'DiskFull' });
  }

  deadline(): { deadline: Deadline; end: () => void } {
    const until = this.time.nowMs + this.functionMs - RESERVE_MS;
    const stop = new AbortController();
    const end = this.time.alarm(until, () => stop.abort(new DeadlineError()));
    return { deadline: { remainingMs: () => until - this.time.nowMs, signal: stop.signal }, end };
  }

  async sweep(process: Process = this.process('sweep')): Promise<SweptPipeline> {
    this.#sweptAt = this.time.nowMs;
    const { deadline, end } = this.deadline();
    const swept = await Promise.race([sweep({ pipeline: PIPELINE }, deadline, this.deps(process)), process.death]);
    end();
    return swept === 'killed' ? { pipeline: PIPELINE, sent: 0, deletedObjects: 0 } : swept[0]!;
  }

  /** Ends the run that is going on, as `landfall cancel` does. */
  async cancel(): Promise<void> {
    const active = await this.runs.active(PIPELINE);
    await this.runs.end(PIPELINE, active!.active!, { state: 'CANCELLED' }, this.time.nowMs as RunRecord['startedAt']);
  }

  #nextVisibleMs(): number | undefined {
    const row = this.#database
      .statement(
        `SELECT min(visible_at_ms) AS next FROM messages WHERE queue IN (${QUEUE_NAMES.map(() => '?').join()})`,
      )
      .get(...QUEUE_NAMES) as { next: number | null };
    return row.next ?? undefined;
  }

  // Reading what came of it

  async record(run: number): Promise<RunRecord> {
    const record = await this.runs.record(PIPELINE, run);
    if (!record) throw new Error(`run ${run} left no record`);
    if (!isFinal(record.state)) throw new Error(`run ${run} is ${record.state}`);
    return record;
  }

  async latest(): Promise<LatestManifest | undefined> {
    return (await readLatest(this.objects, latestKey(PIPELINE)))?.latest;
  }

  /** What readers see: every leaf by its path, with the bytes of its objects. */
  async manifest(): Promise<Map<string, Shown>> {
    const shown = new Map<string, Shown>();
    const latest = await this.latest();
    if (!latest) return shown;
    for await (const { path, entry } of manifestLeaves(this.objects, latest.manifest)) {
      const text = (await this.bytesOf(entry)).toString();
      if (shown.has(pathOf(path))) throw new Error(`the manifest names ${pathOf(path)} twice`);
      shown.set(pathOf(path), { ...entry, text });
    }
    return shown;
  }

  /** The bytes of an entry as the connector yielded them, from objects that are there and are what they are said to be. */
  async bytesOf(entry: LeafEntry): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (const { key, bytes, etag } of entry.objects) {
      const object = await this.objects.get(key);
      if (!object) throw new Error(`4: the manifest names ${key}, which is not there`);
      if (object.data.length !== bytes || object.etag !== etag) throw new Error(`4: ${key} is not what was landed`);
      const compression = compressionOfKey(key, entry.name, entry.format);
      for await (const piece of decompressed(iterate([object.data]), compression)) pieces.push(piece);
    }
    const whole = Buffer.concat(pieces);
    // A file of a format has other bytes than the source yielded.
    if (entry.format) return whole;
    if (whole.length !== entry.bytes || sha256Hex(whole) !== entry.sha256)
      throw new Error(`4: the bytes of ${entry.name} are not what was read`);
    return whole;
  }

  async flat(): Promise<FlatManifest> {
    return JSON.parse(this.objects.text((await this.latest())!.files.json!)) as FlatManifest;
  }

  async contents(): Promise<Map<string, string>> {
    return new Map([...(await this.manifest())].map(([path, { text }]) => [path, text]));
  }

  async node(path: Path = ''): Promise<NodeRecord | undefined> {
    let node = await this.nodes.get(PIPELINE, (await this.runs.active(PIPELINE))!.root);
    for (const name of namesOf(path)) {
      if (!node) return undefined;
      const item = (await this.children(node)).find((child) => child.name === name && child.child);
      if (!item) return undefined;
      node = await this.nodes.get(PIPELINE, item.child!);
    }
    return node;
  }

  /** The items of a node's children in its present layout. */
  async items(path: Path = ''): Promise<Map<string, PartitionRecord>> {
    const node = await this.node(path);
    return new Map((node ? await this.children(node) : []).map((item) => [item.name, item]));
  }

  async children(node: NodeRecord): Promise<PartitionRecord[]> {
    const items: PartitionRecord[] = [];
    const shards = node.kind === 'feed' ? Math.ceil((node.feed?.end ?? 0) / this.sizes.feedShard) : node.layout.shards;
    for (let shard = 0; shard < shards; shard++) {
      const key: ShardKey = { pipeline: PIPELINE, node: node.id, layout: node.layout.id, shard };
      for await (const item of this.partitions.all(key)) items.push(item);
    }
    return items;
  }

  /** What of the credential, and of any token or signed URL, is in anything that is stored or was said. */
  leaks(): string[] {
    const secrets = secretsIn(this.#credential);
    return this.#texts().flatMap((text) => leaksIn(text, secrets));
  }

  /** Everything that is stored or was said, as text: for looking whether a secret is in it. */
  everything(): string {
    return this.#texts().join('\n');
  }

  /** All that was written and said but the objects, and each object: together they may be more than a text can hold. */
  #texts(): string[] {
    const rows = ['nodes', 'partitions', 'runs', 'jobs', 'buckets'].flatMap((table) =>
      this.#database.statement(`SELECT pk, sk, item FROM ${table}`).all(),
    );
    const messages = this.#database.statement('SELECT body FROM messages').all();
    // Bytes that were written are among the objects.
    const sent = this.calls.map(({ args }) =>
      JSON.stringify(
        args.filter((arg) => !(arg instanceof Uint8Array)),
        (_key, value) => (value instanceof Set ? [...value] : value),
      ),
    );
    const stored = this.objects.keys().map((key) => `${key} ${this.objects.text(key)}`);
    return [[JSON.stringify(rows), JSON.stringify(messages), ...this.logLines, ...sent].join('\n'), ...stored];
  }

  close(): void {
    if (this.leaked) return;
    this.leaked = this.leaks();
    this.#database.close();
    rmSync(this.#spoolFolder, { recursive: true, force: true });
  }
}

/** A world that ends with its test, and in which no secret may have come to be seen by then. */
export function newWorld(options: WorldOptions = {}): World {
  const world = new World(options);
  onTestFinished(() => {
    world.close();
    expect(world.leaked).toEqual([]);
  });
  return world;
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** Mulberry32: the same numbers from the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
