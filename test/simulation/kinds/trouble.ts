import type { Random } from '../random.ts';

/** What a service does by its own rules, at a bad moment; each history has its own mix. Per call that could be met by it. */
const RATES = {
  // Jobs
  'job fails': 0.06,
  'job made anew': 0.1,
  'job expires': 0.08,
  'url expires': 0.05,
  'results gone': 0.02,
  'snapshot required': 0.05,
  'no data told as an error': 0.3,
  // Feeds
  'records age out': 0.15,
  'stream scales': 0.05,
  'partition expires': 0.05,
  'stream made anew': 0.015,
  'cursor expires': 0.03,
  // Splits
  'session fails': 0.05,
  'session expires': 0.04,
  'table modified': 0.04,
  'table made anew': 0.04,
  'versions dropped': 0.08,
  'stream breaks': 0.05,
  // Sinks
  'record refused': 0.05,
  'write session expires': 0.01,
  // All
  'too much at once': 0.02,
} as const;

export type Trouble = keyof typeof RATES;
export const TROUBLES = Object.keys(RATES) as readonly Trouble[];

/** Deals out the trouble that a service makes by its own rules. */
export class Troubles {
  readonly #random: Random;
  readonly #rates = new Map<Trouble, number>();
  readonly counts: Partial<Record<Trouble, number>> = {};
  /** Off while a history is brought to its end. */
  on = true;

  constructor(random: Random, without: readonly string[] = []) {
    this.#random = random;
    const calm = random.pick([0, 0.5, 1, 1, 2]);
    for (const kind of TROUBLES) {
      const rate = Math.min(0.5, RATES[kind] * calm * random.pick([0, 0.5, 1, 1, 3]));
      this.#rates.set(kind, without.includes(kind) ? 0 : rate);
    }
  }

  strikes(kind: Trouble): boolean {
    if (!this.on || !this.#random.chance(this.#rates.get(kind)!)) return false;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    return true;
  }
}
