import type { Engine } from '../engine.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import type { TableName } from '../tables/catalog.ts';
import { DEFAULT_SCHEMA } from '../tables/catalog.ts';
import { newTable, withColumns, withoutPartition, withoutRows, withPartition } from '../tables/changes.ts';
import { parseFullSpec } from '../tables/partition-spec.ts';
import { countMatches, partsOf, type Scan } from '../tables/scan.ts';
import { checkFilter } from '../tables/scan-columns.ts';
import { type NameParts, parseStatement, type Select, type Statement } from './statements.ts';

export interface QueryResult {
  readonly scan: Scan;
  /** Of the scan, those that match, up to the limit. */
  readonly rows: number;
}

/** A job that has ended by the time anybody can ask for it. */
export class Instance {
  readonly id: string;
  readonly project: string;
  readonly taskName: string;
  readonly statement: string;
  readonly startedAtMs: number;
  readonly outcome: { readonly result: QueryResult | undefined } | { readonly error: ServiceError };

  constructor(of: Pick<Instance, 'id' | 'project' | 'taskName' | 'statement' | 'startedAtMs' | 'outcome'>) {
    this.id = of.id;
    this.project = of.project;
    this.taskName = of.taskName;
    this.statement = of.statement;
    this.startedAtMs = of.startedAtMs;
    this.outcome = of.outcome;
  }

  /** @throws {ServiceError} InstanceTypeNotSupported if it was no query that succeeded */
  result(): QueryResult {
    if ('error' in this.outcome) throw this.outcome.error;
    if (!this.outcome.result) {
      throw badRequest(`instance ${this.id} is not a SELECT`, 'InstanceTypeNotSupported');
    }
    return this.outcome.result;
  }
}

export interface Job {
  readonly project: string;
  readonly schema: string;
  readonly taskName: string;
  readonly statement: string;
}

const KEPT = 10_000;

/** Runs SQL statements, one at a time, and keeps what came of them. */
export class Instances {
  readonly #engine: Engine;
  readonly #instances = new Map<string, Instance>();
  #count = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws {ServiceError} NoSuchObject */
  get(id: string): Instance {
    const instance = this.#instances.get(id);
    if (!instance) throw notFound('NoSuchObject', `ODPS-0420061: instance ${id} does not exist`);
    return instance;
  }

  all(project: string): Instance[] {
    return [...this.#instances.values()].filter((instance) => instance.project === project);
  }

  /** A statement that fails makes a failed instance. */
  async run(job: Job): Promise<Instance> {
    const startedAtMs = this.#engine.clock.nowMs();
    const outcome = await this.#execute(job).catch((error: unknown) => {
      if (error instanceof ServiceError) return { error };
      throw error;
    });
    this.#count += 1;
    const stamp = new Date(startedAtMs).toISOString().replaceAll(/\D/g, '').padEnd(17, '0');
    const id = `${stamp}g${this.#count.toString(36).padStart(6, '0')}`;
    const instance = new Instance({ id, ...job, startedAtMs, outcome });
    this.#instances.set(id, instance);
    for (const old of this.#instances.keys()) {
      if (this.#instances.size <= KEPT) break;
      this.#instances.delete(old);
    }
    return instance;
  }

  async #execute(job: Job): Promise<{ readonly result: QueryResult | undefined }> {
    const statement = parseStatement(job.statement);
    if (statement.kind === 'nothing') return { result: undefined };
    const name = nameOf(statement.name, job);
    if (statement.kind === 'select') return { result: await this.#select(statement, name) };
    await this.#change(statement, name);
    return { result: undefined };
  }

  async #change(statement: Exclude<Statement, Select | { kind: 'nothing' }>, name: TableName): Promise<void> {
    const { catalog, clock } = this.#engine;
    const nowMs = clock.nowMs();
    switch (statement.kind) {
      case 'create table':
        if (catalog.find(name)) {
          if (statement.ifNotExists) return;
          throw badRequest(`ODPS-0130071: table ${name.table} is there already`, 'ODPS-0110061');
        }
        await catalog.create(name, newTable(statement, nowMs));
        return;
      case 'drop table':
        if (statement.ifExists && !catalog.find(name)) return;
        await catalog.drop(name);
        return;
      case 'truncate table':
        await catalog.get(name).change((record) => withoutRows(record, nowMs));
        return;
      case 'add columns':
        await catalog.get(name).change((record) => withColumns(record, statement.columns, nowMs));
        return;
      case 'set properties':
        await catalog.get(name).change((record) => ({
          ...record,
          properties: { ...record.properties, ...statement.properties },
          definedAtMs: nowMs,
        }));
        return;
      case 'add partition':
        await catalog.get(name).change((record) =>
          statement.levels.reduce((changed, levels) => {
            const values = parseFullSpec(specOf(levels), record.partitionColumns);
            return withPartition(changed, values, { ifNotExists: statement.ifNotExists, nowMs });
          }, record),
        );
        return;
      case 'drop partition':
        await catalog.get(name).change((record) =>
          statement.levels.reduce((changed, levels) => {
            const values = parseFullSpec(specOf(levels), record.partitionColumns);
            const without = withoutPartition(changed, values, nowMs);
            if (without.partitions.length === changed.partitions.length && !statement.ifExists) {
              throw notFound('NoSuchPartition', `ODPS-0130131: partition ${specOf(levels)} does not exist`);
            }
            return without;
          }, record),
        );
    }
  }

  async #select({ columns: names, where, limit }: Select, name: TableName): Promise<QueryResult> {
    const table = this.#engine.catalog.get(name);
    const { record } = table;
    const all = [...record.columns, ...record.partitionColumns];
    const columns = names?.map((column) => {
      const found = all.find((one) => one.name === column);
      if (!found) throw badRequest(`ODPS-0130071: column ${column} cannot be resolved`, 'ODPS-0130071');
      return found;
    });
    const segments = record.partitions.flatMap(({ values, segments: some }) =>
      some.map((segment) => ({ partition: values, segment })),
    );
    const scan: Scan = {
      table,
      record,
      ...partsOf(segments),
      columns: columns ?? all,
      ...(where && { filter: where }),
    };
    checkFilter(scan);
    return { scan, rows: Math.min(await countMatches(scan), limit ?? Number.POSITIVE_INFINITY) };
  }
}

const specOf = (levels: Readonly<Record<string, string>>): string =>
  Object.entries(levels)
    .map(([level, value]) => `${level}='${value}'`)
    .join(',');

/** Two parts are a schema and a table where the first is no other project. */
function nameOf(parts: NameParts, { project, schema }: Job): TableName {
  const [table = '', second, third] = [...parts].reverse();
  if (third !== undefined) return { project: third, schema: second!, table };
  if (second === undefined) return { project, schema, table };
  return second === project.toLowerCase()
    ? { project, schema: DEFAULT_SCHEMA, table }
    : { project, schema: second, table };
}
