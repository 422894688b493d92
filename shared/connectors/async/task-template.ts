import type { JsonObject, JsonValue } from '../../core/json.ts';

/** What is to be run: which connector, with what settings, inputs and limits. Holds no secrets. */
export interface TaskTemplate {
  readonly id?: TaskId;
  /** With `taskTypeVersion` it names the connector. */
  readonly type: string;
  readonly taskTypeVersion?: number;
  /** The connector's own settings. */
  readonly custom?: JsonObject;
  readonly sql?: { readonly statement: string; readonly dialect?: string };
  readonly container?: {
    readonly image?: string;
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  };
  readonly interface?: {
    readonly inputs?: Readonly<Record<string, InputType>>;
    readonly outputs?: Readonly<Record<string, TaskType>>;
  };
  readonly metadata?: TaskPolicy;
}

export interface TaskId {
  readonly project?: string;
  readonly domain?: string;
  readonly name: string;
  readonly version?: string;
}

/** `integer`, `string`, `datetime`, …, `list<T>`, `map<T>`. */
export type TaskType = string;

/** A type, or a type with the value an input has if none is given. */
export type InputType = TaskType | { readonly type: TaskType; readonly default?: JsonValue };

/** Limits of a task; times are seconds. What is absent has the executor's default. */
export interface TaskPolicy {
  /** Attempts after the first: 0 to 100, default 0. */
  readonly retries?: number;
  /** Before the second attempt, at least half of it; twice as long each time, to 5 minutes. 1 to 300, default 5. */
  readonly retryDelaySeconds?: number;
  /** Overall, from the first `create`. */
  readonly timeoutSeconds?: number;
  /** From `create` to the first RUNNING. */
  readonly queuedTimeoutSeconds?: number;
  /** In RUNNING. */
  readonly maxRuntimeSeconds?: number;
  /** Is a timeout worth another attempt? Default false. */
  readonly retryOnTimeout?: boolean;
  /** Another attempt after a `create` of which nobody knows whether it made a job? Default false. */
  readonly retryOnUnknownCreate?: boolean;
  /** The longest wait between two looks; 1 to 900. */
  readonly pollMaxSeconds?: number;
  /** Jobs that may be begun in a minute over this connection, instead of what the connector says. */
  readonly startsPerMinute?: number;
  /** Jobs that may be under way at a time over this connection; the others wait. Default: as many as there are. */
  readonly maxConcurrent?: number;
  readonly interruptible?: boolean;
}

/** Identity and environment of the run a task belongs to. */
export interface TaskExecutionMetadata {
  readonly taskExecutionId?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly k8sServiceAccount?: string;
  readonly environmentVariables?: Readonly<Record<string, string>>;
  readonly maxAttempts?: number;
  readonly interruptible?: boolean;
  readonly interruptibleFailureThreshold?: number;
  readonly identity?: JsonObject;
}
