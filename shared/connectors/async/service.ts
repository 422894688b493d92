import type { Clock } from '../../core/clock.ts';
import { canonicalJson } from '../../core/json.ts';
import type { Logger } from '../../core/logger.ts';
import type { Redactor } from '../../core/redaction.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import { clean, tidyResource } from './answers.ts';
import type { AsyncConnector, CreateRequest, LogsQuery, TaskLogsPart, TaskMetrics } from './async-connector.ts';
import { connectorErrorOf } from './classify.ts';
import { type ConnectionStore, connectionResolver } from './connections.ts';
import { ConnectorCalls, type Deadlines } from './connector-calls.ts';
import { ConnectorError } from './errors.ts';
import { decodeHandle, encodeHandle, HANDLE_SOFT_MAX_BYTES } from './handle.ts';
import { prepareRequest } from './inputs.ts';
import type { ConnectorRegistry } from './registry.ts';
import { metricLog, type OnMetrics } from './service-metrics.ts';
import { checkLogsQuery, logParts } from './task-logs.ts';
import { checkMetrics, checkMetricsQuery } from './task-metrics.ts';
import type { CreateCall, ExternalJob, TaskCall, TaskService } from './task-service.ts';
import { parseTaskTemplate } from './templates.ts';

export interface TaskServiceOptions {
  readonly registry: ConnectorRegistry;
  /** Not a cached one: values are kept here for 5 minutes at most, and read anew when a service refuses them. */
  readonly secrets: Secrets;
  /** Where the name of a connection is looked up, unless a call says where. Default: there is none. */
  readonly connections?: ConnectionStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly deadlinesMs?: Deadlines;
  /** Default: a line of the log for each call, in CloudWatch's embedded format. */
  readonly onMetrics?: OnMetrics;
}

export function taskService(options: TaskServiceOptions): TaskService {
  const { registry, secrets, connections, clock, log, redactor, deadlinesMs = {} } = options;
  const onMetrics = options.onMetrics ?? metricLog(log, clock);
  const resolver = connectionResolver({ secrets, clock, redactor });
  const calls = new ConnectorCalls({ registry, resolver, connections, clock, log, redactor, deadlinesMs, onMetrics });
  const { redact } = redactor;

  /** The handle of a job that was just found or made. One that may not be given out must not leave a job behind. */
  async function handleOf(
    connector: AsyncConnector,
    { meta, connection }: Made,
    call: TaskCall,
    outputPrefix: string,
  ): Promise<Uint8Array> {
    const TaskType = connector.taskTypeName;
    try {
      const handle = encodeHandle(connector, meta, connection);
      if (handle.byteLength > HANDLE_SOFT_MAX_BYTES) {
        const facts = { taskType: TaskType, bytes: handle.byteLength, limitBytes: HANDLE_SOFT_MAX_BYTES };
        log.warn('a handle is too large for the URLs of the connector service', facts);
        onMetrics([{ name: 'resource_meta_large_total', value: 1, dimensions: { TaskType } }]);
      }
      return handle;
    } catch (error) {
      const { signal: _over, ...unhurried } = call;
      try {
        await calls.called('delete', connector, unhurried, outputPrefix, (context) => connector.delete(meta, context));
      } catch (cause) {
        log.error('a job whose handle is refused could not be deleted', { taskType: TaskType, error: cause });
        const { code, message } = error as ConnectorError;
        throw new ConnectorError(code, { message: `${message}; and its job could not be deleted`, retryable: false });
      }
      throw error;
    }
  }

  function jobCall<T>(
    operation: 'get' | 'delete' | 'metrics',
    job: ExternalJob,
    call: TaskCall,
    work: (connector: AsyncConnector, meta: unknown, context: Parameters<AsyncConnector['get']>[1]) => Promise<T>,
  ): Promise<T> {
    return calls.counted(operation, job.taskType, job.taskTypeVersion, call, (connector) => {
      const meta = decodeHandle(connector, job.handle);
      return calls.called(operation, connector, call, job.outputPrefix, (context) => work(connector, meta, context));
    });
  }

  async function* getLogs(job: ExternalJob, query: Partial<LogsQuery>, call: TaskCall): AsyncGenerator<TaskLogsPart> {
    const counted = calls.begin('logs', job.taskType, job.taskTypeVersion, call);
    const { connector } = counted;
    try {
      const checked = checkLogsQuery(query);
      const meta = decodeHandle(connector, job.handle);
      if (!connector.getLogs) throw unimplemented(connector, 'logs');
      using scope = calls.scope('logs', job.taskType, call);
      const source = await calls.calledIn(scope, connector, call, job.outputPrefix, async (context) => {
        const answer = await connector.getLogs!(meta, checked, context);
        if (!(Symbol.asyncIterator in answer)) return { first: { done: false, value: answer } };
        const rest = answer[Symbol.asyncIterator]();
        // The first part shows whether the service lets us in.
        return { first: await rest.next(), rest };
      });
      const { rest } = source;
      try {
        for (let part = source.first; !part.done; part = await scope.within(() => rest.next())) {
          yield* logParts(part.value, redact);
          if (!rest) break;
        }
      } finally {
        // Not waited for: it may be what hangs.
        rest?.return?.()?.catch(() => {});
      }
    } catch (error) {
      throw counted.fail(error);
    }
    counted.succeed();
  }

  async function create(request: CreateRequest, call: CreateCall): Promise<Uint8Array> {
    const { type, taskTypeVersion } = request.taskTemplate;
    return calls.counted('create', type, taskTypeVersion, call, async (connector) => {
      const taskTemplate = parseTaskTemplate(request.taskTemplate);
      const prepared = prepareRequest({ ...request, taskTemplate }, call.attempt ?? 0);
      const value = Buffer.byteLength(canonicalJson(prepared.inputs));
      onMetrics([{ name: 'input_literal_bytes', value, dimensions: { TaskType: type } }]);
      const made = await calls.called('create', connector, call, request.outputPrefix, async (context) => ({
        meta: await connector.create(prepared, context),
        connection: context.connection,
      }));
      return handleOf(connector, made, call, request.outputPrefix);
    });
  }

  async function findByToken(request: CreateRequest, call: CreateCall): Promise<Uint8Array | undefined> {
    const { type, taskTypeVersion } = request.taskTemplate;
    return calls.counted('find', type, taskTypeVersion, call, async (connector) => {
      if (!connector.findByToken) return undefined;
      const prepared = prepareRequest(request, call.attempt ?? 0);
      const found = await calls.called('find', connector, call, request.outputPrefix, async (context) => ({
        meta: await connector.findByToken!(call.idempotencyToken, prepared, context),
        connection: context.connection,
      }));
      return found.meta === undefined ? undefined : handleOf(connector, found, call, request.outputPrefix);
    });
  }

  function countedNow<T>(operation: 'list' | 'describe', work: () => T): T {
    const began = clock().getTime();
    try {
      const result = work();
      calls.count(operation, '-', began);
      return result;
    } catch (error) {
      calls.count(operation, '-', began, error);
      throw error;
    }
  }

  return {
    create,
    findByToken,
    getLogs,
    get: (job, call) =>
      jobCall('get', job, call, async (connector, meta, context) =>
        tidyResource(await connector.get(meta, context), redact),
      ),
    delete: (job, call) =>
      jobCall('delete', job, call, async (connector, meta, context) => {
        try {
          await connector.delete(meta, context);
        } catch (error) {
          // What is not there any more has stopped.
          const facts = { operation: 'delete', taskType: job.taskType, redact } as const;
          if (connectorErrorOf(error, facts).code !== 'ResourceGone') throw error;
        }
      }),
    getMetrics: (job, query, call) =>
      jobCall('metrics', job, call, async (connector, meta, context) => {
        if (!connector.getMetrics) throw unimplemented(connector, 'metrics');
        const metrics = checkMetrics(await connector.getMetrics(meta, checkMetricsQuery(query), context));
        return clean(metrics, redact) as unknown as TaskMetrics;
      }),
    typeOf(taskType, version, template) {
      const connector = registry.get(taskType, version);
      const { name, polling, findByToken, getMetrics, getLogs } = connector;
      const isIdempotent = template && connector.isIdempotentFor?.(template);
      return {
        name,
        createIsIdempotent: isIdempotent ?? connector.createIsIdempotent,
        polling,
        canFindByToken: findByToken !== undefined,
        hasMetrics: getMetrics !== undefined,
        hasLogs: getLogs !== undefined,
      };
    },
    getConnector: (name) => countedNow('describe', () => registry.describe(name)),
    listConnectors: () => countedNow('list', () => registry.list()),
  };
}

interface Made {
  readonly meta: unknown;
  readonly connection: {
    readonly secrets: Readonly<Record<string, string>>;
    readonly configs: Readonly<Record<string, string>>;
  };
}

const unimplemented = ({ taskTypeName, taskTypeVersion }: AsyncConnector, what: string) =>
  new ConnectorError('Unimplemented', {
    message: `the connector of ${taskTypeName} version ${taskTypeVersion} has no ${what}`,
  });
