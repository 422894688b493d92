import type { Logger } from '../../../shared/core/logger.ts';
import type { PipelineTasks } from '../../../shared/jobs/deps.ts';
import type { Pipeline } from '../../../shared/pipelines/define.ts';
import type { Faults } from '../faults.ts';
import type { Random } from '../random.ts';
import type { Task, World } from '../world.ts';
import type { Troubles } from './trouble.ts';
import type { View } from './views.ts';

export const KIND_NAMES = ['jobs', 'feeds', 'splits', 'sinks'] as const;
export type KindName = (typeof KIND_NAMES)[number];

/** A partition that was just made real by its commit. */
export interface Landing {
  /** From the root down, its own name included. */
  readonly path: readonly string[];
  readonly fingerprint: string;
  /** Somebody asked for it to be read again. */
  readonly isForced: boolean;
  readonly content: string;
  readonly facts: unknown;
}

/** One function's way to the services: every call waits for its turn in that function's name. */
export interface Caller {
  readonly task: Task;
  readonly log: Logger;
}

/** What all kinds are made of. */
export interface KindParts {
  readonly world: World;
  readonly random: Random;
  readonly faults: Faults;
  readonly troubles: Troubles;
  /** A state that the history reached. */
  readonly seen: (what: string) => void;
}

/** One kind of pipeline: a service with its own rules, the real source over it, and what has to hold of the two. */
export interface Kind {
  /** The pipeline as one function has it: its source speaks to the service in that function's name. */
  pipeline(caller: Caller): Pipeline;
  tasks?(caller: Caller): PipelineTasks;
  /** Something changes in the service. @returns what, for the one who reads */
  change(): string;
  /** From here on the service makes no trouble, and what is broken is mended. */
  calm(): void;
  landed(landing: Landing): void;
  /** Called with each manifest that is published. @throws {Violation} what it shows may not be shown */
  shown(view: View): void;
  /** @returns what the newest manifest lacks; undefined if it is all that the service has */
  lacks(view: View | undefined): string | undefined;
  /** Whether something may stay failed, and visible, until somebody gives it up: what is gone for good cannot land. */
  mayStayFailed?(): boolean;
  /** The time between two starts of its jobs that its limit leaves, and how many calls to start one there were. */
  readonly startIntervalMs?: number;
  starts?(): number;
  /** When all is over. @throws {Violation} */
  end(): void;
}
