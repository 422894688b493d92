import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deadline } from '../core/deadline.ts';
import { errorFacts, isRetryable } from '../core/errors.ts';
import { type EpochMs, epochMs } from '../core/units.ts';
import { pathText } from '../landing/flat-manifest.ts';
import { latestKey } from '../landing/keys.ts';
import { readLatest } from '../landing/manifest.ts';
import { ParseError } from '../parsers/errors.ts';
import type { Pipeline } from '../pipelines/define.ts';
import {
  type Generation,
  PartitionRefusedError,
  type SinkSession,
  SinkStartOverError,
  SinkTakenOverError,
  SinkUndecidedError,
  type StreamSink,
  type Transition,
} from '../sinks/sink.ts';
import { changesAnew, refusedChanges, type UploadChange } from './changes.ts';
import type { UploadDeps } from './deps.ts';
import { type ManifestChange, manifestChanges } from './diff.ts';
import { findLeaf, landedBytes, recordsOf, rowsOf, sinkPartition } from './partition.ts';
import { LEASE_MS, Progress } from './progress.ts';
import { Refusals } from './refusals.ts';
import { rejectRows } from './rejected.ts';
import type { AppliedManifest, SinkRecord, UploadedVersion, UploadTarget } from './store.ts';

const PARALLEL = 4;

/** How an invocation left a sink. */
export type UploadEnd = 'up to date' | 'out of time' | 'held by another';

/**
 * Brings one sink from the manifest it has applied to the newest published one, change by change in their order; what it comes
 * to is kept as it goes, so that whoever goes on begins there. Of several that do so at a time one does.
 *
 * @throws what the sink, its credential or the store throws; the sink is left where it was, and free
 */
export async function bringOn(
  pipeline: Pipeline,
  sink: StreamSink,
  { messageId: holder, deadline }: { readonly messageId: string; readonly deadline: Deadline },
  stopWithinMs: number,
  deps: UploadDeps,
): Promise<UploadEnd> {
  const now = (): EpochMs => epochMs(deps.clock());
  let record = await deps.sinks.want(pipeline.name, sink.name);
  const claimed = await deps.sinks.claim(pipeline.name, sink.name, holder, now(), LEASE_MS);
  if (!claimed) return 'held by another';
  record = claimed;
  try {
    for (;;) {
      // What was begun is finished first; what only was meant to begin may as well be newer.
      const target = hasBegun(record)
        ? record.target
        : ((await newestOf(pipeline.name, record, deps)) ?? redriveOf(record));
      if (!target) {
        const released = await deps.sinks.release(record, holder, { attempts: 0 });
        if (released) return 'up to date';
        const again = await deps.sinks.get(pipeline.name, sink.name);
        if (again?.holder !== holder || again.claims !== record.claims) return 'held by another';
        record = again;
        continue;
      }
      const upload = new Upload(pipeline, sink, record, target, holder, deadline, stopWithinMs, deps);
      const end = await upload.run();
      record = upload.record;
      if (end === 'out of time') {
        await deps.sinks.letGo(record, holder);
        return end;
      }
    }
  } catch (error) {
    if (error instanceof SinkTakenOverError) return 'held by another';
    const facts = errorFacts(error, deps.redactor.redact);
    await deps.sinks.letGo(record, holder, { attempts: record.attempts + 1, error: facts, failedAt: now() });
    throw error;
  }
}

const hasBegun = ({ target, place, ahead, rows, kept }: SinkRecord): boolean =>
  target !== undefined &&
  (target.touched === true || place > 0 || ahead.length > 0 || Object.keys(rows).length > 0 || kept !== undefined);

/** @returns undefined if the sink has applied what is published */
async function newestOf(
  pipeline: string,
  { applied, anew }: SinkRecord,
  deps: UploadDeps,
): Promise<AppliedManifest | undefined> {
  const latest = (await readLatest(deps.objects, latestKey(pipeline)))?.latest;
  if (!latest || (latest.run === applied?.run && !anew)) return undefined;
  const { run, manifest, publishedAt } = latest;
  return { run, manifest, publishedAt };
}

/** Once what is published is applied, what was refused of it may be tried again. */
const redriveOf = ({ applied, redrive }: SinkRecord): UploadTarget | undefined =>
  applied && redrive !== undefined ? { ...applied, redrive } : undefined;

/** One transition, or the rest of it. */
class Upload {
  readonly #pipeline: Pipeline;
  readonly #sink: StreamSink;
  readonly #target: UploadTarget;
  readonly #deadline: Deadline;
  readonly #stopWithinMs: number;
  readonly #deps: UploadDeps;
  readonly #progress: Progress;
  readonly #refusals: Refusals;
  /** What was applied, if that counts. */
  #before: AppliedManifest | undefined;
  readonly #stop = new AbortController();
  #folder = '';

  constructor(
    pipeline: Pipeline,
    sink: StreamSink,
    record: SinkRecord,
    target: UploadTarget,
    holder: string,
    deadline: Deadline,
    stopWithinMs: number,
    deps: UploadDeps,
  ) {
    this.#pipeline = pipeline;
    this.#sink = sink;
    this.#target = target;
    this.#deadline = deadline;
    this.#stopWithinMs = stopWithinMs;
    this.#deps = deps;
    this.#before = record.anew ? undefined : record.applied;
    const strict = sink.guarantee !== 'idempotent by key';
    const now = () => epochMs(deps.clock());
    this.#progress = new Progress(record, { store: deps.sinks, holder, strict, now });
    this.#refusals = new Refusals(deps.sinks, this.#progress, target.redrive !== undefined);
  }

  get record(): SinkRecord {
    return this.#progress.record;
  }

  async run(): Promise<'applied' | 'out of time'> {
    const { record } = this.#progress;
    const isSame = record.target?.run === this.#target.run && record.target.redrive === this.#target.redrive;
    const began = (isSame ? record.target?.began : undefined) ?? epochMs(this.#deps.clock());
    if (!isSame) await this.#progress.keep({ target: { ...this.#target, began } });
    if (this.#before && !(await this.#isKept(this.#before))) await this.#forgetApplied();
    // Nothing is other than it was: the sink has only to know that it has applied this run.
    if (this.#isRedrive || this.#before?.manifest !== this.#target.manifest) {
      this.#folder = await mkdtemp(join(this.#deps.spoolFolder, 'landfall-sink-'));
      try {
        if (!(await this.#apply())) return 'out of time';
      } finally {
        await rm(this.#folder, { recursive: true, force: true });
      }
    }
    this.#progress.restart();
    const { run, manifest, publishedAt } = this.#target;
    const applied = { run, manifest, publishedAt };
    const asked = this.#isRedrive ? 'redrive' : 'anew';
    const counted = await this.#refusals.counted();
    await this.#progress.keep({ applied, attempts: 0, ...counted }, ['target', 'kept', 'error', 'failedAt', asked]);
    this.#deps.log.info('a sink has applied a manifest', { ...this.#facts(), refused: counted.refused });
    await this.#refusals.forgetSettled();
    return 'applied';
  }

  async #isKept({ manifest }: AppliedManifest): Promise<boolean> {
    return (await this.#deps.objects.head(manifest)) !== undefined;
  }

  /** It lagged so long that nobody can tell any more what has changed since: it begins anew. */
  async #forgetApplied(): Promise<void> {
    this.#deps.log.warn('what a sink has applied is not kept any more: all is uploaded again', this.#facts());
    this.#before = undefined;
    this.#progress.restart();
    const { rewinds = 0 } = this.#progress.record;
    await this.#progress.keep({ rewinds: rewinds + 1 }, ['applied', 'kept']);
  }

  get #isRedrive(): boolean {
    return this.#target.redrive !== undefined;
  }

  /** @returns false if time ran out */
  async #apply(): Promise<boolean> {
    const { rewinds, redrive } = { ...this.#progress.record, ...this.#target };
    const from = this.#isRedrive ? `${redrive}+${this.#target.run}` : `${this.#before?.run ?? 0}`;
    const transition: Transition = {
      ...(this.#before ? { fromRun: this.#before.run } : {}),
      toRun: this.#target.run,
      id: `${this.#pipeline.name}/${this.#sink.name}/${rewinds ? `${rewinds}~` : ''}${from}-${this.#target.run}`,
    };
    const session = await this.#open();
    try {
      await session.begin?.(transition);
      await this.#touch();
      if (!(await this.#changes(session))) {
        await this.#progress.keep({});
        return false;
      }
      await session.commit?.();
      return true;
    } catch (error) {
      if (await this.#isGivenUp(error)) {
        await session
          .abort?.()
          .catch((cause: unknown) => this.#deps.log.warn('a sink could not be aborted', { error: cause }));
      }
      throw error;
    } finally {
      await session.close();
    }
  }

  /**
   * From here on the transition must be finished: a newer one would not remove what only this one brings. Whoever was taken over
   * while it slept is told so here, before it writes anything.
   */
  async #touch(): Promise<void> {
    const { target } = this.#progress.record;
    if (this.#sink.atomic || !target) return;
    await this.#progress.keep(target.touched ? {} : { target: { ...target, touched: true } });
  }

  /** What can be tried again goes on with what was begun, and so does what nobody can tell whether it is in. */
  async #isGivenUp(error: unknown): Promise<boolean> {
    if (error instanceof SinkTakenOverError || error instanceof SinkUndecidedError) return false;
    if (this.#deadline.signal.aborted) return false;
    const startsOver = error instanceof SinkStartOverError;
    if (!startsOver && isRetryable(error)) return false;
    if (!startsOver && !this.#sink.atomic) return true;
    // First it is forgotten: another invocation may have the sink by now, and what was begun is that one's then.
    this.#progress.restart();
    return this.#progress.keep({}, ['kept']).then(
      () => true,
      () => false,
    );
  }

  async #open(): Promise<SinkSession> {
    const { log, redactor, clock, random, secrets } = this.#deps;
    const { credentials } = this.#sink;
    const credential = credentials ? await secrets.get(credentials.secret) : '';
    if (credential) redactor.add(credential);
    return this.#sink.open({
      pipeline: this.#pipeline.name,
      sink: this.#sink.name,
      credential,
      log: log.with(this.#facts()),
      clock,
      random,
      signal: this.#deadline.signal,
      temporaryFolder: this.#folder,
      kept: this.#progress.record.kept,
      keep: async (kept) => void (await this.#progress.keep({ kept })),
      isDone: (order) => this.#progress.isDone(order),
    });
  }

  /** Several at a time, but those of one feed, and what frames a generation, one after the other. */
  async #changes(session: SinkSession): Promise<boolean> {
    const limit = this.#sink.parallel ?? PARALLEL;
    const running = new Set<Promise<void>>();
    const lanes = new Map<string, Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    // Told once it is so: a process that slept, or a clock that was set, may find time again, and what was left out stays out.
    let isCut = false;
    const isOver = () => {
      isCut ||= this.#isOutOfTime();
      return isCut || failure !== undefined;
    };
    let number = 0;
    for await (const change of this.#steps()) {
      const at = number++;
      if (this.#progress.isDone(at)) continue;
      if (isOver()) break;
      const lane = 'feed' in change && change.feed ? JSON.stringify(change.feed) : undefined;
      const ahead = (lane === undefined ? undefined : lanes.get(lane)) ?? Promise.resolve();
      const work = ahead
        .then(async () => {
          if (!isOver()) await this.#change(at, change, session);
        })
        .catch((error: unknown) => {
          failure ??= { error };
          this.#stop.abort(error);
        })
        .finally(() => running.delete(work));
      running.add(work);
      if (lane !== undefined) lanes.set(lane, work);
      if (running.size >= limit) await Promise.race(running);
    }
    await Promise.all(running);
    if (failure) throw failure.error;
    return !isOver();
  }

  #steps(): AsyncIterable<UploadChange> {
    const { objects } = this.#deps;
    const { manifest } = this.#target;
    if (this.#isRedrive) return refusedChanges(objects, manifest, this.#refusals.all());
    if (this.#sink.whole) return changesAnew(objects, undefined, manifest);
    const { anew, applied } = this.#progress.record;
    if (anew) return changesAnew(objects, applied?.manifest, manifest);
    return manifestChanges(objects, this.#before?.manifest, manifest);
  }

  #isOutOfTime(): boolean {
    return this.#deadline.signal.aborted || this.#deadline.remainingMs() < this.#stopWithinMs;
  }

  async #change(at: number, change: UploadChange, session: SinkSession): Promise<void> {
    switch (change.kind) {
      case 'begin generation':
        await session.beginGeneration?.(this.#generation(change));
        return this.#progress.done(at, {});
      case 'finish generation':
        await session.finishGeneration?.(this.#generation(change));
        return this.#progress.done(at, {});
      case 'remove': {
        const refused = await this.#refusals.of(change.path);
        // What was refused may never have been there.
        const was = refused ? refused.was : change.was;
        if (was) {
          const partition = sinkPartition(change.path, was, change);
          const { records } = recordsOf(this.#pipeline, change.path);
          await session.remove?.({ ...partition, records, isReplaced: change.isReplaced });
        }
        if (refused) await this.#refusals.settle(change.path);
        return this.#progress.done(at, was ? { removed: 1 } : {});
      }
      case 'gone':
        await this.#refusals.settle(change.path);
        return this.#progress.done(at, {});
      case 'upload':
        return this.#upload(at, change, session);
    }
  }

  async #upload(at: number, change: ManifestChange & { kind: 'upload' }, session: SinkSession): Promise<void> {
    const { path, entry, feed } = change;
    const refused = await this.#refusals.of(path);
    const was: UploadedVersion | undefined = refused ? refused.was : change.was;
    const { objects } = this.#deps;
    const { records, parser } = recordsOf(this.#pipeline, path, entry);
    const signal = AbortSignal.any([this.#deadline.signal, this.#stop.signal]);
    const bytes = () => landedBytes(objects, entry, signal);
    const hasLineage = this.#pipeline.land.file?.lineage === true;
    const how = { parser, landed: entry, hasLineage, signal, temporaryFolder: this.#folder };
    const counts = { rows: 0, rejectedRows: 0 };
    try {
      await session.upload({
        ...sinkPartition(path, entry, change),
        ...(was ? { replaces: sinkPartition(path, was, change) } : {}),
        records,
        committedRow: this.#progress.committedRow(at),
        bytes,
        order: at,
        rows: (wanted = {}) => rowsOf(bytes(), path, { ...how, wanted }),
        read: (other) => this.#read(other),
        committed: async (row) => {
          counts.rows = row;
          await this.#progress.rowsCommitted(at, row);
        },
        reject: async (rows, schema) => {
          counts.rejectedRows += rows.length;
          await rejectRows(this.#pipeline.name, this.#sink.name, this.#target.run, path, rows, schema, this.#deps);
        },
        signal,
      });
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (this.#deadline.signal.aborted) return;
      // In a feed what comes after it must not come before it, and where all or nothing counts neither may.
      if (!isOfPartition(error) || feed || this.#sink.atomic) throw error;
      const facts = errorFacts(error, this.#deps.redactor.redact);
      this.#deps.log.error('a sink refuses a partition', { ...this.#facts(), path, error: facts });
      const refusal = { error: facts, was, run: this.#target.run, at: epochMs(this.#deps.clock()) };
      await this.#refusals.add(path, refusal);
      return this.#progress.done(at, {});
    }
    // What was told to stop may have stopped anywhere.
    if (signal.aborted) return;
    if (refused) await this.#refusals.settle(path);
    await this.#progress.done(at, { partitions: 1, bytes: entry.bytes, ...counts });
  }

  #generation({
    feed: path,
    generation: id,
  }: ManifestChange & { feed: readonly string[]; generation: string }): Generation {
    const { records } = recordsOf(this.#pipeline, [...path, id]);
    return { path, id, table: records.table, read: (other) => this.#read(other) };
  }

  async #read(path: readonly string[]): Promise<Uint8Array | undefined> {
    const entry = await findLeaf(this.#deps.objects, this.#target.manifest, path);
    if (!entry) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of landedBytes(this.#deps.objects, entry)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  #facts() {
    return { pipeline: this.#pipeline.name, sink: this.#sink.name, run: this.#target.run };
  }
}

/** What is wrong with one partition says nothing of the others. */
const isOfPartition = (error: unknown): boolean =>
  error instanceof PartitionRefusedError || error instanceof ParseError;

export const shownSink = (pipeline: string, sink: string, path: readonly string[]): string =>
  `${pipeline} → ${sink}: ${pathText(path)}`;
