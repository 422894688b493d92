import type { BucketStore } from '../buckets/store.ts';
import type { ConnectorService } from '../connectors/service.ts';
import type { Clock } from '../core/clock.ts';
import type { Deadline } from '../core/deadline.ts';
import type { Logger } from '../core/logger.ts';
import type { Meter } from '../core/meter.ts';
import type { Redactor } from '../core/redaction.ts';
import { type EpochMs, epochMs } from '../core/units.ts';
import type { PipelineTasks } from '../jobs/deps.ts';
import type { JobStore } from '../jobs/store.ts';
import type { Objects } from '../landing/objects.ts';
import type { NodeStore } from '../nodes/store.ts';
import type { PartitionStore } from '../partitions/store.ts';
import type { PipelineCatalog } from '../pipelines/catalog.ts';
import type { Queues } from '../queue/queue.ts';
import type { RunStore } from '../runs/store.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { SinkStore } from '../uploads/store.ts';
import type { Sizes } from './sizes.ts';

/** All that a refresh touches: every step gets it as an argument, so that a test or a simulation can be the world. */
export interface RefreshDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: () => string;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly pipelines: PipelineCatalog;
  readonly connectors: ConnectorService;
  readonly nodes: NodeStore;
  readonly partitions: PartitionStore;
  readonly runs: RunStore;
  readonly jobs: JobStore;
  readonly buckets: BucketStore;
  /** The async connectors a pipeline may use, with its connections. */
  readonly tasksOf: (pipeline: string) => Promise<PipelineTasks>;
  /** How far the sinks of pipelines are. */
  readonly sinks: SinkStore;
  /** For the sinks' credentials. */
  readonly secrets: Secrets;
  readonly queues: Pick<Queues, 'send'>;
  readonly objects: Objects;
  /** Counts the requests to the backend; what a run took is kept with it, as counted by the process that ends it. */
  readonly meter?: Meter;
  /** A local folder for what a listing spools; `/tmp` on Lambda. */
  readonly spoolFolder: string;
  readonly sizes: Sizes;
}

/** How a message came, and how long its function still has. */
export interface Delivery {
  readonly messageId: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
  readonly deadline: Deadline;
}

export const nowMs = ({ clock }: Pick<RefreshDeps, 'clock'>): EpochMs => epochMs(clock());

/** A newer plan is there. Whoever works for an older one stops at once and leaves the rest to it. */
export class PlanSupersededError extends Error {
  override readonly name = 'PlanSupersededError';
}
