import { schemaOfDapTable } from '../../records/json-schema.ts';
import type { Schema } from '../../records/schema.ts';
import { mergeSchemas } from '../../records/widen.ts';
import { alignTable, driftOf } from './align.ts';
import type { Staged } from './dialect.ts';
import { SchemaMismatchError, TableAlreadyExistsError, TableBusyError } from './errors.ts';
import { DEFAULT_LIMITS, type LoadEnd, type LoadLimits, TableLoad } from './load.ts';
import { landfallPlan, type TableShape } from './mapping/landfall.ts';
import { referencePlan } from './mapping/reference.ts';
import { ACTION_COLUMN, hash, PARTITION_COLUMN, type TableName, TS_COLUMN } from './names.ts';
import type { SqlDatabase } from './open.ts';
import type { LoadKind, MappingName, OwnTables, TableState } from './own-tables.ts';
import { unlessRaced } from './raced.ts';
import {
  addForeignKeys,
  dropTypes,
  Lookups,
  prepareTypes,
  type ReferenceTables,
  type SyncRow,
} from './reference-tables.ts';
import type { TablePlan } from './storage.ts';

export interface TableOptions extends Partial<TableShape> {
  /** Default ours. A table that is there keeps the one it was made with. */
  readonly mapping?: MappingName;
  readonly limits?: Partial<LoadLimits>;
}

/** What a load brings. */
export interface Source {
  /** Of its records; may hold `meta.ts` and `meta.action`. */
  readonly schema: Schema;
  /** The JSON Schema that it was made of, for the reference mapping. */
  readonly document?: unknown;
}

/** One table of a database: loaded as a whole, by changes, or by partitions, always so that readers see complete states only. */
export class SqlTable {
  readonly table: TableName;
  readonly #db: SqlDatabase;
  readonly #own: OwnTables;
  readonly #reference: ReferenceTables;
  readonly #options: TableOptions;
  #isLocked = false;

  constructor(db: SqlDatabase, own: OwnTables, reference: ReferenceTables, table: TableName, options: TableOptions) {
    this.#db = db;
    this.#own = own;
    this.#reference = reference;
    this.table = table;
    this.#options = options;
  }

  /** Undefined if no load has begun yet; `generation` is null until one is complete. */
  async state(): Promise<TableState | undefined> {
    return this.#own.state(this.table);
  }

  /**
   * Begins to load the whole table anew, or goes on with the load of that id. Readers see what was there until it is finished.
   *
   * @throws {TableBusyError} another process loads the table
   * @throws {TableAlreadyExistsError} there is a table of that name that is not ours
   */
  beginGeneration(loadId: string, source: Source): Promise<TableLoad> {
    return this.#begin('generation', loadId, source);
  }

  /**
   * Begins to upsert and delete rows by key, or goes on with the load of that id. A row that is older than the one at hand, by
   * `meta.ts`, changes nothing. Without a key, rows are added.
   */
  beginChanges(loadId: string, source: Source): Promise<TableLoad> {
    return this.#begin('changes', loadId, source);
  }

  /** Begins to replace the rows of one partition; the table's options must say `hasPartition`. */
  beginPartition(loadId: string, partition: string, source: Source): Promise<TableLoad> {
    return this.#begin('partition', loadId, source, partition);
  }

  /** Removes the rows of a partition, in one step with the place. */
  async removePartition(partition: string, place: string): Promise<void> {
    await this.#lock();
    const state = await this.state();
    if (!state) return;
    const { session, dialect } = this.#db;
    await session.transaction(async () => {
      await session.execute(
        `DELETE FROM ${this.#live} WHERE ${dialect.quote(PARTITION_COLUMN)} = ${dialect.parameter(1)}`,
        [partition],
      );
      await this.#own.setPlace(state.id, place);
    });
  }

  /** Takes a table over that the vendor's client made. */
  async adopt(source: Source, sync: SyncRow, place: string): Promise<TableState> {
    await this.#own.prepare();
    const known = await this.state();
    if (known) return known;
    const shape = this.#shape(source.schema);
    await this.#db.session.transaction(async () => {
      await this.#own.register(this.table, { ...shape, mapping: 'reference', schema: source.schema, hasTs: false });
      const state = (await this.state())!;
      await this.#own.complete(state.id, place, `adopted at ${sync.timestamp}`, true);
    });
    return (await this.state())!;
  }

  /** Drops the table, and forgets all about it. */
  async drop(): Promise<void> {
    await this.#lock();
    const { session, dialect } = this.#db;
    const state = await this.state();
    const plan = state?.mapping === 'reference' ? this.#plan(state, { schema: state.schema }) : undefined;
    await session.transaction(async () => {
      if (state) await this.#own.forget(state.id, this.table);
      await this.#reference.remove(this.table);
      await session.execute(`DROP TABLE IF EXISTS ${this.#live}`);
      if (plan) await dropTypes(this.#db, plan, this.table);
    });
    await session.execute(`DROP TABLE IF EXISTS ${this.#staging}`);
    await dialect.unlock(session, this.#lockName);
    this.#isLocked = false;
  }

  /** Lets other processes load the table. */
  async release(): Promise<void> {
    if (!this.#isLocked) return;
    this.#isLocked = false;
    await this.#db.dialect.unlock(this.#db.session, this.#lockName);
  }

  get #live(): string {
    return this.#db.dialect.table(this.table);
  }

  get #staging(): string {
    const { namespace, name } = this.table;
    // Two names that look the same when they are joined have different hashes.
    return this.#db.dialect.ownTable(`${namespace}__${name}__${hash(`${namespace}\0${name}`)}`);
  }

  get #lockName(): string {
    return `landfall ${this.table.namespace}.${this.table.name}`;
  }

  async #lock(): Promise<void> {
    if (this.#isLocked) return;
    await this.#own.prepare();
    const { namespace, name } = this.table;
    if (!(await this.#db.dialect.lock(this.#db.session, this.#lockName)))
      throw new TableBusyError(`${namespace}.${name} is being loaded by another process`);
    this.#isLocked = true;
  }

  #shape({ key = [], columns }: Schema): TableShape {
    const { key: given, hasTs, hasPartition = false } = this.#options;
    return {
      key: given ?? key,
      hasTs: hasTs ?? columns.some(({ name }) => name === 'meta.ts'),
      hasPartition,
    };
  }

  #plan(state: Omit<TableState, 'id' | 'place' | 'generation'>, source: Source): TablePlan {
    return state.mapping === 'reference'
      ? referencePlan(source.schema, state, this.#db.dialect, this.table, source.document)
      : landfallPlan(source.schema, state, this.#db.dialect);
  }

  async #begin(kind: LoadKind, loadId: string, source: Source, partition?: string): Promise<TableLoad> {
    await this.#lock();
    const state = await this.#registered(source);
    const merged = this.#merged(state, state.schema, source.schema);
    const target: Source = { ...source, schema: merged };
    const running = await this.#recovered(state);
    const isSame = running?.loadId === loadId && running.kind === kind;
    // A generation does not touch the table until it is swapped, unless the table stays and its rows are exchanged.
    await this.#prepareLive(state, target, kind);
    const plan = this.#plan(state, target);
    const before = isSame ? this.#plan(state, { ...source, schema: running.schema }) : undefined;
    if (before) await this.#alignStaging(before, plan, kind);
    else await this.#createStaging(plan, kind);
    if (!isSame) await this.#own.beginLoad(state.id, loadId, kind, merged);
    else await this.#own.setLoadSchema(state.id, merged);

    const lookups = new Lookups(this.#db, this.table);
    await lookups.open(plan.columns.flatMap(({ storage }) => (storage.kind === 'lookup' ? [storage.table] : [])));
    const { rows } = isSame ? await this.#own.quarantined(this.table, loadId) : { rows: 0 };
    let current = target;
    return new TableLoad(
      {
        db: this.#db,
        own: this.#own,
        table: this.table,
        state,
        loadId,
        kind,
        ...(partition !== undefined && { partition }),
        limits: { ...DEFAULT_LIMITS, ...this.#options.limits },
        lookups,
        staged: (of) => this.#staged(of, kind),
        widen: async (schema) => {
          const from = this.#plan(state, current);
          current = { ...current, schema: this.#merged(state, current.schema, schema) };
          await this.#prepareLive((await this.state())!, current, kind);
          const to = this.#plan(state, current);
          await this.#alignStaging(from, to, kind);
          await this.#own.setLoadSchema(state.id, current.schema);
          return to;
        },
        finish: (load, end) => this.#finish(state, loadId, kind, load.plan, end, partition),
        abandon: async () => {
          await this.#db.session.execute(`DROP TABLE IF EXISTS ${this.#staging}`);
          await this.#own.endLoad(state.id);
        },
      },
      plan,
      isSame ? { part: running.part, rows: running.rows } : { part: 0, rows: 0 },
      rows,
    );
  }

  async #registered(source: Source): Promise<TableState> {
    const known = await this.state();
    const shape = this.#shape(source.schema);
    if (known) {
      if (known.key.join('\0') !== shape.key.join('\0'))
        throw new SchemaMismatchError(
          `${this.table.namespace}.${this.table.name} has the key ${known.key.join(', ') || 'of no column'}, and the records ${shape.key.join(', ') || 'none'}`,
        );
      return known;
    }
    const { session, dialect } = this.#db;
    const state = { ...shape, mapping: this.#options.mapping ?? 'landfall', schema: source.schema } as const;
    const plan = this.#plan({ ...state, hasTs: shape.hasTs && state.mapping === 'landfall' }, source);
    if (await dialect.exists(session, this.#live)) {
      // One without rows may be what the vendor's client leaves of a load that failed.
      if (await dialect.hasRows(session, this.#live))
        throw new TableAlreadyExistsError(
          `there is a table ${this.table.namespace}.${this.table.name} that is not ours`,
        );
      await session.execute(`DROP TABLE ${this.#live}`);
    }
    await this.#own.register(this.table, { ...state, hasTs: plan.hasTs });
    return (await this.state())!;
  }

  /** Makes, or widens, the table that readers see, and what its columns refer to. */
  async #prepareLive(state: TableState, target: Source, kind: LoadKind): Promise<void> {
    const { session, dialect } = this.#db;
    const plan = this.#plan(state, target);
    const exists = await dialect.exists(session, this.#live);
    for (const sql of dialect.createNamespace(this.table.namespace)) await unlessRaced(() => session.execute(sql));
    if (state.mapping === 'reference') await unlessRaced(() => session.transaction(() => this.#reference.prepare()));
    await session.transaction(async () => {
      if (state.mapping === 'reference') await prepareTypes(this.#db, plan, this.table);
      if (exists) {
        await alignTable(this.#db, this.#live, await this.#livePlan(state), plan);
      } else if (kind !== 'generation') {
        for (const sql of dialect.createTable(this.#live, plan, plan.columns, { isChanges: false }))
          await session.execute(sql);
        await dialect.settleKey(session, { ...this.#staged(plan, kind), staging: this.#live }, this.#keyName);
        if (state.mapping === 'reference') await addForeignKeys(this.#db, this.#live, plan, this.table);
      }
      await this.#own.drift(this.table, driftOf(state.schema, target.schema));
      await this.#own.setSchema(state.id, target.schema);
    });
  }

  /** The table as it is. What the vendor's client made of it since then is told by the schema that it noted. */
  async #livePlan(state: TableState): Promise<TablePlan> {
    const sync = state.mapping === 'reference' ? await this.#reference.get(this.table) : undefined;
    if (!sync) return this.#plan(state, { schema: state.schema });
    const document: unknown = JSON.parse(sync.schemaDescription);
    return this.#plan(state, { schema: schemaOfDapTable(document, { meta: false }), document });
  }

  /** Our tables keep the columns that a source has dropped; those of the reference have what the schema says. */
  #merged({ mapping }: TableState, known: Schema, schema: Schema): Schema {
    return mapping === 'reference' ? schema : mergeSchemas(known, schema);
  }

  get #keyName(): string {
    return `pk_${this.table.name}`;
  }

  #staged(plan: TablePlan, kind: LoadKind): Staged {
    const { quote } = this.#db.dialect;
    const isChanges = kind === 'changes';
    return {
      staging: this.#staging,
      target: this.#live,
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

  async #createStaging(plan: TablePlan, kind: LoadKind): Promise<void> {
    const { session, dialect } = this.#db;
    await session.execute(`DROP TABLE IF EXISTS ${this.#staging}`);
    const options = { isChanges: kind === 'changes' };
    for (const sql of dialect.createTable(this.#staging, plan, plan.columns, options)) await session.execute(sql);
  }

  async #alignStaging(from: TablePlan, to: TablePlan, kind: LoadKind): Promise<void> {
    const asStaged = (plan: TablePlan): TablePlan =>
      kind === 'changes' ? { ...plan, columns: plan.columns.map((column) => ({ ...column, nullable: true })) } : plan;
    await alignTable(this.#db, this.#staging, asStaged(from), asStaged(to));
  }

  async #finish(
    state: TableState,
    loadId: string,
    kind: LoadKind,
    plan: TablePlan,
    { place, sync }: LoadEnd,
    partition: string | undefined,
  ): Promise<void> {
    const { session, dialect } = this.#db;
    const record = async () => {
      await this.#own.complete(state.id, place, loadId, kind === 'generation');
      if (sync) await this.#reference.put(this.table, sync);
    };
    const staged = this.#staged(plan, kind);
    if (kind === 'generation') {
      const stagedKeyName = `pk_${hash(this.#staging)}`;
      await session.transaction(async () => {
        await dialect.settleKey(session, staged, stagedKeyName);
        if (state.mapping === 'reference') await addForeignKeys(this.#db, staged.staging, plan, this.table);
      });
      // Where renaming a table cannot be one with noting it, what is to be noted is kept first.
      if (dialect.name === 'mysql') await this.#own.setFinishing(state.id, place);
      const exists = await dialect.exists(session, this.#live);
      await dialect.swap(session, {
        staged,
        target: this.table,
        keyName: this.#keyName,
        stagedKeyName,
        exists,
        record,
      });
      return;
    }
    await session.transaction(async () => {
      if (kind === 'partition') await this.#replacePartition(staged, partition!);
      else {
        await dialect.settleKey(session, staged, `pk_${hash(this.#staging)}`);
        await this.#applyChanges(state, plan, staged);
      }
      await record();
    });
    await session.execute(`DROP TABLE IF EXISTS ${this.#staging}`);
  }

  async #applyChanges(state: TableState, plan: TablePlan, staged: Staged): Promise<void> {
    const { session, dialect } = this.#db;
    const action = dialect.quote(ACTION_COLUMN);
    const hidden = plan.hasTs ? [action] : [action, dialect.quote(TS_COLUMN)];
    const columns = staged.columns.filter((name) => !hidden.includes(name));
    if (plan.key.length === 0) {
      await session.execute(
        `INSERT INTO ${this.#live} (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM ${this.#staging} WHERE ${action} <> 'D'`,
      );
      return;
    }
    const tombstones = { table: this.#own.tombstones, tableId: state.id };
    await dialect.applyChanges(session, { ...staged, columns, hasTs: plan.hasTs }, tombstones);
  }

  async #replacePartition({ columns }: Staged, partition: string): Promise<void> {
    const { session, dialect } = this.#db;
    const list = columns.join(', ');
    await session.execute(
      `DELETE FROM ${this.#live} WHERE ${dialect.quote(PARTITION_COLUMN)} = ${dialect.parameter(1)}`,
      [partition],
    );
    await session.execute(`INSERT INTO ${this.#live} (${list}) SELECT ${list} FROM ${this.#staging}`);
  }

  /** A swap that was cut off between its two steps is completed. @returns the load that is in progress */
  async #recovered(state: TableState) {
    const running = await this.#own.load(state.id);
    if (running?.finishing === null || running?.finishing === undefined) return running;
    const { session, dialect } = this.#db;
    if (await dialect.exists(session, this.#staging)) return running;
    const place = running.finishing;
    await session.transaction(() => this.#own.complete(state.id, place, running.loadId, true));
    return undefined;
  }
}
