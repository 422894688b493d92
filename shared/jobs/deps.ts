import type { BucketStore } from '../buckets/store.ts';
import type { ConnectionStore } from '../connectors/async/connections.ts';
import type { TaskService } from '../connectors/async/task-service.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import { type EpochMs, epochMs } from '../core/units.ts';
import type { Objects } from '../landing/objects.ts';
import type { Queues } from '../queue/queue.ts';
import type { JobRecord, JobStore } from './store.ts';

/** What looking after external jobs touches. */
export interface ExecutorDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly jobs: JobStore;
  readonly buckets: BucketStore;
  readonly objects: Pick<Objects, 'put' | 'location'>;
  readonly queues: Pick<Queues, 'send'>;
  /** The connectors a pipeline may use, and its connections. */
  readonly tasksOf: (pipeline: string) => Promise<PipelineTasks>;
  /** Does anybody still wait for this job? */
  readonly isWanted: (job: JobRecord) => Promise<boolean>;
  /** Tells whoever waits that the job is over. May be repeated. */
  readonly tell: (job: JobRecord) => Promise<void>;
}

export interface PipelineTasks {
  readonly service: TaskService;
  readonly connections: ConnectionStore;
  /** Jobs of the pipeline that may be under way at a time. Default: as many as there are. */
  readonly maxJobs?: number;
}

/** One look at a job that this message holds. */
export interface Look {
  readonly job: JobRecord;
  readonly tasks: PipelineTasks;
  /** The longest wait before the next one. */
  readonly pollMaxMs: number;
  readonly signal: AbortSignal;
  readonly deps: ExecutorDeps;
}

/** What a look found: what changes in the job's record. */
export interface Findings {
  readonly fields: Partial<JobRecord>;
  readonly clears?: readonly string[];
}

export const nowOf = ({ clock }: Pick<ExecutorDeps, 'clock'>): EpochMs => epochMs(clock());
