import { type Deadline, DeadlineError, RESERVE_MS } from '../../shared/core/deadline.ts';
import type { Key } from '../../shared/tables/table.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';

/** A promise of the design does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A call of a port that waits until the scheduler picks it. */
interface Call {
  readonly task: Task;
  readonly what: () => string;
  readonly effect: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** What the service would throw if it could not be reached; a call without this cannot fail so. */
  readonly unavailable: ((throttled: boolean) => Error) | undefined;
  readonly touches: Touch | undefined;
}

/** What a call reads or writes, as far as it says: a partition key of a table. */
export interface Touch {
  readonly what: string;
  readonly writes: boolean;
  /** Of a write to one item. */
  readonly key?: Key;
}

export type Effect<T> = () => T;

/** One invocation of a function: its own clock, its own time limit, and, if it is cut, no continuation. */
export class Task {
  readonly #world: World;
  readonly name: string;
  /** When the platform cuts it off; never, once it has frozen and woken up. */
  until: number;
  readonly skewMs: number;
  /** How eagerly the scheduler picks it: some functions are slow all along. */
  readonly pace: number;
  alive = true;
  /** It froze, and wakes at this time, or in the midst of what others do. Its calls are kept until then. */
  wakesAt: number | undefined;
  wakesAtStep = 0;
  /** It wakes when others have touched this so often. */
  wakesOn = '';
  touchesLeft = 0;
  frozen: Call[] = [];
  frozenAt = 0;
  #abort: AbortController | undefined;

  constructor(world: World, name: string, options: { timeoutMs: number; skewMs: number; pace: number }) {
    this.#world = world;
    this.name = name;
    this.until = world.now + options.timeoutMs;
    this.skewMs = options.skewMs;
    this.pace = options.pace;
  }

  readonly clock = (): Date => new Date(this.#world.now + this.skewMs);

  readonly deadline: Deadline = ((task: Task) => ({
    remainingMs: () => task.until - task.#world.now - RESERVE_MS,
    get signal() {
      task.#abort ??= new AbortController();
      return task.#abort.signal;
    },
  }))(this);

  /** Waits for its turn, then lets the call take effect; or whatever the faults say. */
  call<T>(
    what: () => string,
    effect: Effect<T>,
    unavailable?: (throttled: boolean) => Error,
    touches?: Touch,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.alive)
        this.#world.park({
          task: this,
          what,
          effect,
          resolve: resolve as (value: unknown) => void,
          reject,
          unavailable,
          touches,
        });
    });
  }

  /** The platform's warning, shortly before the end. */
  warn(): void {
    this.#abort ??= new AbortController();
    if (!this.#abort.signal.aborted) this.#abort.abort(new DeadlineError());
  }
}

/** How long a frozen function sleeps at most: also for days, so that whole runs pass. */
const STALLS_MS = [30_000, 1_200_000, 3_600_000, 3 * 86_400_000];

/**
 * Runs any number of functions in one interleaving, which the seed decides: each call of a port waits in one list, and one
 * of them at a time takes effect. Between two of them every continuation runs that can run.
 */
export class World {
  now = Date.UTC(2026, 0, 1);
  steps = 0;
  readonly random: Random;
  readonly faults: Faults;
  readonly tell: ((text: string) => void) | undefined;
  readonly #ready: Call[] = [];
  readonly #stalled: Task[] = [];
  /** Functions that have not ended, been cut, or frozen. */
  running = 0;
  readonly #living = new Set<Task>();
  /** A violation seen while a call took effect; the history ends with it. */
  violation: Violation | undefined;
  stepMs = 10;

  constructor(random: Random, faults: Faults, tell: ((text: string) => void) | undefined) {
    this.random = random;
    this.faults = faults;
    this.tell = tell;
  }

  say(text: () => string): void {
    this.tell?.(`${this.#time()} ${text()}`);
  }

  #time(): string {
    return `${((this.now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2).padStart(10)} s`;
  }

  park(call: Call): void {
    if (call.task.wakesAt !== undefined) call.task.frozen.push(call);
    else this.#ready.push(call);
  }

  get ready(): number {
    return this.#ready.length;
  }

  get stalled(): readonly Task[] {
    return this.#stalled;
  }

  /** Starts a function. `done` is called unless it is cut. */
  start(task: Task, work: (task: Task) => Promise<unknown>, done: (error?: unknown) => void): void {
    this.running += 1;
    this.#living.add(task);
    const end = (error?: unknown): void => {
      if (!task.alive) return;
      this.#bury(task);
      if (error instanceof Violation) this.violation ??= error;
      else done(error);
    };
    work(task).then(() => end(), end);
  }

  /** Functions that are alive and awake, and wait for nothing the scheduler could pick. */
  get lost(): boolean {
    return this.#ready.length === 0 && this.running > 0;
  }

  #bury(task: Task): void {
    if (task.wakesAt === undefined) this.running -= 1;
    task.alive = false;
    this.#living.delete(task);
  }

  cut(task: Task, why: string): void {
    this.say(() => `${task.name} is cut: ${why}`);
    this.#bury(task);
  }

  #freeze(task: Task, call: Call): void {
    const { random } = this;
    const how = random.pick(['time', 'step', 'touch'] as const);
    task.wakesAt = Number.POSITIVE_INFINITY;
    task.wakesAtStep = Number.POSITIVE_INFINITY;
    task.wakesOn = '';
    if (how === 'touch' && call.touches) {
      task.wakesOn = call.touches.what;
      task.touchesLeft = random.int(1, random.pick([2, 5, 12]));
    } else if (how === 'time') task.wakesAt = this.now + random.pick(STALLS_MS) * random.next();
    else task.wakesAtStep = this.steps + random.int(1, random.pick([5, 40, 200]));
    this.onFreeze(call.touches);
    task.frozenAt = this.now;
    task.frozen.push(call);
    this.running -= 1;
    for (let at = this.#ready.length - 1; at >= 0; at--) {
      if (this.#ready[at]!.task === task) task.frozen.push(...this.#ready.splice(at, 1));
    }
    this.#stalled.push(task);
    this.say(() => `${task.name} freezes before ${call.what()}`);
  }

  /** @returns when the next frozen function wakes up by itself, or infinity */
  nextWake(): number {
    return this.#stalled.reduce((least, { wakesAt }) => Math.min(least, wakesAt!), Number.POSITIVE_INFINITY);
  }

  wake(all = false): void {
    if (this.#stalled.length === 0) return;
    for (let at = this.#stalled.length - 1; at >= 0; at--) {
      const task = this.#stalled[at]!;
      if (!all && task.wakesAt! > this.now && task.wakesAtStep > this.steps) continue;
      this.#stalled.splice(at, 1);
      task.wakesAt = undefined;
      // A thawed process is not stopped by the limit that passed while it slept.
      task.until = Math.max(task.until, this.now + 60_000);
      this.running += 1;
      this.#ready.push(...task.frozen);
      task.frozen = [];
      this.onWake(this.now - task.frozenAt);
      this.say(() => `${task.name} wakes up`);
    }
  }

  #touched(what: string): void {
    for (const task of this.#stalled) {
      if (task.wakesOn !== what) continue;
      task.touchesLeft -= 1;
      if (task.touchesLeft <= 0) task.wakesAtStep = this.steps;
    }
  }

  onWake: (sleptMs: number) => void = () => {};
  onFreeze: (before: Touch | undefined) => void = () => {};

  /** Lets one waiting call happen. @returns true if a continuation may run now */
  step(): boolean {
    const call = this.#pick();
    const { task } = call;
    if (!task.alive) return false;
    this.steps += 1;
    this.now += 1 + Math.floor(this.random.next() * this.stepMs);
    const left = task.until - this.now;
    if (left <= 0) {
      this.cut(task, 'its time is up');
      return false;
    }
    if (left <= RESERVE_MS) task.warn();
    const fault = this.faults.atCall(call.touches?.writes === true);
    if (fault === 'cut before') {
      this.cut(task, `before ${call.what()}`);
      return false;
    }
    if (fault === 'stall') {
      this.#freeze(task, call);
      return false;
    }
    if ((fault === 'fail before' || fault === 'throttle') && call.unavailable) {
      this.say(() => `${task.name}: ${call.what()} ${fault === 'throttle' ? 'is throttled' : 'fails'}`);
      call.reject(call.unavailable(fault === 'throttle'));
      return true;
    }
    if (this.tell) this.say(() => `${task.name}: ${call.what()}`);
    try {
      let result = call.effect();
      if (call.touches && this.#stalled.length > 0) this.#touched(call.touches.what);
      if (fault === 'cut after') {
        this.cut(task, 'after that');
        return false;
      }
      if (fault === 'fail after' && call.unavailable) {
        this.say(() => '               but its answer is lost');
        call.reject(call.unavailable(false));
        return true;
      }
      if (fault === 'repeat' && call.unavailable) {
        this.say(() => '               and once more, since its answer is lost');
        result = call.effect();
      }
      call.resolve(result);
    } catch (error) {
      if (error instanceof Violation) this.violation ??= error;
      else call.reject(error);
    }
    return true;
  }

  #pick(): Call {
    const ready = this.#ready;
    let at = 0;
    for (let tries = 0; ready.length > 1 && tries < 4; tries++) {
      at = Math.floor(this.random.next() * ready.length);
      const { pace } = ready[at]!.task;
      if (pace >= 1 || this.random.next() < pace) break;
    }
    const call = ready[at]!;
    ready[at] = ready[ready.length - 1]!;
    ready.pop();
    return call;
  }
}

/**
 * Calls `next` again and again, each time after every continuation that could run has run, until it says false. Ticks come
 * after all microtasks and before any I/O, so nothing outside has a say.
 */
export function turns(next: () => boolean): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const later = () => process.nextTick(turn);
    function turn(): void {
      try {
        if (next()) queueMicrotask(later);
        else resolve();
      } catch (error) {
        reject(error);
      }
    }
    process.nextTick(turn);
  });
}
