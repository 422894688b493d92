import type { Random } from './random.ts';

/** What can go wrong at an await of a function. */
export const CALL_FAULTS = [
  /** The process ends before, or after, the call took effect: a crash, a time limit, out of memory. */
  'cut before',
  'cut after',
  /** It freezes, and wakes up much later: its message has been delivered to another meanwhile. */
  'stall',
  /** The call fails, before or after it took effect; or a client repeats it, since the first answer got lost. */
  'fail before',
  'fail after',
  'repeat',
  'throttle',
] as const;

/** What can go wrong with a message, the source, the clock, or be asked for at a bad moment. */
export const WORLD_FAULTS = [
  'duplicate',
  'lose',
  'delay',
  'keep',
  'source fails',
  'source refuses',
  'stays broken',
  'source changes',
  'flickers',
  'context fails',
  'clock jump',
  'skew',
  'cancel',
  'start again',
  'early sweep',
  'deploy',
  'slow source',
  'named twice',
] as const;

/** Those of them that come between two calls. */
export const DISTURBANCES = [
  'source changes',
  'clock jump',
  'cancel',
  'start again',
  'early sweep',
  'deploy',
] as const satisfies readonly (typeof WORLD_FAULTS)[number][];

export type Disturbance = (typeof DISTURBANCES)[number];
export type CallFault = (typeof CALL_FAULTS)[number];
export type WorldFault = (typeof WORLD_FAULTS)[number];
export type FaultKind = CallFault | WorldFault;
export const FAULT_KINDS: readonly FaultKind[] = [...CALL_FAULTS, ...WORLD_FAULTS];

/** How likely each kind is, where it is dealt out at all. Calls: per call. */
const RATES: Readonly<Record<FaultKind, number>> = {
  'cut before': 0.006,
  'cut after': 0.012,
  stall: 0.012,
  'fail before': 0.005,
  'fail after': 0.008,
  repeat: 0.008,
  throttle: 0.01,
  duplicate: 0.1,
  lose: 0.03,
  delay: 0.1,
  keep: 0.05,
  'source fails': 0.02,
  'source refuses': 0.01,
  'stays broken': 0.03,
  'source changes': 0.003,
  flickers: 0.02,
  'context fails': 0.02,
  'clock jump': 0.0006,
  skew: 0.5,
  cancel: 0.0008,
  'start again': 0.0006,
  'early sweep': 0.0015,
  deploy: 0.0003,
  'slow source': 0.1,
  'named twice': 0.02,
};

export interface FaultOptions {
  /** Kinds that are left out. */
  readonly without?: readonly FaultKind[];
  /** No fault after so many. */
  readonly limit?: number;
}

/** The share of stalls that is not before a write. */
const STALL_BEFORE_READ = 0.4;
/** How much more likely a kind is in a history that has it for its theme. */
const THEME = 8;

/** Deals out faults. Each history has its own mix: some kinds not at all, others rarely or often, and sometimes one above all. */
export class Faults {
  readonly #random: Random;
  readonly #rates = {} as Record<FaultKind, number>;
  readonly #limit: number;
  readonly #callRate: number;
  readonly #disturbanceRate: number;
  readonly counts: Partial<Record<FaultKind, number>> = {};
  dealt = 0;
  /** Off while a history is brought to its end. */
  on = true;

  constructor(random: Random, { without = [], limit = Number.POSITIVE_INFINITY }: FaultOptions = {}) {
    this.#random = random;
    this.#limit = limit;
    const calm = random.pick([0, 0.3, 1, 1, 2.5]);
    const theme = random.chance(0.4) ? random.pick(FAULT_KINDS) : undefined;
    for (const kind of FAULT_KINDS) {
      const much = random.pick([0, 0, 0.3, 1, 1, 3]);
      const rate = kind === theme ? RATES[kind] * THEME : RATES[kind] * much * calm;
      this.#rates[kind] = without.includes(kind) ? 0 : Math.min(rate, 0.5);
    }
    this.#callRate = CALL_FAULTS.reduce((sum, kind) => sum + this.#rates[kind], 0);
    this.#disturbanceRate = DISTURBANCES.reduce((sum, kind) => sum + this.#rates[kind], 0);
  }

  /** Does this happen now? */
  strikes(kind: WorldFault, factor = 1): boolean {
    if (!this.on || this.dealt >= this.#limit) return false;
    return this.#random.chance(this.#rates[kind] * factor) && this.#count(kind);
  }

  /** What befalls a call, if anything. */
  atCall(writes: boolean): CallFault | undefined {
    const fault = this.#oneOf(CALL_FAULTS, this.#callRate);
    // What was read is most often out of date by the time that it is acted upon.
    return fault === 'stall' && !writes && !this.#random.chance(STALL_BEFORE_READ) ? undefined : this.#counted(fault);
  }

  /** What happens in the world before the next call, if anything. */
  between(): Disturbance | undefined {
    return this.#counted(this.#oneOf(DISTURBANCES, this.#disturbanceRate));
  }

  #oneOf<K extends FaultKind>(kinds: readonly K[], rate: number): K | undefined {
    if (rate === 0 || !this.on || this.dealt >= this.#limit) return undefined;
    let at = this.#random.next();
    if (at >= rate) return undefined;
    for (const kind of kinds) {
      at -= this.#rates[kind];
      if (at < 0) return kind;
    }
    return undefined;
  }

  #counted<K extends FaultKind>(kind: K | undefined): K | undefined {
    if (kind !== undefined) this.#count(kind);
    return kind;
  }

  #count(kind: FaultKind): true {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.dealt += 1;
    return true;
  }
}
