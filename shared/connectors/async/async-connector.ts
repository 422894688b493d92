import type { Clock } from '../../core/clock.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Logger } from '../../core/logger.ts';
import type { Phase } from './phases.ts';
import type { ResourceMetaCodec } from './resource-meta.ts';
import type { TaskExecutionMetadata, TaskTemplate } from './task-template.ts';

/**
 * Starts a job in a system outside our control, reports what it is doing, and stops it. A connector does none of the work
 * itself and keeps no state between calls: all it needs later is in the handle (`M`) that `create` returns.
 *
 * It is constructed when its module is loaded, so a constructor does no I/O. Each call should end within 10 s. Clients may
 * be kept, if by every credential they were built from: one instance serves many tenants.
 *
 * @see Flyte's `AsyncConnector`
 */
export abstract class AsyncConnector<M = unknown> {
  /** For logs, and to list connectors by; several task types may share one. */
  readonly name: string = 'Async Connector';
  /** What a task template names it by: a letter or digit, then up to 127 letters, digits, `_`, `.` or `-`. */
  abstract readonly taskTypeName: string;
  /** 0 to 2³¹ − 1. A version is looked up exactly. */
  readonly taskTypeVersion: number = 0;
  abstract readonly metadataType: ResourceMetaCodec<M>;
  /** True if `create`, called twice with one idempotency token, makes one job. */
  abstract readonly createIsIdempotent: boolean;
  /** Decides instead where it depends on a task's settings. Does no I/O; for settings that are wrong it answers false. */
  isIdempotentFor?(template: TaskTemplate): boolean;
  /** How often its jobs are looked after and how much it may be asked; each has a default. */
  readonly polling: PollingHints = {};

  /** Starts the job. A job that has ended by then is no error: the next `get` reports it. */
  abstract create(request: CreateRequest, context: ConnectorContext): Promise<M>;

  /**
   * Where the job stands, with its outputs once it has succeeded if it cannot write them itself. A state the connector does
   * not know is no error: it is RUNNING, with the message {@link unknownState} makes.
   */
  abstract get(meta: M, context: ConnectorContext): Promise<Resource>;

  /**
   * Stops the job; succeeds if it has ended, was cancelled or is unknown. Does not wait for the stop and removes no outputs.
   *
   * @throws if the service refused and the job may go on
   */
  abstract delete(meta: M, context: ConnectorContext): Promise<void>;

  getMetrics?(meta: M, query: MetricsQuery, context: ConnectorContext): Promise<TaskMetrics>;

  getLogs?(meta: M, query: LogsQuery, context: ConnectorContext): Promise<TaskLogsPage> | AsyncIterable<TaskLogsPart>;

  /** Looks for a job by its idempotency token, where `create` is not idempotent but jobs can be found by a tag or name. */
  findByToken?(token: string, request: CreateRequest, context: ConnectorContext): Promise<M | undefined>;
}

export interface CreateRequest {
  readonly taskTemplate: TaskTemplate;
  /** Where results belong, such as `s3://bucket/run/abc`. */
  readonly outputPrefix: string;
  /** By the names the template's interface declares, defaults filled in. */
  readonly inputs?: Readonly<Record<string, JsonValue>>;
  readonly taskExecutionMetadata?: TaskExecutionMetadata;
}

export interface ConnectorContext {
  readonly connection: Connection;
  /** 0 for the first. */
  readonly attempt: number;
  /** The same for every `create` of one attempt: 52 characters of `[a-z2-7]`, to be cut to no fewer than 32. */
  readonly idempotencyToken: string;
  /** Where the job's results belong, if the caller knows. */
  readonly outputPrefix?: string;
  /** Fires when the call's time is up. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly clock: Clock;
  remainingMs(): number;
}

/** A named connection with its secrets resolved; never stored, logged or put into a handle. */
export interface Connection {
  readonly secrets: Readonly<Record<string, string>>;
  readonly configs: Readonly<Record<string, string>>;
}

export interface PollingHints {
  /** The longest wait between two looks at a job, in seconds: 1 to 900, default 30. */
  readonly pollMaxSeconds?: number;
  /** When a new job is looked at first, in seconds: 0 to 900, default 2. */
  readonly firstPollSeconds?: number;
  /** Calls a second that one connection allows, reads and writes each: default 10, in bursts of at most 100. */
  readonly callsPerSecond?: number;
  readonly burst?: number;
  /** Jobs that one connection may begin in a minute, evenly spread; absent: as many as calls. */
  readonly startsPerMinute?: number;
}

/** What `get` answers. */
export interface Resource {
  readonly phase: Phase;
  /** Shown to people; on failure the cause. At most 8 KiB are kept, head and tail. */
  readonly message?: string;
  /** Replaces what was told before; at most 20 are kept. */
  readonly logLinks?: readonly TaskLog[];
  /** With SUCCEEDED: by declared output name. Absent if the job wrote its outputs under the output prefix. */
  readonly outputs?: JsonObject;
  /** At most 32 KiB as JSON; whole numbers above 2⁵³ as strings. */
  readonly customInfo?: JsonObject;
  /** When it is worth looking again, in milliseconds from now. */
  readonly pollAfterMs?: number;
  /** Of a failure: what failed and whose fault it is. */
  readonly error?: ResourceError;
}

export interface ResourceError {
  readonly code: string;
  readonly retryable?: boolean;
  readonly origin?: ErrorOrigin;
}

export type ErrorOrigin = 'user' | 'service' | 'executor';

export interface TaskLog {
  readonly uri: string;
  readonly name: string;
  readonly messageFormat?: 'UNKNOWN' | 'CSV' | 'JSON';
  readonly ttlSeconds?: number;
  readonly showWhilePending?: boolean;
  readonly hideOnceFinished?: boolean;
  readonly linkType?: 'EXTERNAL' | 'DASHBOARD' | 'IDE';
  readonly ready?: boolean;
  readonly iconUri?: string;
}

export interface MetricsQuery {
  /** Names such as `EXECUTION_METRIC_USED_CPU_AVG`; none means a default set. */
  readonly queries: readonly string[];
  readonly startTime?: Date;
  readonly endTime?: Date;
  /** Resolution. */
  readonly stepSeconds?: number;
}

export interface TaskMetrics {
  readonly results: readonly {
    readonly metric: string;
    /** As Prometheus answers a range query; at most 11,000 points a series. */
    readonly data: {
      readonly resultType: 'matrix';
      readonly result: readonly {
        readonly metric: Readonly<Record<string, string>>;
        /** Seconds since 1970 UTC, and the value as text. */
        readonly values: readonly (readonly [number, string])[];
      }[];
    };
  }[];
}

export interface LogsQuery {
  /** Lines of a page: 1 to 10,000, default 1,000. */
  readonly lines: number;
  /** Where the page begins, as the one before told; absent for the first. Good for at least 24 hours. */
  readonly token?: string;
}

export interface LogLine {
  readonly timestamp?: string;
  /** Keeps its own line ending. */
  readonly message: string;
  readonly originator?: 'UNKNOWN' | 'USER' | 'SYSTEM';
}

export interface TaskLogsPage {
  readonly lines: readonly LogLine[];
  /** Absent or empty after the last page. */
  readonly nextToken?: string;
}

export type TaskLogsPart = { readonly lines: readonly LogLine[] } | { readonly nextToken: string };

/** The answer for a state the service reports and the connector does not know: it goes on, visibly, until a timeout. */
export function unknownState(state: unknown, { logger }: Pick<ConnectorContext, 'logger'>): Resource {
  logger.warn('metric', { metric: 'unknown_external_state', value: 1, state: String(state) });
  return { phase: 'RUNNING', message: `unrecognised state ${String(state)}` };
}
