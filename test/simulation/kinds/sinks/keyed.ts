import { RetryableError } from '../../../../shared/core/errors.ts';
import type { SinkContext, SinkSession, StreamSink, UploadPartition } from '../../../../shared/sinks/sink.ts';
import type { Task } from '../../world.ts';
import { Violation } from '../../world.ts';
import type { Caller, KindParts } from '../kind.ts';
import { Service } from '../service.ts';
import type { Place } from '../sinks.ts';
import type { Transition } from '../transitions.ts';
import type { View } from '../views.ts';

interface Row {
  readonly value: string;
  /** Of the leaf that holds it, with its version; not of a feed. */
  readonly from?: string;
}

type Rows = Map<string, Row>;

interface Aside {
  readonly generation: string;
  /** Others know nothing of it. */
  readonly transition: string;
  readonly rows: Rows;
}

/**
 * A database that is written to by key, in transactions: a generation of a feed is loaded aside and takes its place in one step.
 * Who opened it last writes to it; what others began before is refused, as by a lock.
 */
export class KeyedPlace extends Service implements Place {
  readonly name = 'keyed';
  readonly secret = '';
  received = 0;
  /** By table. */
  readonly #rows = new Map<string, Rows>();
  /** Generations that are being loaded, by table. */
  readonly #aside = new Map<string, Aside>();
  #owner = 0;
  /** The newest run that was begun. */
  #toRun = 0;

  constructor(parts: KindParts) {
    super(parts, {
      lost: () => new RetryableError('the database did not answer'),
      busy: () => new RetryableError('the database is busy'),
    });
  }

  sink({ task }: Caller): StreamSink {
    const { name } = this;
    return {
      type: 'keyed',
      name,
      guarantee: 'idempotent by key',
      parallel: 3,
      open: (context) => this.#open(task, context),
    };
  }

  async #open(task: Task, { signal }: SinkContext): Promise<SinkSession> {
    const owner = await this.call(
      task,
      () => 'keyed opens',
      () => ++this.#owner,
      true,
    );
    const write = <T>(what: string, effect: () => T): Promise<T> =>
      this.call(
        task,
        () => `keyed ${what}`,
        () => {
          if (owner !== this.#owner) throw new RetryableError('another session has the lock');
          return effect();
        },
        true,
      );
    let transition = '';
    return {
      begin: ({ id, toRun }) =>
        write(`begins ${id}`, () => {
          transition = id;
          // Whoever was late enough to open it behind the next one has nothing to bring any more.
          if (toRun < this.#toRun) throw new RetryableError('a newer transition has begun');
          this.#toRun = toRun;
        }),
      beginGeneration: ({ table, id: generation }) =>
        write(
          `begins ${table} ${generation}`,
          () => void this.#aside.set(table, { generation, transition, rows: new Map() }),
        ),
      finishGeneration: ({ table, id }) =>
        write(`finishes ${table} ${id}`, () => {
          const aside = this.#aside.get(table);
          if (aside?.generation !== id || aside.transition !== transition) return;
          this.#rows.set(table, aside.rows);
          this.#aside.delete(table);
        }),
      upload: (partition) => this.#upload(partition, transition, write, signal),
      remove: ({ path, records: { table }, feed, isReplaced }) =>
        write(`removes ${path.join('/')}`, () => {
          if (feed || isReplaced) return;
          this.#dropOthers(table, path.join('/'), undefined);
        }),
      close: async () => {},
    };
  }

  async #upload(
    { records: { table }, path, fingerprint, feed, generation, rows, committedRow, committed, signal }: UploadPartition,
    transition: string,
    write: <T>(what: string, effect: () => T) => Promise<T>,
    closing: AbortSignal,
  ): Promise<void> {
    const from = feed ? undefined : `${path.join('/')}@${fingerprint}`;
    for await (const batch of rows({ fromRow: committedRow })) {
      for (let at = 0; at < batch.rows.length; at += BATCH_ROWS) {
        if (signal.aborted || closing.aborted) return;
        const some = batch.rows.slice(at, at + BATCH_ROWS);
        await write(`writes ${some.length} rows of ${path.join('/')}`, () => {
          this.received += 1;
          const aside = feed ? this.#aside.get(table) : undefined;
          const isLoaded = aside?.generation === generation && aside?.transition === transition;
          const into = aside && isLoaded ? aside.rows : this.#of(table);
          for (const [key, value] of some)
            into.set(key as string, { value: value as string, ...(from === undefined ? {} : { from }) });
        });
        await committed(batch.firstRow + at + some.length);
      }
    }
    if (from !== undefined)
      await write(`drops what ${from} replaces`, () => this.#dropOthers(table, path.join('/'), from));
  }

  #of(table: string): Rows {
    let rows = this.#rows.get(table);
    if (!rows) {
      rows = new Map();
      this.#rows.set(table, rows);
    }
    return rows;
  }

  #dropOthers(table: string, path: string, kept: string | undefined): void {
    const rows = this.#of(table);
    for (const [key, { from }] of rows)
      if (from !== undefined && from !== kept && from.startsWith(`${path}@`)) rows.delete(key);
  }

  check(applied: readonly Transition[]): void {
    const wanted = told(expected(applied.at(-1)?.to));
    const held = told(
      new Map(
        [...this.#rows].flatMap(([table, rows]) => [...rows].map(([key, { value }]) => [`${table} ${key}`, value])),
      ),
    );
    if (wanted !== held) throw new Violation(`sink keyed: it holds ${held}, and the manifest says ${wanted}`);
  }
}

const BATCH_ROWS = 2;

function expected(view: View | undefined): Map<string, string> {
  const rows = new Map<string, string>();
  for (const { path, content } of view?.leaves ?? []) {
    for (const line of content.split('\n')) {
      if (line === '') continue;
      const { k, v } = JSON.parse(line) as { k: string; v: string };
      rows.set(`${path[0]} ${k}`, v);
    }
  }
  return rows;
}

const told = (rows: ReadonlyMap<string, string>) => JSON.stringify([...rows].sort());
