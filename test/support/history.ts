import { setImmediate as nextTurn } from 'node:timers/promises';
import { RetryableError } from '../../shared/core/errors.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import type { LeafEntry, PartEntry } from '../../shared/landing/manifest.ts';
import { readNodeManifest, readPart } from '../../shared/landing/manifest.ts';
import type { QueueName } from '../../shared/queue/queue.ts';
import { endRun } from '../../shared/refresh/failure.ts';
import type { Fault, Process } from './faults.ts';
import { PIPELINE, seeded, World } from './world.ts';

/** Turns of the event loop after which a call of a port has had all its effect. */
const SETTLING_TURNS = 6;
const NAMES = ['a', 'b', 'c', 'd', 'e'];

interface Queued {
  readonly queue: QueueName;
  readonly body: string;
  readonly messageId: string;
  readonly receiveCount: number;
}

interface Working {
  readonly message?: Queued;
  readonly process: Process;
  readonly waiting: (() => void)[];
  readonly beganMs: number;
  end?: 'done' | 'again' | 'killed';
  stalled: boolean;
}

/**
 * One random history: some refreshes in which messages come twice, late, out of order or never, ports fail, processes die or
 * stall, listings and reads fail, runs are cancelled and the source changes; then quiet ones, which must set everything right.
 * At most one call of a port is under way at a time, and which is next is drawn.
 */
export class History {
  readonly world: World;
  readonly told: string[] = [];
  readonly #rand: () => number;
  readonly #queue: Queued[] = [];
  readonly #working: Working[] = [];
  #fresh = 10;
  #ids = 0;
  #calm = false;
  #crash = 0;
  #duplicate = 0;
  #mutate = 0;
  #cancel = 0;
  #stall = 0;
  #fail = 0;

  constructor(seed: number) {
    this.#rand = seeded(seed);
    const policy = this.#pick(['partition', 'partition', 'connector'] as const);
    this.world = new World({
      functionMs: Infinity,
      seed,
      failurePolicy: policy,
      deleteGuard: 'off',
      removeGraceHours: this.#pick([1, 24]),
      retries: 2,
      sizes: { childrenPerShard: this.#pick([1, 2, 1000]), groupPartitions: this.#pick([1, 2, 100]) },
      onRemove: this.#pick(['delete', 'delete', 'tombstone']),
    });
    const { world } = this;
    world.source.readsAsListed = true;
    world.tamper = ({ queue, body }) => {
      this.#queue.push({ queue, body, messageId: `m${++this.#ids}`, receiveCount: 1 });
      return [];
    };
    world.faults = ({ writes, step }) => {
      if (this.#calm || step === 'test') return undefined;
      if (writes && this.#chance(this.#crash)) return this.#pick<Fault>(['kill before', 'kill after']);
      return this.#chance(this.#fail) ? this.#pick<Fault>(['fail before', 'fail after']) : undefined;
    };
    world.source.onReading = () => this.#sourceMayFail(0.05);
    world.source.onListing = () => this.#sourceMayFail(0.01);
  }

  /** @throws {Error} naming the promise that was broken */
  async walk(): Promise<void> {
    try {
      await this.#refreshes();
      await this.#quietEnd();
    } finally {
      this.#calm = true;
      for (const { process } of this.#working) process.kill();
      await nextTurn();
      this.world.close();
    }
  }

  async #refreshes(): Promise<void> {
    for (let at = 0; at < 3; at++) this.#mutateSource();
    const refreshes = 1 + this.#below(4);
    for (let at = 0; at < refreshes; at++) {
      this.#crash = this.#pick([0, 0.02]);
      this.#duplicate = this.#pick([0, 0.1]);
      this.#mutate = this.#pick([0, 0.02]);
      this.#cancel = this.#pick([0, 0.004]);
      this.#stall = this.#pick([0, 0.01]);
      this.#fail = this.#pick([0, 0.01]);
      await this.world.start();
      await this.#drain();
      this.#mutateSource();
    }
  }

  async #quietEnd(): Promise<void> {
    const { world } = this;
    this.#crash = this.#duplicate = this.#mutate = this.#cancel = this.#stall = this.#fail = 0;
    this.#calm = true;
    for (const working of this.#working) working.stalled = false;
    if (!(await this.#drain())) throw new Error('6: a run does not end');
    for (const refresh of ['first', 'second']) {
      world.source.forget();
      this.#tell(`the ${refresh} quiet refresh`);
      await world.start();
      if (!(await this.#drain())) throw new Error('6: a quiet run does not end');
      this.#same(await world.contents(), `2: after the ${refresh} quiet refresh`);
    }
    if (world.source.reads.length > 0) throw new Error('9: a refresh of an unchanged source reads');
    const active = await world.runs.active(PIPELINE);
    const record = await world.record(active!.number);
    if (record.state !== 'SUCCEEDED' || record.totals?.failed !== 0)
      throw new Error(`2: a quiet run is ${record.state} with ${record.totals?.failed} failed`);
    if (Object.keys(record.ran?.landed ?? {}).length > 0 || record.ran?.removed)
      throw new Error(`9: a quiet run says it did something: ${JSON.stringify(record.ran)}`);
    if (record.totals.partitions !== world.source.contents().size)
      throw new Error(`2: the totals say ${record.totals.partitions} partitions`);
    await this.#nothingIsLeft();
    if (world.violations.length > 0) throw new Error(world.violations.join('; '));
  }

  #same(shown: ReadonlyMap<string, string>, when: string): void {
    const held = this.world.source.contents();
    const wrong = [...new Set([...shown.keys(), ...held.keys()])].filter((path) => shown.get(path) !== held.get(path));
    if (wrong.length === 0) return;
    const facts = wrong.map(
      (path) => `${path} is ${held.get(path) ?? 'gone'} and shown as ${shown.get(path) ?? 'gone'}`,
    );
    throw new Error(`${when} the manifest is not what the source holds: ${facts.join(', ')}`);
  }

  /** What nothing refers to is gone once the grace is over; what something refers to is not. */
  async #nothingIsLeft(): Promise<void> {
    const { world } = this;
    world.time.advance(hours(49));
    // Of what was removed in the last run the next one's manifest knows nothing.
    await world.start();
    if (!(await this.#drain())) throw new Error('6: a quiet run does not end');
    world.time.advance(hours(49));
    for (let round = 0; round < 2; round++) await this.#alone(world.sweep());
    this.#same(await world.contents(), '4: after the collection');
    const named = await this.#named();
    const left = world.objects.keys().filter((key) => !named.has(key) && !key.includes('/garbage/'));
    if (left.length > 0) throw new Error(`7: nothing refers to ${left.length}: ${left.slice(0, 5).join(', ')}`);
    const lists = world.objects.keys(`${PIPELINE}/garbage/`);
    if (lists.length > 0) throw new Error(`7: garbage lists are left: ${lists.join(', ')}`);
  }

  async #named(): Promise<Set<string>> {
    const { world } = this;
    const latest = (await world.latest())!;
    const named = new Set([`${PIPELINE}/latest.json`, ...Object.values(latest.files)]);
    const walk = async (key: string): Promise<void> => {
      named.add(key);
      for (const part of (await readNodeManifest(world.objects, key)).parts) {
        named.add(part.key);
        for (const entry of await readPart(world.objects, part.key)) await note(entry);
      }
    };
    const note = async (entry: PartEntry): Promise<void> => {
      if (entry.kind === 'leaf') for (const { key } of (entry as LeafEntry).objects) named.add(key);
      else if ('manifest' in entry && entry.manifest) await walk(entry.manifest);
    };
    await walk(latest.manifest);
    return named;
  }

  /** Steps whatever may run, until no run is active. @returns false if that is never reached */
  async #drain(): Promise<boolean> {
    let idle = 0;
    for (let steps = 0; steps < 20_000; steps++) {
      await this.#disturb();
      this.#reap();
      const ready = this.#working.filter(({ stalled, waiting }) => !stalled && waiting.length > 0);
      if (this.#queue.length > 0 && this.#live() < 6 && (ready.length === 0 || this.#chance(0.3))) this.#receive();
      else if (ready.length > 0) await this.#grant(this.#pick(ready));
      else if (this.#live() > 0) await settle();
      else if ((await this.world.runs.active(PIPELINE))?.active === undefined) return true;
      else if (++idle > 30) return false;
      else {
        this.world.time.advance(this.#calm ? hours(1.1) : this.#pick([60_000, 300_000, hours(1.1)]));
        this.#buryOld();
        this.#tell('sweep');
        await this.#alone(this.world.sweep());
      }
    }
    throw new Error('6: it never comes to rest');
  }

  /** No function outlives its time by much, however long it stalls. */
  #buryOld(): void {
    for (const working of [...this.#working]) {
      if (this.world.time.nowMs - working.beganMs < minutes(20)) continue;
      working.process.kill();
      if (working.stalled) this.#working.splice(this.#working.indexOf(working), 1);
    }
  }

  #live(): number {
    return this.#working.filter(({ stalled }) => !stalled).length;
  }

  async #grant({ waiting }: Working): Promise<void> {
    waiting.splice(this.#below(waiting.length), 1)[0]!();
    await settle();
  }

  /** Whatever a call of a port in this work waits for is granted at once. */
  async #alone<T>(work: Promise<T>): Promise<T> {
    return work;
  }

  async #disturb(): Promise<void> {
    if (this.#calm) return;
    if (this.#chance(this.#mutate)) this.#mutateSource();
    const active = await this.world.runs.active(PIPELINE);
    if (active?.active !== undefined && this.#chance(this.#cancel)) {
      this.#tell(`run ${active.active} is cancelled`);
      await endRun(PIPELINE, active.active, { state: 'CANCELLED' }, this.world.deps());
      await this.world.start();
    }
    if (this.#stall > 0 && this.#chance(0.002)) {
      this.#tell('sweep and start meanwhile');
      if (this.#chance(0.5)) await this.world.sweep();
      else await this.world.start();
    }
    const running = this.#working.filter(({ stalled, message }) => !stalled && message);
    if (running.length > 0 && this.#chance(this.#stall)) {
      const zombie = this.#pick(running);
      this.#tell(`${zombie.message!.messageId} stalls`);
      zombie.stalled = true;
      this.#again(zombie.message!);
    }
    const stalled = this.#working.filter((working) => working.stalled);
    if (stalled.length > 0 && this.#chance(0.02)) this.#pick(stalled).stalled = false;
  }

  #reap(): void {
    for (const working of [...this.#working]) {
      if (!working.end) continue;
      this.#working.splice(this.#working.indexOf(working), 1);
      this.#tell(`${working.message?.messageId} ${working.end}`);
      if (working.end !== 'done' && working.message && !working.stalled) this.#again(working.message);
    }
  }

  #again(message: Queued): void {
    if (message.receiveCount < 10) this.#queue.push({ ...message, receiveCount: message.receiveCount + 1 });
  }

  /** Any message, in any order; it may be delivered again, or be lost. */
  #receive(): void {
    const at = this.#below(this.#queue.length);
    const message = this.#queue[at]!;
    if (this.#chance(this.#duplicate)) {
      if (this.#chance(0.5)) this.#queue[at] = { ...message, messageId: `${message.messageId}'` };
    } else this.#queue.splice(at, 1);
    if (this.#chance(this.#duplicate / 10)) {
      this.#tell(`${message.messageId} is lost`);
      return;
    }
    this.#tell(`${message.messageId} ${message.queue} ${message.body}`);
    const process = this.world.process(message.queue);
    const working: Working = { message, process, waiting: [], beganMs: this.world.time.nowMs, stalled: false };
    process.turn = () => new Promise((resolve) => working.waiting.push(resolve));
    this.#working.push(working);
    const { messageId, body, receiveCount, queue } = message;
    void this.world.invoke(queue, [{ messageId, receiptHandle: '0:0', body, receiveCount }], process).then((end) => {
      working.end = end;
    });
  }

  async #sourceMayFail(probability: number): Promise<void> {
    if (this.#calm || !this.#chance(probability)) return;
    throw this.#chance(0.5) ? new RetryableError('busy') : new Error('the source failed');
  }

  #mutateSource(): void {
    const { source } = this.world;
    for (let change = 1 + this.#below(3); change > 0; change--) {
      const folders = source.folders().filter((path) => path.length < 2);
      const folder = this.#pick(folders);
      const path = [...folder, this.#pick(NAMES)];
      const dice = this.#rand();
      const kind = source.kindOf(path);
      if (kind && (dice < 0.55 || kind === 'leaf')) source.remove(path);
      if (dice > 0.25 && dice < 0.4 && path.length < 3 && !source.kindOf(path)) source.folder(path);
      else if (dice >= 0.4 && !source.kindOf(path)) source.leaf(path, String(this.#pick([++this.#fresh, 1, 2])));
    }
    this.#tell(`the source holds ${[...source.contents().values()].join(' ')}`);
  }

  #chance = (probability: number): boolean => probability > 0 && this.#rand() < probability;
  #below = (limit: number): number => Math.floor(this.#rand() * limit);
  #pick = <T>(items: readonly T[]): T => items[this.#below(items.length)]!;
  #tell(what: string): void {
    this.told.push(what);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) await nextTurn();
}
