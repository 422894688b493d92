import { JOB_GONE, type Metadata } from '../connectors/connector.ts';
import type { OpenSource } from '../connectors/service.ts';
import { backoffMs } from '../core/backoff.ts';
import { forEachLimit } from '../core/concurrency.ts';
import { type ErrorFacts, errorFacts, IngestError, isRetryable, retryAfterMs } from '../core/errors.ts';
import { addMs, ms, seconds } from '../core/units.ts';
import { writeGarbage } from '../landing/garbage.ts';
import { dataKey, type LandedFile } from '../landing/keys.ts';
import { attributes, groupMember, type NodeRecord, type ShardKey } from '../nodes/store.ts';
import { type Landed, landedKeys, type PartitionRecord, type Progress } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { landsAs } from '../pipelines/rows.ts';
import type { ReadBytesMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import { Completion } from './completion.ts';
import { type Delivery, nowMs, type RefreshDeps } from './deps.ts';
import { countFailure, endRun } from './failure.ts';
import {
  type OpenBytes,
  type ReadPartitionOptions,
  type ReadResult,
  readPartition,
  SourceError,
} from './read-partition.ts';
import { stopWithinMs } from './time.ts';

/** Small partitions are read side by side to hide the latency of source and store; large ones one after the other. */
export const READS_AT_ONCE = 8;
export const SMALL_BYTES = 4 * 1024 * 1024;
/** A worker that dies takes its partition with it at most so often. */
const LOST_MAX = 3;
const DELAY_MAX_SECONDS = 900;
/** A lease outlives its function by a little, so that nobody takes over what is just ending. */
const LEASE_MARGIN_MS = 30_000;
/** A worker without a deadline renews nothing: after so long its group counts as abandoned. */
const LEASE_MAX_MS = 12 * 3_600_000;

const COMMITTED_CLEARS = ['due', 'reason', 'failed', 'error', 'take', 'lost', 'attempts', 'progress'];

/** What became of a group once its partitions were tried. */
type GroupEnd = { readonly done: true } | { readonly done: false; readonly againInMs: number };

/** Reads the partitions of one group that are still due in its plan, and commits each on its own. */
export class GroupReader {
  readonly #message: ReadBytesMessage;
  readonly #pipeline: Pipeline;
  readonly #deps: RefreshDeps;
  readonly #delivery: Delivery;
  readonly #key: ShardKey;
  /** Of all retries asked for, the soonest; in milliseconds from now. */
  #againInMs: number | undefined;
  #runOver = false;
  /** Another take, or another plan, has a partition of the group: whether all are done is for that one to say. */
  #overtaken = false;

  constructor(message: ReadBytesMessage, pipeline: Pipeline, delivery: Delivery, deps: RefreshDeps) {
    this.#message = message;
    this.#pipeline = pipeline;
    this.#delivery = delivery;
    this.#deps = deps;
    const { node, layout, shard } = message;
    this.#key = { pipeline: pipeline.name, node, layout, shard };
  }

  async read(): Promise<void> {
    const { plan, group } = this.#message;
    const { messageId, deadline } = this.#delivery;
    const now = nowMs(this.#deps);
    const leaseMs = Math.min(deadline.remainingMs() + LEASE_MARGIN_MS, LEASE_MAX_MS);
    const lease = { holder: messageId, now, until: addMs(now, ms(leaseMs)) };
    const take = await this.#deps.nodes.takeGroup(this.#key, plan, group, lease);
    if (take === undefined) {
      // Dropped, not failed: the sweep sends it again when the lease is over and it is not done.
      this.#deps.log.debug('group is leased', { ...this.#facts() });
      return;
    }
    const end = await this.#readDue(take);
    if (this.#runOver || this.#overtaken) return;
    if (end.done) {
      await new Completion(this.#pipeline.name, this.#deps).memberDone(this.#key, plan, groupMember(group), {
        retaken: take > 1,
      });
      return;
    }
    const delaySeconds = Math.min(DELAY_MAX_SECONDS, Math.ceil(end.againInMs / 1000));
    // What the source asked for holds for the sweep too.
    const until = delaySeconds === 0 ? undefined : addMs(nowMs(this.#deps), seconds(delaySeconds));
    await this.#deps.nodes.releaseGroup(this.#key, plan, group, messageId, until);
    await this.#deps.queues.send('read-bytes', [
      { body: messageJson(this.#message), delaySeconds, group: this.#pipeline.name },
    ]);
  }

  async #readDue(take: number): Promise<GroupEnd> {
    const { partitions, plan, pipeline, node } = this.#message;
    const items = await this.#deps.partitions.getMany(this.#key, partitions);
    const due = items.filter((item) => item.plan === plan && item.due !== undefined && !item.failed && !item.gone);
    if (due.length === 0) return { done: true };
    const reader = await this.#deps.nodes.get(pipeline, node);
    if (reader?.plan !== plan) {
      // A newer plan may have looked for what takes leave behind before this one began; what it wrote now nobody would find.
      this.#isOvertaken();
      return { done: true };
    }
    const opened = await this.#open(reader);
    if (!opened) return this.#end();

    // A parquet file is held up to a row group, so what may be large is read alone.
    const unknown = this.#pipeline.land.format === 'parquet' ? Number.POSITIVE_INFINITY : 0;
    const large = due.filter(({ metadata }) => sizeOf(metadata, unknown) > SMALL_BYTES);
    const small = due.filter((item) => !large.includes(item));
    const { deadline } = this.#delivery;
    const stopWithin = stopWithinMs(deadline);
    const one = async (item: PartitionRecord) => {
      if (this.#runOver) return;
      if (deadline.remainingMs() < stopWithin) return this.#again(0);
      await this.#readOne(item, take, reader, opened, stopWithin);
    };
    // A partition that kills its worker must not take those beside it with it.
    await forEachLimit(small, take === 1 ? READS_AT_ONCE : 1, one);
    await forEachLimit(large, 1, one);
    return this.#end();
  }

  #end(): GroupEnd {
    return this.#againInMs === undefined ? { done: true } : { done: false, againInMs: this.#againInMs };
  }

  /** Without a context nothing can be read: tried again, or the end of the run. */
  async #open(node: NodeRecord): Promise<OpenSource | undefined> {
    try {
      return await this.#deps.connectors.open(this.#pipeline, this.#delivery.deadline.signal);
    } catch (error) {
      if (isRetryable(error) && this.#delivery.receiveCount <= this.#pipeline.retries) throw error;
      const facts = errorFacts(error, this.#deps.redactor.redact);
      this.#deps.log.error('the source could not be opened', { ...this.#facts(), path: node.path, error: facts });
      await this.#endRun(facts);
      return undefined;
    }
  }

  async #readOne(
    item: PartitionRecord,
    take: number,
    node: NodeRecord,
    source: OpenSource,
    stopWithin: number,
  ): Promise<void> {
    try {
      await this.#readClaimed(item, take, node, source, stopWithin);
    } catch (error) {
      if (!(error instanceof TakenOverError)) throw error;
      this.#isOvertaken();
    }
  }

  async #readClaimed(
    item: PartitionRecord,
    take: number,
    node: NodeRecord,
    source: OpenSource,
    stopWithin: number,
  ): Promise<void> {
    const claimed = await this.#claim(item, take, node);
    if (!claimed) return;
    const log = this.#deps.log.with({ ...this.#facts(), path: [...node.path, item.name], take });
    let result: ReadResult | 'suspended';
    try {
      const path = [...node.path, item.name];
      const format = landsAs(this.#pipeline, path);
      const options: ReadPartitionOptions = {
        pipeline: this.#pipeline,
        run: this.#message.run,
        path,
        metadata: item.metadata as unknown as Metadata,
        fingerprint: item.due!,
        attempt: item.attempts ?? 0,
        progress: item.progress,
        keyOf: (segment, file) => this.#objectKey(item, take, segment, file ?? format),
        saveProgress: (progress) => this.#saveProgress(claimed, progress, take),
        deadline: this.#delivery.deadline,
        stopWithinMs: stopWithin,
        segmentBytes: this.#deps.sizes.segmentBytes,
        log,
        metric: (name, value) => log.info('metric', { metric: name, value }),
        warn: (message) =>
          this.#deps.runs.warn(this.#pipeline.name, this.#message.run, this.#deps.redactor.redact(message)),
        at: this.#deps.clock(),
        spoolFolder: this.#deps.spoolFolder,
      };
      result = await this.#read(source, options, format !== undefined);
    } catch (error) {
      const cause = error instanceof SourceError ? error.cause : error;
      if (cause instanceof TakenOverError) throw cause;
      if (!(error instanceof SourceError)) return this.#storeFailed(error);
      return this.#sourceFailed(claimed, cause, error.offset, node);
    }
    if (result === 'suspended') {
      await this.#deps.partitions.changeIfDue(this.#key, claimed.now(), { remove: ['lost'] });
      this.#again(0);
      return;
    }
    await this.#commit(claimed, result, take);
  }

  async #read(source: OpenSource, options: ReadPartitionOptions, asRows: boolean): Promise<ReadResult | 'suspended'> {
    if (isOfBytes(source) && !asRows) return readPartition(source, this.#deps.objects, options);
    // Parsers and writers are loaded where there is something to parse.
    const { readRows } = await import('./read-rows.ts');
    return readRows(source, this.#deps.objects, options);
  }

  /**
   * From the second take on a partition is marked before it is read, so that the one which kills its worker is known and
   * fails alone.
   */
  async #claim(item: PartitionRecord, take: number, node: NodeRecord): Promise<Claim | undefined> {
    const claim = new Claim(item);
    if (take === 1) return claim;
    const marked = await this.#deps.partitions.claim(this.#key, claim.now(), take);
    if (!marked) return this.#isOvertaken();
    claim.take = take;
    if ((marked.lost ?? 0) <= LOST_MAX) return claim;
    await this.#fail(claim, errorFacts(new WorkerLostError(marked.lost! - 1)), node);
    return undefined;
  }

  async #saveProgress(claim: Claim, progress: Progress, take: number): Promise<void> {
    // Segments and cursor have one writer: from the first checkpoint on the item names the take.
    if (claim.take === undefined) {
      const claimed = await this.#deps.partitions.claim(this.#key, claim.now(), take);
      if (!claimed) return this.#comesTooLate(claim.item, segmentKeys(progress));
      claim.take = take;
    }
    const change = { set: attributes({ progress }), remove: ['lost'] };
    const saved = await this.#deps.partitions.changeIfDue(this.#key, claim.now(), change);
    // A newer plan that has not seen this checkpoint would not look for a segment that comes after it.
    if (!saved || !(await this.#isPlanned())) await this.#comesTooLate(claim.item, segmentKeys(progress));
  }

  /** One conditional write makes the bytes real: still due, in this plan, with this fingerprint. */
  async #commit(claim: Claim, result: ReadResult, take: number): Promise<void> {
    const { item } = claim;
    const landed = this.#landed(item, result);
    const kept = item.landed !== undefined && landed.objects === item.landed.objects;
    const spare = kept ? landedKeys(result) : [];
    const committed = await this.#deps.partitions.changeIfDue(this.#key, claim.now(), {
      set: attributes({ landed, ...(spare.length > 0 ? { spare } : {}) }),
      // The group stays: it tells where other takes may have written.
      // What a feed has yielded it does not yield again, so its metadata stays.
      remove: [...COMMITTED_CLEARS, ...(item.number === undefined ? ['metadata'] : [])],
    });
    if (!committed) return this.#comesTooLate(item, landedKeys(result));
    this.#deps.log.debug('partition landed', { ...this.#facts(), partition: item.name, take, bytes: result.bytes });
  }

  /** @throws {TakenOverError} always, once what was written for nothing is on the garbage list */
  async #comesTooLate(item: PartitionRecord, keys: readonly string[]): Promise<never> {
    this.#deps.log.info('a read came too late', { ...this.#facts(), partition: item.name });
    // The plan that came first may have looked for what older ones left before this take began.
    const { pipeline, run, node } = this.#message;
    if (keys.length > 0)
      await writeGarbage(this.#deps.objects, pipeline, run, [{ kind: 'objects', node, name: item.name, keys }]);
    throw new TakenOverError();
  }

  async #isPlanned(): Promise<boolean> {
    const { pipeline, node, plan } = this.#message;
    return (await this.#deps.nodes.get(pipeline, node))?.plan === plan;
  }

  #isOvertaken(): undefined {
    this.#overtaken = true;
  }

  #landed(item: PartitionRecord, result: ReadResult): Landed {
    const { sha256, bytes, chunks, objects, format, rows, errors, facts } = result;
    const { versions, sameContent } = this.#pipeline;
    const fingerprint = item.due!;
    const before = item.landed;
    if (
      before &&
      sameContent === 'keep' &&
      item.reason !== 'FORCED' &&
      before.sha256 === sha256 &&
      before.versions === versions
    ) {
      return { ...before, fingerprint };
    }
    const at = nowMs(this.#deps);
    return {
      fingerprint,
      versions,
      run: this.#message.run,
      reason: item.reason ?? 'NEW',
      at,
      sha256,
      bytes,
      chunks,
      objects,
      ...(format ? { format } : {}),
      ...(rows === undefined ? {} : { rows }),
      ...(errors ? { errors } : {}),
      ...(facts === undefined ? {} : { facts }),
    };
  }

  async #sourceFailed(claim: Claim, error: unknown, offset: number, node: NodeRecord): Promise<void> {
    const attempt = claim.item.attempts ?? 0;
    const facts = { ...errorFacts(error, this.#deps.redactor.redact), offset, attempt };
    const attempts = attempt + 1;
    if (!isRetryable(error) || attempts > this.#pipeline.retries) return this.#fail(claim, facts, node);
    const change = { set: attributes({ attempts, error: facts }), remove: ['lost'] };
    if (!(await this.#deps.partitions.changeIfDue(this.#key, claim.now(), change))) return this.#isOvertaken();
    const delayMs = backoffMs(attempts - 1, this.#deps.random, undefined, retryAfterMs(error));
    this.#deps.log.warn('a read will be tried again', {
      ...this.#facts(),
      path: [...node.path, claim.item.name],
      attempts,
      delayMs,
      error: facts,
    });
    this.#again(delayMs);
  }

  /** Failed and visible, with its error; what had landed before still stands. */
  async #fail(claim: Claim, error: ErrorFacts, node: NodeRecord): Promise<void> {
    const change = { set: attributes({ failed: true, error }), remove: ['lost'] };
    if (!(await this.#deps.partitions.changeIfDue(this.#key, claim.now(), change))) return this.#isOvertaken();
    this.#deps.log.error('a partition failed', { ...this.#facts(), path: [...node.path, claim.item.name], error });
    // What the job made is gone, so no retry of this read would help: the next run has the job done again.
    if (error.code === JOB_GONE && node.kind === 'job')
      await this.#deps.nodes.changeInPlan(this.#pipeline.name, node.id, this.#message.plan, { set: { spent: true } });
    if (await countFailure(this.#pipeline, this.#message.run, node.kind, error, this.#deps)) this.#runOver = true;
  }

  /** The store failed, which no partition can help: the message comes again, or the run ends if that is of no use. */
  async #storeFailed(error: unknown): Promise<void> {
    if (!(error instanceof IngestError) || error.retryable) throw error;
    await this.#endRun(errorFacts(error, this.#deps.redactor.redact));
  }

  async #endRun(error: ErrorFacts): Promise<void> {
    this.#runOver = true;
    await endRun(this.#pipeline.name, this.#message.run, { state: 'FAILED', error }, this.#deps);
  }

  #again(inMs: number): void {
    this.#againInMs = Math.min(this.#againInMs ?? Number.POSITIVE_INFINITY, inMs);
  }

  #objectKey(item: PartitionRecord, take: number, segment: number, file: LandedFile | undefined): string {
    const { plan, node, pipeline } = this.#message;
    const compression = file === 'errors' ? 'none' : this.#pipeline.land.compression;
    return dataKey({
      pipeline,
      node,
      sk: item.sk,
      name: item.name,
      fingerprint: item.due!,
      plan,
      take,
      segment,
      file,
      compression,
      base: item.keyBase,
    });
  }

  #facts() {
    const { pipeline, run, node, shard, group } = this.#message;
    return { pipeline, run, node, shard, group };
  }
}

/** A due partition as it was read, and the take that its item names by now. */
class Claim {
  readonly item: PartitionRecord;
  take: number | undefined;

  constructor(item: PartitionRecord) {
    this.item = item;
    this.take = item.take;
  }

  now(): { sk: string; plan: PartitionRecord['plan']; due: string; take?: number } {
    const { sk, plan, due } = this.item;
    return { sk, plan, due: due!, ...(this.take === undefined ? {} : { take: this.take }) };
  }
}

const isOfBytes = (source: OpenSource): source is OpenBytes => source.connector.kind !== 'records';

const segmentKeys = ({ segments }: Progress): string[] => segments.map(({ key }) => key);

const sizeOf = (metadata: PartitionRecord['metadata'], unknown: number): number =>
  typeof metadata?.size === 'number' ? metadata.size : unknown;

/** The worker that read the partition was killed, ran out of memory or was cut off, several times. */
export class WorkerLostError extends IngestError {
  override readonly name = 'WorkerLostError';
  readonly code = 'WorkerLost';
  readonly retryable = false;
  constructor(times: number) {
    super(`the function that read this partition was lost ${times} times; it may need more memory than there is`);
  }
}

/** Another take reads this partition now; whatever this one has is of no use. */
class TakenOverError extends IngestError {
  override readonly name = 'TakenOverError';
  readonly code = 'TakenOver';
  readonly retryable = false;
}
