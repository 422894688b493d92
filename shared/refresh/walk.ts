import { errorFacts, IngestError } from '../core/errors.ts';
import { runOf } from '../nodes/plan.ts';
import {
  allShardsDone,
  attributes,
  groupMember,
  groupOf,
  isComplete,
  type NodeRecord,
  type Place,
  type ShardKey,
  type ShardRecord,
} from '../nodes/store.ts';
import type { PartitionKind, PartitionRecord } from '../partitions/store.ts';
import type { ListObjectsMessage, ReadBytesMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import type { QueueName } from '../queue/queue.ts';
import { Completion } from './completion.ts';
import { nowMs, type RefreshDeps } from './deps.ts';
import { countFailure } from './failure.ts';
import { listingFailed } from './list-and-plan.ts';
import { identify } from './node-task.ts';

/** What the sweep does with what it finds incomplete: send it again, plan it again, or make it fail visibly. */
export type Remedy = 'resend' | 'replan' | 'fail';

export interface WalkOptions {
  readonly remedy: Remedy;
  /** False where it is known that nobody works: then whoever held a lease was killed. */
  readonly leasesHold: boolean;
}

export interface WalkResult {
  /** What is incomplete: nodes, and what is due. Two walks that saw the same saw no progress. */
  readonly seen: readonly string[];
  /** Groups and listings under a lease: somebody works on them. */
  readonly leased: number;
  readonly sent: number;
}

/** Walks an active run from its root into what is incomplete, and applies the remedy there. */
export class Walk {
  readonly #pipeline: string;
  readonly #run: number;
  readonly #remedy: Remedy;
  readonly #leasesHold: boolean;
  readonly #deps: RefreshDeps;
  readonly #seen: string[] = [];
  #leased = 0;
  #sent = 0;

  constructor(pipeline: string, run: number, { remedy, leasesHold }: WalkOptions, deps: RefreshDeps) {
    this.#pipeline = pipeline;
    this.#run = run;
    this.#remedy = remedy;
    this.#leasesHold = leasesHold;
    this.#deps = deps;
  }

  /** Somebody works there; counted, since that is progress. */
  #holds(until: number): boolean {
    const holds = this.#leasesHold && until > nowMs(this.#deps);
    if (holds) this.#leased += 1;
    return holds;
  }

  async from(root: string): Promise<WalkResult> {
    await this.#node({ pipeline: this.#pipeline, run: this.#run, node: root });
    return { seen: this.#seen, leased: this.#leased, sent: this.#sent };
  }

  /** Its end sends the node's message again, and has limits and a sweep of its own, which finds it by its line. */
  async #waitsForJob(node: string): Promise<boolean> {
    const job = await this.#deps.jobs.latest(this.#pipeline, node);
    const isUnderWay = job !== undefined && (job.status !== 'DONE' || job.dueAt !== undefined);
    if (isUnderWay) this.#leased += 1;
    return isUnderWay;
  }

  async #node(message: ListObjectsMessage, kind?: PartitionKind): Promise<void> {
    const loaded = await this.#deps.nodes.load(this.#pipeline, message.node);
    const node = loaded?.node;
    const planned = node?.plan !== undefined && runOf(node.plan) === this.#run;
    if (!planned || node.state === 'PLANNED') {
      if (kind === 'job' && (await this.#waitsForJob(message.node))) return;
      if (node?.lease?.run === this.#run && this.#holds(node.lease.until)) return;
      this.#note(message.node);
      if (this.#remedy === 'fail') return this.#failNode(message, node);
      return this.#send('list-objects', message);
    }
    // Done, or all below it is: it has only to tell again.
    if (node.state === 'DONE' || allShardsDone(node)) {
      this.#note(`${message.node} done`);
      return this.#send('list-objects', message);
    }
    const incomplete = (node.shards ?? []).filter((number) => !node.done.has(String(number)));
    if (this.#remedy === 'replan') {
      // Below first: a node that its parent sends anew only tells again, unless it is to be planned itself.
      for (const number of incomplete) await this.#shard(message, node, number, loaded?.shards.get(number));
      await this.#deps.nodes.changeInPlan(this.#pipeline, node.id, node.plan!, { set: { state: 'PLANNED' } });
      this.#note(`${message.node} ${node.version} planned again`);
      return this.#send('list-objects', message);
    }
    for (const number of incomplete) await this.#shard(message, node, number, loaded?.shards.get(number));
  }

  async #shard(
    message: ListObjectsMessage,
    node: NodeRecord,
    number: number,
    shard: ShardRecord | undefined,
  ): Promise<void> {
    const key: ShardKey = { pipeline: this.#pipeline, node: node.id, layout: node.layout.id, shard: number };
    if (shard?.plan !== node.plan || isComplete(shard!)) {
      this.#note(`${node.id} ${number} whole`);
      return this.#send('list-objects', message);
    }
    const waiting = (member: string) => shard!.total?.has(member) === true && !shard!.done.has(member);
    const children = new Set<string>();
    const groups = new Map<number, PartitionRecord[]>();
    for await (const item of this.#deps.partitions.all(key)) {
      if (item.child && waiting(item.child)) {
        children.add(item.child);
        await this.#child(key, shard!, item);
      } else if (item.group !== undefined && item.plan === shard!.plan && waiting(groupMember(item.group))) {
        groups.set(item.group, [...(groups.get(item.group) ?? []), item]);
      }
    }
    for (const member of shard!.total ?? []) {
      if (!waiting(member)) continue;
      const group = groupOf(member);
      if (group !== undefined) groups.set(group, groups.get(group) ?? []);
      else if (!children.has(member)) await this.#lostChild(key, shard!, member);
    }
    if (this.#remedy === 'replan') return;
    const leases = await this.#deps.nodes.groups(key, shard!.plan!);
    this.#note(`${node.id} ${number} ${[...groups.values()].flat().filter(isDue).length}`);
    for (const [group, items] of groups) {
      if (!this.#holds(leases.get(group)?.leasedUntil ?? 0)) await this.#group(key, node.kind, shard!, group, items);
    }
  }

  async #child(key: ShardKey, shard: ShardRecord, item: PartitionRecord): Promise<void> {
    const place: Place = { node: key.node, layout: key.layout, shard: key.shard, plan: shard.plan! };
    const message: ListObjectsMessage = {
      pipeline: this.#pipeline,
      run: this.#run,
      node: item.child!,
      place,
      key: item.sk,
      ...(item.metadataId ? { metadataId: item.metadataId } : {}),
    };
    await this.#node(message, item.kind);
  }

  /** No item names it any more, so nobody will ever tell that it is done. */
  async #lostChild(key: ShardKey, { plan }: ShardRecord, child: string): Promise<void> {
    this.#note(`${key.node} ${key.shard} lost ${child}`);
    if (this.#remedy === 'fail') await new Completion(this.#pipeline, this.#deps).memberDone(key, plan!, child);
  }

  async #group(
    key: ShardKey,
    kind: NodeRecord['kind'],
    shard: ShardRecord,
    group: number,
    items: readonly PartitionRecord[],
  ): Promise<void> {
    const plan = shard.plan!;
    const due = items.filter(isDue);
    if (this.#remedy === 'fail') {
      const error = errorFacts(new StuckError());
      for (const { sk, due: fingerprint, take } of due) {
        const claim = { sk, plan, due: fingerprint!, ...(take === undefined ? {} : { take }) };
        const change = { set: attributes({ failed: true, error }) };
        if (!(await this.#deps.partitions.changeIfDue(key, claim, change))) continue;
        const pipeline = await this.#deps.pipelines.get(this.#pipeline);
        if (await countFailure(pipeline, this.#run, kind, error, this.#deps)) return;
      }
      return new Completion(this.#pipeline, this.#deps).memberDone(key, plan, groupMember(group), { retaken: true });
    }
    if (due.length === 0)
      return new Completion(this.#pipeline, this.#deps).memberDone(key, plan, groupMember(group), { retaken: true });
    const { node, layout, shard: number } = key;
    const partitions = due.map(({ sk }) => sk);
    const message: ReadBytesMessage = {
      pipeline: this.#pipeline,
      run: this.#run,
      node,
      layout,
      shard: number,
      plan,
      group,
      partitions,
    };
    await this.#send('read-bytes', message);
  }

  /** A node whose listing never ends, whoever tries: it stays as it was, and says so. */
  async #failNode(message: ListObjectsMessage, node: NodeRecord | undefined): Promise<void> {
    const pipeline = await this.#deps.pipelines.get(this.#pipeline);
    const active = await this.#deps.runs.active(this.#pipeline);
    const identity = await identify(message, node, this.#deps);
    const loaded = await this.#deps.nodes.load(this.#pipeline, message.node);
    if (!identity || active?.active !== this.#run) return;
    const task = {
      pipeline,
      run: this.#run,
      active,
      id: message.node,
      identity,
      shards: loaded?.shards ?? new Map<number, ShardRecord>(),
      ...(message.place ? { place: message.place } : {}),
      ...(node ? { node } : {}),
    };
    await listingFailed(task, new StuckError(), this.#deps);
  }

  #note(what: string): void {
    this.#seen.push(what);
  }

  async #send(queue: QueueName, message: ListObjectsMessage | ReadBytesMessage): Promise<void> {
    this.#sent += 1;
    await this.#deps.queues.send(queue, [{ body: messageJson(message), group: this.#pipeline }]);
  }
}

const isDue = ({ due, failed }: PartitionRecord) => due !== undefined && !failed;

/** Sent and planned again several times, and nothing came of it. */
export class StuckError extends IngestError {
  override readonly name = 'StuckError';
  readonly code = 'Stuck';
  readonly retryable = false;
  constructor() {
    super(
      'no progress after it was sent three times and planned three times again; the dead-letter queues and logs may say why',
    );
  }
}
