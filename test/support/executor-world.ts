import { onTestFinished } from 'vitest';
import { BucketStore } from '../../shared/buckets/store.ts';
import { ConnectorRegistry } from '../../shared/connectors/async/registry.ts';
import { taskService } from '../../shared/connectors/async/service.ts';
import type { TaskPolicy, TaskTemplate } from '../../shared/connectors/async/task-template.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import type { ExecutorDeps } from '../../shared/jobs/deps.ts';
import { beginJob, cancelJob, lookAfter, sweepJobs } from '../../shared/jobs/executor.ts';
import { type JobRecord, JobStore } from '../../shared/jobs/store.ts';
import { type PollJobMessage, parsePollJob } from '../../shared/queue/messages.ts';
import { SqliteDatabase } from '../../shared/sqlite/database.ts';
import { sqliteTables } from '../../shared/tables/sqlite.ts';
import type { Tables } from '../../shared/tables/table.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryObjects } from './memory-objects.ts';
import { ScriptedJobs } from './scripted-jobs.ts';

export interface SentPoll {
  readonly message: PollJobMessage;
  readonly atMs: number;
  readonly delaySeconds: number;
}

/** The executor of external jobs with a scripted service, on a clock that jumps from one message to the next. */
export class ExecutorWorld {
  readonly time = new FakeClock();
  readonly service: ScriptedJobs;
  readonly objects = new MemoryObjects();
  readonly log: string[] = [];
  /** All that was sent, also what was handled. */
  readonly sent: SentPoll[] = [];
  readonly told: JobRecord[] = [];
  readonly deps: ExecutorDeps;
  readonly tables: Tables;
  waiting: SentPoll[] = [];
  isWanted = true;
  /** Jitter in the middle: none. */
  random = 0.5;
  #messages = 0;

  constructor(polling: ConstructorParameters<typeof ScriptedJobs>[0] = {}) {
    this.service = new ScriptedJobs(polling);
    const database = new SqliteDatabase(':memory:');
    onTestFinished(() => database.close());
    const tables = sqliteTables(database);
    this.tables = tables;
    const { clock } = this.time;
    const redactor = new Redactor();
    const log = jsonLogger({ clock, redactor, level: 'debug', write: (line) => this.log.push(line) });
    const registry = new ConnectorRegistry();
    registry.register(this.service);
    const service = taskService({ registry, secrets: { get: async () => '' }, clock, log, redactor });
    const connections = { get: async () => undefined };
    this.deps = {
      ...{ clock, log, redactor, objects: this.objects },
      random: () => this.random,
      jobs: new JobStore(tables.jobs),
      buckets: new BucketStore(tables.buckets, () => this.random),
      queues: {
        send: async (_queue, messages) => {
          for (const { body, delaySeconds = 0 } of messages) {
            const message = parsePollJob(JSON.parse(body));
            const poll = { message, delaySeconds, atMs: this.time.nowMs + delaySeconds * 1000 };
            this.sent.push(poll);
            this.waiting.push(poll);
          }
        },
      },
      tasksOf: async () => ({ service, connections }),
      isWanted: async () => this.isWanted,
      tell: async (job) => void this.told.push(job),
    };
  }

  begin(policy: TaskPolicy = {}, template: Partial<TaskTemplate> = {}, node = 'n'): Promise<void> {
    const taskTemplate: TaskTemplate = { type: 'scripted', ...template, metadata: policy };
    const notify = { run: 1 };
    return beginJob({ pipeline: 'p', node, request: { path: [node], taskTemplate }, notify }, this.deps);
  }

  /** Handles the message that is due next, at its time. @returns false if there is none */
  async step(): Promise<boolean> {
    const next = this.waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (!next) return false;
    this.waiting = this.waiting.filter((one) => one !== next);
    this.time.moveTo(next.atMs);
    await this.handle(next.message);
    return true;
  }

  handle(message: PollJobMessage, messageId = `m${++this.#messages}`): Promise<void> {
    const deadline = { remainingMs: () => Number.POSITIVE_INFINITY, signal: new AbortController().signal };
    return lookAfter(message, { messageId, deadline }, this.deps);
  }

  /** Works until no message is left, at most so many. */
  async work(steps = 2000): Promise<void> {
    while (steps-- > 0) if (!(await this.step())) return;
    throw new Error('messages do not end');
  }

  async job(node = 'n'): Promise<JobRecord> {
    return (await this.deps.jobs.latest('p', node))!;
  }

  attempts(node = 'n'): Promise<JobRecord[]> {
    return this.deps.jobs.attempts('p', node);
  }

  async cancel(): Promise<boolean> {
    return (await cancelJob(await this.job(), 'not needed any more', this.deps)) !== undefined;
  }

  sweep(): Promise<number> {
    return sweepJobs('p', this.deps);
  }
}
