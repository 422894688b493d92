import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { Redactor } from '../../core/redaction.ts';
import type { AsyncConnector, Connection, ConnectorContext } from './async-connector.ts';
import { CallScope, DEADLINE_DEFAULT_MS } from './call-scope.ts';
import { connectorErrorOf, type Operation } from './classify.ts';
import { type ConnectionResolver, type ConnectionStore, connectionStore, NO_CONNECTION } from './connections.ts';
import { BadTaskSpecificationError, ConnectorError } from './errors.ts';
import type { ConnectorRegistry } from './registry.ts';
import type { OnMetrics } from './service-metrics.ts';
import type { TaskCall } from './task-service.ts';

/** By operation, in milliseconds; 0 is no limit. Default 10 s each. */
export type Deadlines = Readonly<Partial<Record<Operation, number>>>;

export interface ConnectorCallsOptions {
  readonly registry: Pick<ConnectorRegistry, 'get'>;
  readonly resolver: ConnectionResolver;
  readonly connections?: ConnectionStore | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly deadlinesMs: Deadlines;
  readonly onMetrics: OnMetrics;
}

/** A call that is counted: how it ended is said once. */
export interface CountedCall {
  readonly connector: AsyncConnector;
  succeed(): void;
  /** @returns what is to be thrown */
  fail(error: unknown): unknown;
}

/** What all calls of connectors have in common: lookup, deadline, connection, error mapping and metrics. */
export class ConnectorCalls {
  readonly #options: ConnectorCallsOptions;
  readonly #connections: ConnectionStore;

  constructor(options: ConnectorCallsOptions) {
    this.#options = options;
    this.#connections = options.connections ?? connectionStore({});
  }

  /** Finds the connector, does the work, and counts how it ended. */
  async counted<T>(
    operation: Operation,
    taskType: string,
    version: number | undefined,
    call: TaskCall,
    work: (connector: AsyncConnector) => Promise<T>,
  ): Promise<T> {
    const counted = this.begin(operation, taskType, version, call);
    try {
      const result = await work(counted.connector);
      counted.succeed();
      return result;
    } catch (error) {
      throw counted.fail(error);
    }
  }

  /** @throws {ConnectorNotFoundError} which is counted too */
  begin(operation: Operation, taskType: string, version: number | undefined, call: TaskCall): CountedCall {
    const { registry, clock, redactor, log } = this.#options;
    const began = clock().getTime();
    let connector: AsyncConnector;
    try {
      connector = registry.get(taskType, version);
    } catch (error) {
      this.count(operation, 'unknown', began, error);
      throw error;
    }
    return {
      connector,
      succeed: () => this.count(operation, taskType, began),
      fail: (error) => {
        // Who gave up gets back why.
        if (call.signal?.aborted && error === call.signal.reason) {
          this.count(operation, taskType, began, new ConnectorError('Cancelled'));
          return error;
        }
        const failure = connectorErrorOf(error, { operation, taskType, redact: redactor.redact });
        if (failure.status === 'INTERNAL')
          (call.logger ?? log).warn('a connector failed', { operation, taskType, error });
        this.count(operation, taskType, began, failure);
        return failure;
      },
    };
  }

  count(operation: Operation, taskType: string, began: number, failure?: unknown): void {
    const { onMetrics, clock } = this.#options;
    const dimensions = { TaskType: taskType, Operation: operation };
    const seconds = (clock().getTime() - began) / 1000;
    const latency = { name: 'request_latency_seconds', value: seconds, dimensions } as const;
    if (failure === undefined) {
      onMetrics([latency, { name: 'requests_success_total', value: 1, dimensions }]);
      return;
    }
    const ErrorCode = failure instanceof ConnectorError ? failure.code : 'Internal';
    onMetrics([latency, { name: 'requests_failure_total', value: 1, dimensions: { ...dimensions, ErrorCode } }]);
  }

  scope(operation: Operation, taskType: string, { signal }: TaskCall): CallScope {
    const { deadlinesMs, clock } = this.#options;
    const limitMs = deadlinesMs[operation] ?? DEADLINE_DEFAULT_MS;
    return new CallScope(operation, taskType, { limitMs, caller: signal, clock });
  }

  /** Does the work within the operation's deadline, with the call's connection. */
  async called<T>(
    operation: Operation,
    connector: AsyncConnector,
    call: TaskCall,
    outputPrefix: string | undefined,
    work: (context: ConnectorContext) => T | Promise<T>,
  ): Promise<T> {
    using scope = this.scope(operation, connector.taskTypeName, call);
    return await this.calledIn(scope, connector, call, outputPrefix, work);
  }

  /** The same in a scope that lives on. What is refused with 401 is tried once more, with the secrets read anew. */
  async calledIn<T>(
    scope: CallScope,
    connector: AsyncConnector,
    call: TaskCall,
    outputPrefix: string | undefined,
    work: (context: ConnectorContext) => T | Promise<T>,
  ): Promise<T> {
    const { log, clock } = this.#options;
    const { taskTypeName: taskType } = connector;
    const attempt = async (fresh: boolean) => {
      const connection = await this.#connectionOf(taskType, call, fresh);
      try {
        return await work({
          connection,
          attempt: call.attempt ?? 0,
          idempotencyToken: call.idempotencyToken ?? '',
          ...(outputPrefix === undefined ? {} : { outputPrefix }),
          signal: scope.signal,
          logger: (call.logger ?? log).with({ taskType }),
          clock,
          remainingMs: () => scope.remainingMs(),
        });
      } catch (error) {
        const mayBeRotated = !fresh && call.connectionName !== undefined && Object.keys(connection.secrets).length > 0;
        if (!mayBeRotated || !isUnauthenticated(error)) throw error;
        return RETRY;
      }
    };
    return scope.within(async () => {
      const first = await attempt(false);
      return first === RETRY ? ((await attempt(true)) as T) : first;
    });
  }

  async #connectionOf(taskType: string, call: TaskCall, fresh: boolean): Promise<Connection> {
    const { resolver, redactor } = this.#options;
    const { connectionName: name, connection: own, connections = this.#connections } = call;
    if (name !== undefined && own !== undefined) {
      throw new BadTaskSpecificationError('a call has a connection by name, or one of its own, not both');
    }
    if (name !== undefined) return resolver.resolve(name, { taskType, connections, fresh });
    for (const value of Object.values(own?.secrets ?? {})) redactor.add(value);
    return own ?? NO_CONNECTION;
  }
}

const RETRY = Symbol('retry');

const isUnauthenticated = (error: unknown): boolean =>
  connectorErrorOf(error, { operation: 'get', taskType: '', redact: (text) => text }).code === 'Unauthenticated';
