import type { Task } from '../world.ts';
import type { KindParts } from './kind.ts';

/** What the calls to one service may come to, besides what it answers. */
export interface ServiceErrors {
  /** No answer: the call may have taken effect or not. */
  readonly lost: () => Error;
  /** Refused for the moment: nothing was done. */
  readonly busy: () => Error;
}

/** A service that is called by functions: each call waits for its turn, takes effect at once, and may fail as calls do. */
export class Service {
  protected readonly parts: KindParts;
  readonly #errors: ServiceErrors;
  #tick = 0;
  #ids = 0;

  constructor(parts: KindParts, errors: ServiceErrors) {
    this.parts = parts;
    this.#errors = errors;
  }

  /** The service's own time, milliseconds since 1970: no two moments of it are the same. */
  protected tick(): number {
    this.#tick = Math.max(this.#tick + 1, Math.ceil(this.parts.world.now));
    return this.#tick;
  }

  protected newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}${this.#ids}`;
  }

  call<T>(task: Task, what: () => string, effect: () => T, writes = false): Promise<T> {
    const { faults, troubles, world, random } = this.parts;
    return task.call(
      () => `service ${what()}`,
      () => {
        if (faults.strikes('slow source')) world.now += Math.floor(random.next() * 60_000);
        if (troubles.strikes('too much at once')) throw this.#errors.busy();
        if (faults.strikes('source fails')) throw this.#errors.lost();
        return effect();
      },
      (throttled) => (throttled ? this.#errors.busy() : this.#errors.lost()),
      { what: what(), writes },
    );
  }
}
