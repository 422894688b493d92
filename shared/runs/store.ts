import type { ErrorFacts } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { MeterLine } from '../core/meter.ts';
import { addMs, days, type EpochMs, toTtl } from '../core/units.ts';
import { attributes } from '../nodes/store.ts';
import type { RunTotals, Totals } from '../nodes/totals.ts';
import type { StartRefreshRequest } from '../queue/messages.ts';
import { absent, equals, type Item, type Table } from '../tables/table.ts';

/** The item that says whether a pipeline runs. It never expires and is never deleted: numbers do not restart. */
export interface ActiveRun {
  /** The last number given to a run. */
  readonly number: number;
  /** The run that is going on; absent if none is. */
  readonly active?: number;
  /** What the active run was asked for. */
  readonly request?: RunRequest;
  readonly startedAt?: EpochMs;
  /** Triggers that came meanwhile, folded into one, and an id that tells this folding from others. */
  readonly pending?: RunRequest;
  readonly pendingId?: string;
  /** How the run before ended, until its record says so too. */
  readonly ended?: EndedRun;
  /** The root's node id. A `reset` gives a new one. */
  readonly root: string;
  /** What the sweep saw of the active run: its progress then, and since how many rounds it is the same. */
  readonly sweepSeen?: string;
  readonly sweepRounds?: number;
  readonly paused?: boolean;
}

/** All that its record says of a run that is over: whoever wrote the end may not have come to write the record. */
export interface EndedRun {
  readonly run: number;
  readonly outcome: RunOutcome;
  readonly trigger: StartRefreshRequest['trigger'];
  readonly startedAt: EpochMs;
  readonly at: EpochMs;
  readonly tokens?: readonly string[];
}

/** A name that only one pipeline may use, as long as it is there and does so. */
export interface ExclusiveClaim {
  readonly pipeline: string;
  readonly id: string;
  readonly note: JsonObject;
  readonly at: EpochMs;
}

export type RunRequest = Omit<StartRefreshRequest, 'pipeline'>;

export const RUN_STATES = ['LISTING', 'READING', 'PUBLISHING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED'] as const;
export type RunState = (typeof RUN_STATES)[number];
export const isFinal = (state: RunState): boolean => ['SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED'].includes(state);

export interface RunRecord {
  readonly run: number;
  readonly trigger: StartRefreshRequest['trigger'];
  readonly state: RunState;
  readonly startedAt: EpochMs;
  readonly endedAt?: EpochMs;
  /** What stands, and what this run did, as published. */
  readonly totals?: Totals;
  readonly ran?: RunTotals;
  readonly manifest?: string;
  readonly publishedAt?: EpochMs;
  readonly error?: ErrorFacts;
  /** Requests to the backend, as the process that ended the run has counted them. */
  readonly requests?: readonly MeterLine[];
  /** Partitions and listings that failed so far, for a threshold. */
  readonly failures?: number;
  /** Of the jobs that asked for it. */
  readonly tokens?: readonly string[];
  readonly warnings?: ReadonlySet<string>;
}

/**
 * The table `runs`: per pipeline the item `ACTIVE`, and one item a run. The first decides, by single conditional writes;
 * the others tell, and may lag behind it. Beside them, items of names that only one pipeline may use.
 */
export class RunStore {
  readonly #table: Table;
  readonly #newId: () => string;

  constructor(table: Table, newId: () => string) {
    this.#table = table;
    this.#newId = newId;
  }

  async active(pipeline: string): Promise<ActiveRun | undefined> {
    const item = await this.#table.get({ pk: pipeline, sk: ACTIVE });
    return item && asActive(item);
  }

  /**
   * Begins a run, or, if one is going on, leaves word that another is wanted.
   *
   * @returns the run's number, or undefined if it is pending now
   */
  async begin(request: StartRefreshRequest, now: EpochMs): Promise<number | undefined> {
    const { pipeline, ...wanted } = request;
    for (;;) {
      const seen = await this.active(pipeline);
      if (seen?.active !== undefined) {
        const set = attributes({ pending: fold(seen.pending, wanted), pendingId: this.#newId() });
        if (await this.#change(pipeline, { set }, [equals('active', seen.active), ...samePending(seen)]))
          return undefined;
        continue;
      }
      const number = (seen?.number ?? 0) + 1;
      const root = seen?.root ?? this.#newId();
      const set = attributes({ number, active: number, root, request: wanted, startedAt: now });
      const condition = seen ? [equals('number', seen.number), absent('active')] : [absent('number')];
      if (!(await this.#change(pipeline, { set, remove: NEXT_RUN_CLEARS }, condition))) continue;
      await this.openRecord(pipeline, number, wanted.trigger, now, wanted.tokens);
      return number;
    }
  }

  /**
   * Ends a run: one write frees the item, or starts the pending run. The same write cancels: whatever still works for the
   * old run is refused from then on.
   *
   * @returns undefined if the run was over already; else the number of the next run, if one begins
   */
  async end(pipeline: string, run: number, outcome: RunOutcome, now: EpochMs): Promise<{ next?: number } | undefined> {
    for (;;) {
      const seen = await this.active(pipeline);
      if (seen?.active !== run) return undefined;
      // What is noted of the run before is about to be overwritten.
      if (seen.ended) await this.closeRecord(pipeline, seen.ended);
      const startedAt = seen.startedAt ?? now;
      const { trigger = 'manual', tokens } = seen.request ?? {};
      const ended: EndedRun = { run, outcome, trigger, startedAt, at: now, ...(tokens ? { tokens } : {}) };
      const next = seen.pending && { number: seen.number + 1, request: seen.pending };
      const change = next
        ? {
            set: attributes({ number: next.number, active: next.number, request: next.request, startedAt: now, ended }),
            remove: NEXT_RUN_CLEARS,
          }
        : { set: attributes({ ended }), remove: [...NEXT_RUN_CLEARS, 'active', 'request', 'startedAt'] };
      if (!(await this.#change(pipeline, change, [equals('active', run), ...samePending(seen)]))) continue;
      await this.closeRecord(pipeline, ended);
      if (!next) return {};
      await this.openRecord(pipeline, next.number, next.request.trigger, now, next.request.tokens);
      return { next: next.number };
    }
  }

  /**
   * Takes a job's token from the trigger that waits. If nobody else asked for that run, it does not begin.
   *
   * @returns false if no trigger with this token waits
   */
  async withdraw(pipeline: string, token: string): Promise<boolean> {
    for (;;) {
      const seen = await this.active(pipeline);
      const { pending } = seen ?? {};
      if (!seen || !pending?.tokens?.includes(token)) return false;
      const tokens = pending.tokens.filter((other) => other !== token);
      const change =
        tokens.length > 0
          ? { set: attributes({ pending: { ...pending, tokens }, pendingId: this.#newId() }) }
          : { remove: ['pending', 'pendingId'] };
      if (await this.#change(pipeline, change, samePending(seen))) return true;
    }
  }

  /** A new root: every partition is NEW again. @returns the id of the old one, or undefined if a run is going on */
  async resetRoot(pipeline: string): Promise<{ readonly old?: string } | undefined> {
    const seen = await this.active(pipeline);
    if (!seen) return {};
    const changed = await this.#change(pipeline, { set: { root: this.#newId() } }, [
      absent('active'),
      equals('root', seen.root),
    ]);
    return changed ? { old: seen.root } : undefined;
  }

  async setPaused(pipeline: string, paused: boolean): Promise<void> {
    const seen = await this.active(pipeline);
    const set = attributes({ paused, ...(seen ? {} : { number: 0, root: this.#newId() }) });
    await this.#change(pipeline, { set }, [seen ? equals('number', seen.number) : absent('number')]);
  }

  /** What the sweep saw this time. @returns undefined if the run is over */
  async sawProgress(
    pipeline: string,
    run: number,
    sweepSeen: string,
    sweepRounds: number,
  ): Promise<ActiveRun | undefined> {
    const item = await this.#table.update({ pk: pipeline, sk: ACTIVE }, { set: { sweepSeen, sweepRounds } }, [
      equals('active', run),
    ]);
    return item && asActive(item);
  }

  async record(pipeline: string, run: number): Promise<RunRecord | undefined> {
    const item = await this.#table.get(recordKey(pipeline, run));
    return item && asRecord(item);
  }

  /** The newest first. */
  async *records(pipeline: string, options: { limit?: number; before?: number } = {}): AsyncGenerator<RunRecord> {
    const { limit, before } = options;
    const to = before === undefined ? 'run#~' : recordKey(pipeline, before).sk;
    const range = { from: 'run#', to, reverse: true, ...(limit === undefined ? {} : { limit }) };
    for await (const page of this.#table.query(pipeline, range)) yield* page.map(asRecord);
  }

  /** Facts of a run that is going on; nothing depends on them. */
  async note(pipeline: string, run: number, facts: Partial<RunRecord>): Promise<void> {
    await this.#table.update(recordKey(pipeline, run), { set: attributes(facts) }, [absent('endedAt')]);
  }

  /**
   * Takes a name for one pipeline, or tells who has it.
   *
   * @param from take it over from this holder
   * @returns the claim as it stands now
   */
  async claim(
    name: string,
    pipeline: string,
    note: JsonObject,
    now: EpochMs,
    from?: ExclusiveClaim,
  ): Promise<ExclusiveClaim> {
    const key = { pk: `claim#${name}`, sk: CLAIM };
    const found = from ? undefined : await this.#table.get(key);
    if (found) return asClaim(found);
    // What was written elsewhere in its name stays known: the id says whose installation it is, not whose pipeline.
    const set = attributes({ pipeline, id: from?.id ?? this.#newId(), note, at: now });
    const condition = from ? [equals('pipeline', from.pipeline), equals('at', from.at)] : [absent('id')];
    const taken = await this.#table.update(key, { set }, condition);
    return asClaim(taken ?? (await this.#table.get(key))!);
  }

  async warn(pipeline: string, run: number, warning: string): Promise<void> {
    await this.#table.update(recordKey(pipeline, run), { addToSet: { warnings: [warning.slice(0, 1000)] } });
  }

  /** @returns how many have failed in this run, this one included */
  async countFailure(pipeline: string, run: number): Promise<number> {
    const item = await this.#table.update(recordKey(pipeline, run), { increment: { failures: 1 } });
    return (item?.failures as number | undefined) ?? 1;
  }

  /** Writes what became of a run whose end was decided; repeated, it keeps the first end. */
  async closeRecord(pipeline: string, { run, outcome, trigger, startedAt, at, tokens }: EndedRun): Promise<void> {
    const ttl = toTtl(addMs(at, HISTORY_KEPT));
    const set = attributes({ ...outcome, run, trigger, startedAt, endedAt: at, ttl, ...(tokens ? { tokens } : {}) });
    await this.#table.update(recordKey(pipeline, run), { set }, [absent('endedAt')]);
  }

  /** Repeated, it changes nothing: the first start counts. */
  async openRecord(
    pipeline: string,
    run: number,
    trigger: RunRequest['trigger'],
    now: EpochMs,
    tokens?: readonly string[],
  ): Promise<void> {
    const set = attributes({ run, trigger, state: 'LISTING', startedAt: now, ...(tokens ? { tokens } : {}) });
    await this.#table.update(recordKey(pipeline, run), { set }, [absent('run')]);
  }

  #change(pipeline: string, change: Parameters<Table['update']>[1], condition: Parameters<Table['update']>[2]) {
    return this.#table.update({ pk: pipeline, sk: ACTIVE }, change, condition);
  }
}

export type RunOutcome = Pick<RunRecord, 'state' | 'totals' | 'ran' | 'manifest' | 'error' | 'requests'>;

const ACTIVE = 'ACTIVE';
const CLAIM = 'CLAIM';
const HISTORY_KEPT = days(400);
const NEXT_RUN_CLEARS = ['pending', 'pendingId', 'sweepSeen', 'sweepRounds'];

const recordKey = (pipeline: string, run: number) => ({ pk: pipeline, sk: `run#${String(run).padStart(8, '0')}` });

/** Two triggers that wait become one that does what both wanted. */
function fold(waiting: RunRequest | undefined, wanted: RunRequest): RunRequest {
  if (!waiting) return wanted;
  const force =
    waiting.force === 'all' || wanted.force === 'all' ? 'all' : [...(waiting.force ?? []), ...(wanted.force ?? [])];
  return {
    trigger: wanted.trigger,
    ...(force.length > 0 ? { force } : {}),
    ...(waiting.confirmRemoval || wanted.confirmRemoval ? { confirmRemoval: true } : {}),
    ...foldTokens(waiting, wanted),
  };
}

/** Kept of the newest triggers only: an item stays small. */
const TOKENS_MAX = 100;
/** Stands for triggers that came without a token, so that the last job to withdraw does not take theirs along. */
const NO_TOKEN = '';

function foldTokens({ tokens: waiting }: RunRequest, { tokens: wanted }: RunRequest): Pick<RunRequest, 'tokens'> {
  if (!waiting && !wanted) return {};
  const tokens = [...new Set([...(waiting ?? [NO_TOKEN]), ...(wanted ?? [NO_TOKEN])])];
  return { tokens: tokens.slice(-TOKENS_MAX) };
}

const samePending = ({ pendingId }: ActiveRun) => [
  pendingId === undefined ? absent('pendingId') : equals('pendingId', pendingId),
];

const asClaim = (item: Item): ExclusiveClaim => item as unknown as ExclusiveClaim;
const asActive = (item: Item): ActiveRun => item as unknown as ActiveRun;
const asRecord = (item: Item): RunRecord => item as unknown as RunRecord;
