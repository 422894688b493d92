import { NODES_AHEAD } from '../landing/manifest.ts';
import { SHARDS_AT_ONCE } from '../refresh/plan-folder.ts';
import { WRITES_AT_ONCE } from '../refresh/plan-shard.ts';
import { FLAT_MANIFEST_MAX_PARTITIONS } from '../refresh/publish.ts';
import { READS_AT_ONCE, SMALL_BYTES } from '../refresh/read-group.ts';
import type { Deployment, FunctionName, FunctionSettings } from './deployment.ts';
import type { Tariff } from './tariff.ts';
import type { Weights } from './weights.ts';
import { type FolderWork, isBuilt, isPlanned, type RunWork, type ShardWork } from './work.ts';

/** How long functions work in a refresh, if no quota holds them up. */
export interface FunctionWork {
  readonly invocations: number;
  /** Of all invocations together. */
  readonly seconds: number;
  /** The longest that cannot be cut: one listing with its planning, or one group. */
  readonly longestSeconds: number;
}

export type Durations = Readonly<Record<FunctionName, FunctionWork>>;

/** Latencies one after the other where the steps wait for each other, and never less than processor and network need. */
export class Clocked {
  readonly #tariff: Tariff;
  readonly #deployment: Deployment;
  readonly #weights: Weights;

  constructor(tariff: Tariff, deployment: Deployment, weights: Weights) {
    this.#tariff = tariff;
    this.#deployment = deployment;
    this.#weights = weights;
  }

  durations(folders: readonly FolderWork[], run: RunWork): Durations {
    const speeds = this.#tariff.speeds;
    return {
      'start-refresh': once(5 * speeds['dynamodb.seconds'] + speeds['sqs.seconds']),
      'list-objects': this.#lists(folders),
      'read-bytes': this.#reads(folders),
      'finish-refresh': once(this.#finishSeconds(run)),
    };
  }

  #cpuSeconds(name: FunctionName, requests: number): number {
    return (requests * this.#tariff.speeds['cpu.requestSeconds']) / this.#cpus(name);
  }

  #cpus(name: FunctionName): number {
    return this.#deployment.functions[name].memoryMb / this.#tariff.speeds['lambda.mbPerCpu'];
  }

  /** A batch of listings waits side by side, and shares one processor. */
  #lists(folders: readonly FolderWork[]): FunctionWork {
    const { batchSize, timeoutSeconds } = this.#deployment.functions['list-objects'];
    const total = { invocations: 0, seconds: 0, longestSeconds: 0 };
    for (const folder of folders) {
      const { waits, cpu } = this.#listOf(folder);
      const batch = Math.min(batchSize, Math.max(1, folder.folders));
      const seconds = Math.max(waits, batch * cpu);
      // One that takes long goes on in another invocation.
      const pieces = Math.ceil(seconds / timeoutSeconds);
      total.invocations += (folder.folders / batch) * pieces;
      total.seconds += (folder.folders / batch) * seconds;
      total.longestSeconds = Math.max(total.longestSeconds, waits, cpu);
    }
    return total;
  }

  #listOf({ shards }: FolderWork): { waits: number; cpu: number } {
    const speeds = this.#tariff.speeds;
    const quotas = this.#tariff.quotas;
    const names = sum(shards, (one) => one.shards * listedIn(one));
    const pages = Math.max(1, Math.ceil(names / speeds['source.page']));
    const planned = shards.filter(isPlanned);
    let waits = pages * speeds['source.pageSeconds'] + ROUND_TRIPS_OF_LISTING * speeds['dynamodb.seconds'];
    let requests = pages + ROUND_TRIPS_OF_LISTING;
    for (const shard of planned) {
      const marks = marksOf(shard);
      const fast = Math.ceil(marks / WRITES_AT_ONCE) * speeds['dynamodb.seconds'];
      // The items of a shard have one key.
      const writing = Math.max(fast, marks / quotas['dynamodb.keyWriteUnits']);
      const each =
        ROUND_TRIPS_OF_SHARD * speeds['dynamodb.seconds'] + Math.ceil(shard.groups / 10) * speeds['sqs.seconds'];
      waits += (shard.shards * (each + writing)) / Math.min(SHARDS_AT_ONCE, planned.length * shard.shards);
      requests += shard.shards * (marks + ROUND_TRIPS_OF_SHARD);
    }
    const cpu =
      this.#cpuSeconds('list-objects', requests) + (names * speeds['cpu.nameSeconds']) / this.#cpus('list-objects');
    return { waits, cpu };
  }

  #reads(folders: readonly FolderWork[]): FunctionWork {
    const total = { invocations: 0, seconds: 0, longestSeconds: 0 };
    for (const { folders: count, shards } of folders) {
      for (const shard of shards) {
        const groups = count * shard.shards * shard.groups;
        if (groups === 0) continue;
        const group = this.#groupSeconds(shard);
        const completes = isBuilt(shard) ? this.#completeSeconds(shard) : 0;
        total.invocations += groups;
        total.seconds += groups * group + count * shard.shards * completes;
        total.longestSeconds = Math.max(total.longestSeconds, group + completes);
      }
    }
    return total;
  }

  #groupSeconds({ groups, fresh, changed, dueBytes, dataRequests }: ShardWork): number {
    const speeds = this.#tariff.speeds;
    const partitions = (fresh + changed) / groups;
    const bytes = dueBytes / groups;
    const objects = dataRequests / groups;
    const atOnce = bytes / partitions > SMALL_BYTES ? 1 : READS_AT_ONCE;
    const each = speeds['source.openSeconds'] + speeds['s3.seconds'] + speeds['dynamodb.seconds'];
    const waits = (partitions / Math.min(atOnce, partitions)) * each;
    const moving = bytes / speeds['lambda.bytesPerSecond'];
    const cpu = this.#cpuSeconds('read-bytes', partitions * 2 + objects + ROUND_TRIPS_OF_GROUP);
    // Of large partitions the next begins when one has gone through; of small ones waiting and moving overlap.
    const reading = atOnce === 1 ? waits + moving : Math.max(waits, moving);
    return ROUND_TRIPS_OF_GROUP * speeds['dynamodb.seconds'] + Math.max(reading, cpu);
  }

  #completeSeconds(shard: ShardWork): number {
    const speeds = this.#tariff.speeds;
    const bytes = (shard.heldLeaves + shard.fresh) * (this.#weights.landedItem + 2 * this.#weights.partEntry);
    const requests = ROUND_TRIPS_OF_COMPLETION * speeds['dynamodb.seconds'] + 3 * speeds['s3.seconds'];
    return (
      requests + bytes / speeds['lambda.bytesPerSecond'] + this.#cpuSeconds('read-bytes', ROUND_TRIPS_OF_COMPLETION)
    );
  }

  #finishSeconds({ partitions, parts, folders, changes }: RunWork): number {
    const speeds = this.#tariff.speeds;
    // For the flat manifests the whole tree is read, some nodes at a time.
    const reads = changes && partitions <= FLAT_MANIFEST_MAX_PARTITIONS ? parts + folders : 0;
    const waiting = (4 + reads / NODES_AHEAD) * speeds['s3.seconds'];
    return 10 * speeds['dynamodb.seconds'] + waiting + this.#cpuSeconds('finish-refresh', reads);
  }
}

/** Requests that wait for each other. */
const ROUND_TRIPS_OF_LISTING = 8;
const ROUND_TRIPS_OF_SHARD = 4;
const ROUND_TRIPS_OF_GROUP = 5;
const ROUND_TRIPS_OF_COMPLETION = 8;

const once = (seconds: number): FunctionWork => ({ invocations: 1, seconds, longestSeconds: seconds });

export const listedIn = ({ heldLeaves, fresh, removed, nodes }: ShardWork): number =>
  heldLeaves + fresh - removed + nodes;

/** Writes to the items of a shard while it is planned. */
export const marksOf = ({ fresh, changed, removed, newNodes, removedNodes }: ShardWork): number =>
  fresh + changed + removed + newNodes + removedNodes;

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

export const gbSeconds = ({ seconds }: FunctionWork, { memoryMb }: FunctionSettings): number =>
  (seconds * memoryMb) / 1024;
