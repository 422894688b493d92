import { addMs, type EpochMs, minutes, seconds } from '../core/units.ts';
import { SinkTakenOverError } from '../sinks/sink.ts';
import type { SinkRecord, SinkStore, SinkTotals } from './store.ts';

/** A holder that writes nothing for so long is taken for lost. */
export const LEASE_MS = minutes(5);
/** Where a repeat does no harm, progress is kept so often. */
const KEPT_EVERY_MS = seconds(5);
const KEPT_EVERY_CHANGES = 100;

/**
 * What an invocation has done for a sink, written down by conditional writes as it goes: one at a time, each with all that has
 * come together since the one before.
 */
export class Progress {
  readonly #store: SinkStore;
  readonly #holder: string;
  readonly #now: () => EpochMs;
  /** Every change and every committed row at once, since a repeat would do harm. */
  readonly #strict: boolean;
  #record: SinkRecord;
  #place: number;
  #keptAt: EpochMs;
  #unkept = 0;
  readonly #ahead: Set<number>;
  readonly #rows: Map<string, number>;
  #totals: SinkTotals;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    record: SinkRecord,
    { store, holder, strict, now }: { store: SinkStore; holder: string; strict: boolean; now: () => EpochMs },
  ) {
    this.#store = store;
    this.#holder = holder;
    this.#strict = strict;
    this.#now = now;
    this.#record = record;
    this.#place = record.place;
    this.#ahead = new Set(record.ahead);
    this.#rows = new Map(Object.entries(record.rows));
    this.#totals = record.totals;
    this.#keptAt = now();
  }

  get record(): SinkRecord {
    return this.#record;
  }

  isDone(change: number): boolean {
    return change < this.#place || this.#ahead.has(change);
  }

  committedRow(change: number): number {
    return this.#rows.get(String(change)) ?? 0;
  }

  /** A change is in the sink. */
  async done(change: number, counts: Partial<SinkTotals>): Promise<void> {
    this.#ahead.add(change);
    while (this.#ahead.delete(this.#place)) this.#place += 1;
    this.#rows.delete(String(change));
    this.#totals = addTotals(this.#totals, counts);
    this.#unkept += 1;
    await this.#keepIfDue();
  }

  async rowsCommitted(change: number, row: number): Promise<void> {
    this.#rows.set(String(change), row);
    await this.#keepIfDue();
  }

  /** Told before it is written which: whoever goes on has to look. They are counted when the transition is over. */
  async refuses(): Promise<void> {
    await this.#write({ refused: this.#record.refused + 1 });
  }

  /** @throws {SinkTakenOverError} */
  async keep(fields: Partial<SinkRecord>, clears: readonly (keyof SinkRecord)[] = []): Promise<SinkRecord> {
    await this.#write(fields, clears);
    return this.#record;
  }

  async #keepIfDue(): Promise<void> {
    const isDue = this.#now() >= addMs(this.#keptAt, KEPT_EVERY_MS) || this.#unkept >= KEPT_EVERY_CHANGES;
    if (this.#strict || isDue) await this.#write({});
  }

  /** One after the other: each holds what is known when its turn comes. */
  #write(fields: Partial<SinkRecord>, clears: readonly (keyof SinkRecord)[] = []): Promise<void> {
    const turn = this.#writing.then(async () => {
      this.#unkept = 0;
      this.#keptAt = this.#now();
      const now = {
        place: this.#place,
        ahead: [...this.#ahead].sort((a, b) => a - b),
        rows: Object.fromEntries(this.#rows),
        totals: this.#totals,
        updatedAt: this.#keptAt,
        leasedUntil: addMs(this.#keptAt, LEASE_MS),
      };
      const changed = await this.#store.change(this.#record, this.#holder, { ...now, ...fields }, clears);
      if (!changed) throw new SinkTakenOverError(this.#record.pipeline, this.#record.sink);
      this.#record = changed;
    });
    this.#writing = turn.catch(() => {});
    return turn;
  }

  /** The transition is over: the next one begins at its first change. */
  restart(): void {
    this.#place = 0;
    this.#ahead.clear();
    this.#rows.clear();
  }
}

function addTotals(a: SinkTotals, b: Partial<SinkTotals>): SinkTotals {
  return {
    partitions: a.partitions + (b.partitions ?? 0),
    rows: a.rows + (b.rows ?? 0),
    bytes: a.bytes + (b.bytes ?? 0),
    removed: a.removed + (b.removed ?? 0),
    rejectedRows: a.rejectedRows + (b.rejectedRows ?? 0),
  };
}
