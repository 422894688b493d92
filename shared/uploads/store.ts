import type { ErrorFacts } from '../core/errors.ts';
import { sha256Hex } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { addMs, type DurationMs, type EpochMs } from '../core/units.ts';
import { attributes } from '../nodes/store.ts';
import {
  absent,
  anyOf,
  atMost,
  type Change,
  type Condition,
  equals,
  type Item,
  present,
  type Table,
} from '../tables/table.ts';

/** How far one sink of a pipeline is. */
export interface SinkRecord {
  readonly pipeline: string;
  readonly sink: string;
  /** What it has applied in full; absent before the first. */
  readonly applied?: AppliedManifest;
  /** What it is being brought to. */
  readonly target?: UploadTarget;
  /** Somebody wants all of it uploaded again, whatever is applied. */
  readonly anew?: boolean;
  /** How often that was wanted: a transition of before is not met again. */
  readonly rewinds?: number;
  /** Somebody wants what was refused uploaded again; how often that was so. */
  readonly redrive?: number;
  readonly redrives?: number;
  /** So many changes of the transition, in their order, are in the sink. */
  readonly place: number;
  /** Changes behind that place that are in already. */
  readonly ahead: readonly number[];
  /** Of partitions under way, by the number of their change: rows below this are in. */
  readonly rows: Readonly<Record<string, number>>;
  /** What the sink's own session keeps. */
  readonly kept?: JsonValue;
  /** In all transitions: what was uploaded, and what never can be. */
  readonly totals: SinkTotals;
  /** Partitions that were refused and have not been uploaded since, as of the last transition; some of them by name. */
  readonly refused: number;
  readonly refusals: readonly Refusal[];
  /** Told each time somebody wants the sink brought on, so that whoever does so does not miss it. */
  readonly wanted: number;
  readonly holder?: string;
  /** How often it was taken: who took it before, and was late, is told apart by that, also with the same message. */
  readonly claims: number;
  readonly leasedUntil?: EpochMs;
  /** Invocations in a row that failed, and why the last did. */
  readonly attempts: number;
  readonly error?: ErrorFacts;
  readonly failedAt?: EpochMs;
  readonly updatedAt?: EpochMs;
}

export interface AppliedManifest {
  readonly run: number;
  /** Key of the root's manifest. */
  readonly manifest: string;
  readonly publishedAt: EpochMs;
}

/** A newer manifest; or, of a redrive, the one that is applied, of which only what was refused is uploaded. */
export interface UploadTarget extends AppliedManifest {
  readonly began?: EpochMs;
  readonly redrive?: number;
  /** Something of it may be in the sink: uploads come before they are recorded. */
  readonly touched?: boolean;
}

export interface SinkTotals {
  readonly partitions: number;
  readonly rows: number;
  readonly bytes: number;
  readonly removed: number;
  readonly rejectedRows: number;
}

export interface Refusal {
  readonly path: readonly string[];
  readonly error: ErrorFacts;
  /** The version that is in the sink all the same. */
  readonly was?: UploadedVersion;
}

export interface UploadedVersion {
  readonly fingerprint: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly run: number;
  readonly at: EpochMs;
}

/** A refused partition as it is kept: it stays until it is uploaded, or goes. */
export interface RefusedPartition extends Refusal {
  readonly run: number;
  readonly refusedAt: EpochMs;
  /** Uploaded by the redrive that is going on, which counts on its place in the list. */
  readonly settled?: boolean;
}

export const NO_SINK_TOTALS: SinkTotals = { partitions: 0, rows: 0, bytes: 0, removed: 0, rejectedRows: 0 };
export const REFUSALS_MAX = 20;

/** In the table `runs`, beside a pipeline's runs: one item a sink, under `sink#<name>`, and one a partition it has refused. */
export class SinkStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async get(pipeline: string, sink: string): Promise<SinkRecord | undefined> {
    const item = await this.#table.get(itemKey(pipeline, sink));
    return item && asSink(item);
  }

  /** The sinks of a pipeline that were ever brought on, or asked for. */
  async all(pipeline: string): Promise<SinkRecord[]> {
    const found: SinkRecord[] = [];
    for await (const page of this.#table.query(pipeline, { from: SINK, to: `${SINK}~` }))
      found.push(...page.map(asSink));
    return found;
  }

  /** Leaves word that there is something to apply. Whoever holds the sink looks again before it lets go. */
  async want(pipeline: string, sink: string): Promise<SinkRecord> {
    const item = await this.#table.update(itemKey(pipeline, sink), {
      set: attributes({ pipeline, sink }),
      increment: { wanted: 1 },
    });
    return asSink(item!);
  }

  /** Takes the sink for a while. The message that holds it may take it again. @returns undefined if another has it */
  async claim(
    pipeline: string,
    sink: string,
    holder: string,
    now: EpochMs,
    lease: DurationMs,
  ): Promise<SinkRecord | undefined> {
    const free = anyOf(absent('leasedUntil'), atMost('leasedUntil', now), equals('holder', holder));
    const set = attributes({ pipeline, sink, holder, leasedUntil: addMs(now, lease) });
    return this.#update(pipeline, sink, { set, increment: { claims: 1 } }, [free]);
  }

  /** Writes what the holder has done. @returns undefined if another has the sink now: the holder stops at once */
  change(
    claimed: Pick<SinkRecord, 'pipeline' | 'sink' | 'claims'>,
    holder: string,
    fields: Partial<SinkRecord>,
    clears: readonly (keyof SinkRecord)[] = [],
  ): Promise<SinkRecord | undefined> {
    const set = attributes(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)));
    const change = { set, ...(clears.length > 0 ? { remove: clears } : {}) };
    return this.#update(claimed.pipeline, claimed.sink, change, heldBy(claimed, holder));
  }

  /** Lets go, unless somebody has wanted the sink since `seen` was read. @returns undefined then, or if another has it */
  release(seen: SinkRecord, holder: string, fields: Partial<SinkRecord> = {}): Promise<SinkRecord | undefined> {
    const change = { set: attributes(fields), remove: ['holder', 'leasedUntil'] };
    return this.#update(seen.pipeline, seen.sink, change, [...heldBy(seen, holder), equals('wanted', seen.wanted)]);
  }

  /** Lets go in any case: more is to be done, and a message for that is on its way. */
  async letGo(claimed: SinkRecord, holder: string, fields: Partial<SinkRecord> = {}): Promise<void> {
    const change = { set: attributes(fields), remove: ['holder', 'leasedUntil'] };
    await this.#update(claimed.pipeline, claimed.sink, change, heldBy(claimed, holder));
  }

  /** What an operator decides, as long as nobody brings the sink on. @returns undefined if somebody does */
  operate(
    pipeline: string,
    sink: string,
    fields: JsonObject,
    clears: readonly (keyof SinkRecord)[],
    now: EpochMs,
    seen?: Pick<SinkRecord, 'failedAt'>,
  ): Promise<SinkRecord | undefined> {
    const idle = anyOf(absent('leasedUntil'), atMost('leasedUntil', now));
    const same = seen?.failedAt === undefined ? [] : [equals('failedAt', seen.failedAt)];
    return this.#update(pipeline, sink, { set: { ...fields, pipeline, sink }, remove: clears }, [idle, ...same]);
  }

  /** The partitions that a sink has refused, in an order that stays. */
  async *refused(pipeline: string, sink: string): AsyncGenerator<RefusedPartition> {
    const prefix = refusedPrefix(sink);
    for await (const page of this.#table.query(pipeline, { from: prefix, to: `${prefix}~` }))
      yield* page.map((item) => item as unknown as RefusedPartition);
  }

  async refusal(pipeline: string, sink: string, path: readonly string[]): Promise<RefusedPartition | undefined> {
    const item = await this.#table.get(refusedKey(pipeline, sink, path));
    return item && (item as unknown as RefusedPartition);
  }

  async refuse(pipeline: string, sink: string, refused: RefusedPartition): Promise<void> {
    const { was } = refused;
    const change = { set: attributes(refused), remove: was ? ['settled'] : ['settled', 'was'] };
    await this.#table.update(refusedKey(pipeline, sink, refused.path), change);
  }

  /** Uploaded by a redrive: off the list when that is over. */
  async settle(pipeline: string, sink: string, path: readonly string[]): Promise<void> {
    await this.#table.update(refusedKey(pipeline, sink, path), { set: { settled: true } }, [present('path')]);
  }

  async forgetRefusal(pipeline: string, sink: string, path: readonly string[]): Promise<void> {
    await this.#table.delete(refusedKey(pipeline, sink, path));
  }

  async #update(pipeline: string, sink: string, change: Change, condition: Condition) {
    const item = await this.#table.update(itemKey(pipeline, sink), change, condition);
    return item && asSink(item);
  }
}

const heldBy = ({ claims }: Pick<SinkRecord, 'claims'>, holder: string): Condition => [
  equals('holder', holder),
  equals('claims', claims),
];

const SINK = 'sink#';
const refusedPrefix = (sink: string) => `refused#${sink}#`;
const refusedKey = (pipeline: string, sink: string, path: readonly string[]) => ({
  pk: pipeline,
  sk: `${refusedPrefix(sink)}${sha256Hex(JSON.stringify(path)).slice(0, 32)}`,
});
const itemKey = (pipeline: string, sink: string) => ({ pk: pipeline, sk: `${SINK}${sink}` });

function asSink(item: Item): SinkRecord {
  const stored = item as unknown as Partial<SinkRecord>;
  return {
    ...stored,
    pipeline: stored.pipeline ?? '',
    sink: stored.sink ?? '',
    place: stored.place ?? 0,
    ahead: stored.ahead ?? [],
    rows: stored.rows ?? {},
    totals: stored.totals ?? NO_SINK_TOTALS,
    refused: stored.refused ?? 0,
    refusals: stored.refusals ?? [],
    wanted: stored.wanted ?? 0,
    claims: stored.claims ?? 0,
    attempts: stored.attempts ?? 0,
  };
}
