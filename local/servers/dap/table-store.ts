import { COMMIT_WINDOW } from './evolution.ts';
import { Generator, type GeneratorOptions, type Row } from './generator.ts';
import type { Micros } from './instants.ts';
import type { TableDefinition } from './tables/definition.ts';
import { latestSchemaVersion } from './tables/schema.ts';
import type { Value } from './tables/value.ts';

/** What a query asks for. The bounds are of commit time, each with or without its very instant. */
export interface Range {
  readonly from: Micros;
  readonly includesFrom: boolean;
  readonly to: Micros;
  readonly includesTo: boolean;
}

/** A table as it was when a query began; later commits do not change it. Rows come in batches, some of them empty. */
export interface TableView {
  readonly definition: TableDefinition;
  readonly schemaVersion: number;
  /** Commit time of the newest record. */
  readonly watermark: Micros;
  /** The present state, without deleted records. */
  snapshot(): Iterable<readonly Row[]>;
  /** The newest version of every record that was last written in the range, deletions included. */
  changes(range: Range): Iterable<readonly Row[]>;
}

/** Rows looked at for one batch: few enough that a scan of millions lets other requests in between. */
const BATCH_ROWS = 2048;

/** One table over time: what the generator makes, and what was written by hand on top. */
export class TableStore {
  readonly definition: TableDefinition;
  readonly #generator: Generator;
  readonly #now: () => Micros;
  readonly #writtenByHand = new Map<string, Row>();
  readonly #schemaChanges: { readonly atCommit: number; readonly byHand: boolean }[];
  #lastWriteByHand = Number.NEGATIVE_INFINITY;
  #reloadedAt: Micros | undefined;

  constructor(definition: TableDefinition, options: GeneratorOptions, now: () => Micros) {
    this.definition = definition;
    this.#generator = new Generator(definition, options);
    this.#now = now;
    this.#schemaChanges = definition.schemaChangesAtCommit.map((atCommit) => ({ atCommit, byHand: false }));
  }

  /** The earliest `since` that a query may have. */
  get earliest(): Micros {
    return this.#reloadedAt ?? this.#generator.evolution.committedAt(0);
  }

  get wasReloaded(): boolean {
    return this.#reloadedAt !== undefined;
  }

  /** Commit time of the newest record. */
  get watermark(): Micros {
    const { evolution } = this.#generator;
    return Math.max(evolution.committedAt(evolution.lastCommit(this.#now())), this.#lastWriteByHand);
  }

  get schemaVersion(): number {
    const commit = this.#generator.evolution.lastCommit(this.#now());
    return 1 + this.#schemaChanges.filter((change) => change.byHand || change.atCommit <= commit).length;
  }

  view(): TableView {
    const generator = this.#generator;
    const commit = generator.evolution.lastCommit(this.#now());
    const schemaChanges = [...this.#schemaChanges];
    const schemaVersionAt = (at: number) => 1 + schemaChanges.filter((change) => change.atCommit <= at).length;
    const byHand = new Map(this.#writtenByHand);
    return {
      definition: this.definition,
      schemaVersion: this.schemaVersion,
      watermark: this.watermark,
      snapshot: () => rows(generator, commit, byHand, schemaVersionAt, (_, isDeleted) => !isDeleted),
      changes: (range) => rows(generator, commit, byHand, schemaVersionAt, (at) => isWithin(at, range)),
    };
  }

  /**
   * Writes a record, as a commit of its own.
   *
   * @param values by column name; what is left out is null. Not checked against the schema, so that a test can break it.
   */
  upsert(key: Value, values: Readonly<Record<string, Value>>): Micros {
    return this.#write(
      key,
      Object.keys(this.definition.columns).map((name) => values[name] ?? null),
    );
  }

  /** Deletes a record for good, also one that was never there. */
  delete(key: Value): Micros {
    return this.#write(key, null);
  }

  /** As after the vendor has loaded the table anew: changes before now can no longer be asked for. */
  reload(): Micros {
    this.#reloadedAt = this.#commitTime();
    this.#lastWriteByHand = this.#reloadedAt;
    return this.#reloadedAt;
  }

  /**
   * Brings the next version of the schema now; records that change from now on have its columns.
   *
   * @returns false if the table's definition knows no further version
   */
  evolveSchema(): boolean {
    if (this.schemaVersion >= latestSchemaVersion(this.definition)) return false;
    const commit = this.#generator.evolution.lastCommit(this.#now());
    const next = this.#schemaChanges.findIndex((change) => !change.byHand && change.atCommit > commit);
    this.#schemaChanges.splice(next === -1 ? this.#schemaChanges.length : next, next === -1 ? 0 : 1, {
      atCommit: commit + 1,
      byHand: true,
    });
    return true;
  }

  #write(key: Value, values: readonly Value[] | null): Micros {
    const writtenAt = this.#commitTime();
    this.#writtenByHand.set(String(key), { key, writtenAt, values });
    this.#lastWriteByHand = writtenAt;
    return writtenAt;
  }

  /** Now, but after every watermark given out, and before the window of the commit to come, whose rows are newer. */
  #commitTime(): Micros {
    const { evolution } = this.#generator;
    const now = this.#now();
    const next = evolution.committedAt(evolution.lastCommit(now) + 1);
    return Math.max(Math.min(now, next - 2 * COMMIT_WINDOW), this.watermark + 1);
  }
}

function isWithin(at: Micros, { from, includesFrom, to, includesTo }: Range): boolean {
  return (includesFrom ? at >= from : at > from) && (includesTo ? at <= to : at < to);
}

function* rows(
  generator: Generator,
  commit: number,
  byHand: ReadonlyMap<string, Row>,
  schemaVersionAt: (commit: number) => number,
  isWanted: (writtenAt: Micros, isDeleted: boolean) => boolean,
): IterableIterator<readonly Row[]> {
  const total = generator.evolution.rowsAfter(commit);
  const left = new Map(byHand);
  for (let start = 0; start < total; start += BATCH_ROWS) {
    const batch: Row[] = [];
    for (let index = start; index < Math.min(start + BATCH_ROWS, total); index++) {
      const wanted = byHand.size === 0 ? isWanted : () => true;
      const made = generator.row(index, commit, schemaVersionAt, wanted);
      const row = made && byHand.size > 0 ? newest(made, byHand, left, isWanted) : made;
      if (row === undefined) continue;
      batch.push(row);
      if (generator.isRepeated(index)) batch.push(row);
    }
    yield batch;
  }
  yield [...left.values()].filter((row) => isWanted(row.writtenAt, row.values === null));
}

/** Of what the generator made and what was written by hand under the same key, the one written last, if it is wanted. */
function newest(
  made: Row,
  byHand: ReadonlyMap<string, Row>,
  left: Map<string, Row>,
  isWanted: (writtenAt: Micros, isDeleted: boolean) => boolean,
): Row | undefined {
  const key = String(made.key);
  const written = byHand.get(key);
  left.delete(key);
  const row = written && written.writtenAt > made.writtenAt ? written : made;
  return isWanted(row.writtenAt, row.values === null) ? row : undefined;
}
