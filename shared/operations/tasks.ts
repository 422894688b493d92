import type { AsyncConnector } from '../connectors/async/async-connector.ts';
import { builtInConnectors } from '../connectors/async/built-in/built-in.ts';
import { ConnectorRegistry } from '../connectors/async/registry.ts';
import { taskService } from '../connectors/async/service.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import type { PipelineTasks } from '../jobs/deps.ts';
import type { PipelineCatalog } from '../pipelines/catalog.ts';
import { connectionsOf } from '../pipelines/connections.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { landfallRefreshPorts } from './refresh-ports.ts';

export interface PipelineTasksOptions {
  readonly pipelines: PipelineCatalog;
  /** Those every pipeline has. A pipeline's own come in place of one of their type and version. */
  readonly builtIn: readonly AsyncConnector[];
  /** Not cached ones: the service keeps them for a while itself. */
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redactor: Redactor;
}

/** The async connectors and connections of each pipeline, kept as long as the pipeline is defined as it is. */
export function pipelineTasks(options: PipelineTasksOptions): (pipeline: string) => Promise<PipelineTasks> {
  const { pipelines, builtIn, ...service } = options;
  const kept = new WeakMap<object, PipelineTasks>();
  return async (name) => {
    const pipeline = await pipelines.get(name);
    const known = kept.get(pipeline);
    if (known) return known;
    const registry = new ConnectorRegistry();
    for (const connector of builtIn) registry.register(connector);
    const own = [...(pipeline.source.asyncConnectors ?? []), ...(pipeline.asyncConnectors ?? [])];
    for (const connector of own) registry.register(connector, { override: true });
    const connections = connectionsOf(pipeline);
    const { maxJobs } = pipeline;
    const tasks = {
      service: taskService({ ...service, registry, connections }),
      connections,
      ...(maxJobs === undefined ? {} : { maxJobs }),
    };
    kept.set(pipeline, tasks);
    return tasks;
  };
}

/**
 * What looks after external jobs, for {@link openRefresh}: the built-in connectors, and those of each pipeline. Only the
 * function that does so needs it; the others stay small without.
 */
export function externalTasks(deps: RefreshDeps, secrets: Secrets): RefreshDeps['tasksOf'] {
  const { pipelines, clock, log, redactor } = deps;
  // A job may be a refresh of another pipeline, so what its connector needs is all of this.
  const builtIn = builtInConnectors({ refresh: landfallRefreshPorts(deps) });
  return pipelineTasks({ pipelines, builtIn, secrets, clock, log, redactor });
}
