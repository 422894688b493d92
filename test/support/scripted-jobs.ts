import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type PollingHints,
  type Resource,
} from '../../shared/connectors/async/async-connector.ts';
import { jsonResourceMeta } from '../../shared/connectors/async/resource-meta.ts';
import type { TaskPolicy } from '../../shared/connectors/async/task-template.ts';
import { IngestError } from '../../shared/core/errors.ts';

import type { World } from './world.ts';

interface Handle {
  readonly id: string;
}

export interface ScriptedJob {
  readonly id: string;
  readonly token: string;
  readonly request: CreateRequest;
  readonly context: ConnectorContext;
  gets: number;
  deletes: number;
}

/** An external service in memory: its jobs, and what it was asked. A test scripts what each look sees. */
export class ScriptedJobs extends AsyncConnector<Handle> {
  override readonly name = 'Scripted jobs';
  readonly taskTypeName = 'scripted';
  readonly metadataType = jsonResourceMeta((value) => value as Handle);
  override readonly polling: PollingHints;
  createIsIdempotent = true;
  readonly jobs: ScriptedJob[] = [];
  /** Every call of `create`, also those that made nothing new. */
  creates = 0;
  onCreate: (job: ScriptedJob) => void | Promise<void> = () => {};
  /** Called before anything is made. */
  beforeCreate: () => void | Promise<void> = () => {};
  /** @param look 1 for the first */
  state: (job: ScriptedJob, look: number) => Resource | Promise<Resource> = (job, look) =>
    look === 1 ? { phase: 'RUNNING', message: 'under way' } : { phase: 'SUCCEEDED', outputs: { id: job.id } };
  onDelete: (job: ScriptedJob) => void | Promise<void> = () => {};
  override findByToken?: (token: string) => Promise<Handle | undefined>;

  constructor(polling: PollingHints = {}) {
    super();
    this.polling = polling;
  }

  async create(request: CreateRequest, context: ConnectorContext): Promise<Handle> {
    this.creates += 1;
    await this.beforeCreate();
    const token = context.idempotencyToken;
    const known = this.createIsIdempotent ? this.jobs.find((job) => job.token === token) : undefined;
    if (known) return { id: known.id };
    const job: ScriptedJob = { id: `job-${this.jobs.length + 1}`, token, request, context, gets: 0, deletes: 0 };
    this.jobs.push(job);
    await this.onCreate(job);
    return { id: job.id };
  }

  async get({ id }: Handle): Promise<Resource> {
    const job = this.jobs.find((one) => one.id === id)!;
    return this.state(job, ++job.gets);
  }

  async delete({ id }: Handle): Promise<void> {
    const job = this.jobs.find((one) => one.id === id)!;
    job.deletes += 1;
    await this.onDelete(job);
  }
}

export interface JobOptions {
  readonly policy?: TaskPolicy;
  readonly polling?: PollingHints;
}

/** Gives a world a folder with the job `q`, which makes the parts `q/1` and `q/2`, beside the leaf `a`. */
export function withJob(
  world: World,
  { policy, polling }: JobOptions = {},
): World & { readonly service: ScriptedJobs } {
  const service = new ScriptedJobs(polling);
  world.asyncConnectors = [service];
  world.source.readsAsListed = true;
  world.source.job('q', 'v1', { job: policy ? { template: { metadata: { ...policy } } } : {} });
  world.source.leaf('q/1', 'x').leaf('q/2', 'y').leaf('a', 'f');
  return Object.assign(world, { service });
}

/** What a service answers that is busy, or away. */
export class ServiceAwayError extends IngestError {
  override readonly name = 'ServiceAwayError';
  readonly code = 'ServiceAway';
  readonly retryable = true;
}
