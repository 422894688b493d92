import type { Schema } from '../../records/schema.ts';
import type { Staged } from './dialect.ts';
import { landfallPlan } from './mapping/landfall.ts';
import { referencePlan } from './mapping/reference.ts';
import { ACTION_COLUMN, hash, PARTITION_COLUMN, type TableName, TS_COLUMN } from './names.ts';
import type { SqlDatabase } from './open.ts';
import type { LoadKind, TableState } from './own-tables.ts';
import type { TablePlan } from './storage.ts';

/** What a load brings. */
export interface Source {
  /** Of its records; may hold `meta.ts` and `meta.action`. */
  readonly schema: Schema;
  /** The JSON Schema that it was made of, for the reference mapping. */
  readonly document?: unknown;
}

/** What a table and the one beside it, in which a load is staged, are called and look like. */
export class TablePlace {
  readonly table: TableName;
  readonly #db: SqlDatabase;

  constructor(db: SqlDatabase, table: TableName) {
    this.#db = db;
    this.table = table;
  }

  /** For messages. */
  get label(): string {
    return `${this.table.namespace}.${this.table.name}`;
  }

  /** Quoted, as is {@link staging}. */
  get live(): string {
    return this.#db.dialect.table(this.table);
  }

  get staging(): string {
    const { namespace, name } = this.table;
    // Two names that look the same when they are joined have different hashes.
    return this.#db.dialect.ownTable(`${namespace}__${name}__${hash(`${namespace}\0${name}`)}`);
  }

  get keyName(): string {
    return `pk_${this.table.name}`;
  }

  get stagedKeyName(): string {
    return `pk_${hash(this.staging)}`;
  }

  plan(state: Omit<TableState, 'id' | 'place' | 'generation'>, source: Source): TablePlan {
    const { dialect } = this.#db;
    return state.mapping === 'reference'
      ? referencePlan(source.schema, state, dialect, this.table, source.document)
      : landfallPlan(source.schema, state, dialect);
  }

  staged(plan: TablePlan, kind: LoadKind): Staged {
    const { quote } = this.#db.dialect;
    const isChanges = kind === 'changes';
    return {
      staging: this.staging,
      target: this.live,
      columns: [
        ...plan.columns.map(({ name }) => quote(name)),
        ...(isChanges || plan.hasTs ? [quote(TS_COLUMN)] : []),
        ...(plan.hasPartition ? [quote(PARTITION_COLUMN)] : []),
        ...(isChanges ? [quote(ACTION_COLUMN)] : []),
      ],
      key: plan.key.map(quote),
      hasTs: isChanges || plan.hasTs,
    };
  }
}
