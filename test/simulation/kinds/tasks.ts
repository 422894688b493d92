import type { AsyncConnector } from '../../../shared/connectors/async/async-connector.ts';
import { ConnectorRegistry } from '../../../shared/connectors/async/registry.ts';
import { taskService } from '../../../shared/connectors/async/service.ts';
import type { PipelineTasks } from '../../../shared/jobs/deps.ts';
import { connectionsOf } from '../../../shared/pipelines/connections.ts';
import { secret } from '../../../shared/pipelines/define.ts';
import type { Caller } from './kind.ts';
import { REDACTOR } from './redactor.ts';

export const CREDENTIALS = secret('simulated/credential');

/** None: calls end when their turn has come, and the clock of this process has nothing to do with it. */
const NO_DEADLINES = { create: 0, get: 0, delete: 0, find: 0 };

/** The real service of external jobs over one connector, as one function has it. */
export function tasksOver<M>(connector: AsyncConnector<M>, { task, log }: Caller, secretText: string): PipelineTasks {
  const connections = connectionsOf({ credentials: CREDENTIALS });
  const service = taskService({
    registry: new ConnectorRegistry().register(connector),
    secrets: { get: async () => secretText },
    connections,
    clock: task.clock,
    log,
    redactor: REDACTOR,
    deadlinesMs: NO_DEADLINES,
    onMetrics: () => {},
  });
  return { service, connections };
}
