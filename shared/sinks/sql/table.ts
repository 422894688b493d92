import { schemaOfDapTable } from '../../records/json-schema.ts';
import type { Schema } from '../../records/schema.ts';
import { mergeSchemas } from '../../records/widen.ts';
import { alignTable, driftOf } from './align.ts';
import { SchemaMismatchError, TableAlreadyExistsError, TableBusyError } from './errors.ts';
import { deletePartition, finishLoad } from './finish.ts';
import { DEFAULT_LIMITS, type LoadLimits, TableLoad } from './load.ts';
import type { TableShape } from './mapping/landfall.ts';
import type { TableName } from './names.ts';
import type { SqlDatabase } from './open.ts';
import type { LoadKind, MappingName, OwnTables, TableState } from './own-tables.ts';
import { type Source, TablePlace } from './place.ts';
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

export type { Source } from './place.ts';

export interface TableOptions extends Partial<TableShape> {
  /** Default ours. A table that is there keeps the one it was made with. */
  readonly mapping?: MappingName;
  readonly limits?: Partial<LoadLimits>;
}

/** One table of a database: loaded as a whole, by changes, or by partitions, always so that readers see complete states only. */
export class SqlTable {
  readonly table: TableName;
  readonly #db: SqlDatabase;
  readonly #own: OwnTables;
  readonly #reference: ReferenceTables;
  readonly #options: TableOptions;
  readonly #place: TablePlace;
  #isLocked = false;

  constructor(db: SqlDatabase, own: OwnTables, reference: ReferenceTables, table: TableName, options: TableOptions) {
    this.#db = db;
    this.#own = own;
    this.#reference = reference;
    this.table = table;
    this.#options = options;
    this.#place = new TablePlace(db, table);
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
    const { session } = this.#db;
    await session.transaction(async () => {
      await deletePartition(this.#db, this.#place.live, partition);
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
    const plan = state?.mapping === 'reference' ? this.#place.plan(state, { schema: state.schema }) : undefined;
    await session.transaction(async () => {
      if (state) await this.#own.forget(state.id, this.table);
      await this.#reference.remove(this.table);
      await session.execute(`DROP TABLE IF EXISTS ${this.#place.live}`);
      if (plan) await dropTypes(this.#db, plan, this.table);
    });
    await session.execute(`DROP TABLE IF EXISTS ${this.#place.staging}`);
    await dialect.unlock(session, this.#lockName);
    this.#isLocked = false;
  }

  /** Lets other processes load the table. */
  async release(): Promise<void> {
    if (!this.#isLocked) return;
    this.#isLocked = false;
    await this.#db.dialect.unlock(this.#db.session, this.#lockName);
  }

  get #lockName(): string {
    return `landfall ${this.#place.label}`;
  }

  async #lock(): Promise<void> {
    if (this.#isLocked) return;
    await this.#own.prepare();
    if (!(await this.#db.dialect.lock(this.#db.session, this.#lockName)))
      throw new TableBusyError(`${this.#place.label} is being loaded by another process`);
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

  async #begin(kind: LoadKind, loadId: string, source: Source, partition?: string): Promise<TableLoad> {
    await this.#lock();
    const state = await this.#registered(source);
    const merged = this.#merged(state, state.schema, source.schema);
    const target: Source = { ...source, schema: merged };
    const running = await this.#recovered(state);
    const isStaged = await this.#db.dialect.exists(this.#db.session, this.#place.staging);
    const isSame = isStaged && running?.loadId === loadId && running.kind === kind;
    // A generation does not touch the table until it is swapped, unless the table stays and its rows are exchanged.
    await this.#prepareLive(state, target, kind);
    const plan = this.#place.plan(state, target);
    if (isSame)
      await this.#alignStaging(
        state,
        this.#place.plan(state, { ...source, schema: running.schema }),
        plan,
        kind,
        merged,
      );
    else {
      // In this order: what a load says to have staged must never be looked for in the table of another.
      await this.#own.endLoad(state.id);
      await this.#createStaging(plan, kind);
      await this.#own.beginLoad(state.id, loadId, kind, merged);
    }

    const lookups = new Lookups(this.#db, this.table);
    await lookups.open(plan.columns.flatMap(({ storage }) => (storage.kind === 'lookup' ? [storage.table] : [])));
    const setAside = isSame ? await this.#own.quarantinedBefore(this.table, loadId, running.part) : 0;
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
        staged: (of) => this.#place.staged(of, kind),
        widen: async (schema) => {
          const from = this.#place.plan(state, current);
          current = { ...current, schema: this.#merged(state, current.schema, schema) };
          await this.#prepareLive((await this.state())!, current, kind);
          const to = this.#place.plan(state, current);
          await this.#alignStaging(state, from, to, kind, current.schema);
          return to;
        },
        finish: (load, end) =>
          finishLoad(
            {
              db: this.#db,
              own: this.#own,
              reference: this.#reference,
              place: this.#place,
              state,
              loadId,
              kind,
              plan: load.plan,
              partition,
            },
            end,
          ),
        abandon: async () => {
          await this.#db.session.execute(`DROP TABLE IF EXISTS ${this.#place.staging}`);
          await this.#own.endLoad(state.id);
        },
      },
      plan,
      isSame ? { part: running.part, rows: running.rows } : { part: 0, rows: 0 },
      setAside,
    );
  }

  async #registered(source: Source): Promise<TableState> {
    const known = await this.state();
    const shape = this.#shape(source.schema);
    if (known) {
      if (known.key.join('\0') !== shape.key.join('\0'))
        throw new SchemaMismatchError(
          `${this.#place.label} has the key ${known.key.join(', ') || 'of no column'}, and the records ${shape.key.join(', ') || 'none'}`,
        );
      return known;
    }
    const { session, dialect } = this.#db;
    const state = { ...shape, mapping: this.#options.mapping ?? 'landfall', schema: source.schema } as const;
    const plan = this.#place.plan({ ...state, hasTs: shape.hasTs && state.mapping === 'landfall' }, source);
    if (await dialect.exists(session, this.#place.live)) {
      // One without rows may be what the vendor's client leaves of a load that failed.
      if (await dialect.hasRows(session, this.#place.live))
        throw new TableAlreadyExistsError(`there is a table ${this.#place.label} that is not ours`);
      await session.execute(`DROP TABLE ${this.#place.live}`);
    }
    await this.#own.register(this.table, { ...state, hasTs: plan.hasTs });
    return (await this.state())!;
  }

  /** Makes, or widens, the table that readers see, and what its columns refer to. */
  async #prepareLive(state: TableState, target: Source, kind: LoadKind): Promise<void> {
    const { session, dialect } = this.#db;
    const plan = this.#place.plan(state, target);
    const exists = await dialect.exists(session, this.#place.live);
    for (const sql of dialect.createNamespace(this.table.namespace)) await unlessRaced(() => session.execute(sql));
    if (state.mapping === 'reference') await unlessRaced(() => session.transaction(() => this.#reference.prepare()));
    await session.transaction(async () => {
      if (state.mapping === 'reference') await prepareTypes(this.#db, plan, this.table);
      if (exists) {
        await alignTable(this.#db, this.#place.live, await this.#livePlan(state), plan);
      } else if (kind !== 'generation') {
        for (const sql of dialect.createTable(this.#place.live, plan, plan.columns, { isChanges: false }))
          await session.execute(sql);
        await dialect.settleKey(
          session,
          { ...this.#place.staged(plan, kind), staging: this.#place.live },
          this.#place.keyName,
        );
        if (state.mapping === 'reference') await addForeignKeys(this.#db, this.#place.live, plan, this.table);
      }
      await this.#own.drift(this.table, driftOf(state.schema, target.schema));
      await this.#own.setSchema(state.id, target.schema);
    });
  }

  /** The table as it is. What the vendor's client made of it since then is told by the schema that it noted. */
  async #livePlan(state: TableState): Promise<TablePlan> {
    const sync = state.mapping === 'reference' ? await this.#reference.get(this.table) : undefined;
    if (!sync) return this.#place.plan(state, { schema: state.schema });
    const document: unknown = JSON.parse(sync.schemaDescription);
    return this.#place.plan(state, { schema: schemaOfDapTable(document, { meta: false }), document });
  }

  /** Our tables keep the columns that a source has dropped; those of the reference have what the schema says. */
  #merged({ mapping }: TableState, known: Schema, schema: Schema): Schema {
    return mapping === 'reference' ? schema : mergeSchemas(known, schema);
  }

  async #createStaging(plan: TablePlan, kind: LoadKind): Promise<void> {
    const { session, dialect } = this.#db;
    await session.execute(`DROP TABLE IF EXISTS ${this.#place.staging}`);
    const options = { isChanges: kind === 'changes' };
    for (const sql of dialect.createTable(this.#place.staging, plan, plan.columns, options)) await session.execute(sql);
  }

  /** With its note in one step, where the database can: a conversion must not be done twice. */
  async #alignStaging(
    state: TableState,
    from: TablePlan,
    to: TablePlan,
    kind: LoadKind,
    schema: Schema,
  ): Promise<void> {
    const asStaged = (plan: TablePlan): TablePlan =>
      kind === 'changes' ? { ...plan, columns: plan.columns.map((column) => ({ ...column, nullable: true })) } : plan;
    await this.#db.session.transaction(async () => {
      await alignTable(this.#db, this.#place.staging, asStaged(from), asStaged(to));
      await this.#own.setLoadSchema(state.id, schema);
    });
  }

  /** A swap that was cut off between its two steps is completed. @returns the load that is in progress */
  async #recovered(state: TableState) {
    const running = await this.#own.load(state.id);
    if (running?.finishing === null || running?.finishing === undefined) return running;
    const { session, dialect } = this.#db;
    if (await dialect.exists(session, this.#place.staging)) return running;
    const place = running.finishing;
    await session.transaction(() => this.#own.complete(state.id, place, running.loadId, true));
    return undefined;
  }
}
