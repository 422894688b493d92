import { mix } from './draws.ts';
import { MICROS_PER_SECOND, type Micros } from './instants.ts';

/** Where a row stands after some commit of its table. */
export interface RowState {
  /** The commit that wrote this version, 0 for the first load. */
  readonly commit: number;
  /** Updates since it was inserted. */
  readonly version: number;
  readonly isDeleted: boolean;
}

export interface EvolutionOptions {
  /** Differs from table to table, so that their rows do not change in step. */
  readonly seed: number;
  /** Rows of the first load, at least 1. */
  readonly initialRows: number;
  readonly firstCommitAt: Micros;
  /** Between commits. Infinity for a table that never changes. At least two seconds. */
  readonly commitEvery: Micros;
}

/** Rows of one commit are written within its last second, so none is older than a watermark that was given out before. */
export const COMMIT_WINDOW: Micros = MICROS_PER_SECOND;

/** Below this, rows change so often that every commit of a few rows still brings something. */
const SMALL_TABLE_ROWS = 1000;

/**
 * When each row of a table is inserted, updated and deleted, as a closed form of (seed, row, commit): nothing is stored, and
 * the state of any row after any commit costs a few multiplications. A row is updated at every `period`-th commit after its
 * birth, if at all, and some rows are deleted at a commit of their own and never come back.
 */
export class Evolution {
  readonly #options: EvolutionOptions;
  readonly #insertsPerCommit: number;
  readonly #isSmall: boolean;

  constructor(options: EvolutionOptions) {
    this.#options = options;
    this.#isSmall = options.initialRows < SMALL_TABLE_ROWS;
    this.#insertsPerCommit = Math.max(1, Math.round(options.initialRows / 500));
  }

  /** The last commit not later than `now`. */
  lastCommit(now: Micros): number {
    const { firstCommitAt, commitEvery } = this.#options;
    return commitEvery === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.floor((now - firstCommitAt) / commitEvery));
  }

  committedAt(commit: number): Micros {
    return commit === 0
      ? this.#options.firstCommitAt
      : this.#options.firstCommitAt + commit * this.#options.commitEvery;
  }

  /** Rows ever inserted, the deleted ones included. */
  rowsAfter(commit: number): number {
    return this.#options.initialRows + commit * this.#insertsPerCommit;
  }

  /** @param row below `rowsAfter(commit)` */
  stateAfter(row: number, commit: number): RowState {
    const chance = mix(this.#options.seed, row);
    const born = this.#bornIn(row);
    const dies = this.#diesIn(row, born, chance);
    const last = Math.min(commit, dies - 1);
    const { first, period } = this.#updates(born, chance);
    const version = last < first ? 0 : 1 + Math.floor((last - first) / period);
    if (commit >= dies) return { commit: dies, version, isDeleted: true };
    return { commit: version === 0 ? born : first + (version - 1) * period, version, isDeleted: false };
  }

  /** Within the commit's last second; the first row it inserts is written at its very instant, which is the watermark. */
  writtenAt(row: number, commit: number): Micros {
    const { initialRows, seed } = this.#options;
    const newest = commit === 0 ? 0 : initialRows + (commit - 1) * this.#insertsPerCommit;
    const at = this.committedAt(commit);
    return row === newest ? at : at - 1 - (mix(mix(seed, row), commit) % (COMMIT_WINDOW - 1));
  }

  #bornIn(row: number): number {
    const { initialRows } = this.#options;
    return row < initialRows ? 0 : 1 + Math.floor((row - initialRows) / this.#insertsPerCommit);
  }

  #diesIn(row: number, born: number, chance: number): number {
    const share = this.#isSmall ? 20 : 4;
    if (row === 0 || chance % 100 >= share) return Number.POSITIVE_INFINITY;
    return born + 1 + (mix(chance, 1) % (this.#isSmall ? 12 : 40));
  }

  #updates(born: number, chance: number): { first: number; period: number } {
    const share = this.#isSmall ? 60 : 30;
    const dice = mix(chance, 2);
    if (dice % 100 >= share) return { first: Number.POSITIVE_INFINITY, period: 1 };
    const period = this.#isSmall ? 2 + ((dice >>> 8) % 6) : 4 + ((dice >>> 8) % 24);
    return { first: born + 1 + ((dice >>> 16) % period), period };
  }
}
