import { Draws, hashText, mix } from './draws.ts';
import { Evolution } from './evolution.ts';
import type { Micros } from './instants.ts';
import type { CellContext } from './tables/column.ts';
import { isRepeated, type TableDefinition } from './tables/definition.ts';
import type { Value } from './tables/value.ts';

/** The newest version of one record. */
export interface Row {
  readonly key: Value;
  readonly writtenAt: Micros;
  /** One for each of the table's columns, in their order; null for a hard deletion. */
  readonly values: readonly Value[] | null;
}

export interface GeneratorOptions {
  readonly seed: number;
  /** Rows of each table in its first load. */
  readonly rowsOf: (table: string) => number;
  /** Where identifiers of a table begin. */
  readonly idBaseOf: (table: string) => bigint;
  readonly firstCommitAt: Micros;
  readonly refreshEvery: Micros;
  /** Tables that are never committed to after their first load. */
  readonly isSilent: (definition: TableDefinition) => boolean;
}

/**
 * The rows of one table, made when they are asked for and never kept: a table of tens of millions takes no more memory than
 * one of ten. Equal options make equal rows.
 */
export class Generator {
  readonly definition: TableDefinition;
  readonly evolution: Evolution;
  readonly #seed: number;
  readonly #columns: readonly { readonly since: number; readonly generate: (context: CellContext) => Value }[];
  readonly #context: MutableContext;

  constructor(definition: TableDefinition, options: GeneratorOptions) {
    this.definition = definition;
    this.#seed = mix(options.seed | 0, hashText(`${definition.namespace}.${definition.name}`));
    this.evolution = new Evolution({
      seed: this.#seed,
      initialRows: options.rowsOf(definition.name),
      firstCommitAt: options.firstCommitAt,
      commitEvery: options.isSilent(definition)
        ? Number.POSITIVE_INFINITY
        : options.refreshEvery * definition.refreshesPerCommit,
    });
    this.#columns = Object.values(definition.columns);
    this.#context = new MutableContext(options);
  }

  /** The newest version as of a commit, or undefined if it lies outside `isWanted`. */
  row(
    index: number,
    commit: number,
    schemaVersionAt: (commit: number) => number,
    isWanted: (writtenAt: Micros, isDeleted: boolean) => boolean,
  ): Row | undefined {
    const state = this.evolution.stateAfter(index, commit);
    const writtenAt = this.evolution.writtenAt(index, state.commit);
    if (!isWanted(writtenAt, state.isDeleted)) return undefined;
    const context = this.#context;
    const rowSeed = mix(this.#seed ^ 0x51ed, index);
    context.row = index;
    context.version = state.version;
    context.committedAt = writtenAt;
    context.schemaVersion = schemaVersionAt(state.commit);
    context.fixed.restart(rowSeed ^ 0x0ddba11);
    const key = this.definition.key.generate(context);
    if (state.isDeleted) return { key, writtenAt, values: null };
    context.fixed.restart(rowSeed);
    context.moving.restart(mix(rowSeed, state.version + 1));
    return { key, writtenAt, values: this.#values(context) };
  }

  isRepeated(index: number): boolean {
    return isRepeated(this.definition, index);
  }

  #values(context: MutableContext): Value[] {
    const values: Value[] = [];
    for (const { since, generate } of this.#columns) {
      values.push(since > context.schemaVersion ? null : generate(context));
    }
    return values;
  }
}

/** One for all rows of a table: a fresh one for each row costs a fifth of the time. */
class MutableContext implements CellContext {
  row = 0;
  version = 0;
  committedAt: Micros = 0;
  schemaVersion = 1;
  readonly fixed = new Draws();
  readonly moving = new Draws();
  readonly #options: GeneratorOptions;

  constructor(options: GeneratorOptions) {
    this.#options = options;
  }

  idIn(table: string, draws: Draws): bigint {
    return this.#options.idBaseOf(table) + BigInt(1 + draws.int(this.#options.rowsOf(table)));
  }
}
