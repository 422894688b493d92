import type { TaskTemplate } from '../connectors/async/task-template.ts';
import type { FinishedJob, JobSpec } from '../connectors/connector.ts';
import { type ErrorFacts, IngestError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { ExecutorDeps } from '../jobs/deps.ts';
import { beginJob } from '../jobs/executor.ts';
import type { JobRecord, JobRequest, Notify } from '../jobs/store.ts';
import { CREDENTIAL_CONNECTION } from '../pipelines/connections.ts';
import type { ListObjectsMessage } from '../queue/messages.ts';
import { messageJson } from '../queue/outgoing.ts';
import type { RefreshDeps } from './deps.ts';
import type { NodeTask } from './node-task.ts';

/** How far the external job of a node is. */
export type JobStanding =
  /** Whoever ends it sends the node's message again. */
  | { readonly is: 'under way' }
  | { readonly is: 'failed'; readonly error: ErrorFacts }
  | { readonly is: 'done'; readonly job: FinishedJob; readonly record: JobRecord };

/** How often one run has a job done again whose results were gone at once. */
const GONE_MAX = 3;

/**
 * The job of a node: begun if there is none yet, waited for if it is under way. One that failed in an earlier run is begun
 * again, and so is one whose results are gone; in this run its failure is the node's.
 */
export async function jobOf(task: NodeTask, message: ListObjectsMessage, deps: RefreshDeps): Promise<JobStanding> {
  const { pipeline, run, id } = task;
  const notify = notifyOf(message);
  const executor = executorDeps(deps);
  for (;;) {
    const latest = await deps.jobs.latest(pipeline.name, id);
    if (latest && latest.status !== 'DONE') {
      // It may have ended in between: then nobody will tell this run.
      if (await deps.jobs.join(latest, notify)) return { is: 'under way' };
      continue;
    }
    const finished = latest && (await finishedJob(latest, deps));
    if (finished) return { is: 'done', job: finished, record: latest };
    if (latest?.error && latest.openedIn === run && !latest.spent) return { is: 'failed', error: latest.error };
    const request = requestOf(task);
    await beginJob(
      { pipeline: pipeline.name, node: id, request, notify, ...(latest ? { after: latest } : {}) },
      executor,
    );
    deps.log.info('an external job begins', {
      pipeline: pipeline.name,
      run,
      node: id,
      path: task.identity.path,
      taskType: request.taskTemplate.type,
      attempt: latest ? latest.attempt + 1 : 0,
    });
    return { is: 'under way' };
  }
}

/** What a job made was gone when it was listed. @returns whether to have it done again at once */
export async function jobIsGone(task: NodeTask, record: JobRecord, deps: RefreshDeps): Promise<boolean> {
  await deps.jobs.spend(record);
  const attempts = await deps.jobs.attempts(task.pipeline.name, task.id);
  const gone = attempts.filter(({ openedIn, spent }) => spent && openedIn === task.run).length;
  // What has landed of it is not mixed with what another attempt makes: its parent makes another node for that.
  return task.shards.size === 0 && gone <= GONE_MAX;
}

/** @returns undefined if it failed, or if its outputs are no longer there: they are kept for two days */
export async function finishedJob(
  record: JobRecord,
  deps: Pick<RefreshDeps, 'objects'>,
): Promise<FinishedJob | undefined> {
  if (record.outputs === undefined || record.spent) return undefined;
  const stored = await deps.objects.get(record.outputs);
  if (!stored) return undefined;
  const outputs = JSON.parse(Buffer.from(stored.data).toString()) as JsonObject;
  return { attempt: record.attempt, outputs, location: deps.objects.location(record.outputs) };
}

const notifyOf = ({ run, place, key, metadataId }: ListObjectsMessage): Notify => ({
  run,
  ...(place ? { place } : {}),
  ...(key === undefined ? {} : { key }),
  ...(metadataId === undefined ? {} : { metadataId }),
});

function requestOf({ identity, pipeline, run, id }: NodeTask): Omit<JobRequest, 'outputPrefix'> {
  const { taskType, taskTypeVersion, template, inputs, connection } = (identity.metadata as JsonObject)
    .job as unknown as JobSpec;
  const taskTemplate = {
    id: { project: pipeline.name, name: `${id}/${run}` },
    ...template,
    type: taskType,
    ...(taskTypeVersion === undefined ? {} : { taskTypeVersion }),
  } as TaskTemplate;
  const over = connection ?? (pipeline.credentials ? CREDENTIAL_CONNECTION : undefined);
  return {
    path: identity.path,
    taskTemplate,
    ...(inputs ? { inputs } : {}),
    ...(over === undefined ? {} : { connection: over }),
  };
}

/** The external job of a node failed; in its own words. */
export class ExternalJobError extends IngestError {
  override readonly name = 'ExternalJobError';
  readonly code: string;
  readonly retryable = false;
  constructor({ code, message }: ErrorFacts) {
    super(message);
    this.code = code;
  }
}

/** The executor of a refresh: a job is wanted as long as the run that waits for it goes on, and its node is told of its end. */
export function executorDeps(deps: RefreshDeps): ExecutorDeps {
  return {
    ...deps,
    isWanted: async ({ pipeline, notify }) => (await deps.runs.active(pipeline))?.active === notify.run,
    tell: async ({ pipeline, node, notify }) => {
      const message: ListObjectsMessage = { pipeline, node, ...notify };
      await deps.queues.send('list-objects', [{ body: messageJson(message), group: pipeline }]);
    },
  };
}
