import type { TaskLogsPart, TaskMetrics } from '../connectors/async/async-connector.ts';
import { isTerminal } from '../connectors/async/phases.ts';
import type { ExternalJob, TaskCall } from '../connectors/async/task-service.ts';
import { IngestError } from '../core/errors.ts';
import { cancelJob } from '../jobs/executor.ts';
import type { JobKey, JobLine, JobRecord, JobRequest } from '../jobs/store.ts';
import { pathText } from '../landing/flat-manifest.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { executorDeps } from '../refresh/job-node.ts';

/** An external job as people see it. */
export interface JobView extends JobRecord {
  readonly path: readonly string[];
}

/** The jobs of a pipeline: first those that are not over, then the ended ones, the newest first, of the last ninety days. */
export async function* listJobs(
  pipeline: string,
  deps: RefreshDeps,
  { limit = Number.POSITIVE_INFINITY }: { readonly limit?: number } = {},
): AsyncGenerator<JobView> {
  let shown = 0;
  for await (const line of lines(pipeline, deps)) {
    const job = await deps.jobs.get(line);
    if (!job) continue;
    yield { ...job, path: line.path };
    shown += 1;
    if (shown >= limit) return;
  }
}

/** One that has ended and was not told of yet is on both lists. */
async function* lines(pipeline: string, deps: RefreshDeps): AsyncGenerator<JobLine> {
  const seen = new Set<string>();
  for await (const line of deps.jobs.unfinished(pipeline)) {
    seen.add(`${line.node} ${line.attempt}`);
    yield line;
  }
  for await (const line of deps.jobs.ended(pipeline)) if (!seen.has(`${line.node} ${line.attempt}`)) yield line;
}

export interface FoundJob {
  readonly job: JobView;
  readonly request: JobRequest;
  /** All tries of it, oldest first. */
  readonly attempts: readonly JobRecord[];
}

/**
 * The newest job of a path, or of a node's id.
 *
 * @throws {JobNotFoundError}
 */
export async function findJob(pipeline: string, reference: string, deps: RefreshDeps): Promise<FoundJob> {
  for await (const line of lines(pipeline, deps)) {
    if (pathText(line.path) !== reference && line.node !== reference) continue;
    const [job, request, attempts] = await Promise.all([
      deps.jobs.get(line),
      deps.jobs.request(pipeline, line.node),
      deps.jobs.attempts(pipeline, line.node),
    ]);
    if (job && request) return { job: { ...job, path: request.path }, request, attempts };
  }
  throw new JobNotFoundError(pipeline, reference);
}

/** Asks for a job to be stopped. @returns false if it is over */
export async function cancelJobOf(key: JobKey, deps: RefreshDeps): Promise<boolean> {
  return (await cancelJob(key, 'cancelled by hand', executorDeps(deps))) !== undefined;
}

/** @returns undefined if the job was not made yet, or its connector has none */
export async function metricsOf(
  found: FoundJob,
  deps: RefreshDeps,
  signal: AbortSignal,
): Promise<TaskMetrics | undefined> {
  const asked = await askable(found, deps, signal);
  if (!asked?.service.typeOf(asked.external.taskType, asked.external.taskTypeVersion).hasMetrics) return undefined;
  return asked.service.getMetrics(asked.external, { queries: [] }, asked.call);
}

/** @returns undefined if the job was not made yet, or its connector has none */
export async function logsOf(
  found: FoundJob,
  query: { readonly lines?: number; readonly token?: string },
  deps: RefreshDeps,
  signal: AbortSignal,
): Promise<AsyncIterable<TaskLogsPart> | undefined> {
  const asked = await askable(found, deps, signal);
  if (!asked?.service.typeOf(asked.external.taskType, asked.external.taskTypeVersion).hasLogs) return undefined;
  return asked.service.getLogs(asked.external, query, asked.call);
}

async function askable({ job, request }: FoundJob, deps: RefreshDeps, signal: AbortSignal) {
  if (job.handle === undefined) return undefined;
  const { service, connections } = await deps.tasksOf(job.pipeline);
  const { taskType, taskTypeVersion, connection, attempt, token } = job;
  const handle = Buffer.from(job.handle, 'base64');
  const external: ExternalJob = { taskType, taskTypeVersion, handle, outputPrefix: request.outputPrefix };
  const call: TaskCall = {
    ...(connection === undefined ? {} : { connectionName: connection }),
    ...{ connections, attempt, idempotencyToken: token, signal },
  };
  return { service, external, call };
}

export const isOver = ({ phase, status }: JobRecord): boolean => status === 'DONE' || isTerminal(phase);

/** No job of that path or node is known; those that ended are for ninety days. */
export class JobNotFoundError extends IngestError {
  override readonly name = 'JobNotFoundError';
  readonly code = 'JobNotFound';
  readonly retryable = false;
  constructor(pipeline: string, reference: string) {
    super(`pipeline ${pipeline} has no job ${JSON.stringify(reference)}; "landfall jobs ${pipeline}" lists them`);
  }
}
