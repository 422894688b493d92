import { tmpdir } from 'node:os';
import type { Backend } from '../backends/backend.ts';
import { BucketStore } from '../buckets/store.ts';
import { connectorService } from '../connectors/service.ts';
import type { Clock } from '../core/clock.ts';
import { InvalidInputError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Meter } from '../core/meter.ts';
import type { Redactor } from '../core/redaction.ts';
import { minutes } from '../core/units.ts';
import { JobStore } from '../jobs/store.ts';
import { meteredObjects } from '../landing/metered.ts';
import { NodeStore } from '../nodes/store.ts';
import { PartitionStore } from '../partitions/store.ts';
import type { PipelineCatalog } from '../pipelines/catalog.ts';
import { meteredQueues } from '../queue/metered.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { SIZES } from '../refresh/sizes.ts';
import { RunStore } from '../runs/store.ts';
import { cachedSecrets } from '../secrets/cached.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { meteredTables } from '../tables/metered.ts';
import { SinkStore } from '../uploads/store.ts';

export interface OpenRefreshOptions {
  readonly backend: Backend;
  readonly pipelines: PipelineCatalog;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly clock: Clock;
  /** Counts every request to the backend, if given. */
  readonly meter?: Meter;
  readonly spoolFolder?: string;
  /** Looks after external jobs: `externalTasks`. Without it, whoever is handed a `poll-job` message refuses it. */
  readonly tasks?: (deps: RefreshDeps, secrets: Secrets) => RefreshDeps['tasksOf'];
}

/** A rotated secret is in use after this at the latest. */
const SECRET_TTL_MS = minutes(5);

/** Puts together what the steps of a refresh work with. */
export function openRefresh({
  backend,
  pipelines,
  log,
  redactor,
  clock,
  meter,
  spoolFolder = tmpdir(),
  tasks,
}: OpenRefreshOptions): RefreshDeps {
  const tables = meter ? meteredTables(backend.tables, meter) : backend.tables;
  const secrets = cachedSecrets(backend.secrets, { ttlMs: SECRET_TTL_MS, clock });
  const deps: RefreshDeps = {
    clock,
    random: Math.random,
    newId,
    log,
    redactor,
    pipelines,
    connectors: connectorService({ secrets, clock, log, redactor }),
    nodes: new NodeStore(tables.nodes),
    partitions: new PartitionStore(tables.partitions),
    runs: new RunStore(tables.runs, newId),
    jobs: new JobStore(tables.jobs),
    buckets: new BucketStore(tables.buckets, Math.random),
    tasksOf: noTasks,
    sinks: new SinkStore(tables.runs),
    secrets,
    queues: meter ? meteredQueues(backend.queues, meter) : backend.queues,
    objects: meter ? meteredObjects(backend.objects, meter) : backend.objects,
    spoolFolder,
    ...(meter ? { meter } : {}),
    sizes: SIZES,
  };
  // What looks after jobs may begin a refresh, so it gets all of this.
  return tasks ? { ...deps, tasksOf: tasks(deps, backend.secrets) } : deps;
}

const noTasks: RefreshDeps['tasksOf'] = async (pipeline) => {
  throw new InvalidInputError(
    `nothing here looks after the external jobs of ${pipeline}: openRefresh was given no tasks`,
  );
};
