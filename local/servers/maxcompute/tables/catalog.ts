import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arrowSchema, storedForm } from '../arrow/types.ts';
import { notFound } from '../errors.ts';
import type { SegmentRecord, TableRecord } from './definition.ts';
import { removeSegment, SegmentReader } from './segment.ts';

export interface TableName {
  readonly project: string;
  readonly schema: string;
  readonly table: string;
}

export const DEFAULT_SCHEMA = 'default';

const keyOf = ({ project, schema, table }: TableName): string => `${project}/${schema}/${table}`.toLowerCase();

/**
 * The tables, each in a folder of its own: `table.json`, which every change replaces in one step, and the files of its segments.
 * What is not named by `table.json` does not exist, and is removed when the folder is opened.
 */
export class Catalog {
  readonly folder: string;
  readonly #bareDecimalBits: 128 | 256;
  readonly #tables = new Map<string, Table>();

  /** @param bareDecimalBits width of decimals without parameters, which files of the folder must have been written with */
  constructor(folder: string, bareDecimalBits: 128 | 256) {
    this.folder = folder;
    this.#bareDecimalBits = bareDecimalBits;
  }

  async load(): Promise<void> {
    await mkdir(join(this.folder, 'tables'), { recursive: true });
    for (const name of await readdir(join(this.folder, 'tables'))) {
      const folder = join(this.folder, 'tables', name);
      const stored = await readFile(join(folder, 'table.json'), 'utf8').catch(() => undefined);
      if (stored === undefined) {
        await rm(folder, { recursive: true });
        continue;
      }
      const { at, record } = JSON.parse(stored) as { at: TableName; record: TableRecord };
      const table = new Table(folder, at, record, this.#bareDecimalBits);
      await table.sweep();
      this.#tables.set(keyOf(at), table);
    }
  }

  find(name: TableName): Table | undefined {
    return this.#tables.get(keyOf(name));
  }

  /** @throws {ServiceError} NoSuchTable */
  get(name: TableName): Table {
    const table = this.find(name);
    if (!table) throw notFound('NoSuchTable', `ODPS-0130131: table not found - ${name.project}.${name.table}`);
    return table;
  }

  /** Of one schema of a project, by name. */
  list(project: string, schema: string): Table[] {
    const isThere = ({ at }: Table) => at.project === project.toLowerCase() && at.schema === schema.toLowerCase();
    return [...this.#tables.values()].filter(isThere).sort((a, b) => (a.at.table < b.at.table ? -1 : 1));
  }

  schemas(project: string): string[] {
    const inProject = [...this.#tables.values()].filter(({ at }) => at.project === project.toLowerCase());
    return [...new Set([DEFAULT_SCHEMA, ...inProject.map(({ at }) => at.schema)])].sort();
  }

  async create(name: TableName, record: TableRecord): Promise<Table> {
    const at = {
      project: name.project.toLowerCase(),
      schema: name.schema.toLowerCase(),
      table: name.table.toLowerCase(),
    };
    const folder = join(this.folder, 'tables', `${at.table.slice(0, 100)}-${randomBytes(6).toString('hex')}`);
    await mkdir(join(folder, 'segments'), { recursive: true });
    const table = new Table(folder, at, record, this.#bareDecimalBits);
    await table.change(() => record);
    this.#tables.set(keyOf(at), table);
    return table;
  }

  async drop(name: TableName): Promise<void> {
    const table = this.get(name);
    this.#tables.delete(keyOf(name));
    await table.remove();
  }
}

/** One table: what it holds now, and the only way to change that. */
export class Table {
  readonly at: TableName;
  readonly #folder: string;
  readonly #bareDecimalBits: 128 | 256;
  readonly #readers = new Map<string, Promise<SegmentReader>>();
  #record: TableRecord;
  #changing: Promise<unknown> = Promise.resolve();
  #isDropped = false;

  constructor(folder: string, at: TableName, record: TableRecord, bareDecimalBits: 128 | 256) {
    this.#bareDecimalBits = bareDecimalBits;
    this.#folder = folder;
    this.at = at;
    this.#record = record;
  }

  get record(): TableRecord {
    return this.#record;
  }

  get isDropped(): boolean {
    return this.#isDropped;
  }

  get segmentFolder(): string {
    return join(this.#folder, 'segments');
  }

  /** One change at a time; it is there for everybody when its file has taken the place of the old one, or not at all. */
  async change(make: (record: TableRecord) => TableRecord): Promise<TableRecord> {
    const changed = this.#changing.then(async () => {
      const record = make(this.#record);
      const path = join(this.#folder, 'table.json');
      await writeFile(`${path}.new`, JSON.stringify({ at: this.at, record }));
      await rename(`${path}.new`, path);
      this.#record = record;
      return record;
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /** Its index stays in memory: some 40 bytes for 4096 rows. */
  reader({ id, columnIds }: SegmentRecord): Promise<SegmentReader> {
    const opened = this.#readers.get(id);
    if (opened) return opened;
    const columns = columnIds.map((columnId) => this.#record.columns.find((column) => column.id === columnId)!);
    const reader = SegmentReader.open(this.segmentFolder, id, arrowSchema(columns, storedForm(this.#bareDecimalBits)));
    this.#readers.set(id, reader);
    return reader;
  }

  /** Removes the files of segments that the table does not have, but those in `kept`. */
  async sweep(kept: ReadonlySet<string> = new Set()): Promise<void> {
    const named = new Set(this.#record.partitions.flatMap(({ segments }) => segments.map(({ id }) => id)));
    for (const file of await readdir(this.segmentFolder).catch(() => [])) {
      const id = file.split('.')[0]!;
      if (named.has(id) || kept.has(id)) continue;
      this.#readers.delete(id);
      await removeSegment(this.segmentFolder, id);
    }
  }

  async remove(): Promise<void> {
    this.#isDropped = true;
    await this.#changing;
    // The description goes first, so that a table half removed is none.
    await rm(join(this.#folder, 'table.json'), { force: true });
    await rm(this.#folder, { recursive: true, force: true });
  }
}
