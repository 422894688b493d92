import type { ErrorFacts } from '../core/errors.ts';
import { sha256Hex } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { EpochMs } from '../core/units.ts';
import type { RecordFormat } from '../landing/keys.ts';
import type { Plan } from '../nodes/plan.ts';
import { attributes, type ShardKey } from '../nodes/store.ts';
import {
  absent,
  anyOf,
  atMost,
  type Change,
  type Clause,
  equals,
  type Item,
  present,
  type Table,
} from '../tables/table.ts';

export type PartitionKind = 'leaf' | 'folder' | 'feed' | 'job';

/** Why a partition is due, or what became of it. */
export type Reason = 'NEW' | 'CHANGED' | 'RETRY' | 'CODE_CHANGED' | 'KIND_CHANGED' | 'FORCED';

/**
 * A child of a node. A mark (`due`, `gone`, `failed`) counts only in the plan that last diffed its shard: a write that
 * comes late cannot see the shard's plan, so readers of the item compare.
 */
export interface PartitionRecord {
  readonly sk: string;
  readonly name: string;
  readonly kind: PartitionKind;
  /** The plan that last wrote a mark. */
  readonly plan: Plan;
  /** The fingerprint that is to be read. */
  readonly due?: string;
  readonly reason?: Reason;
  readonly group?: number;
  /** Of a copy in a larger layout: the shard where its group was read. */
  readonly origin?: { readonly layout: string; readonly shard: number };
  readonly gone?: boolean;
  readonly failed?: boolean;
  readonly error?: ErrorFacts;
  /** As listed; of a leaf that landed and was not listed differently since, what it landed with. */
  readonly metadata?: JsonObject;
  /** Where the pipeline's own key template puts its objects in this plan. */
  readonly keyBase?: string;
  readonly landed?: Landed;
  /** Uploaded in this plan and not needed after all: the content was the same as before. */
  readonly spare?: readonly string[];
  /** No longer listed, but kept on purpose (`upsert`) or shown as removed (`tombstone`). */
  readonly aside?: 'kept' | 'tombstone';
  /** Of a read in progress: the take that may write, takes that never returned, tries that failed. */
  readonly take?: number;
  readonly lost?: number;
  readonly attempts?: number;
  readonly progress?: Progress;
  // Of a child node:
  readonly child?: string;
  readonly metadataId?: string;
  // Of a job:
  /** Identifies the fingerprint and the code for which `child` was made. */
  readonly madeFor?: string;
  /** The run that made it. */
  readonly madeIn?: number;
  /** The node that is shown until `child` has landed in full. */
  readonly previous?: string;
  // In a feed:
  readonly number?: number;
  readonly generation?: string;
  /** Of a job: when it was planned. */
  readonly plannedAt?: EpochMs;
  /** The cursor that covers this partition and all before it. */
  readonly position?: JsonValue;
  /** It has not landed, and will not. */
  readonly givenUp?: boolean;
}

export interface Landed {
  readonly fingerprint: string;
  /** Identifies the code and the options that made these bytes. */
  readonly versions: string;
  readonly run: number;
  readonly reason: Reason;
  readonly at: EpochMs;
  /** SHA-256, in hex, and length of what the connector yielded, before compression. */
  readonly sha256: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly objects: readonly LandedObject[];
  /** Of records that were parsed before they landed: what the object is. Absent for bytes as they came. */
  readonly format?: RecordFormat;
  /** As the connector counted them, where it did; of parsed records how many landed. */
  readonly rows?: number;
  /** Records that could not be taken, set aside: newline-delimited JSON with number, offset and reason. */
  readonly errors?: SetAside;
  /** What the connector told of these bytes, where it did. */
  readonly facts?: JsonObject;
}

/** Records that were set aside. */
export interface SetAside extends LandedObject {
  readonly records: number;
}

/** The keys of all that a landing has put there. */
export const landedKeys = ({ objects, errors }: Pick<Landed, 'objects' | 'errors'>): string[] => [
  ...objects.map(({ key }) => key),
  ...(errors ? [errors.key] : []),
];

export interface LandedObject {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
}

/** A long read that went past its first checkpoint. */
export interface Progress {
  readonly fingerprint: string;
  readonly versions: string;
  readonly cursor: JsonValue;
  readonly bytes: number;
  readonly chunks: number;
  readonly segments: readonly LandedObject[];
  /** The hash so far, where it can be carried over; else the segments are read again. */
  readonly hashState?: string;
}

export const SEGMENTS_MAX = 1000;
const SORT_KEY_NAME_MAX_BYTES = 1000;

/** Kind first, so that the child nodes of a shard are read without its leaves. */
export function sortKey(kind: PartitionKind, name: string): string {
  const fits = Buffer.byteLength(name) <= SORT_KEY_NAME_MAX_BYTES;
  return `${kind === 'leaf' ? 'leaf' : `node.${kind}`}#${fits ? name : `sha256:${sha256Hex(name)}`}`;
}

/** A feed keys its children by number: what a plan that was never committed left is met by the next one. */
export const numberKey = (number: number): string => `number#${String(number).padStart(12, '0')}`;

/** The table `partitions`: the children of one shard under one partition key. */
export class PartitionStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async *all(shard: ShardKey): AsyncGenerator<PartitionRecord> {
    for await (const page of this.#table.query(partitionKey(shard))) yield* page.map(asPartition);
  }

  async *childNodes(shard: ShardKey): AsyncGenerator<PartitionRecord> {
    const range = { from: 'node.', to: 'node/' };
    for await (const page of this.#table.query(partitionKey(shard), range)) yield* page.map(asPartition);
  }

  async get(shard: ShardKey, sk: string): Promise<PartitionRecord | undefined> {
    const item = await this.#table.get({ pk: partitionKey(shard), sk });
    return item && asPartition(item);
  }

  async getMany(shard: ShardKey, sortKeys: readonly string[]): Promise<PartitionRecord[]> {
    const pk = partitionKey(shard);
    const items = await this.#table.getMany(sortKeys.map((sk) => ({ pk, sk })));
    return items.map(asPartition);
  }

  /** Writes a mark of this plan. @returns the item as it is now; undefined if a newer plan has been here: its writer stops at once */
  async mark(shard: ShardKey, sk: string, plan: Plan, change: Change): Promise<PartitionRecord | undefined> {
    const marked = { ...change, set: attributes({ ...change.set, plan }) };
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, marked, [
      anyOf(absent('plan'), atMost('plan', plan)),
    ]);
    return item && asPartition(item);
  }

  /** As `mark`, but an item that has been deleted since it was read stays so. */
  async markThere(shard: ShardKey, sk: string, plan: Plan, change: Change): Promise<PartitionRecord | undefined> {
    const marked = { ...change, set: attributes({ ...change.set, plan }) };
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, marked, [atMost('plan', plan)]);
    return item && asPartition(item);
  }

  /** As `mark`, but what has landed or was given up since it was read stays so. @returns undefined if it is not due as it was read */
  async markAgain(
    shard: ShardKey,
    { sk, due }: Pick<PartitionRecord, 'sk' | 'due'>,
    plan: Plan,
    change: Change,
  ): Promise<PartitionRecord | undefined> {
    const marked = { ...change, set: attributes({ ...change.set, plan }) };
    const asRead = due === undefined ? absent('due') : equals('due', due);
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, marked, [atMost('plan', plan), asRead]);
    return item && asPartition(item);
  }

  /**
   * Makes an item anew in this plan, on condition that it is as it was read: of several plans that find it missing, one does.
   *
   * @param read the item's plan as it was read; undefined if there was none
   */
  async makeAnew(
    shard: ShardKey,
    sk: string,
    plan: Plan,
    read: Plan | undefined,
    change: Change,
  ): Promise<PartitionRecord | undefined> {
    const made = { ...change, set: attributes({ ...change.set, plan }) };
    const asRead = read === undefined ? absent('plan') : equals('plan', read);
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, made, [asRead]);
    return item && asPartition(item);
  }

  /** Writes on condition that the partition is still due in this plan, with this fingerprint, and, once marked, in this take. */
  async changeIfDue(
    shard: ShardKey,
    { sk, plan, due, take }: { sk: string; plan: Plan; due: string; take?: number },
    change: Change,
  ): Promise<PartitionRecord | undefined> {
    const own: Clause = take === undefined ? absent('take') : equals('take', take);
    const condition = [equals('plan', plan), equals('due', due), own];
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, change, condition);
    return item && asPartition(item);
  }

  /** Claims a partition for a take: whoever wrote in an earlier one is refused from now on. */
  async claim(
    shard: ShardKey,
    { sk, plan, due }: { sk: string; plan: Plan; due: string },
    take: number,
  ): Promise<PartitionRecord | undefined> {
    const condition = [equals('plan', plan), equals('due', due), anyOf(absent('take'), atMost('take', take))];
    const change = { set: { take }, increment: { lost: 1 } };
    const item = await this.#table.update({ pk: partitionKey(shard), sk }, change, condition);
    return item && asPartition(item);
  }

  /** Deletes what was read as gone, or leaves a tombstone, unless somebody marked it anew since. */
  async carryOut(shard: ShardKey, sk: string, plan: Plan, tombstone: boolean): Promise<void> {
    const key = { pk: partitionKey(shard), sk };
    const condition = [equals('plan', plan), present('gone')];
    if (!tombstone) await this.#table.delete(key, condition);
    else
      await this.#table.update(
        key,
        { set: { aside: 'tombstone' }, remove: ['gone', 'landed', 'group', 'spare'] },
        condition,
      );
  }

  /** Deletes an item unless somebody has planned it anew since it was read. */
  async deleteAsRead(shard: ShardKey, { sk, plan }: PartitionRecord): Promise<void> {
    await this.#table.delete({ pk: partitionKey(shard), sk }, [equals('plan', plan)]);
  }

  /** Deletes what an earlier plan marked as gone. */
  async deleteGone(shard: ShardKey, { sk, plan }: PartitionRecord): Promise<void> {
    await this.#table.delete({ pk: partitionKey(shard), sk }, [equals('plan', plan), present('gone')]);
  }

  // Copies for a larger layout, and collection

  async copy(to: (record: PartitionRecord) => ShardKey, records: readonly PartitionRecord[]): Promise<void> {
    await this.#table.putMany(
      records.map((record) => ({ ...attributes(record), pk: partitionKey(to(record)), sk: record.sk }) as Item),
    );
  }

  async remove(shard: ShardKey, sortKeys: readonly string[]): Promise<void> {
    const pk = partitionKey(shard);
    await this.#table.deleteMany(sortKeys.map((sk) => ({ pk, sk })));
  }

  async removeShard(shard: ShardKey): Promise<void> {
    const pk = partitionKey(shard);
    for await (const page of this.#table.query(pk)) await this.#table.deleteMany(page.map(({ sk }) => ({ pk, sk })));
  }
}

const partitionKey = ({ pipeline, node, layout, shard }: ShardKey) => `${pipeline}#${node}#${layout}#${shard}`;

const asPartition = (item: Item): PartitionRecord => item as unknown as PartitionRecord;
