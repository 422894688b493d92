import { forEachLimit } from '../core/concurrency.ts';
import { idOf } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { type Garbage, writeGarbage } from '../landing/garbage.ts';
import { renderKey } from '../landing/key-template.ts';
import { type ListingChild, metadataIdOf } from '../listing/listing.ts';
import type { Digest } from '../nodes/digest.ts';
import type { Plan } from '../nodes/plan.ts';
import {
  attributes,
  groupMember,
  type NodeRecord,
  type Place,
  type ShardKey,
  type ShardRecord,
} from '../nodes/store.ts';
import { type Diff, diffShard, wasRemoved } from '../partitions/diff.ts';
import { groupDue } from '../partitions/groups.ts';
import { landedKeys, type PartitionRecord, type Reason } from '../partitions/store.ts';
import type { ListObjectsMessage, ReadBytesMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import type { OutgoingMessage } from '../queue/queue.ts';
import type { Change } from '../tables/table.ts';
import { PlanSupersededError, type RefreshDeps } from './deps.ts';
import { chooseJob, type JobChoice } from './job-children.ts';
import { type Forcing, forcing, type NodeTask } from './node-task.ts';
import { droppedNodes, jobGarbage, type OrphanContext, orphansOfMarks } from './orphans.ts';

/** Conditional writes have no batch form, so many are under way at once. */
export const WRITES_AT_ONCE = 32;

/**
 * Plans one shard of a folder, in an order that none of its steps may leave: the shard takes the plan and loses its digest;
 * only then are its items read and marked; then it gets its total; then its messages go out.
 *
 * @param listed the shard's children by sort key; only its child nodes if the shard agrees
 * @param agreed the digest in which the shard agrees with its listing
 * @returns false if a newer plan is there, or the shard has lost that digest
 * @throws {PlanSupersededError} a newer plan has come meanwhile
 */
export async function planShard(
  task: NodeTask,
  key: ShardKey,
  plan: Plan,
  listed: ReadonlyMap<string, ListingChild>,
  agreed: Digest | undefined,
  force: Forcing,
  deps: RefreshDeps,
): Promise<boolean> {
  const shard = await deps.nodes.takePlan(key, plan, agreed);
  if (!shard) return false;
  const agrees = agreed !== undefined;
  const items = await itemsOf(key, agrees, deps);
  // What a newer plan wrote is not to be compared with what this one listed: deleted as it was read, it would be gone.
  if (items.values().some((item) => item.plan > plan)) throw new PlanSupersededError();
  const { pipeline, run } = task;
  const diff = diffShard(items, listed, {
    carried: shard.carried,
    versions: pipeline.versions,
    run,
    forced: (name) => force.all || force.names.has(name),
    unlisted: pipeline.strategy === 'upsert' ? 'keep' : 'remove',
    emptyFingerprintChanges: pipeline.fingerprints === 'lenient',
  });
  const writer = new ShardWriter(task, key, plan, deps);
  const goesOn = new Set(
    diff.due.filter(({ listed, item }) => item && writer.keepsProgress(item, listed)).map(({ listed }) => listed.sk),
  );
  const keepsProgress = ({ sk }: PartitionRecord) => goesOn.has(sk);
  await writeGarbage(deps.objects, pipeline.name, run, droppedNodes(key, diff, pipeline.onRemove === 'keep'));
  await writer.settle(agrees ? diff.settled.map(outright) : diff.settled, items.values(), {
    carried: shard.carried,
    keepsProgress,
  });
  const groups = await writer.markDue(diff.due);
  const children = await writer.nameChildren(diff.children, shard);
  const members = [...groups.map((_, number) => groupMember(number)), ...children.map(({ node }) => node)];
  await writer.total(members);
  await deps.queues.send(
    'read-bytes',
    groups.map((group, number) => writer.readMessage(number, group)),
  );
  await deps.queues.send(
    'list-objects',
    children.map((message) => writer.message(message)),
  );
  return true;
}

/**
 * A shard that agrees shows nothing of what its listing lacks: a child that no run came to list. A mark would not count in a
 * plan that compared nothing, so the item goes at once.
 */
const outright = (one: Diff<ListingChild>['settled'][number]): Diff<ListingChild>['settled'][number] =>
  one.action === 'gone' ? { ...one, action: 'drop' } : one;

async function itemsOf(key: ShardKey, agrees: boolean, deps: RefreshDeps): Promise<Map<string, PartitionRecord>> {
  const items = new Map<string, PartitionRecord>();
  for await (const item of agrees ? deps.partitions.childNodes(key) : deps.partitions.all(key))
    items.set(item.sk, item);
  return items;
}

/** The writes of one plan to one shard. Each is refused once a newer plan has been at the same place. */
export class ShardWriter {
  readonly #task: NodeTask;
  readonly #key: ShardKey;
  readonly #plan: Plan;
  readonly #deps: RefreshDeps;
  /** What landed between the reading of the items and their marks. */
  readonly #late: Garbage[] = [];
  /** The run in which a trusted child last changed, if the shard does not know. */
  #childChanged: number | undefined;

  constructor(task: NodeTask, key: ShardKey, plan: Plan, deps: RefreshDeps) {
    this.#task = task;
    this.#key = key;
    this.#plan = plan;
    this.#deps = deps;
  }

  /**
   * Marks what is gone, takes wrong marks away, deletes what was marked before. What plans that were not carried out have left
   * is written down first.
   */
  async settle(
    settled: Diff<ListingChild>['settled'],
    items: Iterable<PartitionRecord>,
    left: Omit<OrphanContext, 'plan'>,
  ): Promise<void> {
    const orphans = await orphansOfMarks(this.#key, items, { ...left, plan: this.#plan }, this.#deps);
    await writeGarbage(this.#deps.objects, this.#key.pipeline, this.#task.run, orphans);
    await forEachLimit(settled, WRITES_AT_ONCE, async ({ item, action }) => {
      if (action === 'delete') return this.#deps.partitions.deleteGone(this.#key, item);
      if (action === 'drop') return this.#deps.partitions.deleteAsRead(this.#key, item);
      const set = action === 'gone' ? { gone: true } : action === 'keep' ? { aside: 'kept' } : {};
      const remove = UNMARKED.filter((attribute) => !(attribute in set));
      const marked = await this.#deps.partitions.markThere(this.#key, item.sk, this.#plan, { set, remove });
      if (marked) return this.#noteLate(marked, item);
      // A mark on what was deleted meanwhile would bring it back, as something nobody listed.
      if (await this.#deps.partitions.get(this.#key, item.sk)) throw new PlanSupersededError();
    });
  }

  /** Marks what is due, with the group that will read it. */
  async markDue(
    due: readonly {
      readonly listed: ListingChild;
      readonly item?: PartitionRecord;
      readonly reason: Reason;
      readonly anew: boolean;
    }[],
  ): Promise<string[][]> {
    const groups = groupDue(
      due.map((one) => ({
        ...one,
        sk: one.listed.sk,
        ...(one.listed.size === undefined ? {} : { size: one.listed.size }),
      })),
      this.#deps.sizes.groupPartitions,
    );
    const marks = groups.flatMap((group, number) => group.map((one) => ({ ...one, group: number })));
    await forEachLimit(marks, WRITES_AT_ONCE, async ({ listed, item, reason, anew, group }) => {
      const { sk, name, kind, metadata, fingerprint } = listed;
      const keeps = item !== undefined && this.keepsProgress(item, listed);
      const remove = UNMARKED.filter(
        (attribute) => attribute !== 'due' && attribute !== 'reason' && attribute !== 'group',
      );
      const change = {
        set: attributes({
          name,
          kind,
          metadata,
          due: fingerprint,
          reason,
          group,
          keyBase: this.keyBase(name, metadata),
        }),
        remove: remove.filter((attribute) => !(keeps && attribute === 'progress')),
      };
      // What had landed under a name that was removed is not what comes back under it.
      const asRemoved = { ...change, remove: [...change.remove, 'landed'] };
      const made =
        anew && item && (await this.#deps.partitions.makeAnew(this.#key, sk, this.#plan, item.plan, asRemoved));
      if (!made) await this.#mark(sk, change, item);
    });
    return groups.map((group) => group.map(({ sk }) => sk));
  }

  /** Gives every child node its id, and its metadata where that is new. @returns what is to be listed */
  async nameChildren(
    children: Diff<ListingChild>['children'],
    { childChanged, carried }: ShardRecord,
  ): Promise<ListObjectsMessage[]> {
    const jobs = await this.#jobs(children);
    await this.#abandon(children, jobs);
    const trusted = await this.#trusted(children, childChanged);
    const { name: pipeline } = this.#task.pipeline;
    const place: Place = {
      node: this.#key.node,
      layout: this.#key.layout,
      shard: this.#key.shard,
      plan: this.#plan,
      childChanged,
    };
    const messages: ListObjectsMessage[] = [];
    await forEachLimit(children, WRITES_AT_ONCE, async ({ listed, item, anew }) => {
      const { sk, name, kind, metadata } = listed;
      const job = jobs.get(sk);
      if (job?.is === 'whole') return this.#forgetPrevious(item!);
      const metadataId = metadataIdOf(metadata);
      const change = {
        set: attributes({ name, kind, metadata, metadataId, ...jobFields(job, this.#task.run) }),
        remove: UNMARKED,
      };
      const known = anew || job?.is === 'anew' ? await this.#childMadeAnew(listed, item, change, carried, job) : item;
      if (known && known.metadataId !== metadataId) {
        if (!(await this.#deps.partitions.markThere(this.#key, sk, this.#plan, change)))
          throw new PlanSupersededError();
      }
      const child = known?.child ?? this.#ownIdOf(listed);
      if (!trusted.has(child))
        messages.push({ pipeline, run: this.#task.run, node: child, place, key: sk, metadataId });
    });
    return messages;
  }

  /**
   * A name that comes back must not meet what its predecessor left, so its id is this run's. Not this plan's: two planners of one
   * run, of which one cannot see what the other wrote to a layout that it replaced, give a child one id all the same. A job may be
   * made anew within a run.
   */
  #ownIdOf({ kind, name }: ListingChild): string {
    return idOf(this.#key.node, kind, name, kind === 'job' ? this.#plan : String(this.#task.run));
  }

  /** What becomes of the jobs among the children. */
  async #jobs(children: Diff<ListingChild>['children']): Promise<ReadonlyMap<string, JobChoice>> {
    const jobs = children.filter(({ listed }) => listed.kind === 'job');
    if (jobs.length === 0) return new Map();
    const { pipeline, run } = this.#task;
    const known = jobs.flatMap(({ item, anew }) => (item && !anew ? childIds(item) : []));
    const nodes = new Map((await this.#deps.nodes.getMany(pipeline.name, known)).map((node) => [node.id, node]));
    const { versions } = pipeline;
    return new Map(
      jobs.map(({ listed: { sk, name, fingerprint }, item, anew }) => {
        const context = { fingerprint, versions, run, isForced: this.#isForced(name) };
        return [sk, chooseJob(anew ? undefined : item, nodes, context)];
      }),
    );
  }

  /** Nodes that no item will name any more, before they are not: perhaps no part ever did. */
  async #abandon(children: Diff<ListingChild>['children'], jobs: ReadonlyMap<string, JobChoice>): Promise<void> {
    const lines = children.flatMap(({ listed: { sk, name } }) =>
      (jobs.get(sk)?.abandoned ?? []).map((node) => jobGarbage(this.#key, name, node)),
    );
    await writeGarbage(this.#deps.objects, this.#key.pipeline, this.#task.run, lines);
  }

  /** A job has landed: what stood in its place is shown no more. */
  async #forgetPrevious({ sk, previous }: PartitionRecord): Promise<void> {
    if (previous === undefined) return;
    if (!(await this.#deps.partitions.markThere(this.#key, sk, this.#plan, { remove: ['previous'] })))
      throw new PlanSupersededError();
  }

  #isForced(name: string): boolean {
    const { active, identity } = this.#task;
    const { all, names } = forcing(active, [...identity.path, name]);
    return all || names.size > 0;
  }

  /**
   * Makes a child node of this plan's own, unless another plan has made it since the items were read: a node has one id, or
   * the plan that read the other waited for it for ever.
   *
   * @returns the item that another plan made
   */
  async #childMadeAnew(
    listed: ListingChild,
    item: PartitionRecord | undefined,
    { set, remove }: { set: Change['set']; remove: readonly string[] },
    carried: Plan | undefined,
    job?: JobChoice,
  ): Promise<PartitionRecord | undefined> {
    const { partitions } = this.#deps;
    const change = {
      set: { ...set, child: this.#ownIdOf(listed) },
      remove: job?.previous ? remove : [...remove, 'previous'],
    };
    for (let read = item; ; ) {
      if (await partitions.makeAnew(this.#key, listed.sk, this.#plan, read?.plan, change)) return undefined;
      read = await partitions.get(this.#key, listed.sk);
      if (read && read.plan > this.#plan) throw new PlanSupersededError();
      if (read?.child && !wasRemoved(read, carried) && (!job || read.madeFor === job.madeFor)) return read;
    }
  }

  /** Children whose fingerprint is the one with which all below them landed, where the pipeline trusts that. */
  async #trusted(children: Diff<ListingChild>['children'], childChanged: number): Promise<ReadonlySet<string>> {
    const { pipeline } = this.#task;
    if (!pipeline.trustPrefixFingerprint) return new Set();
    const known = children.flatMap(({ listed, item, anew }) =>
      item?.child && !anew && listed.kind !== 'job' && listed.fingerprint !== '' && !this.#isForced(listed.name)
        ? [{ listed, child: item.child }]
        : [],
    );
    const nodes = await this.#deps.nodes.getMany(
      this.#key.pipeline,
      known.map(({ child }) => child),
    );
    const isWhole = ({ state, error, landedVersions }: NodeRecord) =>
      state === 'DONE' && !error && landedVersions === pipeline.versions;
    const landed = new Map(nodes.filter(isWhole).map((node) => [node.id, node]));
    const trusted = known.filter(({ listed, child }) => landed.get(child)?.landedFingerprint === listed.fingerprint);
    // It may have been cut off before it told, and will not be asked to.
    const changed = Math.max(...trusted.map(({ child }) => landed.get(child)!.changed));
    if (changed > childChanged) this.#childChanged = changed;
    return new Set(trusted.map(({ child }) => child));
  }

  async total(members: readonly string[]): Promise<void> {
    await writeGarbage(this.#deps.objects, this.#key.pipeline, this.#task.run, this.#late);
    if (!(await this.#deps.nodes.totalIs(this.#key, this.#plan, members, this.#childChanged)))
      throw new PlanSupersededError();
  }

  /** Rendered once, when it is planned, so that whoever reads, completes or clears knows the same place. */
  keyBase(name: string, metadata: JsonObject): string | undefined {
    const { pipeline, run, identity } = this.#task;
    const { key } = pipeline.land;
    if (key === undefined) return undefined;
    return renderKey(key, { path: [...identity.path, name], run, at: this.#deps.clock(), metadata });
  }

  readMessage(group: number, partitions: readonly string[]): OutgoingMessage {
    const { pipeline, node, layout, shard } = this.#key;
    const body: ReadBytesMessage = {
      pipeline,
      run: this.#task.run,
      node,
      layout,
      shard,
      plan: this.#plan,
      group,
      partitions,
    };
    return this.message(body);
  }

  message(body: ListObjectsMessage | ReadBytesMessage): OutgoingMessage {
    return { body: messageJson(body), group: this.#key.pipeline };
  }

  /** A long read goes on where it was if it would yield the same, which no fingerprint cannot tell. */
  keepsProgress({ progress }: PartitionRecord, { fingerprint }: ListingChild): boolean {
    const isSame = fingerprint !== '' && progress?.fingerprint === fingerprint;
    return isSame && progress.versions === this.#task.pipeline.versions;
  }

  async #mark(sk: string, change: Change, read?: PartitionRecord): Promise<void> {
    const item = await this.#deps.partitions.mark(this.#key, sk, this.#plan, change);
    if (!item) throw new PlanSupersededError();
    this.#noteLate(item, read);
  }

  /** A commit of the plan before came in between: no part names it, and what this plan does now replaces it. */
  #noteLate(item: PartitionRecord, read: PartitionRecord | undefined): void {
    const keys = item.landed ? landedKeys(item.landed) : [];
    if (keys.length > 0 && !(read?.landed && landedKeys(read.landed)[0] === keys[0])) {
      this.#late.push({ kind: 'objects', node: this.#key.node, name: item.name, keys });
    }
  }
}

const childIds = ({ child, previous }: PartitionRecord): string[] => [child, previous].filter((id) => id !== undefined);

const jobFields = (job: JobChoice | undefined, run: number): object =>
  job?.is === 'anew' ? { madeFor: job.madeFor, madeIn: run, ...(job.previous ? { previous: job.previous } : {}) } : {};

/** Everything a plan says about an item. What has landed is not among it. */
export const UNMARKED: readonly string[] = [
  'due',
  'reason',
  'group',
  'gone',
  'failed',
  'error',
  'aside',
  'spare',
  'take',
  'lost',
  'attempts',
  'progress',
  'origin',
  'givenUp',
];
