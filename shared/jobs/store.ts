import type { TaskLog } from '../connectors/async/async-connector.ts';
import type { Phase } from '../connectors/async/phases.ts';
import type { TaskTemplate } from '../connectors/async/task-template.ts';
import type { ErrorFacts } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { addMs, days, type EpochMs, toTtl } from '../core/units.ts';
import type { Place } from '../nodes/store.ts';
import {
  absent,
  anyOf,
  atMost,
  type Change,
  type Clause,
  type Condition,
  equals,
  type Item,
  type Table,
} from '../tables/table.ts';

/** One try of a node's external job: the hot part, which every look at the job writes. */
export interface JobRecord {
  readonly pipeline: string;
  readonly node: string;
  /** From 0, counting on across runs. */
  readonly attempt: number;
  readonly status: 'CREATING' | 'ACTIVE' | 'CANCELLING' | 'DONE';
  readonly phase: Phase;
  readonly phaseSince: EpochMs;
  readonly message?: string;
  readonly logLinks?: readonly TaskLog[];
  readonly customInfo?: JsonObject;
  readonly taskType: string;
  readonly taskTypeVersion: number;
  readonly connection?: string;
  /** Base64 of what `create` returned; opaque. */
  readonly handle?: string;
  readonly token: string;
  /** The run for which it was begun; one that waits for it later may be another. */
  readonly openedIn: number;
  /** The attempt at which this run's retries are counted from. */
  readonly budgetFrom: number;
  /** Counts the looks. A message with a lower number is out of date. */
  readonly poll: number;
  /** When the next look is due; absent once all is done and told. */
  readonly dueAt?: EpochMs;
  /** The message whose look is under way. */
  readonly holder?: string;
  /** How often it was claimed: who did so before is told apart by that, also if it was with the same message. */
  readonly claims?: number;
  /** When this attempt may call `create`, as the bucket said. */
  readonly slotAt?: EpochMs;
  /** When the next call may be made, as its bucket said; gone once a look made it. */
  readonly callAt?: EpochMs;
  /** `create` was called and may have made a job. */
  readonly tried?: boolean;
  /** Errors in a row, of calls that may go well when repeated, and of others. */
  readonly retryableErrors?: number;
  readonly otherErrors?: number;
  readonly lastError?: ErrorFacts;
  readonly createdAt: EpochMs;
  /** Limits, as the template's policy set them. */
  readonly deadlineAt?: EpochMs;
  readonly queuedDeadlineAt?: EpochMs;
  readonly maxRuntimeMs?: number;
  /** The longest wait between two looks, if the template says; else its connector does. */
  readonly pollMaxMs?: number;
  /** Places its connection has; absent if nothing limits them. */
  readonly maxConcurrent?: number;
  readonly runningSince?: EpochMs;
  readonly cancelledAt?: EpochMs;
  /** Why it is being stopped, if that is to be its end. */
  readonly stop?: JobStop;
  /** The service took the request to stop it. */
  readonly deleted?: boolean;
  readonly finishedAt?: EpochMs;
  /** Key of the stored outputs. */
  readonly outputs?: string;
  readonly error?: ErrorFacts;
  /** What it made is no longer to be had: the next attempt makes it again. */
  readonly spent?: boolean;
  /** Who is told of the end: the run and place that last asked for the job. */
  readonly notify: Notify;
}

export interface JobStop {
  readonly phase: 'ABORTED' | 'FAILED' | 'RETRYABLE_FAILED';
  readonly error: ErrorFacts;
  /** The service is asked once, whatever comes of it. */
  readonly once?: boolean;
}

export interface Notify {
  readonly run: number;
  readonly place?: Place;
  readonly key?: string;
  readonly metadataId?: string;
}

/** What the job is, as its node was listed: the cold part, written once. */
export interface JobRequest {
  readonly path: readonly string[];
  readonly taskTemplate: TaskTemplate;
  readonly inputs?: Readonly<Record<string, JsonValue>>;
  readonly outputPrefix: string;
  readonly connection?: string;
}

export interface JobKey {
  readonly pipeline: string;
  readonly node: string;
  readonly attempt: number;
}

/** A line of the list of jobs. */
export interface JobLine extends JobKey {
  readonly path: readonly string[];
  readonly taskType: string;
  readonly startedAt: EpochMs;
  readonly finishedAt?: EpochMs;
  readonly phase?: Phase;
}

/** A line of a job that is not over, or whose end was not told. */
export interface OpenLine extends JobLine {
  /** The attempt as it is to be opened. */
  readonly opens: JobRecord;
}

/**
 * The table `jobs`. Under `pipeline#node` the request and the attempts; under `pipeline#` the list of the pipeline's jobs: a
 * sparse index of those that are not over (so that the sweep finds them without a scan, and a look costs one write), and for
 * ninety days of those that are.
 */
export class JobStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async latest(pipeline: string, node: string): Promise<JobRecord | undefined> {
    const range = { from: ATTEMPT, to: `${ATTEMPT}~`, reverse: true, limit: 1 };
    for await (const [item] of this.#table.query(jobPk(pipeline, node), range)) if (item) return asJob(item);
    return undefined;
  }

  async get(key: JobKey): Promise<JobRecord | undefined> {
    const item = await this.#table.get(itemKey(key));
    return item && asJob(item);
  }

  async request(pipeline: string, node: string): Promise<JobRequest | undefined> {
    const item = await this.#table.get({ pk: jobPk(pipeline, node), sk: REQUEST });
    return item && (item.request as unknown as JobRequest);
  }

  async attempts(pipeline: string, node: string): Promise<JobRecord[]> {
    const found: JobRecord[] = [];
    for await (const page of this.#table.query(jobPk(pipeline, node), { from: ATTEMPT, to: `${ATTEMPT}~` }))
      found.push(...page.map(asJob));
    return found;
  }

  /**
   * Opens an attempt: first what it is, then the line by which the sweep finds it, then the attempt. The line says all that the
   * attempt does, so that anybody may go on from there.
   *
   * @returns undefined if somebody else has opened it
   */
  async open(job: JobRecord, request: JobRequest): Promise<JobRecord | undefined> {
    await this.#table.put({
      pk: jobPk(job.pipeline, job.node),
      sk: REQUEST,
      request: request as unknown as JsonObject,
    });
    const { path } = request;
    const line = { path, taskType: job.taskType, startedAt: job.createdAt, opens: job };
    await this.#table.put(lineItem(OPEN, job, line));
    return this.#openAttempt(job);
  }

  /** Opens the attempt of a line whose writer may be gone. @returns undefined if somebody else has opened it */
  openListed({ opens }: OpenLine): Promise<JobRecord | undefined> {
    return this.#openAttempt(opens);
  }

  async #openAttempt(job: JobRecord): Promise<JobRecord | undefined> {
    const item = { ...fieldsOf(job), ...itemKey(job) } as Item;
    return (await this.#table.put(item, [absent('attempt')])) ? job : undefined;
  }

  /** Takes a job for one look. The message that holds it may take it again: it comes again only if its worker is gone. */
  claim(
    key: JobKey,
    poll: number,
    { holder, now, until }: { readonly holder: string; readonly now: EpochMs; readonly until: EpochMs },
  ): Promise<JobRecord | undefined> {
    const free = anyOf(absent('leasedUntil'), atMost('leasedUntil', now), equals('holder', holder));
    const set = { holder, leasedUntil: until, dueAt: until };
    return this.#update(key, { set, increment: { claims: 1 } }, [equals('poll', poll), free]);
  }

  /** Records what a look found, and that the next one is another. Only who claimed the job last may. */
  record(claimed: ClaimedJob, fields: Partial<JobRecord>, clears: readonly string[] = []) {
    const set = fieldsOf(fields);
    const cleared = new Set(['holder', 'leasedUntil', 'callAt', ...clears]);
    const remove = [...cleared].filter((name) => set[name] === undefined);
    return this.#update(claimed, { set, remove, increment: { poll: 1 } }, heldBy(claimed));
  }

  /** What is written in the middle of a look, before a call that cannot be taken back. */
  note(
    claimed: ClaimedJob,
    fields: Partial<JobRecord>,
    clears: readonly (keyof JobRecord)[] = [],
  ): Promise<JobRecord | undefined> {
    return this.#update(claimed, { set: fieldsOf(fields), remove: clears }, heldBy(claimed));
  }

  /** Another run waits for the job from now on. @returns undefined if it is over: nobody will be told */
  join(key: JobKey, notify: Notify): Promise<JobRecord | undefined> {
    return this.#update(key, { set: { notify: notify as unknown as JsonObject } }, [notOver]);
  }

  /** Asks for a job to be stopped. @returns undefined if it is over */
  cancel(key: JobKey, stop: JobStop, now: EpochMs): Promise<JobRecord | undefined> {
    const set = { status: 'CANCELLING', stop: stop as unknown as JsonObject, cancelledAt: now, dueAt: now };
    return this.#update(key, { set }, [notOver, absent('stop')]);
  }

  /** What an ended job made is gone, so it counts no more. */
  spend(key: JobKey): Promise<JobRecord | undefined> {
    return this.#update(key, { set: { spent: true } }, [equals('status', 'DONE')]);
  }

  /** Its end is told: it moves to the history. */
  async told(job: JobRecord): Promise<void> {
    const line = await this.#table.get(lineKey(OPEN, job));
    const { finishedAt = job.phaseSince, phase } = job;
    const ttl = toTtl(addMs(finishedAt, KEPT));
    if (line) {
      const { path, taskType, startedAt } = line as unknown as JobLine;
      await this.#table.put(lineItem(ENDED, job, { path, taskType, startedAt, finishedAt, phase }, ttl));
    }
    await this.#update(job, { set: { ttl }, remove: ['dueAt'] }, [equals('status', 'DONE')]);
    await this.#table.delete(lineKey(OPEN, job));
  }

  /** The jobs of a pipeline that are not over, or whose end was not told. */
  async *unfinished(pipeline: string): AsyncGenerator<OpenLine> {
    for await (const page of this.#table.query(`${pipeline}#`, { from: OPEN, to: `${OPEN}~` }))
      yield* page.map((item) => asLine(item) as OpenLine);
  }

  /** Those that ended in the last ninety days, the newest first. */
  async *ended(pipeline: string): AsyncGenerator<JobLine> {
    const range = { from: ENDED, to: `${ENDED}~`, reverse: true };
    for await (const page of this.#table.query(`${pipeline}#`, range)) yield* page.map(asLine);
  }

  async #update(key: JobKey, change: Change, condition: Condition): Promise<JobRecord | undefined> {
    const item = await this.#table.update(itemKey(key), change, condition);
    return item && asJob(item);
  }
}

/** A job as `claim` gave it. */
type ClaimedJob = JobKey & Pick<JobRecord, 'holder' | 'claims'>;

const heldBy = ({ holder, claims }: ClaimedJob): Condition => [
  equals('holder', holder ?? ''),
  equals('claims', claims ?? 0),
];

const ATTEMPT = 'attempt#';
const REQUEST = 'request';
const OPEN = 'open#';
const ENDED = 'ended#';
const KEPT = days(90);

const notOver: Clause = anyOf(equals('status', 'CREATING'), equals('status', 'ACTIVE'), equals('status', 'CANCELLING'));

const jobPk = (pipeline: string, node: string) => `${pipeline}#${node}`;
const attemptText = (attempt: number) => String(attempt).padStart(6, '0');
const itemKey = ({ pipeline, node, attempt }: JobKey) => ({
  pk: jobPk(pipeline, node),
  sk: `${ATTEMPT}${attemptText(attempt)}`,
});

function lineKey(kind: string, { pipeline, node, attempt }: JobKey, finishedAt?: EpochMs) {
  const at = finishedAt === undefined ? '' : `${String(finishedAt).padStart(15, '0')}#`;
  return { pk: `${pipeline}#`, sk: `${kind}${at}${node}#${attemptText(attempt)}` };
}

function lineItem(kind: string, key: JobKey, line: Omit<JobLine, keyof JobKey>, ttl?: number): Item {
  const { pipeline, node, attempt } = key;
  return { ...lineKey(kind, key, line.finishedAt), ...fieldsOf({ ...line, pipeline, node, attempt, ttl }) };
}

/** Records hold JSON only, so they are stored as they are. */
function fieldsOf(fields: object): NonNullable<Change['set']> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const asJob = (item: Item): JobRecord => item as unknown as JobRecord;
const asLine = (item: Item): JobLine => item as unknown as JobLine;
