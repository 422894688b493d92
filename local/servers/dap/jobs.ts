import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { JsonObject } from '../../../shared/core/json.ts';
import type { FaultRule } from './faults.ts';
import { writeFiles } from './formats/files.ts';
import { formatInstant, microsOf } from './instants.ts';
import type { ObjectStore, StoredObject } from './objects.ts';
import type { Query } from './query.ts';
import { type Errors, json, type Reply } from './replies.ts';
import type { Range, TableView } from './table-store.ts';

export interface JobOptions {
  /** How long a job waits, and then runs, by the server's clock. Both 0: jobs are complete when they are started. */
  readonly waitingMs: number;
  readonly runningMs: number;
  /** Life of a job and its objects, from its start. */
  readonly lifeMs: number;
  readonly rowsPerFile: number;
  readonly rowsPerMember: number;
  readonly whenEmpty: 'one file' | 'no file';
  readonly gzipLevel: number;
  /** Whether an equal query finds the job that was there before the table was committed to again. */
  readonly findsJobsFromBeforeNewCommits: boolean;
}

export interface JobRequest {
  readonly scope: string | undefined;
  readonly query: Query;
  readonly view: TableView;
  /** Of an incremental query. */
  readonly range?: Range;
  /** What shall be wrong with this job. */
  readonly faults: readonly FaultRule[];
}

interface Job {
  readonly id: string;
  readonly request: JobRequest;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
  readonly written: Promise<void>;
  outcome: { readonly objects: readonly StoredObject[] } | { readonly error: JsonObject } | undefined;
}

/** A job that is due is waited for this long, on the machine's own clock; one of millions of rows just goes on running. */
const DUE_WAIT_MS = 2_000;

export class Jobs {
  readonly #options: JobOptions;
  readonly #objects: ObjectStore;
  readonly #nowMs: () => number;
  readonly #uuid: () => string;
  readonly #errors: Errors;
  readonly #jobs = new Map<string, Job>();
  readonly #closing = new AbortController();
  /** Files are written one job at a time: two at once would only take each other's time. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: JobOptions, objects: ObjectStore, nowMs: () => number, uuid: () => string, errors: Errors) {
    this.#options = options;
    this.#objects = objects;
    this.#nowMs = nowMs;
    this.#uuid = uuid;
    this.#errors = errors;
  }

  /** Starts a job, or finds the one that an equal query has started. A failed one is not found, so that trying again helps. */
  async start(request: JobRequest): Promise<Reply> {
    await this.#expire();
    const found =
      request.faults.length === 0 ? [...this.#jobs.values()].find((job) => this.#answers(job, request)) : undefined;
    return this.#describe(found ?? this.#create(request));
  }

  /** @returns undefined if there is no such job, or none any more */
  async get(id: string): Promise<Reply | undefined> {
    await this.#expire();
    const job = this.#jobs.get(id);
    return job && this.#describe(job);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#queue;
  }

  #create(request: JobRequest): Job {
    const fault = (name: FaultRule['fault']) => request.faults.find((rule) => rule.fault === name);
    const now = this.#nowMs();
    const expiring = fault('expiring-job');
    const lifeMs = expiring ? (expiring.secondsLeft ?? 10) * 1000 : this.#options.lifeMs;
    const id = this.#uuid();
    const failed = fault('failed-job');
    const job: Job = {
      id,
      request,
      startedAtMs: expiring ? now - this.#options.waitingMs - this.#options.runningMs : now,
      expiresAtMs: now + lifeMs,
      written: this.#queue.then(() => this.#write(job)),
      outcome: failed ? { error: this.#errors.of('ProcessingError', failed.message ?? '') } : undefined,
    };
    this.#queue = job.written;
    this.#jobs.set(id, job);
    return job;
  }

  async #write(job: Job): Promise<void> {
    if (job.outcome || this.#closing.signal.aborted) return;
    const { query, view, range, faults } = job.request;
    const multiMember = faults.find(({ fault }) => fault === 'multi-member-gzip');
    try {
      const files = await writeFiles(
        range ? view.changes(range) : view.snapshot(),
        {
          ...this.#options,
          rowsPerMember: multiMember ? (multiMember.rowsPerMember ?? 2) : this.#options.rowsPerMember,
          definition: view.definition,
          schemaVersion: view.schemaVersion,
          format: query.format,
          mode: query.mode ?? 'expanded',
          isIncremental: range !== undefined,
          folder: await this.#objects.folderFor(job.id),
          uuid: this.#uuid(),
        },
        this.#closing.signal,
      );
      const isHostile = faults.some(({ fault }) => fault === 'hostile-object-id');
      const objects = files.map((file) => (isHostile ? hostile(file) : { ...file, id: `${job.id}/${file.name}` }));
      this.#objects.add(objects);
      job.outcome = { objects };
    } catch (error) {
      // Closing ends the server; whatever else is wrong is a failure of the job, as it would be of the service.
      job.outcome = { error: this.#errors.of('ProcessingError', error instanceof Error ? error.message : '') };
    }
  }

  async #describe(job: Job): Promise<Reply> {
    const { waitingMs, runningMs } = this.#options;
    const ageMs = this.#nowMs() - job.startedAtMs;
    const base = { id: job.id, expires_at: formatInstant(microsOf(new Date(job.expiresAtMs))) };
    const isEndless = job.request.faults.some(({ fault }) => fault === 'endless-job');
    if (ageMs < waitingMs) return json(202, { ...base, status: 'waiting' });
    if (ageMs < waitingMs + runningMs || isEndless) return json(202, { ...base, status: 'running' });
    const over = new AbortController();
    await Promise.race([job.written, wait(DUE_WAIT_MS, undefined, { signal: over.signal, ref: false })]).finally(() =>
      over.abort(),
    );
    if (!job.outcome) return json(202, { ...base, status: 'running' });
    if ('error' in job.outcome) return json(200, { ...base, status: 'failed', error: job.outcome.error });
    return json(200, { ...base, status: 'complete', ...this.#result(job, job.outcome.objects) });
  }

  #result(job: Job, objects: readonly StoredObject[]): JsonObject {
    const { query, view, faults } = job.request;
    const isAhead = faults.some(({ fault }) => fault === 'schema-ahead');
    const result = {
      objects: objects.map(({ id }) => ({ id })),
      schema_version: view.schemaVersion + (isAhead ? 1 : 0),
    };
    if (query.since === undefined) return { ...result, at: formatInstant(view.watermark) };
    return { ...result, since: formatInstant(query.since), until: formatInstant(query.until ?? view.watermark) };
  }

  #answers(job: Job, { scope, query, view }: JobRequest): boolean {
    const { request, outcome } = job;
    const theirs = request.query;
    return (
      !(outcome && 'error' in outcome) &&
      request.view.definition === view.definition &&
      request.scope === scope &&
      theirs.format === query.format &&
      theirs.mode === query.mode &&
      theirs.since === query.since &&
      theirs.until === query.until &&
      (this.#options.findsJobsFromBeforeNewCommits ||
        (request.view.watermark === view.watermark && request.view.schemaVersion === view.schemaVersion))
    );
  }

  async #expire(): Promise<void> {
    for (const job of [...this.#jobs.values()]) {
      if (job.expiresAtMs > this.#nowMs()) continue;
      this.#jobs.delete(job.id);
      await job.written;
      if (job.outcome && 'objects' in job.outcome) await this.#objects.remove(job.id, job.outcome.objects);
    }
  }
}

/** An identifier and a file name that would leave the folder they are put into. */
function hostile<T extends { readonly name: string }>(file: T): T & { readonly id: string } {
  const name = `../../${file.name}`;
  return { ...file, name, id: join('..', '..', 'x', file.name) };
}
