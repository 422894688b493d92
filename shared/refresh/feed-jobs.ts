import { forEachLimit } from '../core/concurrency.ts';
import { idOf } from '../core/ids.ts';
import { writeGarbage } from '../landing/garbage.ts';
import { type FeedChild, metadataIdOf } from '../listing/listing.ts';
import type { Plan } from '../nodes/plan.ts';
import { attributes, type NodeRecord, type ShardKey, type ShardRecord } from '../nodes/store.ts';
import { numberKey, type PartitionRecord } from '../partitions/store.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import { nowMs, PlanSupersededError, type RefreshDeps } from './deps.ts';
import { chooseJob } from './job-children.ts';
import type { NodeTask } from './node-task.ts';
import { jobGarbage } from './orphans.ts';
import { UNMARKED } from './plan-shard.ts';

/** A partition of a feed as a plan wants it: one of those listed now, under its number. */
export interface Numbered {
  readonly number: number;
  readonly child: FeedChild;
}

/** What was planned before. */
interface PlannedJobs {
  readonly committed: readonly PartitionRecord[];
  /** The first number of the newest generation. */
  readonly newestFrom: number;
}

const WRITES_AT_ONCE = 32;

/** The jobs of one shard of a feed: those listed now get a node each, those planned before that have not landed go on. */
export class FeedJobs {
  readonly #task: NodeTask;
  readonly #key: ShardKey;
  readonly #plan: Plan;
  readonly #deps: RefreshDeps;

  constructor(task: NodeTask, key: ShardKey, plan: Plan, deps: RefreshDeps) {
    this.#task = task;
    this.#key = key;
    this.#plan = plan;
    this.#deps = deps;
  }

  /** @returns what is to be listed, once the plan counts */
  async plan(shard: ShardRecord, planned: PlannedJobs, fresh: readonly Numbered[]): Promise<ListObjectsMessage[]> {
    const messages = await this.#goOn(shard, planned);
    await forEachLimit(fresh, WRITES_AT_ONCE, async ({ number, child }) => {
      const { name, metadata, fingerprint, generation, position } = child;
      const { madeFor } = chooseJob(undefined, NO_NODES, this.#context(fingerprint));
      const fields = {
        ...{ name, kind: 'job', metadata, metadataId: metadataIdOf(metadata), number, generation, position },
        ...{ child: this.#ownIdOf(name, number), madeFor, madeIn: this.#task.run, plannedAt: nowMs(this.#deps) },
      };
      const set = attributes(fields);
      const remove = [...UNMARKED, ...FRESH_CLEARS].filter((name) => set[name] === undefined);
      const made = await this.#deps.partitions.mark(this.#key, numberKey(number), this.#plan, { set, remove });
      if (!made) throw new PlanSupersededError();
      messages.push(this.#message(made, shard));
    });
    return messages;
  }

  /** Only those are looked at that had not landed when the shard was last completed, or came later. */
  async #goOn(shard: ShardRecord, { committed, newestFrom }: PlannedJobs): Promise<ListObjectsMessage[]> {
    const { missing = [], end = 0 } = shard.feed ?? {};
    const open = new Set(missing);
    const jobs = committed.filter(
      ({ kind, number, givenUp }) => kind === 'job' && !givenUp && (number! >= end || open.has(number!)),
    );
    const ids = jobs.flatMap(({ child }) => (child ? [child] : []));
    const nodes = new Map((await this.#deps.nodes.getMany(this.#key.pipeline, ids)).map((node) => [node.id, node]));
    const messages: ListObjectsMessage[] = [];
    await forEachLimit(jobs, WRITES_AT_ONCE, async (item) => {
      // What failed there the newer generation is there to replace.
      if (item.number! < newestFrom && nodes.get(item.child!)?.error) return;
      const fingerprint = String(item.metadata?.fingerprint);
      // What a feed has planned stays as it was planned: other code does not have it done again.
      const choice = chooseJob({ ...item, madeFor: this.#madeFor(fingerprint) }, nodes, this.#context(fingerprint));
      if (choice.is === 'whole') return;
      messages.push(this.#message(choice.is === 'keep' ? item : await this.#madeAnew(item, choice.abandoned), shard));
    });
    return messages;
  }

  async #madeAnew(item: PartitionRecord, abandoned: readonly string[]): Promise<PartitionRecord> {
    const { name, number, sk } = item;
    const lines = abandoned.map((node) => jobGarbage(this.#key, name, node));
    await writeGarbage(this.#deps.objects, this.#key.pipeline, this.#task.run, lines);
    const set = attributes({ child: this.#ownIdOf(name, number!), madeIn: this.#task.run });
    const made = await this.#deps.partitions.mark(this.#key, sk, this.#plan, { set });
    if (!made) throw new PlanSupersededError();
    return made;
  }

  #message({ sk, child, metadataId }: PartitionRecord, { childChanged }: ShardRecord): ListObjectsMessage {
    const { pipeline, node, layout, shard } = this.#key;
    const place = { node, layout, shard, plan: this.#plan, childChanged };
    return { pipeline, run: this.#task.run, node: child!, place, key: sk, ...(metadataId ? { metadataId } : {}) };
  }

  #ownIdOf(name: string, number: number): string {
    return idOf(this.#key.node, 'job', name, String(number), this.#plan);
  }

  #madeFor(fingerprint: string): string {
    return chooseJob(undefined, NO_NODES, this.#context(fingerprint)).madeFor;
  }

  #context(fingerprint: string) {
    return { fingerprint, versions: this.#task.pipeline.versions, run: this.#task.run, isForced: false };
  }
}

const NO_NODES: ReadonlyMap<string, NodeRecord> = new Map();
/** What a plan that never counted may have left under the number. */
const FRESH_CLEARS = ['landed', 'generation', 'position', 'keyBase', 'previous'];
