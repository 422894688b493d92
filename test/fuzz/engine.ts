import { Random } from '../simulation/random.ts';
import { keep, readKept, replaceCorpus } from './corpus.ts';
import { Coverage } from './coverage.ts';
import { minimised } from './minimise.ts';
import { mutated } from './mutate.ts';
import { failureOf, runOnce } from './run-once.ts';
import type { FuzzTarget } from './target.ts';

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Puts the smallest inputs that run as much code in place of the kept corpus. */
  readonly keepsCorpus: boolean;
  /** Called before each input, so that somebody else knows it if this one never ends. */
  onInput(bytes: Uint8Array): void;
  say(line: string): void;
}

const BATCH_INPUTS = 48;
const OUTCOMES_MAX = 120;
const KEPT_MAX_BYTES = 12 * 1024;

/** Mutates inputs of a target, keeps those that run code no other did, and reports those that break its promises. */
export class Fuzzer {
  readonly #target: FuzzTarget;
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #coverage = new Coverage(new URL('../../', import.meta.url).href);
  readonly #corpus: Uint8Array[] = [];
  readonly #outcomes = new Set<string>();
  readonly #failures = new Set<string>();
  #words: Uint8Array[] = [];
  #executions = 0;

  constructor(target: FuzzTarget, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  /** @returns how many different failures there were */
  async run(): Promise<number> {
    await this.#coverage.start();
    const seeds = [...(await this.#target.seeds())].map((seed) => Buffer.from(seed as Uint8Array));
    const kept = [...readKept('failures', this.#target.name), ...readKept('corpus', this.#target.name)];
    for (const bytes of [...seeds, ...kept.map(({ bytes }) => bytes)]) await this.#meet(bytes);
    if (this.#corpus.length === 0) this.#corpus.push(new Uint8Array(0));
    this.#learnWords();
    const { functions, missed } = this.#coverage;
    const from = performance.now();
    const until = from + this.#options.seconds * 1000;
    for (let nextWords = from + 10_000; performance.now() < until; ) {
      await this.#batch();
      if (performance.now() < nextWords) continue;
      this.#learnWords();
      nextWords = performance.now() + 30_000;
    }
    const seconds = (performance.now() - from) / 1000;
    this.#options.say(
      `${this.#target.name}: ${this.#executions} executions, ${Math.round(this.#executions / seconds)}/s; ` +
        `functions ${functions} -> ${this.#coverage.functions}, blocks never run in them ${missed} -> ${this.#coverage.missed}; ` +
        `corpus ${this.#corpus.length}, outcomes ${this.#outcomes.size}; failures ${this.#failures.size}`,
    );
    if (this.#options.keepsCorpus) await this.#keepCorpus();
    return this.#failures.size;
  }

  /** Coverage is looked at once a batch, since a look costs as much as many inputs; if there is any, one by one. */
  async #batch(): Promise<void> {
    const inputs = Array.from({ length: BATCH_INPUTS }, () => this.#newInput());
    for (const bytes of inputs) {
      const outcome = await this.#execute(bytes);
      if (outcome !== undefined && this.#isNew(outcome)) this.#corpus.push(bytes);
    }
    if (!(await this.#coverage.look(false))) return;
    for (const bytes of inputs) await this.#meet(bytes);
  }

  #newInput(): Uint8Array {
    const { maxBytes = 4096, maxPumpedBytes = 512 * 1024 } = this.#target;
    const options = { words: this.#words, maxBytes, maxPumpedBytes };
    return mutated(this.#random, this.#picked(), this.#random.pick(this.#corpus), options);
  }

  /** What came last is the most promising. */
  #picked(): Uint8Array {
    const { length } = this.#corpus;
    if (this.#random.chance(0.5)) return this.#random.pick(this.#corpus);
    return this.#corpus[length - 1 - Math.floor(this.#random.next() ** 3 * length)]!;
  }

  /** Runs one input, and takes it up if it runs something new. */
  async #meet(bytes: Uint8Array): Promise<void> {
    const outcome = await this.#execute(bytes);
    const isCovering = await this.#coverage.look();
    if (outcome !== undefined && (this.#isNew(outcome) || isCovering)) this.#corpus.push(bytes);
  }

  #isNew(outcome: string): boolean {
    if (this.#outcomes.has(outcome) || this.#outcomes.size >= OUTCOMES_MAX) return false;
    this.#outcomes.add(outcome);
    return true;
  }

  /** @returns undefined if the input broke a promise */
  async #execute(bytes: Uint8Array): Promise<string | undefined> {
    this.#executions += 1;
    this.#options.onInput(bytes);
    try {
      return await runOnce(this.#target, bytes);
    } catch (error) {
      await this.#failed(bytes, error);
      return undefined;
    }
  }

  async #failed(bytes: Uint8Array, error: unknown): Promise<void> {
    const failure = failureOf(error);
    if (this.#failures.has(failure)) return;
    this.#failures.add(failure);
    const least = await minimised(this.#target, bytes, failure, this.#options.onInput);
    const file = keep('failures', this.#target.name, least);
    const shown = JSON.stringify(Buffer.from(least.subarray(0, 120)).toString('latin1'));
    this.#options.say(`FAILED ${this.#target.name}: ${failure}\n  failures/${this.#target.name}/${file}: ${shown}`);
    if (error instanceof Error) this.#options.say(`  ${error.stack?.split('\n').slice(0, 6).join('\n  ')}`);
  }

  #learnWords(): void {
    const own = this.#target.words ?? [];
    this.#words = [...own, ...this.#coverage.words()].map((word) => Buffer.from(word as Uint8Array));
  }

  /** Small ones first; a long one stays only for what no other runs. */
  async #keepCorpus(): Promise<void> {
    this.#coverage.reset();
    this.#outcomes.clear();
    await this.#coverage.look(false);
    const chosen: Uint8Array[] = [];
    let keptBytes = 0;
    for (const bytes of this.#corpus.toSorted((one, other) => one.length - other.length)) {
      if (keptBytes + bytes.length > KEPT_MAX_BYTES) continue;
      await this.#execute(bytes);
      if (!(await this.#coverage.look())) continue;
      chosen.push(bytes);
      keptBytes += bytes.length;
    }
    replaceCorpus(this.#target.name, chosen);
    this.#options.say(`${this.#target.name}: kept ${chosen.length} inputs, ${keptBytes} bytes`);
  }
}
