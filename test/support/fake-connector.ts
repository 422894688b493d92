import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type Resource,
} from '../../shared/connectors/async/async-connector.ts';
import { connectionStore, type NamedConnection } from '../../shared/connectors/async/connections.ts';
import type { Deadlines } from '../../shared/connectors/async/connector-calls.ts';
import { idempotencyToken } from '../../shared/connectors/async/idempotency-token.ts';
import { ConnectorRegistry } from '../../shared/connectors/async/registry.ts';
import { jsonResourceMeta } from '../../shared/connectors/async/resource-meta.ts';
import { taskService } from '../../shared/connectors/async/service.ts';
import type { ServiceMetric } from '../../shared/connectors/async/service-metrics.ts';
import type { TaskService } from '../../shared/connectors/async/task-service.ts';
import { isObject } from '../../shared/core/json.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { FakeClock } from './fake-clock.ts';

export interface FakeMeta {
  readonly id: string;
}

/** A connector whose answers a test writes, and which remembers what it was asked. */
export class FakeConnector extends AsyncConnector<FakeMeta> {
  override readonly name: string = 'Fake';
  override readonly taskTypeName: string;
  override readonly taskTypeVersion: number;
  override readonly createIsIdempotent = true;
  override readonly metadataType = jsonResourceMeta<FakeMeta>((value) => {
    if (!isObject(value) || typeof value.id !== 'string') throw new Error('"id" is missing');
    return { id: value.id };
  });

  readonly asked: { readonly call: string; readonly args: readonly unknown[]; readonly context: ConnectorContext }[] =
    [];
  onCreate: (request: CreateRequest, context: ConnectorContext) => unknown = () => ({ id: 'job-1' });
  onGet: (meta: FakeMeta, context: ConnectorContext) => unknown = () => ({ phase: 'RUNNING' });
  onDelete: (meta: FakeMeta, context: ConnectorContext) => unknown = () => undefined;

  constructor(taskTypeName = 'fake', taskTypeVersion = 0) {
    super();
    this.taskTypeName = taskTypeName;
    this.taskTypeVersion = taskTypeVersion;
  }

  override async create(request: CreateRequest, context: ConnectorContext): Promise<FakeMeta> {
    this.asked.push({ call: 'create', args: [request], context });
    return (await this.onCreate(request, context)) as FakeMeta;
  }

  override async get(meta: FakeMeta, context: ConnectorContext): Promise<Resource> {
    this.asked.push({ call: 'get', args: [meta], context });
    return (await this.onGet(meta, context)) as Resource;
  }

  override async delete(meta: FakeMeta, context: ConnectorContext): Promise<void> {
    this.asked.push({ call: 'delete', args: [meta], context });
    await this.onDelete(meta, context);
  }

  get calls(): string[] {
    return this.asked.map(({ call }) => call);
  }
}

export interface ServiceWorldOptions {
  readonly connectors?: readonly AsyncConnector[];
  readonly connections?: Readonly<Record<string, NamedConnection>>;
  /** By reference. */
  readonly secrets?: Record<string, string>;
  readonly deadlinesMs?: Deadlines;
}

/** A task service over fakes, with all that it logged and counted. */
export function serviceWorld(options: ServiceWorldOptions = {}) {
  const connector = new FakeConnector();
  const time = new FakeClock();
  const redactor = new Redactor();
  const registry = new ConnectorRegistry();
  const logged: string[] = [];
  const metrics: ServiceMetric[] = [];
  const secrets = options.secrets ?? {};
  const read: string[] = [];
  for (const one of options.connectors ?? [connector]) registry.register(one);
  const log = jsonLogger({ clock: time.clock, redactor, level: 'debug', write: (line) => void logged.push(line) });
  const service: TaskService = taskService({
    registry,
    secrets: {
      get: async (reference) => {
        read.push(reference);
        const value = secrets[reference];
        if (value === undefined) throw new Error(`no secret ${reference}`);
        return value;
      },
    },
    connections: connectionStore(options.connections ?? {}),
    clock: time.clock,
    log,
    redactor,
    ...(options.deadlinesMs ? { deadlinesMs: options.deadlinesMs } : {}),
    onMetrics: (counted) => void metrics.push(...counted),
  });
  return { service, connector, registry, time, redactor, log, logged, metrics, secrets, read };
}

export const TOKEN = idempotencyToken('tenant', 'run', 'task', 0);
export const CALL = { idempotencyToken: TOKEN } as const;

export const aRequest = (template: object = {}, more: object = {}): CreateRequest => ({
  taskTemplate: { type: 'fake', ...template },
  outputPrefix: 's3://bucket/run/abc',
  ...more,
});

export const aHandle = (id = 'job-1'): Uint8Array => new TextEncoder().encode(JSON.stringify({ id }));
export const aJob = (handle = aHandle()) => ({ taskType: 'fake', taskTypeVersion: 0, handle });

/** What a call fails with. */
export async function failureOfCall(call: Promise<unknown> | (() => unknown)): Promise<Error> {
  try {
    await (typeof call === 'function' ? call() : call);
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call did not fail');
}

export async function all<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const part of parts) found.push(part);
  return found;
}
