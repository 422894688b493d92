import type { Logger } from '../../core/logger.ts';
import type {
  Connection,
  CreateRequest,
  LogsQuery,
  MetricsQuery,
  PollingHints,
  Resource,
  TaskLogsPart,
  TaskMetrics,
} from './async-connector.ts';
import type { ConnectionStore } from './connections.ts';
import type { ConnectorInfo } from './registry.ts';
import type { TaskTemplate } from './task-template.ts';

/**
 * Finds the connector of a task, turns its handle into bytes and back, calls it within a deadline, and answers what it
 * answers: cut to size, without secrets, and every failure as a {@link ConnectorError} that says whether to try again.
 *
 * If the caller's own signal fires first, its reason is thrown as it is.
 */
export interface TaskService {
  /**
   * Starts a job. A 401 is tried once more with the secrets read anew.
   *
   * @returns the job's handle: opaque, at most 64 KiB, without secrets
   * @throws {ConnectorError} `MetadataTooLarge` after the job was deleted again
   */
  create(request: CreateRequest, call: CreateCall): Promise<Uint8Array>;
  /** Where the job stands. Its phase is one of the known, never UNDEFINED. */
  get(job: ExternalJob, call: TaskCall): Promise<Resource>;
  /** Asks for the job to be stopped. That it has ended, or is gone, is no error. */
  delete(job: ExternalJob, call: TaskCall): Promise<void>;
  getMetrics(job: ExternalJob, query: MetricsQuery, call: TaskCall): Promise<TaskMetrics>;
  /** In parts, each with either lines (at most 1 MiB as JSON) or the token of the next page. Without a token it was the last page. */
  getLogs(job: ExternalJob, query: Partial<LogsQuery>, call: TaskCall): AsyncIterable<TaskLogsPart>;
  /** The handle of the job that was created with the call's token, if its connector can tell and there is one. */
  findByToken(request: CreateRequest, call: CreateCall): Promise<Uint8Array | undefined>;

  /**
   * @param template of the task that is asked about: whether its `create` is idempotent may depend on its settings
   * @throws {ConnectorNotFoundError}
   */
  typeOf(taskType: string, taskTypeVersion?: number, template?: TaskTemplate): TaskTypeInfo;
  /** @throws {ConnectorNotFoundError} no connector has this name */
  getConnector(name: string): ConnectorInfo;
  /** By name. */
  listConnectors(): readonly ConnectorInfo[];
}

/** What a job is known by after it was created. */
export interface ExternalJob {
  readonly taskType: string;
  /** Default 0. */
  readonly taskTypeVersion?: number;
  readonly handle: Uint8Array;
  /** As it was created with. */
  readonly outputPrefix?: string;
}

export interface TaskCall {
  /** Names a connection of `connections`; none means without secrets and configs. */
  readonly connectionName?: string;
  /** Where the name is looked up. Default: the service's own. */
  readonly connections?: ConnectionStore;
  /** Secrets that came with the call itself, instead of a name. Never stored. */
  readonly connection?: Connection;
  /** 0 (default) for the first. */
  readonly attempt?: number;
  readonly idempotencyToken?: string;
  readonly signal?: AbortSignal;
  /** Default: the service's own. */
  readonly logger?: Logger;
}

export interface CreateCall extends TaskCall {
  /** The same for every `create` of one attempt; 52 characters of `[a-z2-7]`. */
  readonly idempotencyToken: string;
}

/** What an executor must know of a task type. */
export interface TaskTypeInfo {
  /** Of its connector. */
  readonly name: string;
  readonly createIsIdempotent: boolean;
  readonly polling: PollingHints;
  readonly canFindByToken: boolean;
  readonly hasMetrics: boolean;
  readonly hasLogs: boolean;
}
