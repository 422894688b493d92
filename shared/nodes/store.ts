import type { ErrorFacts } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { addMs, days, type EpochMs, toTtl } from '../core/units.ts';
import { absent, anyOf, atMost, below, type Change, equals, type Item, type Table } from '../tables/table.ts';
import type { Digest } from './digest.ts';
import { FIRST_LAYOUT, type Layout } from './layout.ts';
import type { Plan } from './plan.ts';
import { NO_TOTALS, type RunTotals, type Totals } from './totals.ts';

/** A node of a source's tree: what was planned for it, how far that is, and what it shows. */
export interface NodeRecord {
  readonly id: string;
  readonly kind: NodeKind;
  readonly path: readonly string[];
  /** As the parent listed it; null for the root. */
  readonly metadata: JsonObject | null;
  /** Identifies `metadata`, so that a message need not carry it. */
  readonly metadataId: string;
  /** What the metadata of the node and of its ancestors identify, to see a cycle. */
  readonly lineage: readonly string[];
  /** Counts the plans. */
  readonly version: number;
  readonly plan?: Plan;
  readonly state: 'PLANNED' | 'SENT' | 'DONE';
  readonly place?: Place;
  readonly layout: Layout;
  /** The shards it waits for, as their numbers; known from SENT on. */
  readonly shards?: readonly number[];
  readonly done: ReadonlySet<string>;
  /** How often it was completed, ever. */
  readonly builds: number;
  /** Key of its manifest, and what identifies its content. */
  readonly manifest?: string;
  readonly manifestId?: string;
  readonly totals: Totals;
  readonly ran?: RunTotals;
  /** The run in which what it tells its parent last changed. */
  readonly changed: number;
  /** Somebody lists or plans it in this run; economy only, for the sweep. */
  readonly lease?: ListingLease;
  /** Why the last listing failed; the node stayed as it was. */
  readonly error?: ErrorFacts;
  readonly feed?: FeedState;
  /** Of a feed: the cursor up to which everything has landed without a gap. */
  readonly landedPosition?: JsonValue;
  /** Of a job in a feed: the position of that feed once the job has landed, as its listing told. */
  readonly told?: JsonValue;
  /** Of a job: how many rows its leaves are to have together, as its listing told. */
  readonly expectedRows?: number;
  /** Of a job: what it made is gone, so its parent makes another node for it. */
  readonly spent?: boolean;
  /** The prefix fingerprint with which everything below had landed. */
  readonly landedFingerprint?: string;
  /** The code and options with which it had. */
  readonly landedVersions?: string;
}

/** A lease of an earlier run says nothing: whoever held it is refused by now. */
export interface ListingLease {
  readonly run: number;
  /** Milliseconds since 1970. */
  readonly until: EpochMs;
}

export type NodeKind = 'folder' | 'feed' | 'job';

/** Where a node reports to: a shard of its parent, in the plan that sent it. */
export interface Place {
  readonly node: string;
  readonly layout: string;
  readonly shard: number;
  readonly plan: Plan;
  /** The run that shard knew as the last in which a child of it changed. */
  readonly childChanged?: number;
}

export interface FeedState {
  /** Where the next listing starts: what the connector said at its last checkpoint. */
  readonly position?: JsonValue;
  /** Numbers below this are planned. */
  readonly end: number;
  /** The generations begun, oldest first: number of the first partition, and the end of the plan that opened it. */
  readonly generations: readonly Generation[];
}

export interface Generation {
  readonly id: string;
  readonly from: number;
  readonly openedTo: number;
}

export interface ShardRecord {
  readonly shard: number;
  readonly layout: string;
  readonly plan?: Plan;
  /** Of what its items hold; absent while a plan is open, or if something is due or failed. */
  readonly digest?: Digest;
  /** The last plan that compared its items with a listing. */
  readonly diffed?: Plan;
  /** The last of those that completed: its marks were carried out. */
  readonly carried?: Plan;
  /** Key and entries of its part; absent if it holds nothing. */
  readonly part?: string;
  readonly partId?: string;
  readonly totals: Totals;
  /** The code and options with which all that it shows was read; empty if it was not one. */
  readonly versions?: string;
  readonly ran?: RunTotals;
  /** Of `ran`, what dropped out of this very shard. */
  readonly removedHere?: number;
  /** The run that built the part, and how often it was built. */
  readonly built: number;
  readonly builds: number;
  readonly childChanged: number;
  /** Group numbers (`g12`) and child node ids: those it waits for, and those that are done. */
  readonly total?: ReadonlySet<string>;
  /** True once the total is known, also if that is nothing. */
  readonly totalKnown?: boolean;
  readonly done: ReadonlySet<string>;
  /** A group was taken more than once: objects of earlier takes may lie about. */
  readonly retaken?: boolean;
  /** Of a feed's shard: how far it has landed without a gap. */
  readonly feed?: FeedShard;
}

export interface FeedShard {
  /** Numbers that are planned and have not landed, rising; at most as many as a shard holds. */
  readonly missing: readonly number[];
  /** Numbers below this were looked at. */
  readonly end?: number;
  /** The cursor that covers what landed of the newest generation before the first of those. */
  readonly position?: JsonValue;
  /** The lowest number that stands in it, and when the oldest partition landed. */
  readonly lowest?: number;
  readonly oldestAt?: EpochMs;
}

export interface ShardKey {
  readonly pipeline: string;
  readonly node: string;
  readonly layout: string;
  readonly shard: number;
}

/** Leases and takes of a group of partitions that are read by one message. */
export interface GroupRecord {
  readonly number: number;
  readonly take: number;
}

/**
 * The table `nodes`: a node's item, its shards and its groups under one partition key, so that one query reads a node
 * with all its shards. Every write names the plan it belongs to; `undefined` means that a newer plan is there.
 */
export class NodeStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** A node with the shards of its present layout; one query. */
  async load(
    pipeline: string,
    id: string,
  ): Promise<{ node: NodeRecord; shards: Map<number, ShardRecord> } | undefined> {
    let node: NodeRecord | undefined;
    const all: ShardRecord[] = [];
    for await (const page of this.#table.query(nodeKey(pipeline, id), { from: NODE })) {
      for (const item of page) {
        if (item.sk === NODE) node = asNode(item);
        else all.push(asShard(item));
      }
    }
    if (!node) return undefined;
    const { layout } = node;
    return {
      node,
      shards: new Map(all.filter((shard) => shard.layout === layout.id).map((shard) => [shard.shard, shard])),
    };
  }

  async get(pipeline: string, id: string): Promise<NodeRecord | undefined> {
    const item = await this.#table.get({ pk: nodeKey(pipeline, id), sk: NODE });
    return item && asNode(item);
  }

  async getMany(pipeline: string, ids: readonly string[]): Promise<NodeRecord[]> {
    const items = await this.#table.getMany(ids.map((id) => ({ pk: nodeKey(pipeline, id), sk: NODE })));
    return items.map(asNode);
  }

  /** Opens a plan on the version that was read before the listing. Of two listings one wins; the other gets undefined. */
  openPlan(
    pipeline: string,
    id: string,
    version: number,
    fields: Partial<NodeRecord> & Pick<NodeRecord, 'plan' | 'state'>,
  ): Promise<NodeRecord | undefined> {
    const { place, error, ...others } = fields;
    const change: Change = {
      set: attributes({ ...others, id, version: version + 1, place, error }),
      remove: ['shards', 'done', 'step', ...(place ? [] : ['place']), ...(error ? [] : ['error'])],
    };
    return this.#updateNode(pipeline, id, change, [version === 0 ? absent('version') : equals('version', version)]);
  }

  /** Changes a node in this plan, optionally only as long as it was not completed since (`builds`). */
  changeInPlan(
    pipeline: string,
    id: string,
    plan: Plan,
    change: Change,
    builds?: number,
  ): Promise<NodeRecord | undefined> {
    return this.#updateNode(pipeline, id, change, [equals('plan', plan), ...unbuiltSince(builds)]);
  }

  /** A feed also gets a new version: a listing that began at the position before may not open its plan any more. */
  sent(
    pipeline: string,
    id: string,
    plan: Plan,
    shards: readonly number[],
    feed?: FeedState,
  ): Promise<NodeRecord | undefined> {
    const set = attributes({ state: 'SENT', shards, feed });
    return this.changeInPlan(pipeline, id, plan, { set, ...(feed ? { increment: { version: 1 } } : {}) });
  }

  /** Says that a listing which takes long is going on, so that the sweep does not begin another. */
  async leaseListing(pipeline: string, id: string, lease: ListingLease): Promise<void> {
    await this.#table.update({ pk: nodeKey(pipeline, id), sk: NODE }, { set: attributes({ lease }) });
  }

  /** Of all deliveries that would go on with the planning of a node from one step, one may. */
  claimStep(
    pipeline: string,
    id: string,
    plan: Plan,
    step: number,
    lease: ListingLease,
  ): Promise<NodeRecord | undefined> {
    const condition = [equals('plan', plan), equals('state', 'PLANNED'), anyOf(absent('step'), below('step', step))];
    return this.#updateNode(pipeline, id, { set: attributes({ step, lease }) }, condition);
  }

  shardDone(key: ShardKey, plan: Plan): Promise<NodeRecord | undefined> {
    return this.changeInPlan(key.pipeline, key.node, plan, { addToSet: { done: [String(key.shard)] } });
  }

  async #updateNode(pipeline: string, id: string, change: Change, condition: Parameters<Table['update']>[2]) {
    const item = await this.#table.update({ pk: nodeKey(pipeline, id), sk: NODE }, change, condition);
    return item && asNode(item);
  }

  // Shards

  async shard(key: ShardKey): Promise<ShardRecord | undefined> {
    const item = await this.#table.get(shardItemKey(key));
    return item && asShard(item);
  }

  /**
   * A shard takes a plan; if the listing does not agree with it, it also loses its digest before an item is touched.
   *
   * @param agreed the digest in which they agree: if the shard has it no more, what its items hold is not what was listed
   */
  takePlan(key: ShardKey, plan: Plan, agreed?: Digest): Promise<ShardRecord | undefined> {
    const agrees = agreed !== undefined;
    return this.#updateShard(
      key,
      {
        set: attributes({ layout: key.layout, shard: key.shard, plan, ...(agrees ? {} : { diffed: plan }) }),
        remove: ['total', 'totalKnown', 'done', 'retaken', ...(agrees ? [] : ['digest'])],
      },
      [anyOf(absent('plan'), below('plan', plan)), ...(agrees ? [equals('digest', agreed)] : [])],
    );
  }

  changeShardInPlan(key: ShardKey, plan: Plan, change: Change, builds?: number): Promise<ShardRecord | undefined> {
    return this.#updateShard(key, change, [equals('plan', plan), ...unbuiltSince(builds)]);
  }

  /** @param childChanged told for child nodes that are no members; no child of this plan has told yet */
  totalIs(
    key: ShardKey,
    plan: Plan,
    members: readonly string[],
    childChanged?: number,
  ): Promise<ShardRecord | undefined> {
    return this.changeShardInPlan(key, plan, {
      set: attributes({ totalKnown: true, childChanged }),
      ...(members.length > 0 ? { addToSet: { total: members } } : {}),
    });
  }

  memberDone(
    key: ShardKey,
    plan: Plan,
    member: string,
    facts: { retaken?: boolean } = {},
  ): Promise<ShardRecord | undefined> {
    return this.changeShardInPlan(key, plan, {
      addToSet: { done: [member] },
      ...(facts.retaken ? { set: { retaken: true } } : {}),
    });
  }

  /** A child tells that it is done, and in which run what it shows last changed. */
  async childDone(key: ShardKey, plan: Plan, child: string, changed: number): Promise<ShardRecord | undefined> {
    const change: Change = { addToSet: { done: [child] }, set: { childChanged: changed } };
    const newer = await this.#updateShard(key, change, [
      equals('plan', plan),
      anyOf(absent('childChanged'), below('childChanged', changed)),
    ]);
    return newer ?? this.memberDone(key, plan, child);
  }

  async #updateShard(key: ShardKey, change: Change, condition: Parameters<Table['update']>[2]) {
    const item = await this.#table.update(shardItemKey(key), change, condition);
    return item && asShard(item);
  }

  // Groups

  /**
   * Takes a group for reading: lease and next take number in one write. The message that holds the lease may take it
   * again, since it is only delivered again when its worker is gone.
   *
   * @returns the number of this take, from 1; undefined if another message holds the lease
   */
  async takeGroup(
    key: ShardKey,
    plan: Plan,
    number: number,
    lease: { readonly holder: string; readonly now: EpochMs; readonly until: EpochMs },
  ): Promise<number | undefined> {
    const item = await this.#table.update(
      groupKey(key, plan, number),
      {
        set: { leasedUntil: lease.until, holder: lease.holder, number, ttl: toTtl(addMs(lease.now, GROUP_KEPT)) },
        increment: { take: 1 },
      },
      [anyOf(absent('leasedUntil'), atMost('leasedUntil', lease.now), equals('holder', lease.holder))],
    );
    return item && (item.take as number);
  }

  /** Ends a lease early, or when the message that goes on with the group is due: until then nobody takes it. */
  async releaseGroup(key: ShardKey, plan: Plan, number: number, holder: string, until?: EpochMs): Promise<void> {
    const change: Change = until === undefined ? { remove: ['leasedUntil'] } : { set: { leasedUntil: until } };
    await this.#table.update(groupKey(key, plan, number), change, [equals('holder', holder)]);
  }

  /** The groups of a shard in one plan that were ever taken, with the time their leases end. */
  async groups(key: ShardKey, plan: Plan): Promise<Map<number, GroupRecord & { readonly leasedUntil: number }>> {
    const found = new Map<number, GroupRecord & { readonly leasedUntil: number }>();
    const { pk } = groupKey(key, plan, 0);
    const prefix = groupPrefix(key, plan);
    for await (const page of this.#table.query(pk, { from: prefix, to: `${prefix}~` })) {
      for (const item of page) {
        const number = item.number as number;
        found.set(number, {
          number,
          take: item.take as number,
          leasedUntil: (item.leasedUntil as number | undefined) ?? 0,
        });
      }
    }
    return found;
  }

  // Collection of what is dead

  /** Every item of a node that no parent names any more. */
  async remove(pipeline: string, id: string): Promise<void> {
    await this.#removeRange(nodeKey(pipeline, id));
  }

  async removeLayout(pipeline: string, id: string, layout: string): Promise<void> {
    await this.#removeRange(nodeKey(pipeline, id), `shard#${layout}#`, `shard#${layout}#~`);
  }

  /** Shards of any layout of a node, for walking what is dead. */
  async allShards(pipeline: string, id: string): Promise<ShardRecord[]> {
    const found: ShardRecord[] = [];
    for await (const page of this.#table.query(nodeKey(pipeline, id), { from: 'shard#' }))
      found.push(...page.map(asShard));
    return found;
  }

  async #removeRange(pk: string, from?: string, to?: string): Promise<void> {
    for await (const page of this.#table.query(pk, { ...(from ? { from } : {}), ...(to ? { to } : {}) })) {
      await this.#table.deleteMany(page.map(({ sk }) => ({ pk, sk })));
    }
  }
}

const NODE = 'node';
/** Longer than any run is left standing: an older take is still known when the run is planned again. */
const GROUP_KEPT = days(90);

const nodeKey = (pipeline: string, node: string) => `${pipeline}#${node}`;
const shardItemKey = ({ pipeline, node, layout, shard }: ShardKey) => ({
  pk: nodeKey(pipeline, node),
  sk: `shard#${layout}#${String(shard).padStart(7, '0')}`,
});
const groupPrefix = ({ layout, shard }: ShardKey, plan: Plan) => `group#${plan}#${layout}#${shard}#`;
const groupKey = (key: ShardKey, plan: Plan, number: number) => ({
  pk: nodeKey(key.pipeline, key.node),
  sk: `${groupPrefix(key, plan)}${number}`,
});

const unbuiltSince = (builds: number | undefined) =>
  builds === undefined ? [] : [builds === 0 ? absent('builds') : equals('builds', builds)];

/** Records hold JSON and sets only, so they are stored as they are. */
export function attributes(fields: object): NonNullable<Change['set']> {
  return fields as NonNullable<Change['set']>;
}

function asNode(item: Item): NodeRecord {
  const stored = item as unknown as Partial<NodeRecord>;
  return {
    ...stored,
    id: stored.id ?? '',
    kind: stored.kind ?? 'folder',
    path: stored.path ?? [],
    metadata: stored.metadata ?? null,
    metadataId: stored.metadataId ?? '',
    lineage: stored.lineage ?? [],
    version: stored.version ?? 0,
    state: stored.state ?? 'DONE',
    layout: stored.layout ?? FIRST_LAYOUT,
    done: stored.done ?? new Set(),
    builds: stored.builds ?? 0,
    totals: stored.totals ?? NO_TOTALS,
    changed: stored.changed ?? 0,
  };
}

function asShard(item: Item): ShardRecord {
  const stored = item as unknown as Partial<ShardRecord>;
  return {
    ...stored,
    shard: stored.shard ?? 0,
    layout: stored.layout ?? FIRST_LAYOUT.id,
    totals: stored.totals ?? NO_TOTALS,
    built: stored.built ?? 0,
    builds: stored.builds ?? 0,
    childChanged: stored.childChanged ?? 0,
    done: stored.done ?? new Set(),
  };
}

/** No set is complete before its total is there. */
export function isComplete(shard: ShardRecord): boolean {
  return shard.totalKnown === true && (shard.total ? shard.total.isSubsetOf(shard.done) : true);
}

/** True once every shard the node waits for is done. */
export function allShardsDone(node: NodeRecord): boolean {
  return node.shards?.every((shard) => node.done.has(String(shard))) === true;
}

export const groupMember = (number: number): string => `g${number}`;
/** @returns undefined for a child node's id, which may begin with the same letter but is longer */
export const groupOf = (member: string): number | undefined =>
  /^g\d{1,9}$/.test(member) ? Number(member.slice(1)) : undefined;
